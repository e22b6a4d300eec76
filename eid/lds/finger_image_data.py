"""FingerImageDataBlock of ISO/IEC 39794-4:2019, as far as to the image (Doc 9303-10 4.7.3).

::

    RepresentationBlock
      A0   position   A1 impression   A2 imageDataFormat
      83   imageData
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from eid.codec.tlv import encode_tlv, require_tlv
from eid.lds.extensible import decode_representations, encode_code, encode_representations, require_code
from eid.lds.finger_record import FingerImage

TAG: Final = 0x64


@unique
class FingerImageFormat(IntEnum):
    """Image data format (ISO/IEC 39794-4)."""

    PGM = 0
    WSQ = 1
    JPEG2000_LOSSY = 2
    JPEG2000_LOSSLESS = 3
    PNG = 4


@dataclass(frozen=True, slots=True)
class FingerImageDataBlock:
    """A finger image data block: its images, the format of each, and the block as it stands.

    The images say position and impression in this standard's codes; their size stands in the images only.
    """

    images: tuple[FingerImage, ...]
    formats: tuple[int, ...]
    block: bytes = field(repr=False)
    defects: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The block's bytes, the value of 7F2E."""
        return self.block


def build_finger_image_data(
    image: bytes, position: int, data_format: FingerImageFormat, impression: int = 0
) -> FingerImageDataBlock:
    """A block around one image of one finger; impression 0 is plain contact."""
    codes = encode_code(0xA0, position) + encode_code(0xA1, impression) + encode_code(0xA2, data_format)
    return decode_finger_image_data(encode_representations(TAG, [codes + encode_tlv(0x83, image)]))


def decode_finger_image_data(data: bytes) -> FingerImageDataBlock:
    """Decode a finger image data block, the value of 7F2E.

    Raises:
        DecodeError: another structure, or no image.
    """
    representations = decode_representations(data, TAG)
    images = tuple(
        FingerImage(
            image=require_tlv(item, 0x83).value,
            position=require_code(item, 0xA0),
            width=0,
            height=0,
            impression=require_code(item, 0xA1),
        )
        for item in representations
    )
    return FingerImageDataBlock(images, tuple(require_code(item, 0xA2) for item in representations), data)
