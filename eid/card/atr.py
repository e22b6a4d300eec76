"""Answer to reset and answer to select with the historical bytes (ISO/IEC 7816-3 8.2, ISO/IEC 14443-4 5.2)."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final

from eid.profile.card_image import ChipImage, Interface

_TS_DIRECT: Final = b"\x3b"
_TD1_FOLLOWS: Final = 0x80
# TD1: TD2 follows, T=1. TD2: TA3 and TB3 follow, T=1. TA3: IFSC 254. TB3: BWI 4, CWI 5 (ISO/IEC 7816-3 11.4.2, 11.4.3).
_CONTACT_INTERFACE_BYTES: Final = bytes.fromhex("8131FE45")
_CONTACTLESS_INTERFACE_BYTES: Final = bytes.fromhex("8001")  # PC/SC part 3, 3.1.3.2.3
# FSCI 8 (frames of 256 octets), TA: 106 to 848 kbit/s, TB: FWI 8 and SFGI 1, TC: CID (ISO/IEC 14443-4 5.2).
_ATS_INTERFACE_BYTES: Final = bytes.fromhex("78778102")


def build_atr(chip: ChipImage) -> bytes:
    """The ATR that a terminal sees: the card's own, or what the reader makes up for a contactless card."""
    interface = _CONTACT_INTERFACE_BYTES
    if chip.interface is Interface.CONTACTLESS:
        interface = _CONTACTLESS_INTERFACE_BYTES
    body = bytes((_TD1_FOLLOWS | len(chip.historical_bytes),)) + interface + chip.historical_bytes
    return _TS_DIRECT + body + bytes((reduce(xor, body),))  # TCK, ISO/IEC 7816-3 8.2.5


def build_ats(chip: ChipImage) -> bytes:
    """The answer to select of a contactless card, without its CRC."""
    body = _ATS_INTERFACE_BYTES + chip.historical_bytes
    return bytes((len(body) + 1,)) + body
