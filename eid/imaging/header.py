"""What an image says of itself, read from its header alone: no pixel is decoded and nothing is allocated.

JPEG (ITU-T T.81), JPEG 2000 boxed or bare (ISO/IEC 15444-1 annexes A and I), PNG (ISO/IEC 15948). A decoder
allocates by these numbers, so they are bounded before a decoder sees the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from eid.errors import DecodeError

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE: Final = b"\xff\xd8\xff"
JP2_SIGNATURE: Final = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
CODESTREAM_SIGNATURE: Final = b"\xff\x4f\xff\x51"

PNG_COMPONENTS: Final = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type; a palette yields RGB
START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
START_OF_SCAN: Final = 0xDA
STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD8)))
END_OF_IMAGE: Final = 0xD9

T81: Final = "ITU-T T.81 B"
T800: Final = "ISO/IEC 15444-1 A.5.1"
T800_BOXES: Final = "ISO/IEC 15444-1 I.4"


@unique
class ImageFormat(Enum):
    """The image formats that a document or an enrolment may bring."""

    JPEG = "jpeg"
    JPEG2000 = "jpeg2000"
    JPEG2000_CODESTREAM = "jpeg2000-codestream"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Format, size in pixels, and number of colour components of an image."""

    format: ImageFormat
    width: int
    height: int
    components: int


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds on an untrusted image and on the process that decodes it.

    `octets` of the file, `pixels` and `tiles` it may announce; `memory` (octets of address space), `cpu` (seconds) and
    `wall` (seconds) of the decoding process. `cpu` is what bounds it; `wall` is for one that hangs, and wide, or a busy
    machine would refuse good images.
    """

    octets: int = 1 << 20
    pixels: int = 4_000_000
    components: int = 4
    tiles: int = 1024
    memory: int = 512 << 20
    cpu: int = 5
    wall: float = 40.0


LIMITS: Final = ImageLimits()


def inspect_image(raw: bytes, limits: ImageLimits = LIMITS) -> ImageInfo:
    """Format and size of an image, bounded by `limits`.

    Raises:
        DecodeError: no known format, a broken header, or more pixels, components or tiles than allowed.
    """
    if len(raw) > limits.octets:
        raise DecodeError(f"image has over {limits.octets} octets")
    try:
        info = _inspect(raw, limits)
    except (struct.error, IndexError):
        raise DecodeError("image header is cut") from None
    if not info.width or not info.height:
        raise DecodeError("image has no pixels")
    if info.width * info.height > limits.pixels:
        raise DecodeError(f"image has over {limits.pixels} pixels")
    if not 1 <= info.components <= limits.components:
        raise DecodeError(f"image has not 1 to {limits.components} colour components")
    return info


def _inspect(raw: bytes, limits: ImageLimits) -> ImageInfo:
    if raw.startswith(JPEG_SIGNATURE):
        return _inspect_jpeg(raw)
    if raw.startswith(CODESTREAM_SIGNATURE):
        return _inspect_codestream(raw, 0, ImageFormat.JPEG2000_CODESTREAM, limits)
    if raw.startswith(JP2_SIGNATURE):
        return _inspect_jp2(raw, limits)
    if raw.startswith(PNG_SIGNATURE):
        return _inspect_png(raw)
    raise DecodeError("image is not JPEG, JPEG 2000 or PNG")


def _inspect_png(raw: bytes) -> ImageInfo:
    length, name, width, height, depth, colour = struct.unpack_from(">I4sIIBB", raw, len(PNG_SIGNATURE))
    if length != 13 or name != b"IHDR" or depth not in (1, 2, 4, 8, 16) or colour not in PNG_COMPONENTS:
        raise DecodeError("PNG does not begin with a valid IHDR", offset=8, clause="ISO/IEC 15948 11.2.2")
    return ImageInfo(ImageFormat.PNG, width, height, PNG_COMPONENTS[colour])


def _jpeg_segments(raw: bytes) -> Iterator[tuple[int, int]]:
    """Marker code and offset of the segment's length, up to the start of scan."""
    offset = 2
    while True:
        if raw[offset] != 0xFF:
            raise DecodeError("JPEG has no marker where one must be", offset=offset, clause=f"{T81}.1.1.2")
        while raw[offset] == 0xFF:  # fill bytes
            offset += 1
        marker = raw[offset]
        offset += 1
        if marker in STANDALONE:
            continue
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            return
        (length,) = struct.unpack_from(">H", raw, offset)
        if length < 2:
            raise DecodeError("JPEG segment is shorter than its length field", offset=offset, clause=f"{T81}.1.1.4")
        yield marker, offset
        offset += length


def _inspect_jpeg(raw: bytes) -> ImageInfo:
    frames = [offset for marker, offset in _jpeg_segments(raw) if marker in START_OF_FRAME]
    if len(frames) != 1:  # decoders disagree on which of two frames counts
        raise DecodeError("JPEG has not exactly one frame header before its scan", clause=f"{T81}.2.2")
    length, precision, height, width, components = struct.unpack_from(">HBHHB", raw, frames[0])
    if precision != 8 or length != 8 + 3 * components:
        raise DecodeError("JPEG frame header is malformed", offset=frames[0], clause=f"{T81}.2.2")
    return ImageInfo(ImageFormat.JPEG, width, height, components)


def _boxes(raw: bytes, offset: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box."""
    while offset < end:
        length, name = struct.unpack_from(">I4s", raw, offset)
        start = offset + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", raw, start)
            start += 8
        stop = end if length == 0 else offset + length
        if not start <= stop <= end:
            raise DecodeError("JP2 box does not fit", offset=offset, clause=T800_BOXES)
        yield name, start, stop
        offset = stop


def _inspect_jp2(raw: bytes, limits: ImageLimits) -> ImageInfo:
    header: tuple[int, int, int] | None = None
    for name, start, stop in _boxes(raw, 0, len(raw)):
        if name == b"jp2h" and header is None:
            inner, first, _ = next(_boxes(raw, start, stop), (b"", start, stop))
            if inner != b"ihdr":
                raise DecodeError(
                    "JP2 header does not begin with an image header", offset=start, clause="15444-1 I.5.3"
                )
            header = struct.unpack_from(">IIH", raw, first)
        if name == b"jp2c":
            if header is None:
                break
            info = _inspect_codestream(raw, start, ImageFormat.JPEG2000, limits)
            if header != (info.height, info.width, info.components):
                raise DecodeError("JP2 header and codestream disagree on the size", clause="ISO/IEC 15444-1 I.5.3.1")
            return info
    raise DecodeError("JP2 has no codestream after its header", clause=T800_BOXES)


def _inspect_codestream(raw: bytes, offset: int, image_format: ImageFormat, limits: ImageLimits) -> ImageInfo:
    """The SIZ marker segment, which must follow SOC (ISO/IEC 15444-1 A.5.1)."""
    marker, length, _, x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack_from(
        ">4sHHIIIIIIIIH", raw, offset
    )
    if marker != CODESTREAM_SIGNATURE or length != 38 + 3 * components:
        raise DecodeError("JPEG 2000 codestream does not begin with SOC and SIZ", offset=offset, clause=T800)
    if not (x0 < x1 and y0 < y1 and tile_x0 <= x0 and tile_y0 <= y0 and tile_x and tile_y):
        raise DecodeError("JPEG 2000 image or tile size is impossible", offset=offset, clause=T800)
    # The reference grid, not only the visible area, and each tile cost the decoder memory.
    if x1 * y1 > limits.pixels:
        raise DecodeError(f"image has over {limits.pixels} pixels")
    tiles = -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y)
    if tiles > limits.tiles:
        raise DecodeError(f"image has over {limits.tiles} tiles")
    for component in range(min(components, limits.components)):
        depth, step_x, step_y = struct.unpack_from(">BBB", raw, offset + 42 + 3 * component)
        if depth & 0x7F > 15 or step_x != 1 or step_y != 1:
            raise DecodeError("JPEG 2000 component is over 16 bits or subsampled", offset=offset, clause=T800)
    return ImageInfo(image_format, x1 - x0, y1 - y0, components)
