"""Decimal digits in octets: packed BCD (two digits in each octet) and the unpacked BCD of CV certificate dates."""

from __future__ import annotations

from typing import Final

from eid.errors import DecodeError

UNPACKED_CLAUSE: Final = "TR-03110-3 D.2.1.3"


def encode_packed_bcd(digits: str) -> bytes:
    """Two digits in each octet, the first in the high nibble.

    Raises:
        ValueError: not an even number of decimal digits; the caller's mistake.
    """
    if not (digits.isascii() and digits.isdecimal()) or len(digits) % 2:
        raise ValueError("packed BCD takes an even number of decimal digits")
    return bytes.fromhex(digits)


def decode_packed_bcd(raw: bytes) -> str:
    """The digits of packed BCD.

    Raises:
        DecodeError: a nibble is over 9.
    """
    digits = raw.hex()
    if digits and not digits.isdecimal():
        raise DecodeError("packed BCD with a nibble over 9", clause="Doc 9303-10 4.7")
    return digits


def encode_unpacked_bcd(digits: str) -> bytes:
    """One digit in each octet, as a number 0..9.

    Raises:
        ValueError: something else than decimal digits; the caller's mistake.
    """
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError("unpacked BCD takes decimal digits")
    return bytes(int(digit) for digit in digits)


def decode_unpacked_bcd(raw: bytes) -> str:
    """The digits of unpacked BCD.

    Raises:
        DecodeError: an octet is over 9.
    """
    if any(octet > 9 for octet in raw):
        raise DecodeError("unpacked BCD with an octet over 9", clause=UNPACKED_CLAUSE)
    return "".join(map(str, raw))
