"""Setting one text into its box: wrapped, shrunk until its ink fits, never clipped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageDraw

from eid.errors import RecordError
from eid.printing.fonts import Font, FontBook
from eid.profile.layout import TextField, is_from_the_right

SHRINK: Final = 0.97
SMALLEST_EM: Final = 0.3  # millimetres; below this a text is refused rather than printed as a line of dust
LEGIBLE_EM: Final = 1.2  # millimetres; texts set smaller are reported
LEADING: Final = {"latin": 1.12, "arabic": 1.3}
ANCHOR: Final = {"left": "ls", "center": "ms", "right": "rs"}

PixelBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class SetText:
    """A text set for drawing: its lines with the anchor point of each baseline, all in pixels."""

    lines: tuple[tuple[str, float, float], ...]
    font: Font
    anchor: str
    shaping: Mapping[str, Any]
    em: float  # millimetres

    def draw(self, image: Image.Image, colour: tuple[int, int, int]) -> None:
        """Draw the lines."""
        pen = ImageDraw.Draw(image)
        for text, x, y in self.lines:
            pen.text((x, y), text, fill=colour, font=self.font, anchor=self.anchor, **self.shaping)


def pixel_box(field: TextField, scale: float) -> PixelBox:
    """The whole pixels inside a field's box; `scale` is pixels per millimetre."""
    box = field.box
    return (
        math.ceil(box.x * scale),
        math.ceil(box.y * scale),
        math.floor((box.x + box.width) * scale),
        math.floor((box.y + box.height) * scale),
    )


def set_text(text: str, field: TextField, fonts: FontBook, scale: float) -> SetText:
    """Set a text at the largest size, up to the style's, at which its ink lies in the field's box.

    Raises:
        RecordError: it does not fit even at the smallest size.
    """
    text = fonts.showable(field.style.font, text)
    em = field.style.size
    while em >= SMALLEST_EM:
        font = fonts.load(field.style.font, em * scale)
        excess = math.inf
        for lines in _wrappings(text, field.lines):
            placed = _place(lines, font, field, scale)
            if isinstance(placed, tuple):
                return SetText(placed, font, ANCHOR[field.style.align], _shaping(field), em)
            excess = min(excess, placed)
        em *= min(SHRINK, 1.01 / excess)  # ink shrinks with the em, save for rounding
    raise RecordError(f"{field.source or 'a caption'} does not fit its box on the card")


def _shaping(field: TextField) -> dict[str, Any]:
    # HarfBuzz joins the letters and libraqm orders the runs; numbers inside stay left to right.
    if not is_from_the_right(field.style.font):
        return {}
    usual = "ar" if field.style.font.startswith("arabic") else ""
    language = field.style.language or usual
    return {"direction": "rtl"} | ({"language": language} if language else {})


def _wrappings(text: str, most: int) -> Iterator[list[str]]:
    """The given lines, then ever more lines of about equal length, up to `most`."""
    paragraphs = text.split("\n")
    if len(paragraphs) > most:
        paragraphs = [" ".join(paragraphs)]
    yield paragraphs
    for count in range(len(paragraphs) + 1, most + 1):
        yield _split_longest(paragraphs, count)


def _split_longest(paragraphs: list[str], count: int) -> list[str]:
    """Split the longest lines at the blank nearest to their middle until there are `count`."""
    lines = list(paragraphs)
    while len(lines) < count:
        index = max(range(len(lines)), key=lambda at: len(lines[at]))
        line = lines[index]
        blanks = [at for at, character in enumerate(line) if character == " "]
        if not blanks:
            break
        middle = min(blanks, key=lambda at: abs(at - len(line) / 2))
        lines[index : index + 1] = [line[:middle], line[middle + 1 :]]
    return lines


def _place(
    lines: list[str], font: Font, field: TextField, scale: float
) -> tuple[tuple[str, float, float], ...] | float:
    """Baselines of the lines inside the box; or, where the ink does not fit, how many times too large it is."""
    left, top, right, bottom = pixel_box(field, scale)
    align = field.style.align
    x = {"left": left, "center": (left + right) // 2, "right": right}[align]
    script = "arabic" if field.style.font.startswith("arabic") else "latin"
    leading = font.size * LEADING[script]
    inks = [font.getbbox(line, anchor=ANCHOR[align], **_shaping(field)) for line in lines]
    # The ink may stand out beside the anchor (an italic, a swash): shift it back by that much.
    shifts = [max(0.0, left - x - ink[0]) - max(0.0, x + ink[2] - right) for ink in inks]
    highest = min(ink[1] + leading * row for row, ink in enumerate(inks))
    lowest = max(ink[3] + leading * row for row, ink in enumerate(inks))
    widest = max(ink[2] - ink[0] for ink in inks)
    if widest > right - left or lowest - highest > bottom - top:
        return max(widest / (right - left), (lowest - highest) / (bottom - top))
    baseline = _first_baseline(font, script, top, bottom, leading * (len(lines) - 1))
    baseline = min(max(baseline, top - highest), bottom - lowest)
    return tuple((line, x + shifts[row], math.floor(baseline) + leading * row) for row, line in enumerate(lines))


def _first_baseline(font: Font, script: str, top: int, bottom: int, depth: float) -> float:
    """The baseline that centres letters of usual height, so that texts of one row share it."""
    usual = "لك" if script == "arabic" else "H"
    _, high, _, low = font.getbbox(usual, anchor="ls")
    return (top + bottom - depth - (high + low)) / 2
