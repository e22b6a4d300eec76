"""DG1: the machine readable zone (Doc 9303-10 4.7.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import decode_tlv, encode_tlv, require_tlv
from eid.errors import DecodeError
from eid.mrz import Mrz, decode_joined_mrz

CLAUSE: Final = "Doc 9303-10 4.7.1"
TAG: Final = 0x61
MRZ_DATA: Final = 0x5F1F
LINE_LENGTHS: Final = {90: 30, 72: 36, 88: 44}  # TD1, TD2, TD3: octets in all, octets of one line
HEADER_LENGTH: Final = 5  # of both tags and lengths
_USUAL_HEADERS: Final = {
    encode_tlv(TAG, encode_tlv(MRZ_DATA, bytes(length)))[:HEADER_LENGTH]: length for length in LINE_LENGTHS
}


@dataclass(frozen=True, slots=True)
class DG1:
    """DG1: the MRZ's characters, lines joined, 90 (TD1), 72 (TD2) or 88 (TD3) of them."""

    mrz_data: str = field(repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def lines(self) -> tuple[str, ...]:
        """The MRZ's lines."""
        size = LINE_LENGTHS[len(self.mrz_data)]
        return tuple(self.mrz_data[start : start + size] for start in range(0, len(self.mrz_data), size))

    def mrz(self) -> Mrz:
        """The fields of the MRZ.

        Raises:
            DecodeError: a field or check digit is wrong; the error names it.
        """
        return decode_joined_mrz(self.mrz_data)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(TAG, encode_tlv(MRZ_DATA, self.mrz_data.encode("ascii")))


def build_dg1(mrz: Mrz) -> DG1:
    """DG1 of the MRZ that is printed on the card."""
    return DG1("".join(mrz.encode()))


def decode_dg1(raw: bytes) -> DG1:
    """Decode DG1; the fields inside are decoded by `DG1.mrz`.

    Raises:
        DecodeError: no MRZ data object, not ASCII, or none of the three lengths.
    """
    # One comparison serves the three lengths in the form that every issuer writes; any other BER is read as such.
    if _USUAL_HEADERS.get(raw[:HEADER_LENGTH]) == len(raw) - HEADER_LENGTH:
        value = raw[HEADER_LENGTH:]
    else:
        value = require_tlv(decode_tlv(raw, TAG).children(), MRZ_DATA).value
    if len(value) not in LINE_LENGTHS:
        raise DecodeError(f"MRZ of {len(value)} octets", clause=CLAUSE)
    if not value.isascii():
        raise DecodeError("MRZ is not ASCII", clause=CLAUSE)
    return DG1(value.decode("ascii"), raw)
