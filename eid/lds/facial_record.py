"""Facial record of ISO/IEC 19794-5:2005: a header, then for each image its facial information, points and the image.

Big-endian throughout. Length fields that real issuers get wrong are read past and told as `defects`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from eid.errors import DecodeError

FORMAT_IDENTIFIER: Final = b"FAC\x00"
VERSION: Final = b"010\x00"
MAX_IMAGES: Final = 16

_RECORD_HEADER: Final = struct.Struct(">4s4sIH")  # 5.4
_FACIAL_INFORMATION: Final = struct.Struct(">IHBBB3sH3s3s")  # 5.5
_FEATURE_POINT: Final = 8  # 5.6
_IMAGE_INFORMATION: Final = struct.Struct(">BBHHBBHH")  # 5.7


@unique
class ImageDataType(IntEnum):
    """Image data type (ISO/IEC 19794-5 table 10)."""

    JPEG = 0
    JPEG2000 = 1


@dataclass(frozen=True, slots=True)
class FacialImage:
    """One image with what is said about it (ISO/IEC 19794-5 5.5 to 5.8).

    Args:
        image: JPEG or JPEG 2000, as it stands. width, height: pixels; 0 where the issuer does not say.
        gender, eye_colour, hair_colour, feature_mask, expression, pose, pose_uncertainty: 0 unspecified.
        feature_points: octets of the points, eight for each.
        image_type: 0 basic, 1 full frontal, 2 token frontal.
        colour_space: 0 unspecified, 1 RGB 24 bit, 2 YUV422, 3 grey.
    """

    image: bytes = field(repr=False)
    data_type: int
    width: int = 0
    height: int = 0
    gender: int = 0
    eye_colour: int = 0
    hair_colour: int = 0
    feature_mask: bytes = bytes(3)
    expression: int = 0
    pose: bytes = bytes(3)
    pose_uncertainty: bytes = bytes(3)
    feature_points: bytes = field(default=b"", repr=False)
    image_type: int = 1
    colour_space: int = 1
    source_type: int = 0
    device_type: int = 0
    quality: int = 0


@dataclass(frozen=True, slots=True)
class FacialRecord:
    """A facial record: one or several images, and what its length fields got wrong."""

    images: tuple[FacialImage, ...]
    defects: tuple[str, ...] = field(default=(), compare=False)

    def encode(self) -> bytes:
        """The record's bytes."""
        body = b"".join(_encode_image(image) for image in self.images)
        length = _RECORD_HEADER.size + len(body)
        return _RECORD_HEADER.pack(FORMAT_IDENTIFIER, VERSION, length, len(self.images)) + body


def image_data_type(image: bytes) -> ImageDataType | None:
    """JPEG, or JPEG 2000 as a JP2 file or a bare codestream, by its first octets; None where it is neither."""
    if image.startswith(b"\xff\xd8\xff"):
        return ImageDataType.JPEG
    if image.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return ImageDataType.JPEG2000
    return None


def decode_facial_record(raw: bytes) -> FacialRecord:
    """Decode a facial record.

    Raises:
        DecodeError: not such a record, cut, or without an image (ISO/IEC 19794-5 5.4).
    """
    if len(raw) < _RECORD_HEADER.size:
        raise DecodeError("facial record header is cut", offset=0, clause="ISO/IEC 19794-5 5.4")
    identifier, version, length, count = _RECORD_HEADER.unpack_from(raw)
    if identifier != FORMAT_IDENTIFIER or version != VERSION:
        raise DecodeError("not a facial record of version 010", offset=0, clause="ISO/IEC 19794-5 5.4")
    if not 1 <= count <= MAX_IMAGES:
        raise DecodeError(f"{count} facial images", offset=12, clause="ISO/IEC 19794-5 5.4.4")
    defects = [] if length == len(raw) else [f"record length states {length} octets of {len(raw)}"]
    images: list[FacialImage] = []
    offset = _RECORD_HEADER.size
    for _ in range(count):
        image, offset = _decode_image(raw, offset)
        images.append(image)
    if offset != len(raw):
        defects.append(f"{len(raw) - offset} octets follow the last image")
    return FacialRecord(tuple(images), tuple(defects))


def _decode_image(raw: bytes, offset: int) -> tuple[FacialImage, int]:
    if offset + _FACIAL_INFORMATION.size > len(raw):
        raise DecodeError("facial information is cut", offset=offset, clause="ISO/IEC 19794-5 5.5")
    length, points, gender, eye, hair, mask, expression, pose, uncertainty = _FACIAL_INFORMATION.unpack_from(
        raw, offset
    )
    stop = offset + length
    start = offset + _FACIAL_INFORMATION.size
    information = start + points * _FEATURE_POINT
    if information + _IMAGE_INFORMATION.size > stop or stop > len(raw):
        raise DecodeError("facial record data is cut", offset=offset, clause="ISO/IEC 19794-5 5.5.1")
    image_type, data_type, width, height, colour, source, device, quality = _IMAGE_INFORMATION.unpack_from(
        raw, information
    )
    return FacialImage(
        image=raw[information + _IMAGE_INFORMATION.size : stop],
        data_type=data_type,
        width=width,
        height=height,
        gender=gender,
        eye_colour=eye,
        hair_colour=hair,
        feature_mask=mask,
        expression=expression,
        pose=pose,
        pose_uncertainty=uncertainty,
        feature_points=raw[start:information],
        image_type=image_type,
        colour_space=colour,
        source_type=source,
        device_type=device,
        quality=quality,
    ), stop


def _encode_image(image: FacialImage) -> bytes:
    points, rest = divmod(len(image.feature_points), _FEATURE_POINT)
    if rest:
        raise ValueError("feature points are of eight octets each")
    length = _FACIAL_INFORMATION.size + len(image.feature_points) + _IMAGE_INFORMATION.size + len(image.image)
    return (
        _FACIAL_INFORMATION.pack(
            length,
            points,
            image.gender,
            image.eye_colour,
            image.hair_colour,
            image.feature_mask,
            image.expression,
            image.pose,
            image.pose_uncertainty,
        )
        + image.feature_points
        + _IMAGE_INFORMATION.pack(
            image.image_type,
            image.data_type,
            image.width,
            image.height,
            image.colour_space,
            image.source_type,
            image.device_type,
            image.quality,
        )
        + image.image
    )
