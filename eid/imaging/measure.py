"""Simple figures of an image, for a rule to judge by: grey levels in its middle, how steep its edges are."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageFilter, ImageStat

from eid.errors import DecodeError
from eid.imaging.header import ImageFormat, inspect_image

MARGIN: Final = 4  # the middle is what lies more than a quarter from each side


@dataclass(frozen=True, slots=True)
class ImageFigures:
    """Size in pixels; distinct grey levels in the middle; mean strength of edges there, in grey levels."""

    width: int
    height: int
    grey_levels: int
    sharpness: float


def measure_image(png: bytes) -> ImageFigures:
    """Measure a PNG as `decode_image` makes it.

    Raises:
        DecodeError: it is no PNG within the image limits.
    """
    middle, width, height = _load_middle(png)
    levels = sum(1 for count in middle.histogram() if count)
    edges = ImageStat.Stat(middle.filter(ImageFilter.FIND_EDGES))
    return ImageFigures(width, height, levels, edges.mean[0])


def shrink_image(png: bytes, side: int) -> bytes:
    """The whole picture in `side` times `side` grey pixels, an octet each: a thumbnail to compare pictures by.

    Raises:
        DecodeError: it is no PNG within the image limits.
    """
    _require_png(png)
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return image.convert("L").resize((side, side), Image.Resampling.BOX).tobytes()


def _load_middle(png: bytes) -> tuple[Image.Image, int, int]:
    _require_png(png)
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        width, height = image.size
        box = (width // MARGIN, height // MARGIN, width - width // MARGIN, height - height // MARGIN)
        return image.convert("L").crop(box), width, height


def _require_png(png: bytes) -> None:
    if inspect_image(png).format is not ImageFormat.PNG:
        raise DecodeError("an image to measure is a PNG")
