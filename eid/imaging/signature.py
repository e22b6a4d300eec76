"""A signature of nobody, drawn by program for specimens."""

from __future__ import annotations

import io
import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH: Final = 300  # pixels
HEIGHT: Final = 100
INK: Final = (28, 38, 92)
QUALITY: Final = 60  # of JPEG


def draw_specimen_signature() -> bytes:
    """A stroke and the word SPECIMEN under it, 300 by 100 pixels, as JPEG."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    stroke = [(30 + 240 * t / 200, 40 - 26 * math.sin(t / 7) * math.exp(-t / 140)) for t in range(200)]
    draw.line(stroke, fill=INK, width=3, joint="curve")
    draw.text((WIDTH / 2, HEIGHT - 16), "SPECIMEN", fill=INK, font=ImageFont.load_default(18), anchor="mm")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
