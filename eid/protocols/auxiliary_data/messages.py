"""VERIFY of authenticated auxiliary data (TR-03110-3 B.6)."""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import CommandAPDU
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.codec.tlv import decode_tlv, encode_tlv

PROPRIETARY: Final = 0x80  # application-specific coding: 8C inside secure messaging
VERIFY: Final = 0x20
AUXILIARY_DATA: Final = (0x80, 0x00)  # P1 P2
_OID: Final = 0x06


def encode_verify(oid: str) -> CommandAPDU:
    """VERIFY of the auxiliary data of this identifier (dotted)."""
    return CommandAPDU(PROPRIETARY, VERIFY, *AUXILIARY_DATA, encode_tlv(_OID, encode_oid_content(oid)))


def decode_verify(data: bytes) -> str:
    """The identifier, dotted.

    Raises:
        DecodeError: not exactly one object identifier.
    """
    return decode_oid_content(decode_tlv(data, _OID).value)
