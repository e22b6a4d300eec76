"""Deterministic CBOR (RFC 8949 4.2.1), the part of it that our formats use.

That is integers, octet and text strings, arrays, maps with integer or text keys, tags, false, true and null. The
decoder accepts exactly what the encoder writes: no indefinite or longer-than-needed lengths, no duplicate or unsorted
keys, no trailing octets, no floats; tags have no effect. So a document has one encoding, and its hash is its identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from eid.errors import DecodeError

CLAUSE: Final = "RFC 8949 4.2.1"
MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 65_536

UNSIGNED, NEGATIVE, OCTETS, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
_SIMPLE: Final = {0xF4: False, 0xF5: True, 0xF6: None}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tagged value."""

    tag: int
    value: CborValue


CborKey: TypeAlias = int | str
CborValue: TypeAlias = "int | bytes | str | bool | list[CborValue] | dict[CborKey, CborValue] | Tagged | None"


def encode_cbor(value: CborValue) -> bytes:
    """Encode a value.

    Raises:
        ValueError: an integer over 64 bits; the caller's mistake.
    """
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _encode_head(UNSIGNED, value) if value >= 0 else _encode_head(NEGATIVE, -1 - value)
        case bytes():
            return _encode_head(OCTETS, len(value)) + value
        case str():
            text = value.encode("utf-8")
            return _encode_head(TEXT, len(text)) + text
        case list():
            return _encode_head(ARRAY, len(value)) + b"".join(map(encode_cbor, value))
        case dict():
            pairs = sorted((encode_cbor(key), encode_cbor(item)) for key, item in value.items())
            return _encode_head(MAP, len(value)) + b"".join(key + item for key, item in pairs)
        case Tagged():
            return _encode_head(TAG, value.tag) + encode_cbor(value.value)


def _encode_head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for information, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | information,)) + argument.to_bytes(size, "big")
    raise ValueError("an integer over 64 bits")


def decode_cbor(raw: bytes, *, max_octets: int, any_order: bool = False) -> CborValue:
    """Decode one value that fills `raw`.

    Args:
        any_order: take the keys of a map in whatever order they stand, for what others have encoded.

    Raises:
        DecodeError: over `max_octets`, not deterministic, not of the part described above, cut, or octets follow.
    """
    if len(raw) > max_octets:
        raise DecodeError(f"CBOR of {len(raw)} octets is over {max_octets}", offset=0)
    reader = _Reader(raw, any_order)
    value = reader.read(1)
    if reader.offset != len(raw):
        raise DecodeError("octets follow the CBOR data item", offset=reader.offset, clause=CLAUSE)
    return value


class _Reader:
    """A place in the input, and how many data items were met."""

    def __init__(self, raw: bytes, any_order: bool = False) -> None:
        self.raw = raw
        self.any_order = any_order
        self.offset = 0
        self.items = 0

    def read(self, depth: int) -> CborValue:
        start = self.offset
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise DecodeError("CBOR is nested too deep or has too many items", offset=start)
        major, argument = self._read_head()
        if major == UNSIGNED:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        if major == OCTETS:
            return self._take(argument)
        if major == TEXT:
            return self._read_text(argument)
        if major == ARRAY:
            self._check_count(argument)
            return [self.read(depth + 1) for _ in range(argument)]
        if major == MAP:
            self._check_count(2 * argument)
            return self._read_map(argument, depth)
        return Tagged(argument, self.read(depth + 1)) if major == TAG else _SIMPLE[self.raw[start]]

    def _read_head(self) -> tuple[int, int]:
        start = self.offset
        first = self._take(1)[0]
        major, information = first >> 5, first & 0x1F
        if major == SIMPLE:
            if first not in _SIMPLE:
                raise DecodeError("CBOR float or unknown simple value", offset=start, clause=CLAUSE)
            return major, information
        if information < 24:
            return major, information
        if information > 27:
            raise DecodeError("CBOR indefinite or reserved length", offset=start, clause=CLAUSE)
        size = 1 << (information - 24)
        argument = int.from_bytes(self._take(size), "big")
        if argument < 24 or (size > 1 and argument < 1 << 4 * size):
            raise DecodeError("CBOR argument is not in its shortest form", offset=start, clause=CLAUSE)
        return major, argument

    def _take(self, size: int) -> bytes:
        start = self.offset
        if size > len(self.raw) - start:
            raise DecodeError("CBOR is cut", offset=start, clause="RFC 8949 3")
        self.offset = start + size
        return self.raw[start : self.offset]

    def _check_count(self, count: int) -> None:
        if count > len(self.raw) - self.offset:  # every item takes one octet at least
            raise DecodeError("CBOR is cut", offset=self.offset, clause="RFC 8949 3")

    def _read_text(self, size: int) -> str:
        start = self.offset
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise DecodeError("CBOR text is not UTF-8", offset=start, clause="RFC 8949 3.1") from None

    def _read_map(self, count: int, depth: int) -> dict[CborKey, CborValue]:
        result: dict[CborKey, CborValue] = {}
        previous = b""
        for _ in range(count):
            start = self.offset
            key = self.read(depth + 1)
            encoded = self.raw[start : self.offset]
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise DecodeError("CBOR map key is neither integer nor text", offset=start)
            if key in result if self.any_order else encoded <= previous:
                raise DecodeError("CBOR map keys are not sorted, or one occurs twice", offset=start, clause=CLAUSE)
            previous = encoded
            result[key] = self.read(depth + 1)
        return result
