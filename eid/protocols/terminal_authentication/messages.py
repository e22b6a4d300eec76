"""Commands and data objects of Terminal Authentication (TR-03110-3 B.3, A.7.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from eid.codec import cv_tags
from eid.codec.apdu import CommandAPDU
from eid.codec.cv import CvCertificate, decode_cv_certificate, decode_reference
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.codec.tlv import decode_tlv, decode_tlvs, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.protocols.terminal_authentication.core import CHALLENGE_LENGTH, AuxiliaryDatum

MANAGE_SECURITY_ENVIRONMENT: Final = 0x22
PERFORM_SECURITY_OPERATION: Final = 0x2A
GET_CHALLENGE: Final = 0x84
EXTERNAL_AUTHENTICATE: Final = 0x82
SET_DST: Final = (0x81, 0xB6)  # P1 P2: digital signature template for verification
SET_AT: Final = (0x81, 0xA4)  # P1 P2: authentication template for external authentication
VERIFY_SELF_DESCRIPTIVE: Final = (0x00, 0xBE)

DO_PROTOCOL: Final = 0x80
DO_REFERENCE: Final = 0x83
DO_EPHEMERAL_KEY: Final = 0x91
DO_AUXILIARY: Final = 0x67
_CLAUSE: Final = "TR-03110-3 B.3"


@dataclass(frozen=True, slots=True)
class AuthenticationTemplate:
    """What MSE:Set AT says; all but the reference in version 2 only.

    Args:
        holder_reference: name of the terminal's certificate. protocol: dotted. compressed_key: Comp(PK_PCD).
        auxiliary: data object 67 with its header, as it stands; empty where there is none.
    """

    holder_reference: str
    protocol: str | None = None
    compressed_key: bytes | None = None
    auxiliary: bytes = field(default=b"", repr=False)


def encode_set_dst(authority_reference: str) -> CommandAPDU:
    """MSE:Set DST: the key that verifies the next certificate (B.4.1)."""
    data = encode_tlv(DO_REFERENCE, authority_reference.encode("latin-1"))
    return CommandAPDU(0x00, MANAGE_SECURITY_ENVIRONMENT, *SET_DST, data)


def decode_set_dst(data: bytes) -> str:
    """The reference of MSE:Set DST.

    Raises:
        DecodeError: not exactly one well-formed reference.
    """
    return decode_reference(decode_tlv(data, DO_REFERENCE).value)


def encode_verify_certificate(raw: bytes) -> CommandAPDU:
    """PSO:Verify Certificate with body and signature, without the tag around them (B.4.2).

    Raises:
        DecodeError: `raw` is no data object 7F21.
    """
    data = decode_tlv(raw, cv_tags.CV_CERTIFICATE).value
    return CommandAPDU(0x00, PERFORM_SECURITY_OPERATION, *VERIFY_SELF_DESCRIPTIVE, data)


def decode_verify_certificate(data: bytes) -> CvCertificate:
    """The certificate of PSO:Verify Certificate.

    Raises:
        DecodeError: malformed.
    """
    return decode_cv_certificate(encode_tlv(cv_tags.CV_CERTIFICATE, data))


def encode_set_at(template: AuthenticationTemplate) -> CommandAPDU:
    """MSE:Set AT for external authentication (B.4.3)."""
    data = b"" if template.protocol is None else encode_tlv(DO_PROTOCOL, encode_oid_content(template.protocol))
    data += encode_tlv(DO_REFERENCE, template.holder_reference.encode("latin-1")) + template.auxiliary
    if template.compressed_key is not None:
        data += encode_tlv(DO_EPHEMERAL_KEY, template.compressed_key)
    return CommandAPDU(0x00, MANAGE_SECURITY_ENVIRONMENT, *SET_AT, data)


def decode_set_at(data: bytes) -> AuthenticationTemplate:
    """The data field of MSE:Set AT.

    Raises:
        DecodeError: an object is missing, unknown, repeated or malformed.
    """
    objects = decode_tlvs(data)
    if unknown := {item.tag for item in objects} - {DO_PROTOCOL, DO_REFERENCE, DO_EPHEMERAL_KEY, DO_AUXILIARY}:
        raise DecodeError(f"data object {min(unknown):X} in MSE:Set AT", clause=_CLAUSE)
    protocol, key = find_tlv(objects, DO_PROTOCOL), find_tlv(objects, DO_EPHEMERAL_KEY)
    auxiliary = find_tlv(objects, DO_AUXILIARY)
    return AuthenticationTemplate(
        decode_reference(require_tlv(objects, DO_REFERENCE).value),
        None if protocol is None else decode_oid_content(protocol.value),
        None if key is None else key.value,
        b"" if auxiliary is None else auxiliary.encode(),
    )


def encode_auxiliary_data(items: Iterable[AuxiliaryDatum]) -> bytes:
    """Authenticated auxiliary data, 67 { 73 { 06, 53 } ... } (A.6.5)."""
    templates = (
        encode_tlv(
            cv_tags.DISCRETIONARY_TEMPLATE,
            encode_tlv(cv_tags.OID, encode_oid_content(item.oid)) + encode_tlv(cv_tags.DISCRETIONARY_DATA, item.data),
        )
        for item in items
    )
    return encode_tlv(DO_AUXILIARY, b"".join(templates))


def decode_auxiliary_data(raw: bytes) -> tuple[AuxiliaryDatum, ...]:
    """The templates of a data object 67; none for no octets.

    Raises:
        DecodeError: malformed.
    """
    if not raw:
        return ()
    items = []
    for template in decode_tlv(raw, DO_AUXILIARY).children():
        if template.tag != cv_tags.DISCRETIONARY_TEMPLATE:
            raise DecodeError("auxiliary data are discretionary data templates", clause="TR-03110-3 A.7.5")
        objects = template.children()
        oid = decode_oid_content(require_tlv(objects, cv_tags.OID).value)
        items.append(AuxiliaryDatum(oid, require_tlv(objects, cv_tags.DISCRETIONARY_DATA).value))
    return tuple(items)


def encode_get_challenge() -> CommandAPDU:
    """GET CHALLENGE for r_PICC (B.4.4)."""
    return CommandAPDU(0x00, GET_CHALLENGE, 0x00, 0x00, le=CHALLENGE_LENGTH)


def encode_external_authenticate(signature: bytes) -> CommandAPDU:
    """EXTERNAL AUTHENTICATE with the terminal's signature (B.4.5)."""
    return CommandAPDU(0x00, EXTERNAL_AUTHENTICATE, 0x00, 0x00, signature)
