"""Finger image record of ISO/IEC 19794-4:2005: a general header, then a header and the image for each view.

Big-endian throughout. Length fields that an issuer gets wrong are read past and told as `defects`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, unique
from itertools import groupby
from typing import Final

from eid.errors import DecodeError

FORMAT_IDENTIFIER: Final = b"FIR\x00"
VERSION: Final = b"010\x00"
MAX_VIEWS: Final = 64
_HEADER_CLAUSE: Final = "ISO/IEC 19794-4 7.1"
_VIEW_CLAUSE: Final = "ISO/IEC 19794-4 7.2"

_GENERAL_HEADER: Final = struct.Struct(">4s4s6sHHBBHHHHBBH")  # 7.1, 32 octets
_VIEW_HEADER: Final = struct.Struct(">IBBBBBHHB")  # 7.2, 14 octets


@unique
class Compression(IntEnum):
    """Image compression algorithm (ISO/IEC 19794-4 table 3)."""

    NONE = 0
    NONE_BIT_PACKED = 1
    WSQ = 2
    JPEG = 3
    JPEG2000 = 4
    PNG = 5


@unique
class FingerPosition(IntEnum):
    """Finger position (ISO/IEC 19794-4 table 5), the single fingers."""

    UNKNOWN = 0
    RIGHT_THUMB = 1
    RIGHT_INDEX = 2
    RIGHT_MIDDLE = 3
    RIGHT_RING = 4
    RIGHT_LITTLE = 5
    LEFT_THUMB = 6
    LEFT_INDEX = 7
    LEFT_MIDDLE = 8
    LEFT_RING = 9
    LEFT_LITTLE = 10


@dataclass(frozen=True, slots=True)
class FingerImage:
    """One view of one finger (ISO/IEC 19794-4 7.2).

    Args:
        image: as the record's compression algorithm made it. position: see `FingerPosition`; 13 to 15 several fingers.
        view: 1 for the first view of this finger. width, height: pixels. quality: 254 undefined.
        impression: 0 live-scan plain, 1 live-scan rolled.
    """

    image: bytes = field(repr=False)
    position: int
    width: int
    height: int
    view: int = 1
    quality: int = 254
    impression: int = 0


@dataclass(frozen=True, slots=True)
class FingerRecord:
    """A finger image record: its views, what holds for all of them, and what its length fields got wrong.

    Args:
        acquisition_level: image acquisition settings level, 31 for 500 pixels per inch.
        scale_units: 1 pixels per inch, 2 pixels per centimetre. Resolutions in these units, horizontal and vertical.
    """

    images: tuple[FingerImage, ...]
    compression: int = Compression.WSQ
    capture_device: int = 0
    acquisition_level: int = 31
    scale_units: int = 1
    scan_resolution: tuple[int, int] = (500, 500)
    image_resolution: tuple[int, int] = (500, 500)
    pixel_depth: int = 8
    defects: tuple[str, ...] = field(default=(), compare=False)

    def encode(self) -> bytes:
        """The record's bytes; the views of a finger stand next to each other."""
        fingers = [tuple(views) for _, views in groupby(self.images, lambda image: image.position)]
        body = b"".join(_encode_view(image, len(views)) for views in fingers for image in views)
        header = _GENERAL_HEADER.pack(
            FORMAT_IDENTIFIER,
            VERSION,
            (_GENERAL_HEADER.size + len(body)).to_bytes(6, "big"),
            self.capture_device,
            self.acquisition_level,
            len(fingers),
            self.scale_units,
            *self.scan_resolution,
            *self.image_resolution,
            self.pixel_depth,
            self.compression,
            0,
        )
        return header + body


def decode_finger_record(raw: bytes) -> FingerRecord:
    """Decode a finger image record.

    Raises:
        DecodeError: not such a record, cut, or without a finger (ISO/IEC 19794-4 7).
    """
    if len(raw) < _GENERAL_HEADER.size:
        raise DecodeError("finger record header is cut", offset=0, clause=_HEADER_CLAUSE)
    identifier, version, stated, device, level, fingers, units, sh, sv, ih, iv, depth, compression, _ = (
        _GENERAL_HEADER.unpack_from(raw)
    )
    if identifier != FORMAT_IDENTIFIER or version != VERSION:
        raise DecodeError("not a finger record of version 010", offset=0, clause=_HEADER_CLAUSE)
    if not fingers:
        raise DecodeError("no finger", offset=18, clause=_HEADER_CLAUSE)
    length = int.from_bytes(stated, "big")
    defects = [] if length == len(raw) else [f"record length states {length} octets of {len(raw)}"]
    images, offset = _decode_fingers(raw, fingers)
    if offset != len(raw):
        defects.append(f"{len(raw) - offset} octets follow the last image")
    return FingerRecord(
        images=images,
        compression=compression,
        capture_device=device,
        acquisition_level=level,
        scale_units=units,
        scan_resolution=(sh, sv),
        image_resolution=(ih, iv),
        pixel_depth=depth,
        defects=tuple(defects),
    )


def _decode_fingers(raw: bytes, fingers: int) -> tuple[tuple[FingerImage, ...], int]:
    """Each finger's first header says how many views of it there are."""
    images: list[FingerImage] = []
    offset = _GENERAL_HEADER.size
    for _ in range(fingers):
        image, views, offset = _decode_view(raw, offset)
        images.append(image)
        for _ in range(views - 1):
            image, _, offset = _decode_view(raw, offset)
            images.append(image)
        if len(images) > MAX_VIEWS:
            raise DecodeError(f"more than {MAX_VIEWS} finger images", offset=offset, clause=_HEADER_CLAUSE)
    return tuple(images), offset


def _decode_view(raw: bytes, offset: int) -> tuple[FingerImage, int, int]:
    """The view at an offset, how many views its finger has, and the offset behind it."""
    start = offset + _VIEW_HEADER.size
    if start > len(raw):
        raise DecodeError("finger image header is cut", offset=offset, clause=_VIEW_CLAUSE)
    length, position, views, view, quality, impression, width, height, _ = _VIEW_HEADER.unpack_from(raw, offset)
    stop = offset + length
    if not start <= stop <= len(raw):
        raise DecodeError("finger image is cut", offset=offset, clause=_VIEW_CLAUSE)
    return FingerImage(raw[start:stop], position, width, height, view, quality, impression), views, stop


def _encode_view(image: FingerImage, views: int) -> bytes:
    length = _VIEW_HEADER.size + len(image.image)
    return (
        _VIEW_HEADER.pack(
            length,
            image.position,
            views,
            image.view,
            image.quality,
            image.impression,
            image.width,
            image.height,
            0,
        )
        + image.image
    )
