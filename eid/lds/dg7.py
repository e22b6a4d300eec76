"""DG7: the displayed signature or usual mark (Doc 9303-10 4.7.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import decode_tlv, encode_tlv
from eid.lds.instances import check_count, encode_count

CLAUSE: Final = "Doc 9303-10 4.7.7"
TAG: Final = 0x67
DISPLAYED_SIGNATURE: Final = 0x5F43


@dataclass(frozen=True, slots=True)
class DG7:
    """DG7: images (JPEG or JPEG 2000) as they stand."""

    images: tuple[bytes, ...] = field(repr=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_tlv(
            TAG,
            encode_count(len(self.images)) + b"".join(encode_tlv(DISPLAYED_SIGNATURE, image) for image in self.images),
        )


def decode_dg7(raw: bytes) -> DG7:
    """Decode DG7.

    Raises:
        DecodeError: the count is missing or is not the number of images.
    """
    objects = decode_tlv(raw, TAG).children()
    images = tuple(item.value for item in objects if item.tag == DISPLAYED_SIGNATURE)
    check_count(objects, len(images), CLAUSE)
    return DG7(images, raw)
