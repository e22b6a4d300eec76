"""A portrait of nobody, drawn by program for specimens: flat shapes with soft shading, plainly artificial.

Coordinates are millimetres on a 35 x 45 mm portrait, the head placed as ISO/IEC 19794-5 frames it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from enum import Enum, unique
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Point = tuple[float, float]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

WIDTH: Final = 35.0
HEIGHT: Final = 45.0
SUPERSAMPLING: Final = 3
CENTRE: Final = WIDTH / 2

BACKGROUND: Final = ((238, 242, 245), (205, 216, 224))
WHITE: Final = (252, 252, 250)
DARK: Final = (38, 28, 26)


@unique
class PortraitVariant(Enum):
    """Which invented person is drawn."""

    HEADSCARF = "headscarf"
    SHORT_HAIR = "short-hair"


SKIN: Final = {PortraitVariant.HEADSCARF: (224, 178, 146), PortraitVariant.SHORT_HAIR: (208, 158, 122)}
HAIR: Final = (52, 38, 33)
SCARF: Final = (63, 108, 122)
GARMENT: Final = {PortraitVariant.HEADSCARF: (44, 62, 86), PortraitVariant.SHORT_HAIR: (52, 58, 70)}
IRIS: Final = (98, 62, 38)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour darker (factor under 1) or lighter (over 1)."""
    if factor <= 1:
        return tuple(round(part * factor) for part in colour)  # type: ignore[return-value]  # three in, three out
    return tuple(round(255 - (255 - part) / factor) for part in colour)  # type: ignore[return-value]  # likewise


def curve(*points: Point, steps: int = 24) -> list[Point]:
    """A smooth line through all points (Catmull-Rom)."""
    line: list[Point] = []
    padded = (points[0], *points, points[-1])
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        line.extend(_catmull_rom(before, start, end, after, step / steps) for step in range(steps))
    return [*line, points[-1]]


def _catmull_rom(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    def blend(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)

    return blend(p0[0], p1[0], p2[0], p3[0]), blend(p0[1], p1[1], p2[1], p3[1])


def symmetric(*left: Point) -> list[Point]:
    """A closed smooth outline from its left half, which begins and ends on the axis."""
    right = [(2 * CENTRE - x, y) for x, y in reversed(left[1:-1])]
    return _closed_curve([*left, *right])


def _closed_curve(points: Sequence[Point], steps: int = 24) -> list[Point]:
    line: list[Point] = []
    count = len(points)
    for index in range(count):
        corners = [points[(index + shift) % count] for shift in (-1, 0, 1, 2)]
        line.extend(_catmull_rom(corners[0], corners[1], corners[2], corners[3], step / steps) for step in range(steps))
    return line


def ellipse(cx: float, cy: float, rx: float, ry: float, steps: int = 72) -> list[Point]:
    """A closed ellipse as a polygon."""
    turns = (2 * math.pi * step / steps for step in range(steps))
    return [(cx + rx * math.cos(turn), cy + ry * math.sin(turn)) for turn in turns]


class Canvas:
    """A picture with millimetre coordinates; shapes may be blurred and clipped to another shape."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.scale = min(self.size[0] / WIDTH, self.size[1] / HEIGHT)
        self.image = Image.new("RGB", self.size)

    def gradient(self, top: Colour, bottom: Colour) -> None:
        """Fill the whole picture from `top` to `bottom`."""
        ramp = Image.linear_gradient("L").resize(self.size)
        self.image = Image.composite(Image.new("RGB", self.size, bottom), Image.new("RGB", self.size, top), ramp)

    def mask(self, points: Sequence[Point], blur: float = 0.0, box: Box | None = None) -> Image.Image:
        """Coverage of a polygon inside `box` (pixels; else the whole picture), blurred over `blur` millimetres."""
        left, top, right, bottom = box or (0, 0, *self.size)
        mask = Image.new("L", (right - left, bottom - top))
        outline = [(x * self.scale - left, y * self.scale - top) for x, y in points]
        ImageDraw.Draw(mask).polygon(outline, fill=255)
        return mask.filter(ImageFilter.GaussianBlur(blur * self.scale)) if blur else mask

    def fill(
        self,
        points: Sequence[Point],
        colour: Colour,
        *,
        opacity: float = 1.0,
        blur: float = 0.0,
        within: Sequence[Point] | None = None,
    ) -> None:
        """Fill a polygon, of which only the part `within` another one shows."""
        box = self._box(points, 3 * blur)
        if box is None:
            return
        mask = self.mask(points, blur, box)
        if within is not None:
            mask = ImageChops.multiply(mask, self.mask(within, 0, box))
        if opacity < 1:
            mask = mask.point([round(value * opacity) for value in range(256)])
        self.image.paste(colour, box, mask)

    def _box(self, points: Sequence[Point], margin: float) -> Box | None:
        """The pixels that a polygon and its blur may touch; None if it lies outside the picture."""
        across, down = [x for x, _ in points], [y for _, y in points]
        left = max(0, math.floor((min(across) - margin) * self.scale) - 1)
        top = max(0, math.floor((min(down) - margin) * self.scale) - 1)
        right = min(self.size[0], math.ceil((max(across) + margin) * self.scale) + 2)
        bottom = min(self.size[1], math.ceil((max(down) + margin) * self.scale) + 2)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def stroke(
        self,
        line: Sequence[Point],
        width: Callable[[float], float],
        colour: Colour,
        *,
        opacity: float = 1.0,
        blur: float = 0.0,
        within: Sequence[Point] | None = None,
    ) -> None:
        """Draw a line whose width in millimetres is a function of the way along it, 0 to 1."""
        left, right = [], []
        for index, (x, y) in enumerate(line):
            ahead, behind = line[min(index + 1, len(line) - 1)], line[max(index - 1, 0)]
            dx, dy = ahead[0] - behind[0], ahead[1] - behind[1]
            half = width(index / (len(line) - 1)) / 2 / (math.hypot(dx, dy) or 1)
            left.append((x - dy * half, y + dx * half))
            right.append((x + dy * half, y - dx * half))
        self.fill([*left, *reversed(right)], colour, opacity=opacity, blur=blur, within=within)

    def png(self, width: int, height: int) -> bytes:
        """The picture at its final size."""
        out = io.BytesIO()
        self.image.resize((width, height), Image.Resampling.LANCZOS).save(out, "PNG", dpi=(300, 300))
        return out.getvalue()


def taper(widest: float) -> Callable[[float], float]:
    """A stroke that is `widest` in the middle and thin at both ends."""
    return lambda way: widest * (0.15 + 0.85 * math.sin(math.pi * way))


FACE: Final = symmetric(
    (17.5, 8.2), (12.6, 9.6), (9.6, 14.2), (9.2, 20.0), (10.0, 26.0), (12.4, 31.2), (15.4, 34.2), (17.5, 34.8)
)


def draw_specimen_portrait(
    variant: PortraitVariant = PortraitVariant.HEADSCARF, width: int = 413, height: int = 531
) -> bytes:
    """Draw the portrait of an invented person; PNG, RGB, 35 x 45 mm at 300 dpi unless told otherwise.

    Raises:
        ValueError: the size is not positive or over 4 megapixels.
    """
    if not (width > 0 and height > 0 and width * height <= 4_000_000):
        raise ValueError("a portrait has 1 to 4,000,000 pixels")
    canvas = Canvas(width, height)
    canvas.gradient(*BACKGROUND)
    canvas.fill(ellipse(CENTRE, 22, 16, 20), (255, 255, 255), opacity=0.35, blur=4)
    if variant is PortraitVariant.HEADSCARF:
        _draw_scarf_behind(canvas)
    else:
        _draw_neck_and_shirt(canvas)
        _draw_ears(canvas)
    _draw_face(canvas, SKIN[variant])
    for side in (-1, 1):
        _draw_eye(canvas, side, SKIN[variant])
        _draw_eyebrow(canvas, side, thickness=0.75 if variant is PortraitVariant.HEADSCARF else 1.15)
    _draw_nose(canvas, SKIN[variant])
    _draw_mouth(canvas, SKIN[variant], (178, 92, 88) if variant is PortraitVariant.HEADSCARF else (168, 100, 88))
    if variant is PortraitVariant.HEADSCARF:
        _draw_scarf_in_front(canvas)
    else:
        _draw_short_hair(canvas)
    return canvas.png(width, height)


def _draw_face(canvas: Canvas, skin: Colour) -> None:
    canvas.fill(FACE, skin)
    canvas.fill(ellipse(27.5, 24, 8, 16), shade(skin, 0.72), opacity=0.5, blur=1.8, within=FACE)
    canvas.fill(ellipse(17.5, 36.5, 9, 3.4), shade(skin, 0.7), opacity=0.45, blur=1.2, within=FACE)
    canvas.fill(ellipse(15.6, 13.4, 4.6, 2.8), shade(skin, 1.5), opacity=0.5, blur=1.6, within=FACE)
    for side in (-1, 1):
        canvas.fill(ellipse(CENTRE + side * 5.1, 25.6, 2.1, 1.5), (214, 118, 104), opacity=0.28, blur=1.0, within=FACE)
        canvas.fill(ellipse(CENTRE + side * 3.9, 19.5, 2.5, 1.5), shade(skin, 0.78), opacity=0.4, blur=0.7, within=FACE)


def _draw_eye(canvas: Canvas, side: int, skin: Colour) -> None:
    def at(x: float, y: float) -> Point:
        return CENTRE + side * (3.9 + x), 20.0 + y

    upper = curve(at(-1.75, 0.3), at(-0.9, -0.55), at(0.2, -0.8), at(1.2, -0.35), at(1.85, 0.1))
    lower = curve(at(1.85, 0.1), at(0.9, 0.65), at(0, 0.78), at(-0.9, 0.62), at(-1.75, 0.3))
    opening = [*upper, *lower]
    canvas.fill(opening, WHITE)
    iris_x, iris_y = at(0.03, -0.02)
    canvas.fill(ellipse(iris_x, iris_y, 0.86, 0.86), shade(IRIS, 0.7), within=opening)
    canvas.fill(ellipse(iris_x, iris_y + 0.15, 0.66, 0.6), shade(IRIS, 1.35), within=opening, blur=0.12)
    canvas.fill(ellipse(iris_x, iris_y, 0.38, 0.38), (16, 12, 12), within=opening)
    canvas.fill(ellipse(iris_x - 0.28, iris_y - 0.3, 0.17, 0.17), (255, 255, 255), within=opening)
    shadow = [*upper, *reversed([(x, y + 0.4) for x, y in upper])]
    canvas.fill(shadow, DARK, opacity=0.25, blur=0.15, within=opening)
    canvas.stroke(upper, lambda way: 0.2 + 0.22 * way, DARK)
    canvas.stroke(lower, taper(0.14), shade(skin, 0.55), opacity=0.7)
    canvas.stroke([(x, y - 0.62) for x, y in upper], taper(0.2), shade(skin, 0.6), opacity=0.55, blur=0.06)


def _draw_eyebrow(canvas: Canvas, side: int, thickness: float) -> None:
    line = curve(*((CENTRE + side * x, y) for x, y in ((1.9, 17.5), (3.6, 16.8), (5.2, 16.75), (6.7, 17.7))))
    canvas.stroke(line, lambda way: thickness * (1.0 - 0.75 * way), HAIR, opacity=0.92, blur=0.06)


def _draw_nose(canvas: Canvas, skin: Colour) -> None:
    canvas.stroke(
        curve((18.6, 19.6), (18.5, 22.2), (19.2, 25.0)), taper(0.9), shade(skin, 0.75), opacity=0.4, blur=0.35
    )
    canvas.fill(ellipse(17.2, 24.4, 0.7, 1.5), shade(skin, 1.4), opacity=0.5, blur=0.45)
    canvas.stroke(
        curve((15.5, 25.6), (16.1, 26.35), (17.5, 26.65), (18.9, 26.35), (19.5, 25.6)),
        taper(0.32),
        shade(skin, 0.6),
        opacity=0.75,
        blur=0.08,
    )
    for side in (-1, 1):
        canvas.fill(ellipse(CENTRE + side * 0.95, 26.1, 0.45, 0.2), shade(skin, 0.38), opacity=0.8, blur=0.08)


def _draw_mouth(canvas: Canvas, skin: Colour, lips: Colour) -> None:
    seam = curve((14.7, 29.55), (16.2, 29.7), (17.5, 29.85), (18.8, 29.7), (20.3, 29.55))
    upper = curve((20.3, 29.55), (18.6, 28.85), (17.5, 29.1), (16.4, 28.85), (14.7, 29.55))
    lower = curve((20.3, 29.55), (19.0, 30.75), (17.5, 31.0), (16.0, 30.75), (14.7, 29.55))
    canvas.fill(ellipse(17.5, 31.8, 2.2, 0.5), shade(skin, 0.7), opacity=0.45, blur=0.35)
    canvas.fill([*seam, *lower], shade(lips, 1.15))
    canvas.fill([*seam, *upper], lips)
    canvas.fill(ellipse(17.2, 30.3, 1.3, 0.25), shade(lips, 1.9), opacity=0.4, blur=0.2)
    canvas.stroke(seam, taper(0.2), shade(lips, 0.5))


def _draw_scarf_behind(canvas: Canvas) -> None:
    shoulders = symmetric((17.5, 33.0), (11.0, 36.0), (4.0, 40.2), (0.2, 43.2), (-2.0, 48.0), (17.5, 52.0))
    canvas.fill(shoulders, GARMENT[PortraitVariant.HEADSCARF])
    canvas.fill(ellipse(4, 46, 9, 4), (0, 0, 0), opacity=0.22, blur=1.5, within=shoulders)
    scarf = symmetric(
        (17.5, 3.3),
        (11.4, 4.8),
        (6.9, 9.8),
        (5.6, 17.0),
        (6.0, 25.0),
        (6.8, 31.0),
        (6.0, 36.0),
        (4.6, 39.6),
        (9.0, 43.6),
        (17.5, 47.0),
    )
    canvas.fill([(x, y + 0.5) for x, y in scarf], (0, 0, 0), opacity=0.28, blur=0.9)
    canvas.fill(scarf, SCARF)
    canvas.fill(ellipse(29, 26, 7, 24), shade(SCARF, 0.6), opacity=0.6, blur=2.2, within=scarf)
    canvas.fill(ellipse(11.5, 9, 4, 4.5), shade(SCARF, 1.5), opacity=0.4, blur=1.8, within=scarf)


def _draw_scarf_in_front(canvas: Canvas) -> None:
    # The opening frames the face: forehead covered, chin lapped from both sides.
    opening = symmetric(
        (17.5, 9.9), (13.4, 10.9), (10.6, 14.6), (9.8, 20.0), (10.5, 26.2), (12.8, 31.2), (15.4, 33.7), (17.5, 34.2)
    )
    scarf = symmetric(
        (17.5, 3.3), (11.4, 4.8), (6.9, 9.8), (5.6, 17.0), (6.0, 25.0), (7.2, 31.4), (11.0, 36.6), (17.5, 39.0)
    )
    front = ImageChops.subtract(canvas.mask(scarf), canvas.mask(opening))
    face = canvas.image.copy()
    canvas.fill(scarf, SCARF)
    canvas.fill(ellipse(29, 24, 7, 22), shade(SCARF, 0.6), opacity=0.6, blur=2.2, within=scarf)
    canvas.fill(ellipse(11.2, 9.4, 3.6, 4.6), shade(SCARF, 1.5), opacity=0.42, blur=1.6, within=scarf)
    _draw_folds(canvas)
    canvas.image = Image.composite(canvas.image, face, front)
    rim = ImageChops.subtract(canvas.mask(opening), canvas.mask([(x, y + 0.5) for x, y in _shrunk(opening)], 0.5))
    canvas.image.paste(
        shade(SKIN[PortraitVariant.HEADSCARF], 0.5), (0, 0), rim.point([value // 2 for value in range(256)])
    )
    canvas.stroke([*opening, *opening[:2]], lambda way: 0.3, shade(SCARF, 1.35), opacity=0.75)
    # One end of the scarf crosses the breast.
    lap = curve((7.6, 32.4), (11.6, 37.0), (17.6, 39.6), (24.0, 40.6), (30.6, 39.4))
    canvas.stroke(lap, taper(0.9), shade(SCARF, 0.55), opacity=0.5, blur=0.45)
    canvas.stroke([(x, y - 0.5) for x, y in lap], taper(0.4), shade(SCARF, 1.4), opacity=0.5, blur=0.2)
    for start, end in (((8.0, 36.2), (16.8, 43.8)), ((6.4, 38.0), (13.0, 44.0)), ((28.0, 40.8), (20.5, 44.6))):
        middle = ((start[0] + end[0]) / 2 + 0.6, (start[1] + end[1]) / 2 + 0.9)
        canvas.stroke(curve(start, middle, end), taper(0.6), shade(SCARF, 0.6), opacity=0.5, blur=0.3)


def _draw_folds(canvas: Canvas) -> None:
    for fold in (
        ((10.8, 6.8), (8.3, 12.0), (7.6, 20.0), (8.2, 27.0)),
        ((13.6, 5.2), (10.2, 9.6), (8.8, 15.4), (8.8, 22.0)),
        ((24.2, 6.8), (26.7, 12.0), (27.4, 20.0), (26.8, 27.0)),
        ((21.4, 5.2), (24.8, 9.6), (26.2, 15.4), (26.2, 22.0)),
        ((9.4, 28.6), (11.8, 33.0), (15.0, 35.8), (17.8, 36.4)),
        ((25.8, 28.0), (24.0, 32.4), (21.0, 35.6), (18.6, 36.6)),
    ):
        canvas.stroke(curve(*fold), taper(0.75), shade(SCARF, 0.58), opacity=0.5, blur=0.3)
        canvas.stroke([(x - 0.45, y) for x, y in curve(*fold)], taper(0.3), shade(SCARF, 1.5), opacity=0.35, blur=0.15)


def _shrunk(points: Sequence[Point]) -> list[Point]:
    return [(CENTRE + (x - CENTRE) * 0.94, 22 + (y - 22) * 0.95) for x, y in points]


def _draw_neck_and_shirt(canvas: Canvas) -> None:
    skin, cloth = SKIN[PortraitVariant.SHORT_HAIR], GARMENT[PortraitVariant.SHORT_HAIR]
    shoulders = symmetric((17.5, 36.2), (12.6, 37.4), (6.0, 39.2), (1.6, 41.4), (-2.0, 48.0), (17.5, 52.0))
    neck = symmetric((17.5, 27.0), (12.4, 28.0), (12.3, 34.0), (11.4, 38.6), (14.0, 41.2), (17.5, 42.6))
    canvas.fill(shoulders, cloth)
    canvas.fill(ellipse(32, 44, 10, 6), (0, 0, 0), opacity=0.25, blur=2, within=shoulders)
    canvas.fill(neck, shade(skin, 0.9))
    canvas.fill(ellipse(17.9, 34.2, 6.2, 3.4), shade(skin, 0.5), opacity=0.6, blur=1.0, within=neck)
    for side in (-1, 1):
        collar = [(CENTRE + side * x, y) for x, y in ((6.3, 37.0), (7.7, 38.4), (4.4, 44.2), (0.0, 42.4), (4.0, 41.0))]
        canvas.fill(collar, (236, 238, 240))
        canvas.stroke([collar[1], collar[2]], lambda way: 0.25, (150, 156, 164), opacity=0.8)
    canvas.fill([(17.0, 42.6), (18.0, 42.6), (18.9, 46.0), (16.1, 46.0)], (226, 229, 232))


def _draw_ears(canvas: Canvas) -> None:
    skin = SKIN[PortraitVariant.SHORT_HAIR]
    for side in (-1, 1):
        canvas.fill(ellipse(CENTRE + side * 8.7, 21.6, 1.35, 2.6), shade(skin, 0.88))
        canvas.fill(ellipse(CENTRE + side * 8.9, 21.6, 0.6, 1.5), shade(skin, 0.62), opacity=0.6, blur=0.25)


def _draw_short_hair(canvas: Canvas) -> None:
    outer = curve(
        (8.6, 20.4),
        (8.0, 14.0),
        (9.4, 8.4),
        (13.2, 5.0),
        (18.0, 4.2),
        (22.8, 5.4),
        (26.0, 9.2),
        (27.0, 14.2),
        (26.4, 20.4),
    )
    inner = curve(
        (25.7, 17.6), (25.0, 13.6), (22.4, 11.4), (18.4, 11.6), (14.4, 10.6), (11.2, 12.0), (9.8, 14.6), (9.3, 17.6)
    )
    hair = [*outer, *inner]
    canvas.fill(hair, HAIR)
    canvas.fill(ellipse(14.4, 7.6, 4.4, 1.7), shade(HAIR, 1.6), opacity=0.45, blur=0.8, within=hair)
    for shift in range(6):
        x = 11.6 + 2.2 * shift
        lock = curve((x, 11.2), (x + 0.3, 8.4), (x + 2.0, 6.0))
        canvas.stroke(lock, taper(0.35), shade(HAIR, 1.35), opacity=0.5, blur=0.1, within=hair)
    jaw = symmetric(
        (17.5, 31.9),
        (13.9, 31.0),
        (11.3, 27.4),
        (9.3, 22.0),
        (10.0, 26.0),
        (12.4, 31.2),
        (15.4, 34.2),
        (17.5, 34.8),
    )
    canvas.fill(jaw, HAIR, opacity=0.22, blur=0.5, within=FACE)
