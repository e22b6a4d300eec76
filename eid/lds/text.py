"""Text inside data groups 11, 12 and 13: UTF-8, fields separated by the filler (Doc 9303-10 4.7.11)."""

from __future__ import annotations

from eid.errors import DecodeError

FILLER = "<"
CLAUSE = "Doc 9303-10 4.7.11"


def decode_text(raw: bytes) -> tuple[str, bool]:
    """Text of a data object, and whether it is the UTF-8 that it ought to be; some states write ISO 8859-1."""
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("latin-1"), False


def decode_fields(text: str) -> tuple[str, ...]:
    """The fields of a text that separates them by the filler."""
    return tuple(text.split(FILLER))


def encode_fields(fields: tuple[str, ...]) -> bytes:
    """Fields as UTF-8, separated by the filler.

    Raises:
        ValueError: a field holds the filler itself; the caller's mistake.
    """
    if any(FILLER in field for field in fields):
        raise ValueError("a field holds the filler that separates fields")
    return FILLER.join(fields).encode("utf-8")


def decode_digits(raw: bytes, count: int, tag: int) -> str:
    """A date or time of `count` decimal digits: ASCII, or packed BCD, which some states write (half as many octets).

    Args:
        tag: of the data object, for the error text.

    Raises:
        DecodeError: neither of the two.
    """
    text = raw.hex() if len(raw) * 2 == count else raw.decode("latin-1")
    if len(text) != count or not (text.isascii() and text.isdecimal()):
        raise DecodeError(f"data object {tag:X} is not of {count} digits", clause=CLAUSE)
    return text


def encode_digits(text: str, count: int) -> bytes:
    """Decimal digits as ASCII.

    Raises:
        ValueError: not `count` decimal digits; the caller's mistake.
    """
    if len(text) != count or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"not {count} decimal digits")
    return text.encode("ascii")
