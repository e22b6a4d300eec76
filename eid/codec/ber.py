"""Tolerant BER (X.690 clause 8) into DER, for documents of issuers that write BER; used behind a policy switch only.

Lengths become definite and minimal, string types primitive, TRUE becomes FF. The order of sets and whatever else DER
demands is left as it stands: the strict decoder that reads the result has its say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eid.codec import der
from eid.errors import DecodeError

MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 16384
_CLAUSE: Final = "X.690 8.1"
_STRINGS: Final = frozenset((der.OCTET_STRING, der.UTC_TIME, der.GENERALIZED_TIME, *der.STRING_TYPES))
_CONSTRUCTED: Final = 0x20


@dataclass(slots=True)
class _Budget:
    """Elements that may still be read: bounds the time that hostile input can take."""

    elements: int = MAX_ELEMENTS


def convert_ber(raw: bytes, limit: int = der.MAX_INPUT) -> bytes:
    """Convert one BER element that fills the input into DER.

    Args:
        raw: BER, at most `limit` octets.

    Raises:
        DecodeError: malformed, nested deeper than 32, or of more than 16,384 elements.
    """
    der.check_input(raw, "BER", limit)
    converted, offset = _convert(raw, 0, len(raw), 1, _Budget())
    der.check_end(offset, len(raw), "BER")
    return converted


def find_ber_end(data: bytes, offset: int, end: int) -> int:
    """The offset behind the BER element that starts at `offset`, within `end`.

    Raises:
        DecodeError: as `convert_ber`.
    """
    return _convert(data, offset, end, 1, _Budget())[1]


def split_ber(data: bytes, offset: int, end: int) -> list[tuple[int, int]]:
    """Where the elements inside of the constructed BER element at `offset` begin and end.

    Raises:
        DecodeError: as `convert_ber`.
    """
    _, start = _read_identifier(data, offset, end)
    length, start = _read_length(data, start, end)
    stop = end if length is None else start + length
    places: list[tuple[int, int]] = []
    while start < stop and not (length is None and data[start : start + 2] == b"\x00\x00"):
        behind = find_ber_end(data, start, stop)
        places.append((start, behind))
        start = behind
        if len(places) > MAX_ELEMENTS:
            raise DecodeError("BER: too many elements", offset=offset)
    return places


def _convert(data: bytes, offset: int, end: int, depth: int, budget: _Budget) -> tuple[bytes, int]:
    """DER of the element at `offset`, and the offset behind it."""
    budget.elements -= 1
    if depth > MAX_DEPTH or budget.elements < 0:
        raise DecodeError("BER: nested too deep, or too many elements", offset=offset)
    identifier, start = _read_identifier(data, offset, end)
    length, start = _read_length(data, start, end)
    if not identifier[0] & _CONSTRUCTED:
        if length is None:
            raise DecodeError("BER: primitive of indefinite length", offset=offset, clause="X.690 8.1.3.2")
        content = data[start : start + length]
        if identifier == b"\x01" and len(content) == 1:
            content = b"\xff" if content[0] else b"\x00"
        return _encode(identifier, content), start + length
    parts, behind = _convert_all(data, start, end if length is None else start + length, length is None, depth, budget)
    plain = identifier[0] & ~_CONSTRUCTED
    if plain in _STRINGS:
        return _encode(bytes((plain,)), _join(parts, plain, offset)), behind
    if plain == der.BIT_STRING:
        return _encode(bytes((plain,)), _join_bits(parts, offset)), behind
    return _encode(identifier, b"".join(parts)), behind


def _convert_all(
    data: bytes, offset: int, end: int, indefinite: bool, depth: int, budget: _Budget
) -> tuple[list[bytes], int]:
    """DER of the elements up to `end`, or up to the end-of-contents octets of an indefinite length."""
    parts: list[bytes] = []
    while offset < end:
        if indefinite and data[offset : offset + 2] == b"\x00\x00":
            return parts, offset + 2
        part, offset = _convert(data, offset, end, depth + 1, budget)
        parts.append(part)
    if indefinite:
        raise DecodeError("BER: end-of-contents octets are missing", offset=offset, clause="X.690 8.1.5")
    return parts, offset


def _read_identifier(data: bytes, offset: int, end: int) -> tuple[bytes, int]:
    if offset >= end or data[offset] == 0:
        raise DecodeError("BER: tag is missing", offset=offset, clause=_CLAUSE)
    behind = offset + 1
    if data[offset] & 0x1F == 0x1F:
        while behind < end and data[behind] & 0x80:
            behind += 1
        behind += 1
    if behind > end or behind - offset > 4:
        raise DecodeError("BER: tag is cut or over four octets", offset=offset, clause=_CLAUSE)
    return data[offset:behind], behind


def _read_length(data: bytes, offset: int, end: int) -> tuple[int | None, int]:
    if offset >= end:
        raise DecodeError("BER: length is missing", offset=offset, clause=_CLAUSE)
    first = data[offset]
    offset += 1
    if first == 0x80:
        return None, offset
    length = first
    if first > 0x80:
        start, offset = offset, offset + (first & 0x7F)
        length = int.from_bytes(data[start:offset], "big")
    if offset > end or length > end - offset:
        raise DecodeError("BER: value runs past the end", offset=offset, clause=_CLAUSE)
    return length, offset


def _encode(identifier: bytes, content: bytes) -> bytes:
    return identifier[:-1] + der.encode(identifier[-1], content)


def _join(parts: list[bytes], tag: int, offset: int) -> bytes:
    """Content of a constructed string: that of its segments, which are strings of the same type or octet strings."""
    segments = []
    for part in parts:
        if part[0] not in (tag, der.OCTET_STRING):
            raise DecodeError("BER: segment of another type", offset=offset, clause="X.690 8.7.3")
        start, stop = der.enter(part, 0, len(part), part[0], "segment")
        segments.append(part[start:stop])
    return b"".join(segments)


def _join_bits(parts: list[bytes], offset: int) -> bytes:
    """Content of a constructed BIT STRING; only its last segment may have unused bits."""
    segments = []
    unused = 0
    for part in parts:
        if part[0] != der.BIT_STRING or unused:
            raise DecodeError("BER: malformed segment of a BIT STRING", offset=offset, clause="X.690 8.6.4")
        start, stop = der.enter(part, 0, len(part), der.BIT_STRING, "segment")
        if start == stop or part[start] > 7:
            raise DecodeError("BER: malformed segment of a BIT STRING", offset=offset, clause="X.690 8.6.4")
        unused = part[start]
        segments.append(part[start + 1 : stop])
    return bytes((unused,)) + b"".join(segments)
