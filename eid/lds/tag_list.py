"""Tag list data object 5C (ISO/IEC 7816-4 table 9): which data objects a template holds, tags one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError

TAG_LIST: Final = 0x5C
MAX_TAGS: Final = 64


def decode_tag_list(raw: bytes) -> tuple[int, ...]:
    """The tags of a tag list's value, in order.

    Raises:
        DecodeError: the last tag is cut, a tag is over two octets, or there are more than 64.
    """
    tags: list[int] = []
    offset = 0
    while offset < len(raw):
        size = 2 if raw[offset] & 0x1F == 0x1F else 1
        tag = raw[offset : offset + size]
        if len(tag) < size or (size == 2 and tag[1] & 0x80) or len(tags) == MAX_TAGS:
            raise DecodeError("malformed tag list", offset=offset, clause="Doc 9303-10 4.6.1")
        tags.append(int.from_bytes(tag, "big"))
        offset += size
    return tuple(tags)


def encode_tag_list(tags: Iterable[int]) -> bytes:
    """The tag list data object, 5C."""
    return encode_tlv(TAG_LIST, b"".join(tag.to_bytes(2 if tag > 0xFF else 1, "big") for tag in tags))
