"""The background of a face: a soft gradient and fine guilloche lines, computed from a few waves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from PIL import Image, ImageChops, ImageDraw

from eid.profile.layout import Box, Colour, FaceLayout

SUPERSAMPLING: Final = 2
LINE_WIDTH: Final = 0.11  # millimetres
STEP: Final = 0.35  # millimetres between the points of a line
OPACITY: Final = 0.26

Point = tuple[float, float]


def draw_background(layout: FaceLayout, size: tuple[int, int], phase: float, clear: Box | None) -> Image.Image:
    """Paint a face of `size` pixels; `phase` (radians) sets the two faces apart, `clear` stays free of lines."""
    scale = size[0] / layout.width
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.composite(
        Image.new("RGB", size, layout.palette.bottom), Image.new("RGB", size, layout.palette.top), ramp
    )
    for ink, lines in (
        (layout.palette.lines[0], _waves(layout, phase)),
        (layout.palette.lines[1], _rosette(layout, phase)),
    ):
        image = _print_lines(image, list(lines), ink, scale, clear)
    return image


def _waves(layout: FaceLayout, phase: float) -> Iterator[list[Point]]:
    """A bundle of waves whose spacing breathes along the card."""
    count = math.ceil(layout.width / STEP)
    for line in range(34):
        way = line / 33
        points = []
        for index in range(count + 1):
            x = index * STEP
            turn = 2 * math.pi * x / layout.width
            swell = 7.5 + 5.0 * math.sin(turn + phase)
            y = layout.height * (0.5 + 0.16 * math.sin(1.5 * turn + phase)) + swell * 2.6 * (way - 0.5)
            points.append((x, y + 1.5 * math.sin(5 * turn + 2 * math.pi * way)))
        yield points


def _rosette(layout: FaceLayout, phase: float) -> Iterator[list[Point]]:
    """Interlaced closed curves around a point of the right half."""
    centre = (layout.width * 0.72, layout.height * 0.46)
    for ring in range(12):
        points = []
        for index in range(481):
            turn = 2 * math.pi * index / 480
            radius = 5.0 + 1.25 * ring + 1.5 * math.sin(12 * turn + phase + math.pi * (ring % 2))
            points.append((centre[0] + radius * math.cos(turn), centre[1] + 0.86 * radius * math.sin(turn)))
        yield points


def _print_lines(
    image: Image.Image, lines: list[list[Point]], ink: Colour, scale: float, clear: Box | None
) -> Image.Image:
    fine = scale * SUPERSAMPLING
    mask = Image.new("L", (image.width * SUPERSAMPLING, image.height * SUPERSAMPLING))
    pen = ImageDraw.Draw(mask)
    for line in lines:
        pen.line([(x * fine, y * fine) for x, y in line], fill=255, width=max(1, round(LINE_WIDTH * fine)))
    if clear is not None:
        pen.rectangle(
            (clear.x * fine, clear.y * fine, (clear.x + clear.width) * fine, (clear.y + clear.height) * fine), fill=0
        )
    mask = mask.resize(image.size, Image.Resampling.BOX).point([round(value * OPACITY) for value in range(256)])
    return Image.composite(ImageChops.multiply(image, Image.new("RGB", image.size, ink)), image, mask)
