"""Strict DER (X.690 clause 10 and 11): a reader and a writer.

The reader is a set of flat functions over (data, offset, end) that return where the content lies, or its value and the
offset behind it. Nothing is copied and no tree is built, because Passive Authentication spends more time here than in
the hash. `end` is the end of the enclosing element: nothing is ever read beyond it. Nothing here recurses.

Lengths above 16 MiB and tags of more than one octet are refused: none of the structures read with this module has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.errors import DecodeError

MAX_INPUT: Final = 1 << 20  # octets of one document, unless a caller says otherwise

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
NUMERIC_STRING: Final = 0x12
PRINTABLE_STRING: Final = 0x13
T61_STRING: Final = 0x14
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
VISIBLE_STRING: Final = 0x1A
UNIVERSAL_STRING: Final = 0x1C
BMP_STRING: Final = 0x1E
SEQUENCE: Final = 0x30
SET: Final = 0x31

_ENCODINGS: Final[dict[int, str]] = {
    UTF8_STRING: "utf-8",
    NUMERIC_STRING: "ascii",
    PRINTABLE_STRING: "ascii",
    T61_STRING: "latin-1",  # what those who still write it mean by it (RFC 5280 App. B)
    IA5_STRING: "ascii",
    VISIBLE_STRING: "ascii",
    UNIVERSAL_STRING: "utf-32-be",
    BMP_STRING: "utf-16-be",
}
STRING_TYPES: Final = tuple(_ENCODINGS)
_ALPHABETS: Final[dict[int, re.Pattern[str]]] = {
    NUMERIC_STRING: re.compile(r"[0-9 ]*"),
    PRINTABLE_STRING: re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*"),  # X.680 41.4
    VISIBLE_STRING: re.compile(r"[ -~]*"),
}
_MIRRORED: Final = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))  # bit 0 of a list is an octet's highest
_TIME_LENGTHS: Final[dict[int, int]] = {UTC_TIME: 13, GENERALIZED_TIME: 15}
_LONG_SEQUENCE: Final = bytes((SEQUENCE, 0x82))
_UTC_TIME_HEADER: Final = bytes((UTC_TIME, 13))


def context(number: int) -> int:
    """Tag of a primitive context-specific element [number], 0..30."""
    return 0x80 | number


def constructed(number: int) -> int:
    """Tag of a constructed context-specific element [number], 0..30."""
    return 0xA0 | number


# --- reader ---------------------------------------------------------------------------------------------------------


def check_input(data: bytes, what: str, limit: int = MAX_INPUT) -> None:
    """Refuse an input that is too big before anything of it is read."""
    if len(data) > limit:
        raise DecodeError(f"{what} of {len(data)} octets is over {limit}", offset=0)


def enter(data: bytes, offset: int, end: int, tag: int, what: str) -> tuple[int, int]:
    """Read the header of an element whose tag is known.

    Args:
        data: the whole input. offset: where the element starts. end: end of the enclosing element.
        tag: identifier octet that is due. what: the element's name in its specification, for the error text.

    Returns:
        offset of the content, offset behind it.

    Raises:
        DecodeError: another tag, a length that is cut, not minimal or indefinite, content beyond `end`.
    """
    try:
        if data[offset] == tag:
            start = offset + 2
            length = data[start - 1]
            if length < 0x80:
                stop = start + length
                if stop <= end:
                    return start, stop
            elif length == 0x82:
                length = data[start] << 8 | data[start + 1]
                start += 2
                stop = start + length
                if length > 0xFF and stop <= end:
                    return start, stop
            elif length == 0x81:
                length = data[start]
                start += 1
                stop = start + length
                if length > 0x7F and stop <= end:
                    return start, stop
            elif length == 0x83:
                length = data[start] << 16 | data[start + 1] << 8 | data[start + 2]
                start += 3
                stop = start + length
                if length > 0xFFFF and stop <= end:
                    return start, stop
    except IndexError:
        pass
    raise _header_error(data, offset, end, tag, what)


def _header_error(data: bytes, offset: int, end: int, tag: int | None, what: str) -> DecodeError:
    """Say what is wrong with a header that `enter` refused."""
    if offset >= end or offset >= len(data):
        return DecodeError(f"{what} is missing", offset=offset)
    if tag is not None and data[offset] != tag:
        return DecodeError(f"{what}: tag {data[offset]:02X} where {tag:02X} is due", offset=offset)
    if data[offset] & 0x1F == 0x1F:
        return DecodeError(f"{what}: tag of more than one octet", offset=offset)
    first = data[offset + 1] if offset + 1 < end else None
    if first == 0x80:
        return DecodeError(f"{what}: indefinite length", offset=offset, clause="X.690 10.1")
    if first is not None and first > 0x83:
        return DecodeError(f"{what}: length field of more than four octets", offset=offset)
    if first is None or (first > 0x80 and offset + 2 + (first & 0x7F) > end):
        return DecodeError(f"{what}: length field is cut", offset=offset)
    size = first & 0x7F if first > 0x80 else 0
    length = int.from_bytes(data[offset + 2 : offset + 2 + size], "big") if size else first
    if size and (length < 0x80 or length >> 8 * (size - 1) == 0):
        return DecodeError(f"{what}: length field is not minimal", offset=offset, clause="X.690 10.1")
    return DecodeError(f"{what}: value runs past the end", offset=offset)


def read_any(data: bytes, offset: int, end: int, what: str) -> tuple[int, int, int]:
    """Read the header of any element: its tag, offset of its content, offset behind it."""
    if offset >= end or data[offset] & 0x1F == 0x1F:
        raise _header_error(data, offset, end, None, what)
    tag = data[offset]
    if offset + 1 < end and data[offset + 1] < 0x80:  # the short form, without another call
        stop = offset + 2 + data[offset + 1]
        if stop <= end:
            return tag, offset + 2, stop
    start, stop = enter(data, offset, end, tag, what)
    return tag, start, stop


def split(data: bytes, offset: int, end: int, what: str) -> Iterator[tuple[int, int, int, int]]:
    """Walk over elements one after the other up to `end`: offset, tag, content offset, offset behind."""
    while offset < end:
        tag, start, stop = read_any(data, offset, end, what)
        yield offset, tag, start, stop
        offset = stop


def check_end(offset: int, end: int, what: str) -> None:
    """Insist that an element is used up."""
    if offset != end:
        raise DecodeError(f"{what}: {end - offset} octets follow its last element", offset=offset)


def read_sequence(raw: bytes, what: str, limit: int = MAX_INPUT) -> tuple[int, int]:
    """Enter a SEQUENCE that fills the whole input."""
    size = len(raw)
    if size > limit:
        check_input(raw, what, limit)
    if raw[:2] == _LONG_SEQUENCE and 0xFF < size - 4 == raw[2] << 8 | raw[3]:  # the usual one, without another call
        return 4, size
    start, stop = enter(raw, 0, size, SEQUENCE, what)
    if stop != size:
        check_end(stop, size, what)
    return start, stop


def read_boolean(data: bytes, offset: int, end: int, what: str) -> tuple[bool, int]:
    """Read a BOOLEAN: 00 or FF, nothing else."""
    start, stop = enter(data, offset, end, BOOLEAN, what)
    content = data[start:stop]
    if content == b"\xff":
        return True, stop
    if content == b"\x00":
        return False, stop
    raise DecodeError(f"{what}: BOOLEAN is neither 00 nor FF", offset=start, clause="X.690 11.1")


def read_integer(data: bytes, offset: int, end: int, what: str, tag: int = INTEGER) -> tuple[int, int]:
    """Read an INTEGER of either sign, in its shortest form."""
    start = offset + 3
    if tag == INTEGER and start <= end and data[offset : offset + 2] == b"\x02\x01" and data[offset + 2] < 0x80:
        return data[offset + 2], start  # 0..127, without another call
    start, stop = enter(data, offset, end, tag, what)
    if start == stop:
        raise DecodeError(f"{what}: INTEGER without content", offset=start, clause="X.690 8.3.1")
    first = data[start]
    if stop - start > 1:
        second = data[start + 1]
        if (first == 0 and second < 0x80) or (first == 0xFF and second > 0x7F):
            raise DecodeError(f"{what}: INTEGER is not minimal", offset=start, clause="X.690 8.3.2")
    elif first < 0x80:
        return first, stop
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def read_small(data: bytes, offset: int, end: int, what: str) -> tuple[int, int]:
    """Read an INTEGER of 0..127, such as a version: it has one form, of three octets."""
    behind = offset + 3
    if behind > end or data[offset : offset + 2] != b"\x02\x01" or data[offset + 2] > 0x7F:
        enter(data, offset, end, INTEGER, what)
        raise DecodeError(f"{what} is not in 0..127", offset=offset)
    return data[offset + 2], behind


def read_unsigned(data: bytes, offset: int, end: int, what: str) -> tuple[int, int]:
    """Read an INTEGER that is not negative."""
    value, stop = read_integer(data, offset, end, what)
    if value < 0:
        raise DecodeError(f"{what} is negative", offset=offset)
    return value, stop


def read_oid(data: bytes, offset: int, end: int, what: str) -> tuple[str, int]:
    """Read an OBJECT IDENTIFIER as a dotted string."""
    start, stop = enter(data, offset, end, OBJECT_IDENTIFIER, what)
    return decode_oid_content(data[start:stop], start), stop


def read_octet_string(data: bytes, offset: int, end: int, what: str) -> tuple[bytes, int]:
    """Read a primitive OCTET STRING."""
    start, stop = enter(data, offset, end, OCTET_STRING, what)
    return data[start:stop], stop


def read_bit_string(data: bytes, offset: int, end: int, what: str) -> tuple[bytes, int]:
    """Read a BIT STRING of whole octets: it must have no unused bits (keys and signatures)."""
    start, stop = enter(data, offset, end, BIT_STRING, what)
    if start == stop or data[start]:
        raise DecodeError(f"{what}: BIT STRING is not of whole octets", offset=start, clause="X.690 8.6.2")
    return data[start + 1 : stop], stop


def read_named_bits(data: bytes, offset: int, end: int, what: str, tag: int = BIT_STRING) -> tuple[int, int]:
    """Read a named bit list; bit n of the result is bit n of the list.

    Raises:
        DecodeError: unused bits are set, trailing zero bits are kept (X.690 11.2.2), or over 32 bits.
    """
    start, stop = enter(data, offset, end, tag, what)
    size = stop - start - 1
    if not 0 <= size <= 4 or data[start] > 7 or (size == 0 and data[start]):
        raise DecodeError(f"{what}: malformed BIT STRING", offset=start, clause="X.690 8.6.2")
    if size == 0:
        return 0, stop
    unused = data[start]
    if data[stop - 1] & ((1 << unused) - 1):
        raise DecodeError(f"{what}: unused bits are set", offset=start, clause="X.690 11.2.1")
    if not data[stop - 1] >> unused & 1:
        raise DecodeError(f"{what}: trailing zero bits", offset=start, clause="X.690 11.2.2")
    return int.from_bytes(data[start + 1 : stop].translate(_MIRRORED), "little"), stop


def read_null(data: bytes, offset: int, end: int, what: str) -> int:
    """Read a NULL, return the offset behind it."""
    start, stop = enter(data, offset, end, NULL, what)
    if start != stop:
        raise DecodeError(f"{what}: NULL with content", offset=offset, clause="X.690 8.8.2")
    return stop


def decode_string(tag: int, content: bytes, offset: int, what: str) -> str:
    """Text of a character string of the type that `tag` names.

    Raises:
        DecodeError: not a string type, or characters outside its repertoire.
    """
    encoding = _ENCODINGS.get(tag)
    if encoding is None:
        raise DecodeError(f"{what}: tag {tag:02X} is no character string", offset=offset)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise DecodeError(f"{what}: malformed character string", offset=offset, clause="X.690 8.23") from None
    alphabet = _ALPHABETS.get(tag)
    if alphabet is not None and not alphabet.fullmatch(text):
        raise DecodeError(f"{what}: character outside the string type", offset=offset, clause="X.680 41.4")
    return text


def read_string(data: bytes, offset: int, end: int, what: str) -> tuple[str, int]:
    """Read a character string of any type."""
    tag, start, stop = read_any(data, offset, end, what)
    return decode_string(tag, data[start:stop], start, what), stop


def decode_time(tag: int, content: bytes, offset: int, what: str) -> datetime:
    """UTC time from the content of UTCTime (YYMMDDHHMMSSZ) or GeneralizedTime (YYYYMMDDHHMMSSZ).

    Raises:
        DecodeError: any other form, no such date, or not a time at all (X.690 11.7, 11.8; RFC 5280 4.1.2.5).
    """
    if content[-1:] == b"Z" and len(content) == _TIME_LENGTHS.get(tag) and content[:-1].isdigit():
        text = content.decode("ascii")
        if tag == UTC_TIME:
            text = ("20" if text[0] < "5" else "19") + text
        try:
            return datetime.fromisoformat(f"{text[:8]}T{text[8:]}")
        except ValueError:  # no such date or time of day
            pass
    raise DecodeError(f"{what}: malformed time", offset=offset, clause="RFC 5280 4.1.2.5")


def read_time(data: bytes, offset: int, end: int, what: str) -> tuple[datetime, int]:
    """Read a Time: UTCTime for 1950..2049, GeneralizedTime for other years (RFC 5280 4.1.2.5, RFC 5652 11.3)."""
    if data[offset : offset + 2] == _UTC_TIME_HEADER and offset + 15 <= end:  # the usual one, without another call
        return decode_time(UTC_TIME, data[offset + 2 : offset + 15], offset + 2, what), offset + 15
    tag, start, stop = read_any(data, offset, end, what)
    if tag != UTC_TIME and tag != GENERALIZED_TIME:
        raise DecodeError(f"{what}: tag {tag:02X} is no time", offset=offset, clause="RFC 5280 4.1.2.5")
    time = decode_time(tag, data[start:stop], start, what)
    if tag == GENERALIZED_TIME and 1950 <= time.year < 2050:
        raise DecodeError(f"{what}: GeneralizedTime before 2050", offset=offset, clause="RFC 5280 4.1.2.5")
    return time, stop


# --- writer ---------------------------------------------------------------------------------------------------------


def encode(tag: int, content: bytes) -> bytes:
    """One element: identifier octet, minimal length, content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def encode_sequence(*elements: bytes) -> bytes:
    """SEQUENCE of elements that are already encoded."""
    return encode(SEQUENCE, b"".join(elements))


def encode_set_of(elements: Iterable[bytes], tag: int = SET) -> bytes:
    """SET OF elements that are already encoded, in DER order (X.690 11.6)."""
    return encode(tag, b"".join(sorted(elements)))


def encode_boolean(value: bool) -> bytes:
    """BOOLEAN."""
    return b"\x01\x01\xff" if value else b"\x01\x01\x00"


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """INTEGER in its shortest form."""
    magnitude = value if value >= 0 else ~value
    return encode(tag, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def encode_oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form."""
    return encode(OBJECT_IDENTIFIER, encode_oid_content(dotted))


def encode_octet_string(content: bytes, tag: int = OCTET_STRING) -> bytes:
    """OCTET STRING."""
    return encode(tag, content)


def encode_bit_string(content: bytes) -> bytes:
    """BIT STRING of whole octets."""
    return encode(BIT_STRING, b"\x00" + content)


def encode_named_bits(bits: int, tag: int = BIT_STRING) -> bytes:
    """Named bit list without trailing zero bits; bit n of `bits` is bit n of the list."""
    if not bits:
        return encode(tag, b"\x00")
    text = f"{bits:b}"[::-1]
    unused = -len(text) % 8
    size = (len(text) + 7) // 8
    return encode(tag, bytes((unused,)) + int(text + "0" * unused, 2).to_bytes(size, "big"))


def encode_null() -> bytes:
    """NULL."""
    return b"\x05\x00"


def encode_string(tag: int, text: str) -> bytes:
    """Character string of the type that `tag` names.

    Raises:
        ValueError: a character is outside its repertoire; the caller's mistake.
    """
    alphabet = _ALPHABETS.get(tag)
    if alphabet is not None and not alphabet.fullmatch(text):
        raise ValueError(f"character outside the repertoire of string type {tag:02X}")
    return encode(tag, text.encode(_ENCODINGS[tag]))


def format_generalized_time(time: datetime) -> bytes:
    """Content octets YYYYMMDDHHMMSSZ of an aware datetime, whole seconds in UTC.

    Raises:
        ValueError: a time without its zone; the caller's mistake.
    """
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    # Not strftime, which takes three times as long and writes the year 999 in three digits on some systems
    return b"%04d%02d%02d%02d%02d%02dZ" % (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)


def encode_time(time: datetime) -> bytes:
    """UTCTime for 1950..2049, GeneralizedTime for other years, whole seconds of an aware datetime."""
    content = format_generalized_time(time)
    if b"1950" <= content[:4] < b"2050":
        return encode(UTC_TIME, content[2:])
    return encode(GENERALIZED_TIME, content)


def encode_explicit(number: int, element: bytes) -> bytes:
    """An element inside an explicit tag [number]."""
    return encode(constructed(number), element)
