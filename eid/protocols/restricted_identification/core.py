"""The role-blind part of Restricted Identification, over curves and MODP groups (TR-03110-2 3.6, TR-03110-3 2.7, A.5).

The sector's private key belongs to a third party. Who holds it can compute the identifier from the chip's public key
alone; that is how a lost card is put on every sector's list without being named (TR-03110-3 2.7.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec import cv_tags
from eid.codec.cv import CvExtension
from eid.codec.oid import ID_SECTOR
from eid.codec.tlv import Tlv, decode_tlvs, encode_tlv, find_tlv
from eid.crypto.group import EcGroup, Group, GroupKey
from eid.crypto.hashes import digest
from eid.errors import DecodeError, LocalProtocolError
from eid.lds.security_infos import ID_RI_DH, ID_RI_ECDH

HASHES: Final = {1: "sha1", 2: "sha224", 3: "sha256", 4: "sha384", 5: "sha512"}
"""Last arc of a protocol to the hash that makes the identifier (TR-03110-3 A.5.3, A.5.4)."""
PROTOCOLS: Final = {
    f"{mechanism}.{arc}": (mechanism, name) for mechanism in (ID_RI_DH, ID_RI_ECDH) for arc, name in HASHES.items()
}
"""Protocol (dotted) to mechanism and hash."""
_FIRST: Final = 0x80
_SECOND: Final = 0x81


def mechanism_of(group: Group) -> str:
    """id-RI-ECDH or id-RI-DH, as the group asks."""
    return ID_RI_ECDH if isinstance(group, EcGroup) else ID_RI_DH


def protocol_of(group: Group, hash_name: str) -> str:
    """The protocol of a group and a hash, dotted.

    Raises:
        LocalProtocolError: none with this hash.
    """
    for protocol, known in PROTOCOLS.items():
        if known == (mechanism_of(group), hash_name):
            return protocol
    raise LocalProtocolError(f"Restricted Identification knows no {hash_name}")


def compute_identifier(hash_name: str, key: GroupKey, peer: bytes) -> bytes:
    """I_ID^Sector = H(KA(SK, PK)): over the x coordinate, or the field element at full length (A.5.3, A.5.4).

    The chip computes it from SK_ID and PK_Sector; a revocation service from SK_Sector and PK_ID^Revocation.

    Raises:
        DecodeError: the peer's key is no element of the group.
    """
    return digest(hash_name, key.agree(peer))


def transform_key(key: GroupKey, public: bytes) -> bytes:
    """KA(SK, PK) as an element: PK_Sector from PK_Revocation, and PK_ID^Revocation from PK_ID (2.7.3).

    Raises:
        DecodeError: the public key is no element of the group.
    """
    return key.multiply(public)


def hash_sector_key(hash_name: str, content: bytes) -> bytes:
    """Hash of a sector's public key data object, with tag 7F49 whatever tag it came in (C.3.2).

    Args:
        content: the data objects of the key, domain parameters included.
    """
    return digest(hash_name, encode_tlv(cv_tags.PUBLIC_KEY, content))


@dataclass(frozen=True, slots=True)
class TerminalSector:
    """The extension of a terminal's certificate that ties it to one sector, or to two (C.3.2).

    Args:
        first, second: hash of each sector's public key data object, made with the hash that signs the certificate.
    """

    first: bytes | None = field(default=None, repr=False)
    second: bytes | None = field(default=None, repr=False)

    @property
    def hashes(self) -> tuple[bytes | None, bytes | None]:
        """Both, as the command names them."""
        return self.first, self.second


def build_terminal_sector(hash_name: str, first: bytes | None, second: bytes | None = None) -> CvExtension:
    """The extension for a certificate.

    Args:
        hash_name: of the algorithm that will sign the certificate. first, second: content of the public key objects.
    """
    content = b"".join(
        encode_tlv(tag, hash_sector_key(hash_name, key))
        for tag, key in ((_FIRST, first), (_SECOND, second))
        if key is not None
    )
    return CvExtension(ID_SECTOR, content)


def find_terminal_sector(extensions: tuple[CvExtension, ...]) -> TerminalSector:
    """The sectors that a certificate names; empty where it names none.

    Raises:
        DecodeError: the extension is malformed or stands there twice.
    """
    found = [item for item in extensions if item.oid == ID_SECTOR]
    if len(found) > 1:
        raise DecodeError("two terminal sectors", clause="TR-03110-3 C.3.2")
    return _decode_terminal_sector(found[0].content) if found else TerminalSector()


def _decode_terminal_sector(content: bytes) -> TerminalSector:
    objects = decode_tlvs(content)
    if unknown := {item.tag for item in objects} - {_FIRST, _SECOND}:
        raise DecodeError(f"data object {min(unknown):X} in a terminal sector", clause="TR-03110-3 C.3.2")
    if len(objects) != len({item.tag for item in objects}) or not objects:
        raise DecodeError("a terminal sector has one hash, or one of each kind", clause="TR-03110-3 C.3.2")
    first, second = find_tlv(objects, _FIRST), find_tlv(objects, _SECOND)
    return TerminalSector(_value(first), _value(second))


def _value(item: Tlv | None) -> bytes | None:
    return None if item is None else item.value
