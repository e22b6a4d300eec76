"""BER-TLV data objects (ISO/IEC 7816-4 5.2.2, ISO/IEC 8825-1), bounded in depth, length and count.

Definite lengths only; lengths need not be minimal. For DER see `eid.codec.der`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from eid.errors import DecodeError

CLAUSE: Final = "ISO/IEC 7816-4 5.2.2"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on untrusted input: nesting depth, octets of one value, data objects in all."""

    depth: int = 32
    length: int = 1 << 20
    count: int = 4096


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object: its tag as the big-endian number of its octets (e.g. 0x7F49), and its value."""

    tag: int
    value: bytes = field(repr=False)

    @property
    def is_constructed(self) -> bool:
        """Whether the tag's first octet marks nested data objects (bit 6)."""
        first = self.tag
        while first > 0xFF:
            first >>= 8
        return bool(first & 0x20)

    def children(self, limits: Limits = LIMITS) -> tuple[Tlv, ...]:
        """The data objects inside the value, one level down."""
        return decode_tlvs(self.value, limits)

    def encode(self) -> bytes:
        """Bytes on the wire, minimal length field."""
        return encode_tlv(self.tag, self.value)


def encode_length(length: int) -> bytes:
    """Minimal definite length field."""
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")


def encode_tlv(tag: int, value: bytes) -> bytes:
    """Encode one data object; `tag` is the number of its octets."""
    return tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big") + encode_length(len(value)) + value


def encode_tlvs(objects: Iterable[Tlv]) -> bytes:
    """Encode data objects one after the other."""
    return b"".join(encode_tlv(item.tag, item.value) for item in objects)


def read_header(data: bytes, offset: int = 0, end: int | None = None) -> tuple[int, int, int]:
    """Read tag and length at `offset`.

    Returns:
        tag (number of its octets), offset of the value, length of the value in octets. The value itself may lie beyond
        `end`: a reader of a card's file needs the length before it has the rest.

    Raises:
        DecodeError: the header is cut, the tag is over four octets, the length is indefinite or over four octets.
    """
    end = len(data) if end is None else end
    tag = data[offset] if offset < end else 0x1F
    if tag & 0x1F != 0x1F:  # a tag of one octet, or of two, without another call
        offset += 1
    elif offset + 1 < end and data[offset + 1] < 0x80:
        tag, offset = tag << 8 | data[offset + 1], offset + 2
    else:
        tag, offset = _read_tag(data, offset, end)
    if offset >= end:
        raise DecodeError("length field is missing", offset=offset, clause=CLAUSE)
    first = data[offset]
    offset += 1
    if first < 0x80:
        return tag, offset, first
    size = first & 0x7F
    if size == 0:
        raise DecodeError("indefinite length", offset=offset - 1, clause=CLAUSE)
    if size > 4 or offset + size > end:
        raise DecodeError("length field is cut or over four octets", offset=offset - 1, clause=CLAUSE)
    return tag, offset + size, int.from_bytes(data[offset : offset + size], "big")


def _read_tag(data: bytes, offset: int, end: int) -> tuple[int, int]:
    if offset >= end:
        raise DecodeError("tag is missing", offset=offset, clause=CLAUSE)
    tag = data[offset]
    start = offset
    offset += 1
    if tag & 0x1F != 0x1F:
        return tag, offset
    while True:
        if offset >= end or offset - start > 3:
            raise DecodeError("tag is cut or over four octets", offset=start, clause=CLAUSE)
        tag = tag << 8 | data[offset]
        offset += 1
        if not data[offset - 1] & 0x80:
            return tag, offset


def walk_tlvs(data: bytes, limits: Limits = LIMITS) -> Iterator[tuple[int, int, int]]:
    """Walk over data objects laid one after the other: tag, offset of the value, offset behind it.

    Raises:
        DecodeError: a header or value is cut, or a limit is passed; the whole of `data` must be used up.
    """
    offset = count = 0
    end, max_count, max_length = len(data), limits.count, limits.length
    while offset < end:
        count += 1
        if count > max_count:
            raise DecodeError(f"more than {max_count} data objects", offset=offset, clause=CLAUSE)
        tag, start, length = read_header(data, offset, end)
        if length > max_length:
            raise DecodeError(f"value of {length} octets is over {max_length}", offset=offset, clause=CLAUSE)
        if start + length > end:
            raise DecodeError("value runs past the end", offset=offset, clause=CLAUSE)
        offset = start + length
        yield tag, start, offset


def iterate_tlvs(data: bytes, limits: Limits = LIMITS) -> Iterator[Tlv]:
    """Walk over data objects laid one after the other; the whole of `data` must be used up."""
    for tag, start, stop in walk_tlvs(data, limits):
        yield Tlv(tag, data[start:stop])


def decode_tlvs(data: bytes, limits: Limits = LIMITS) -> tuple[Tlv, ...]:
    """Decode data objects laid one after the other, one level.

    Raises:
        DecodeError: a header or value is cut, or a limit is passed.
    """
    return tuple([Tlv(tag, data[start:stop]) for tag, start, stop in walk_tlvs(data, limits)])


def decode_tlv(data: bytes, expected_tag: int | None = None, limits: Limits = LIMITS) -> Tlv:
    """Decode exactly one data object that fills `data`.

    Raises:
        DecodeError: not exactly one, or another tag than expected.
    """
    if data:  # what is wrong, where something is, the general way says
        tag, start, length = read_header(data)
        if start + length == len(data) and length <= limits.length and expected_tag in (None, tag):
            return Tlv(tag, data[start:])
    objects = decode_tlvs(data, limits)
    if len(objects) != 1:
        raise DecodeError(f"{len(objects)} data objects where one is due", offset=0, clause=CLAUSE)
    if expected_tag is not None and objects[0].tag != expected_tag:
        raise DecodeError(f"tag {objects[0].tag:X} where {expected_tag:X} is due", offset=0, clause=CLAUSE)
    return objects[0]


def find_value(data: bytes, tag: int) -> bytes | None:
    """The value of the only data object with this tag among those laid one after the other in `data`; None: absent.

    Raises:
        DecodeError: as `decode_tlvs`, or the tag occurs twice.
    """
    offset = 0
    end = len(data)
    found = None
    for _ in range(LIMITS.count + 1):
        if offset == end:
            return found
        current, start, length = read_header(data, offset, end)
        offset = start + length
        if offset > end or length > LIMITS.length:
            raise DecodeError(f"data object {current:X} runs past the end or a limit", offset=start, clause=CLAUSE)
        if current == tag:
            if found is not None:
                raise DecodeError(f"data object {tag:X} occurs twice", clause=CLAUSE)
            found = data[start:offset]
    raise DecodeError(f"over {LIMITS.count} data objects", offset=offset, clause=CLAUSE)


def find_tlv(objects: Iterable[Tlv], tag: int) -> Tlv | None:
    """The only data object with this tag, or None.

    Raises:
        DecodeError: the tag occurs twice.
    """
    found = [item for item in objects if item.tag == tag]
    if len(found) > 1:
        raise DecodeError(f"data object {tag:X} occurs {len(found)} times", clause=CLAUSE)
    return found[0] if found else None


def require_tlv(objects: Iterable[Tlv], tag: int) -> Tlv:
    """The only data object with this tag.

    Raises:
        DecodeError: it is missing or occurs twice.
    """
    found = find_tlv(objects, tag)
    if found is None:
        raise DecodeError(f"data object {tag:X} is missing", clause=CLAUSE)
    return found


def check_depth(data: bytes, limits: Limits = LIMITS) -> None:
    """Walk the whole tree without recursion and refuse what is too deep or has too many data objects.

    Raises:
        DecodeError: a limit is passed or the tree is malformed.
    """
    pending = [(data, 1)]
    count = 0
    while pending:
        content, depth = pending.pop()
        if content and depth > limits.depth:
            raise DecodeError(f"nested deeper than {limits.depth}", clause=CLAUSE)
        for item in iterate_tlvs(content, limits):
            count += 1
            if count > limits.count:
                raise DecodeError(f"more than {limits.count} data objects", clause=CLAUSE)
            if item.is_constructed:
                pending.append((item.value, depth + 1))
