"""The two faces of a card as pictures, ready for a printer: every position comes from the layout, in millimetres."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from eid.errors import RecordError
from eid.imaging import decode_image
from eid.printing.background import draw_background
from eid.printing.fonts import FontBook
from eid.printing.printed_card import PrintedCard
from eid.printing.text import LEGIBLE_EM, set_text
from eid.profile.layout import Box, FaceDesign, FaceLayout, MrzField, TextField, TextStyle

MM_PER_INCH: Final = 25.4
BASE_DPI: Final = 300
RESOLUTIONS: Final = range(150, 1201)
BLACK: Final = (12, 12, 14)
WARNING: Final = (176, 32, 32)
OVERPRINT: Final = "SPECIMEN"
OVERPRINT_OPACITY: Final = 0.20
GHOST_OPACITY: Final = 0.42


@dataclass(frozen=True, slots=True)
class Faces:
    """Front and back as PNG; the fonts that were not found; the texts set smaller than is easily read."""

    front: bytes = field(repr=False)
    back: bytes = field(repr=False)
    missing_fonts: tuple[str, ...] = ()
    small_texts: tuple[str, ...] = ()


def render_faces(
    card: PrintedCard, layout: FaceLayout, dpi: int = BASE_DPI, fonts: Sequence[Path] | None = None
) -> Faces:
    """Draw both faces at `dpi` (ID-1: 1012 x 638 pixels at 300, 2024 x 1276 at 600); `fonts` are directories.

    Raises:
        RecordError: a text cannot be set into its box, or the resolution is not 150 to 1200 dpi.
        DecodeError: an image cannot be decoded.
        ProfileError: a font is missing and the layout wants an error.
    """
    if dpi not in RESOLUTIONS:
        raise RecordError("faces are rendered at 150 to 1200 dpi")
    book = FontBook(layout, fonts)
    images = {"portrait": _open(card.portrait)}
    if card.signature is not None:
        images["signature"] = _open(card.signature)
    printer = _Printer(card, layout, dpi, book, images)
    front, back = printer.face(layout.front, 0.0), printer.face(layout.back, 2.2)
    return Faces(front, back, book.missing, tuple(printer.small))


def _open(raw: bytes) -> Image.Image:
    """Pixels of an image, decoded in the limited process."""
    with Image.open(io.BytesIO(decode_image(raw)), formats=("PNG",)) as image:
        return image.convert("RGB")


def face_size(layout: FaceLayout, dpi: int) -> tuple[int, int]:
    """Pixels of a face: whole pixels at 300 dpi, multiplied."""
    width, height = (math.ceil(side / MM_PER_INCH * BASE_DPI) for side in (layout.width, layout.height))
    return round(width * dpi / BASE_DPI), round(height * dpi / BASE_DPI)


class _Printer:
    def __init__(
        self, card: PrintedCard, layout: FaceLayout, dpi: int, fonts: FontBook, images: dict[str, Image.Image]
    ) -> None:
        self.card, self.layout, self.dpi, self.fonts, self.images = card, layout, dpi, fonts, images
        self.scale = dpi / MM_PER_INCH
        self.small: list[str] = []

    def face(self, design: FaceDesign, phase: float) -> bytes:
        """One face as PNG with its resolution (pHYs)."""
        clear = design.mrz.box if design.mrz else None
        image = draw_background(self.layout, face_size(self.layout, self.dpi), phase, clear)
        if clear is not None:
            image.paste((252, 253, 252), self.pixels(clear))
        for picture in design.images:
            self.draw_image(image, picture.source, picture.box)
        if self.card.specimen and design.overprint is not None:
            self.draw_overprint(image, design.overprint)
        for text in design.texts:
            self.draw_text(image, text)
        if design.mrz is not None:
            self.draw_mrz(image, design.mrz)
        out = io.BytesIO()
        image.save(out, "PNG", dpi=(self.dpi, self.dpi))
        return out.getvalue()

    def pixels(self, box: Box) -> tuple[int, int, int, int]:
        """A box in pixels, clipped to the face."""
        width, height = face_size(self.layout, self.dpi)
        right, bottom = round((box.x + box.width) * self.scale), round((box.y + box.height) * self.scale)
        whole = box.x + box.width >= self.layout.width - 0.01, box.y + box.height >= self.layout.height - 0.01
        return (
            round(box.x * self.scale),
            round(box.y * self.scale),
            width if whole[0] else right,
            height if whole[1] else bottom,
        )

    def draw_text(self, image: Image.Image, text_field: TextField) -> None:
        """Set one text; a notice takes its place where its font is missing."""
        text = text_field.text if text_field.source is None else self.card.texts.get(text_field.source, "")
        if not text:
            return
        if not self.fonts.has(text_field.style.font):
            self.draw_notice(image, text_field.box, f"font {self.layout.fonts[text_field.style.font][0]} missing")
            return
        placed = set_text(text, text_field, self.fonts, self.scale)
        if placed.em < LEGIBLE_EM and text_field.source is not None:
            self.small.append(text_field.source)
        placed.draw(image, text_field.style.colour)

    def draw_notice(self, image: Image.Image, box: Box, notice: str) -> None:
        """A framed notice in the built-in font, shrunk into the box."""
        ImageDraw.Draw(image).rectangle(self.pixels(box), outline=WARNING)
        inner = Box(box.x + 0.3, box.y + 0.2, box.width - 0.6, box.height - 0.4)
        style = TextStyle("latin", min(2.0, box.height), "center", WARNING)
        set_text(notice, TextField(None, notice, inner, style, 2), self.fonts, self.scale).draw(image, WARNING)

    def draw_mrz(self, image: Image.Image, zone: MrzField) -> None:
        """Each character in the middle of its own cell, capitals centred on the line (Doc 9303-3 4.4)."""
        if not self.fonts.has("ocr-b"):
            notice = Box(zone.left, zone.box.y + 6, zone.box.width - 2 * zone.left, 6)
            self.draw_notice(
                image, notice, f"machine readable zone not printed: {self.layout.fonts['ocr-b'][0]} missing"
            )
            return
        if len(self.card.mrz) != len(zone.centres):
            raise RecordError(f"the layout has {len(zone.centres)} MRZ lines, the card {len(self.card.mrz)}")
        if zone.left + max(map(len, self.card.mrz)) * zone.pitch > zone.box.x + zone.box.width:
            raise RecordError("the MRZ is wider than its zone")
        font = self.fonts.load("ocr-b", zone.size * self.scale)
        _, high, _, low = font.getbbox("H", anchor="ms")
        pen = ImageDraw.Draw(image)
        for line, centre in zip(self.card.mrz, zone.centres, strict=True):
            baseline = centre * self.scale - (high + low) / 2
            for index, character in enumerate(line):
                x = (zone.left + (index + 0.5) * zone.pitch) * self.scale
                pen.text((x, baseline), character, fill=BLACK, font=font, anchor="ms")

    def draw_image(self, image: Image.Image, source: str, box: Box) -> None:
        """The portrait with a fine frame, its pale second print, or the signature's dark strokes."""
        left, top, right, bottom = self.pixels(box)
        size = right - left, bottom - top
        picture = self.images.get("portrait" if source == "ghost" else source)
        if picture is None:
            return
        if source == "portrait":
            image.paste(ImageOps.fit(picture, size, Image.Resampling.LANCZOS), (left, top))
            width = max(1, round(0.12 * self.scale))
            ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), outline=(96, 116, 112), width=width)
        elif source == "ghost":
            self._draw_ghost(image, ImageOps.fit(picture, size, Image.Resampling.LANCZOS), (left, top))
        else:
            strokes = ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color=(255, 255, 255))
            under = image.crop((left, top, right, bottom))
            image.paste(ImageChops.multiply(under, strokes), (left, top))

    def _draw_ghost(self, image: Image.Image, picture: Image.Image, corner: tuple[int, int]) -> None:
        ink = self.layout.palette.lines[0]
        pale = ImageOps.colorize(ImageOps.autocontrast(picture.convert("L")), black=ink, white=(255, 255, 255))
        mask = Image.new("L", picture.size)
        inset = round(min(picture.size) * 0.06)
        ImageDraw.Draw(mask).rounded_rectangle(
            (inset, inset, picture.width - inset, picture.height - inset), radius=3 * inset, fill=255
        )
        soft = mask.filter(ImageFilter.GaussianBlur(inset / 1.6)).point([round(v * GHOST_OPACITY) for v in range(256)])
        image.paste(pale, corner, soft)

    def draw_overprint(self, image: Image.Image, box: Box) -> None:
        """SPECIMEN across the face, under the texts so that they stay readable."""
        left, top, right, bottom = self.pixels(box)
        width, height = right - left, bottom - top
        font = self.fonts.load("latin-bold", box.width / 6.2 * self.scale)
        x0, y0, x1, y1 = font.getbbox(OVERPRINT, anchor="mm")
        mark = Image.new("L", (round(x1 - x0) + 8, round(y1 - y0) + 8))
        middle = (mark.width / 2 - (x0 + x1) / 2, mark.height / 2 - (y0 + y1) / 2)
        ImageDraw.Draw(mark).text(middle, OVERPRINT, fill=255, font=font, anchor="mm")
        turned = mark.rotate(14, Image.Resampling.BICUBIC, expand=True)
        fitted = ImageOps.pad(turned, (width, height), Image.Resampling.LANCZOS, color=0)
        mask = Image.new("L", image.size)
        mask.paste(fitted, (left, top))
        image.paste(WARNING, (0, 0), mask.point([round(value * OVERPRINT_OPACITY) for value in range(256)]))
