"""WSQ, compressed fingerprints (FBI, IAFIS-IC-0110 3.1): known by the header, carried as they are, never decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from eid.errors import DecodeError
from eid.imaging.header import LIMITS, ImageLimits

SIGNATURE: Final = b"\xff\xa0"  # start of image
START_OF_FRAME: Final = 0xA2
TABLES: Final = frozenset((0xA4, 0xA5, 0xA6, 0xA7, 0xA8))  # transform, quantization, Huffman, restart, comment
_FRAME: Final = struct.Struct(">HBBHH")  # length, black, white, lines, samples of a line
_FRAME_LENGTH: Final = 17
_CLAUSE: Final = "IAFIS-IC-0110 3.1"


@dataclass(frozen=True, slots=True)
class WsqInfo:
    """Size of a WSQ image in pixels; it is grey, 8 bits deep."""

    width: int
    height: int


def is_wsq(raw: bytes) -> bool:
    """Whether the octets begin as a WSQ image does."""
    return raw.startswith(SIGNATURE)


def inspect_wsq(raw: bytes, limits: ImageLimits = LIMITS) -> WsqInfo:
    """What the frame header says, which comes before the first block; bounded by `limits`.

    Raises:
        DecodeError: no WSQ image, a broken header, or more pixels or octets than allowed.
    """
    if len(raw) > limits.octets or not is_wsq(raw):
        raise DecodeError("image is no WSQ, or too large", clause=_CLAUSE)
    try:
        info = _read_frame(raw)
    except (struct.error, IndexError):
        raise DecodeError("WSQ header is cut", clause=_CLAUSE) from None
    if not 0 < info.width * info.height <= limits.pixels:
        raise DecodeError(f"image has no pixels, or over {limits.pixels}")
    return info


def _read_frame(raw: bytes) -> WsqInfo:
    offset = len(SIGNATURE)
    while True:
        if raw[offset] != 0xFF:
            raise DecodeError("WSQ has no marker where one must be", offset=offset, clause=_CLAUSE)
        marker = raw[offset + 1]
        length, _, _, height, width = _FRAME.unpack_from(raw, offset + 2)
        if marker == START_OF_FRAME:
            if length != _FRAME_LENGTH:
                raise DecodeError("WSQ frame header is malformed", offset=offset, clause=_CLAUSE)
            return WsqInfo(width, height)
        if marker not in TABLES or length < 2:
            raise DecodeError("WSQ has no frame header before its first block", offset=offset, clause=_CLAUSE)
        offset += 2 + length
