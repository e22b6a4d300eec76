"""A fingerprint of nobody, drawn by program for specimens: the ridges of a whorl, with SPECIMEN across."""

from __future__ import annotations

import io
import math
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH: Final = 256  # pixels at 500 per inch: 13 by 16 mm
HEIGHT: Final = 320
RIDGE: Final = 9.0  # pixels from ridge to ridge: about half a millimetre
STEP: Final = 2  # pixels from one that is computed to the next
RATE: Final = 12  # compression ratio of JPEG 2000, under the 15 that ISO/IEC 19794-4 gives as the most
DPI: Final = 500


def draw_specimen_fingerprint(seed: int) -> bytes:
    """A drawn whorl, 256 by 320 pixels of grey, as JPEG 2000; another one for each `seed`."""
    coarse = Image.new("L", (WIDTH // STEP, HEIGHT // STEP))  # ridges are wide enough for a quarter of the pixels
    coarse.putdata([_shade(x, y, seed) for y in range(0, HEIGHT, STEP) for x in range(0, WIDTH, STEP)])
    picture = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    draw.text((WIDTH / 2, HEIGHT / 2), "SPECIMEN", fill=0, font=ImageFont.load_default(36), anchor="mm", stroke_width=2)
    out = io.BytesIO()
    picture.save(out, "JPEG2000", quality_mode="rates", quality_layers=[RATE], irreversible=True, comment="")
    return out.getvalue()


def _shade(x: int, y: int, seed: int) -> int:
    """A wave along a spiral around a core that the seed moves; white outside of the fingertip."""
    across, along = (x - WIDTH / 2) / (WIDTH / 2), (y - HEIGHT / 2) / (HEIGHT / 2)
    if across**2 + along**2 > 0.96:
        return 255
    dx, dy = x - WIDTH / 2 - 7 * (seed % 5 - 2), (y - HEIGHT * 0.45) * 0.8
    turn = math.atan2(dy, dx)
    swing = 6 * math.sin(3 * turn + seed) + 4 * math.sin(y / 23 + seed)
    return round(128 + 110 * math.sin(2 * math.pi * (math.hypot(dx, dy) + swing) / RIDGE + turn))
