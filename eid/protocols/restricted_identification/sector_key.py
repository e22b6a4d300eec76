"""A sector's public key as it travels: data objects with domain parameters (TR-03110-3 B.4.1, D.3.2, D.3.3).

Domain parameters are never taken as given: they equal those of a known group, or the key is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.cv import CvEcPublicKey, decode_cv_public_key
from eid.codec.cv_encoding import encode_cv_public_key
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.codec.tlv import decode_tlvs, encode_tlv, encode_tlvs
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup, EcGroup, Group
from eid.crypto.public_key import explicit_parameters, match_curve
from eid.errors import DecodeError, VerificationError
from eid.lds.security_infos import ID_RI_DH
from eid.protocols.restricted_identification.core import PROTOCOLS, mechanism_of

_OID: Final = 0x06
_DH_TAGS: Final = (_OID, 0x81, 0x82, 0x83, 0x84)  # p, order q, generator g, public value y
_CLAUSE: Final = "TR-03110-3 D.3"


@dataclass(frozen=True, slots=True)
class SectorPublicKey:
    """A sector's public key.

    Args:
        protocol: of Restricted Identification, dotted. public: the element, encoded.
        content: the data objects as they stand; what the certificate's hash is over.
    """

    protocol: str
    group: Group
    public: bytes = field(repr=False)
    content: bytes = field(repr=False)


def build_sector_key(protocol: str, group: Group, public: bytes) -> SectorPublicKey:
    """The data objects of a key, domain parameters included.

    Raises:
        DecodeError: `public` is no element of the group, or the protocol is not for it.
    """
    _require_protocol(protocol, group)
    group.require_element(public)
    if isinstance(group, EcGroup):
        content = encode_cv_public_key(CvEcPublicKey(protocol, public, explicit_parameters(group.curve)))
    elif isinstance(group, DhGroup):
        values = group.parameters
        numbers = (values.p, values.q, values.g, int.from_bytes(public, "big"))
        content = encode_tlv(_OID, encode_oid_content(protocol)) + b"".join(
            encode_tlv(tag, number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for tag, number in zip(_DH_TAGS[1:], numbers, strict=True)
        )
    else:
        raise DecodeError("neither a curve nor a MODP group", clause=_CLAUSE)
    return SectorPublicKey(protocol, group, public, content)


def decode_sector_key(content: bytes) -> SectorPublicKey:
    """Read the data objects of a key, from inside 7F49, A0 or A2.

    Raises:
        DecodeError: malformed, domain parameters missing or of no known group, or no element of it.
    """
    objects = decode_tlvs(content)
    if not objects or objects[0].tag != _OID or encode_tlvs(objects) != content:
        raise DecodeError("a public key begins with its algorithm, and its lengths are minimal", clause=_CLAUSE)
    protocol = decode_oid_content(objects[0].value)
    if PROTOCOLS.get(protocol, ("",))[0] == ID_RI_DH:
        group, public = _decode_dh(tuple(item.tag for item in objects), [item.value for item in objects[1:]])
    else:
        group, public = _decode_ec(content)
    _require_protocol(protocol, group)
    return SectorPublicKey(protocol, group, group.require_element(public), content)


def _decode_ec(content: bytes) -> tuple[Group, bytes]:
    key = decode_cv_public_key(content)
    if not isinstance(key, CvEcPublicKey) or key.parameters is None:
        raise DecodeError("a sector's key states its domain parameters", clause="TR-03110-3 B.4.1")
    try:
        return EcGroup(match_curve(key.parameters)), key.public_point
    except VerificationError as fault:
        raise DecodeError(str(fault), clause=_CLAUSE) from fault


def _decode_dh(tags: tuple[int, ...], values: list[bytes]) -> tuple[Group, bytes]:
    if tags != _DH_TAGS:
        raise DecodeError("a Diffie-Hellman key is p, q, g and y", clause="TR-03110-3 D.3.2")
    p, q, g = (int.from_bytes(value, "big") for value in values[:3])
    for known in DH_GROUPS:
        if (known.p, known.q, known.g) == (p, q, g):
            return DhGroup(known), values[3]
    raise DecodeError("domain parameters of no known group", clause="TR-03110-3 D.3.2")


def _require_protocol(protocol: str, group: Group) -> None:
    if PROTOCOLS.get(protocol, ("",))[0] != mechanism_of(group):
        raise DecodeError("the algorithm is not Restricted Identification over this group", clause="TR-03110-3 A.5")
