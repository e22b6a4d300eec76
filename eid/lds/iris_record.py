"""Iris image record of ISO/IEC 19794-6:2005: a general header, then for each eye a header and its images.

Big-endian throughout. A length field that an issuer gets wrong is read past and told in `defects`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, unique
from itertools import groupby
from typing import Final

from eid.errors import DecodeError

FORMAT_IDENTIFIER: Final = b"IIR\x00"
VERSION: Final = b"010\x00"
MAX_IMAGES: Final = 64
UNKNOWN_QUALITY: Final = 254
UNKNOWN_ANGLE: Final = 0xFFFF
# Image properties: horizontal orientation (bits 1, 2) and vertical orientation (3, 4) base, scan type (5 to 7)
# progressive; then occlusions (8), their filling (9) and boundary extraction (10).
PLAIN_PROPERTIES: Final = 0b00_0001_0101
_CLAUSE: Final = "ISO/IEC 19794-6"

_GENERAL_HEADER: Final = struct.Struct(">4s4sIHBHHHHHHBB16s")  # 45 octets
_EYE_HEADER: Final = struct.Struct(">BH")
_IMAGE_HEADER: Final = struct.Struct(">HBHHI")


@unique
class Eye(IntEnum):
    """Which eye."""

    UNKNOWN = 0
    RIGHT = 1
    LEFT = 2


@unique
class IrisImageFormat(IntEnum):
    """Image format."""

    MONO_RAW = 2
    RGB_RAW = 4
    MONO_JPEG = 6
    RGB_JPEG = 8
    MONO_JPEG_LS = 10
    RGB_JPEG_LS = 12
    MONO_JPEG2000 = 14
    RGB_JPEG2000 = 16


@dataclass(frozen=True, slots=True)
class IrisImage:
    """One image of one eye.

    Args:
        image: as the record's format made it. eye: see `Eye`. number: 1 for the first image of this eye.
        quality: 0 to 100, 254 unknown. angle: of the eye, 65536 to the full turn, FFFF unknown. uncertainty: likewise.
    """

    image: bytes = field(repr=False)
    eye: int
    number: int = 1
    quality: int = UNKNOWN_QUALITY
    angle: int = UNKNOWN_ANGLE
    uncertainty: int = UNKNOWN_ANGLE


@dataclass(frozen=True, slots=True)
class IrisRecord:
    """An iris image record: its images, what holds for all of them, and what its length field got wrong.

    Args:
        image_format: see `IrisImageFormat`. width, height: pixels. depth: bits of intensity.
        properties: bit field, see `PLAIN_PROPERTIES`. diameter: of the iris in pixels, 0 unknown.
        transformation: 0 unknown, 1 standard. device: unique identifier of the camera, 16 octets, zeros for none.
    """

    images: tuple[IrisImage, ...]
    image_format: int
    width: int
    height: int
    depth: int = 8
    properties: int = PLAIN_PROPERTIES
    diameter: int = 0
    transformation: int = 0
    capture_device: int = 0
    device: bytes = bytes(16)
    defects: tuple[str, ...] = field(default=(), compare=False)

    def encode(self) -> bytes:
        """The record's bytes; the images of an eye stand next to each other."""
        eyes = [tuple(images) for _, images in groupby(self.images, lambda image: image.eye)]
        body = b"".join(map(_encode_eye, eyes))
        header = _GENERAL_HEADER.pack(
            FORMAT_IDENTIFIER,
            VERSION,
            _GENERAL_HEADER.size + len(body),
            self.capture_device,
            len(eyes),
            _GENERAL_HEADER.size,
            self.properties,
            self.diameter,
            self.image_format,
            self.width,
            self.height,
            self.depth,
            self.transformation,
            self.device,
        )
        return header + body


def decode_iris_record(raw: bytes) -> IrisRecord:
    """Decode an iris image record.

    Raises:
        DecodeError: not such a record, cut, or not of one or two eyes.
    """
    if len(raw) < _GENERAL_HEADER.size:
        raise DecodeError("iris record header is cut", offset=0, clause=_CLAUSE)
    identifier, version, length, capture_device, eyes, header_length, *rest = _GENERAL_HEADER.unpack_from(raw)
    properties, diameter, image_format, width, height, depth, transformation, device = rest
    if identifier != FORMAT_IDENTIFIER or version != VERSION:
        raise DecodeError("not an iris record of version 010", offset=0, clause=_CLAUSE)
    if header_length != _GENERAL_HEADER.size:
        raise DecodeError(f"a header of {header_length} octets", offset=15, clause=_CLAUSE)
    if eyes not in (1, 2):
        raise DecodeError(f"{eyes} eyes", offset=14, clause=_CLAUSE)
    images, end = _decode_eyes(raw, eyes)
    return IrisRecord(
        images=images,
        image_format=image_format,
        width=width,
        height=height,
        depth=depth,
        properties=properties,
        diameter=diameter,
        transformation=transformation,
        capture_device=capture_device,
        device=device,
        defects=_find_defects(length, len(raw), end),
    )


def _find_defects(stated: int, length: int, end: int) -> tuple[str, ...]:
    defects = [] if stated == length else [f"record length states {stated} octets of {length}"]
    if end != length:
        defects.append(f"{length - end} octets follow the last image")
    return tuple(defects)


def _decode_eyes(raw: bytes, eyes: int) -> tuple[tuple[IrisImage, ...], int]:
    """The images of all eyes, and the offset behind them."""
    images: list[IrisImage] = []
    offset = _GENERAL_HEADER.size
    for _ in range(eyes):
        if offset + _EYE_HEADER.size > len(raw):
            raise DecodeError("iris subtype header is cut", offset=offset, clause=_CLAUSE)
        eye, count = _EYE_HEADER.unpack_from(raw, offset)
        if not 1 <= count <= MAX_IMAGES:
            raise DecodeError(f"{count} images of an eye", offset=offset + 1, clause=_CLAUSE)
        offset += _EYE_HEADER.size
        for _ in range(count):
            image, offset = _decode_image(raw, offset, eye)
            images.append(image)
    return tuple(images), offset


def _decode_image(raw: bytes, offset: int, eye: int) -> tuple[IrisImage, int]:
    start = offset + _IMAGE_HEADER.size
    if start > len(raw):
        raise DecodeError("iris image header is cut", offset=offset, clause=_CLAUSE)
    number, quality, angle, uncertainty, length = _IMAGE_HEADER.unpack_from(raw, offset)
    stop = start + length
    if stop > len(raw):
        raise DecodeError("iris image is cut", offset=offset, clause=_CLAUSE)
    return IrisImage(raw[start:stop], eye, number, quality, angle, uncertainty), stop


def _encode_eye(images: tuple[IrisImage, ...]) -> bytes:
    headed = (
        _IMAGE_HEADER.pack(item.number, item.quality, item.angle, item.uncertainty, len(item.image)) + item.image
        for item in images
    )
    return _EYE_HEADER.pack(images[0].eye, len(images)) + b"".join(headed)
