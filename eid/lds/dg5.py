"""DG5: the displayed portrait (Doc 9303-10 4.7.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import decode_tlv, encode_tlv
from eid.lds.instances import check_count, encode_count

CLAUSE: Final = "Doc 9303-10 4.7.5"
TAG: Final = 0x65
DISPLAYED_PORTRAIT: Final = 0x5F40


@dataclass(frozen=True, slots=True)
class DG5:
    """DG5: portraits (JPEG or JPEG 2000) as they stand."""

    images: tuple[bytes, ...] = field(repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        portraits = b"".join(encode_tlv(DISPLAYED_PORTRAIT, image) for image in self.images)
        return encode_tlv(TAG, encode_count(len(self.images)) + portraits)


def decode_dg5(raw: bytes) -> DG5:
    """Decode DG5.

    Raises:
        DecodeError: the count is missing or is not the number of portraits.
    """
    objects = decode_tlv(raw, TAG).children()
    images = tuple(item.value for item in objects if item.tag == DISPLAYED_PORTRAIT)
    check_count(objects, len(images), CLAUSE)
    return DG5(images, raw)
