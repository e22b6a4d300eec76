"""Tag list data object 5C (ISO/IEC 7816-4 table 9): which data objects a template holds, tags one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError

TAG_LIST: Final = 0x5C
MAX_TAGS: Final = 64
MAX_TAG_OCTETS: Final = 4


def decode_tag_list(raw: bytes) -> tuple[int, ...]:
    """The tags of a tag list's value, in order.

    Raises:
        DecodeError: the last tag is cut, a tag is over four octets, or there are more than 64.
    """
    tags: list[int] = []
    offset = 0
    while offset < len(raw):
        size = _tag_length(raw, offset)
        if size > MAX_TAG_OCTETS or offset + size > len(raw) or len(tags) == MAX_TAGS:
            raise DecodeError("malformed tag list", offset=offset, clause="Doc 9303-10 4.6.1")
        tags.append(int.from_bytes(raw[offset : offset + size], "big"))
        offset += size
    return tuple(tags)


def _tag_length(raw: bytes, offset: int) -> int:
    """Octets of the tag at an offset (ISO/IEC 7816-4 5.2.2.1); beyond the end of `raw` where it is cut."""
    if raw[offset] & 0x1F != 0x1F:
        return 1
    size = 2
    while offset + size - 1 < len(raw) and raw[offset + size - 1] & 0x80:
        size += 1
    return size


def encode_tag_list(tags: Iterable[int]) -> bytes:
    """The tag list data object, 5C."""
    return encode_tlv(TAG_LIST, b"".join(tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big") for tag in tags))
