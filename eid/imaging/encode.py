"""Compression of a portrait to a given number of octets, as JPEG or JPEG 2000."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

from PIL import Image

from eid.errors import DecodeError, RecordError
from eid.imaging.header import ImageFormat, inspect_image

QUALITIES: Final = range(10, 96)  # of JPEG, worst to best
RATES: Final = tuple(range(200, 3, -1))  # compression ratios of JPEG 2000, worst to best
DPI: Final = 300


def encode_portrait(png: bytes, image_format: ImageFormat, limit: int) -> bytes:
    """The best JPEG or JPEG 2000 of a PNG portrait that has at most `limit` octets; no metadata but 300 dpi.

    Raises:
        DecodeError: `png` is no PNG within the image limits.
        RecordError: even the worst quality has more octets.
    """
    info = inspect_image(png)
    if info.format is not ImageFormat.PNG:
        raise DecodeError("a portrait to encode is a PNG")
    if image_format is ImageFormat.PNG:
        raise RecordError("a portrait is encoded as JPEG or JPEG 2000")
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        picture = image.convert("RGB")
    if image_format is ImageFormat.JPEG:
        best = _find_best(lambda step: _encode_jpeg(picture, QUALITIES[step]), len(QUALITIES), limit)
    else:
        bare = image_format is ImageFormat.JPEG2000_CODESTREAM
        best = _find_best(lambda step: _encode_jpeg2000(picture, RATES[step], bare), len(RATES), limit)
    if best is None:
        raise RecordError(f"the portrait cannot be compressed to {limit} octets")
    return best


def _find_best(encode: Callable[[int], bytes], steps: int, limit: int) -> bytes | None:
    """Bisect over steps of rising quality, whose sizes rise with them."""
    best: bytes | None = None
    low, high = 0, steps - 1
    while low <= high:
        middle = (low + high) // 2
        encoded = encode(middle)
        if len(encoded) <= limit:
            best, low = encoded, middle + 1
        else:
            high = middle - 1
    return best


def _encode_jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, subsampling="4:2:0", dpi=(DPI, DPI))
    return out.getvalue()


def _encode_jpeg2000(picture: Image.Image, rate: int, bare: bool) -> bytes:
    out = io.BytesIO()
    picture.save(
        out, "JPEG2000", quality_mode="rates", quality_layers=[rate], irreversible=True, mct=1, no_jp2=bare, comment=""
    )
    return out.getvalue()
