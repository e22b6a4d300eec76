"""An eye of nobody, drawn by program for specimens: rings and rays, with SPECIMEN across."""

from __future__ import annotations

import io
import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH: Final = 320  # pixels
HEIGHT: Final = 240
IRIS_RADIUS: Final = 90
PUPIL_RADIUS: Final = 34
RAYS: Final = 90
RATE: Final = 12  # compression ratio of JPEG 2000


def draw_specimen_iris(seed: int) -> bytes:
    """A drawn eye, 320 by 240 pixels of grey, as JPEG 2000; another one for each `seed`."""
    picture = Image.new("L", (WIDTH, HEIGHT), 225)
    draw = ImageDraw.Draw(picture)
    _fill_circle(draw, IRIS_RADIUS, 120)
    for ray in range(RAYS):
        _draw_ray(draw, 2 * math.pi * ray / RAYS, seed)
    _fill_circle(draw, PUPIL_RADIUS, 15)
    font = ImageFont.load_default(36)
    draw.text((WIDTH / 2, HEIGHT / 2), "SPECIMEN", fill=255, font=font, anchor="mm", stroke_width=1)
    out = io.BytesIO()
    picture.save(out, "JPEG2000", quality_mode="rates", quality_layers=[RATE], irreversible=True, comment="")
    return out.getvalue()


def _fill_circle(draw: ImageDraw.ImageDraw, radius: int, shade: int) -> None:
    draw.ellipse((WIDTH / 2 - radius, HEIGHT / 2 - radius, WIDTH / 2 + radius, HEIGHT / 2 + radius), fill=shade)


def _draw_ray(draw: ImageDraw.ImageDraw, angle: float, seed: int) -> None:
    """A fibre of the iris, as long and as dark as the seed has it."""
    length = IRIS_RADIUS * (0.8 + 0.18 * math.sin(7 * angle + seed))
    shade = round(95 + 45 * math.sin(13 * angle + 3 * seed))
    end = (WIDTH / 2 + length * math.cos(angle), HEIGHT / 2 + length * math.sin(angle))
    draw.line(((WIDTH / 2, HEIGHT / 2), end), fill=shade, width=3)
