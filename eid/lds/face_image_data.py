"""FaceImageDataBlock of ISO/IEC 39794-5:2019, as far as to the image, in the profile of ICAO (Doc 9303-10 4.7.2).

::

    RepresentationBlock
      80   representationId
      A1   imageRepresentation, A0 its base, A0 imageRepresentation2DBlock
        80   representationData2D, the image
        A1   imageInformation2DBlock
          A0   imageDataFormat
          A7   imageSizeBlock: 80 width, 81 height
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec import der
from eid.codec.tlv import Tlv, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.lds.extensible import (
    decode_representations,
    decode_unsigned,
    encode_code,
    encode_representations,
    require_code,
)
from eid.lds.facial_record import FacialImage, ImageDataType

CLAUSE: Final = "ISO/IEC 39794-5"
TAG: Final = 0x65
JPEG: Final = 2
JPEG2000_LOSSY: Final = 3
JPEG2000_LOSSLESS: Final = 4
_DATA_TYPES: Final = {
    JPEG: ImageDataType.JPEG,
    JPEG2000_LOSSY: ImageDataType.JPEG2000,
    JPEG2000_LOSSLESS: ImageDataType.JPEG2000,
}
_SIZE: Final = 0xA7


@dataclass(frozen=True, slots=True)
class FaceImageDataBlock:
    """A face image data block: its images, with what a facial record would say of them, and the block as it stands."""

    images: tuple[FacialImage, ...]
    block: bytes = field(repr=False)
    defects: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The block's bytes, the value of 7F2E."""
        return self.block


def build_face_image_data(image: bytes, data_format: int, width: int, height: int) -> FaceImageDataBlock:
    """A block around one image.

    Args:
        image: JPEG or JPEG 2000. data_format: JPEG, JPEG2000_LOSSY or JPEG2000_LOSSLESS. width, height: pixels.
    """
    size = der.encode_integer(width, 0x80) + der.encode_integer(height, 0x81)
    information = encode_code(0xA0, data_format) + encode_tlv(_SIZE, size)
    block_2d = encode_tlv(0x80, image) + encode_tlv(0xA1, information)
    representation = der.encode_integer(0, 0x80) + encode_tlv(0xA1, encode_tlv(0xA0, encode_tlv(0xA0, block_2d)))
    return decode_face_image_data(encode_representations(TAG, [representation]))


def decode_face_image_data(data: bytes) -> FaceImageDataBlock:
    """Decode a face image data block, the value of 7F2E.

    Raises:
        DecodeError: another structure, no image, or an image that is neither JPEG nor JPEG 2000 by its format.
    """
    return FaceImageDataBlock(tuple(map(_decode_image, decode_representations(data, TAG))), data)


def _decode_image(representation: tuple[Tlv, ...]) -> FacialImage:
    base = require_tlv(require_tlv(representation, 0xA1).children(), 0xA0).children()
    block = require_tlv(base, 0xA0).children()
    information = require_tlv(block, 0xA1).children()
    data_type = _DATA_TYPES.get(require_code(information, 0xA0))
    if data_type is None:
        raise DecodeError("a face image is neither JPEG nor JPEG 2000", clause=CLAUSE)
    size = find_tlv(information, _SIZE)
    width, height = (0, 0) if size is None else _decode_size(size)
    image = require_tlv(block, 0x80).value
    return FacialImage(image, data_type, width, height, image_type=0, colour_space=0)  # 0: unspecified, as not read


def _decode_size(size: Tlv) -> tuple[int, int]:
    numbers = size.children()
    return decode_unsigned(require_tlv(numbers, 0x80)), decode_unsigned(require_tlv(numbers, 0x81))
