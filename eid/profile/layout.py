"""The printed layout of a card product: what stands where on its two faces, in millimetres, as a frozen value.

Written as TOML beside the profile (`docs/formats/face-layout.md`). Loading it proves that every box lies on the
card and that no two boxes of a face overlap, so that a renderer only has to keep each text inside its box.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from eid.codec.toml import decode_toml
from eid.errors import DecodeError, ProfileError
from eid.identity import DETAIL_CODE
from eid.locale.scripts import UNICODE_SCRIPTS

FORMAT: Final = "eid-face-layout"
VERSION: Final = 1
TOLERANCE: Final = 1e-6  # millimetres: sums of decimal fractions are not exact

SPELT: Final = (
    "family_name", "given_names", "place_of_birth", "father", "mother", "address", "partner", "issuing_authority"
)  # fmt: skip
TEXT_SOURCES: Final = frozenset(
    (
        *(f"{name}.{script}" for name in SPELT for script in UNICODE_SCRIPTS),
        *("date_of_birth", "expires_on", "issued_on", "sex", "nationality", "issuing_state"),
        *("personal_number", "document_number", "civil_status_number", "can"),
    )
)
_DETAIL: Final = re.compile(rf"details\.{DETAIL_CODE.strip('^$')}", re.ASCII)  # a value of the country's own
IMAGE_SOURCES: Final = frozenset(("portrait", "ghost", "signature"))
FONT_ROLES: Final = ("latin", "latin-bold", "ocr-b")  # that every layout has; others are named for their script
_FROM_THE_RIGHT: Final = ("arabic", "hebrew", "nko", "thaana")


def is_from_the_right(role: str) -> bool:
    """Whether the texts of a font's role run from right to left: "arabic-bold", say."""
    return role.partition("-")[0] in _FROM_THE_RIGHT


Colour = tuple[int, int, int]
Align = Literal["left", "center", "right"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a face: its left upper corner from the card's left upper corner, width and height, millimetres."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two share an area."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return across > TOLERANCE and down > TOLERANCE

    def is_within(self, width: float, height: float) -> bool:
        """Whether it lies inside an area of this size."""
        fits_across = 0 <= self.x <= self.x + self.width <= width + TOLERANCE
        return fits_across and 0 <= self.y <= self.y + self.height <= height + TOLERANCE


@dataclass(frozen=True, slots=True)
class TextStyle:
    """Font role, nominal em size in millimetres (texts shrink from it), alignment, and colour.

    Args:
        language: ISO 639, whose forms of the letters a font of Arabic script is to show: "fa", "ur". "": as in Arabic.
    """

    font: str
    size: float
    align: Align
    colour: Colour
    language: str = ""


@dataclass(frozen=True, slots=True)
class TextField:
    """One text: a value of the record (`source`) or a fixed caption (`text`), in at most `lines` lines.

    Args:
        optional: whether the place stays empty where the record has no such value.
    """

    source: str | None
    text: str | None
    box: Box
    style: TextStyle
    lines: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ImageField:
    """One image: the portrait, its pale second print (ghost), or the holder's signature."""

    source: str
    box: Box


@dataclass(frozen=True, slots=True)
class MrzField:
    """The machine readable zone (Doc 9303-3 4.4, 9303-5 3.2.1).

    `box` is the zone; `left` the left edge of the first character cell, `centres` the centre line of each line,
    from the card's upper edge; `pitch` the width of a character cell, `size` the em size of OCR-B; all in millimetres.
    """

    box: Box
    left: float
    centres: tuple[float, ...]
    pitch: float
    size: float


@dataclass(frozen=True, slots=True)
class FaceDesign:
    """One face: its texts, images, machine readable zone, and the mark that overprints specimens."""

    texts: tuple[TextField, ...]
    images: tuple[ImageField, ...]
    mrz: MrzField | None
    overprint: Box | None

    def boxes(self) -> tuple[tuple[str, Box], ...]:
        """Every box that must keep clear of the others, with a name for messages."""
        texts = tuple((f"{field.source or repr(field.text)}", field.box) for field in self.texts)
        images = tuple((field.source, field.box) for field in self.images)
        return (*texts, *images, *((("mrz", self.mrz.box),) if self.mrz else ()))


@dataclass(frozen=True, slots=True)
class Palette:
    """Background from top to bottom, and the two inks of the fine lines."""

    top: Colour
    bottom: Colour
    lines: tuple[Colour, Colour]


@dataclass(frozen=True, slots=True)
class FaceLayout:
    """The layout of a card of `width` by `height` millimetres.

    `fonts` maps a role to file names in order of preference; `partner` maps a relation to its words by script.
    `when_font_missing` is "notice" (print a visible notice instead) or "error".
    """

    width: float
    height: float
    fonts: Mapping[str, tuple[str, ...]]
    when_font_missing: Literal["notice", "error"]
    palette: Palette
    partner: Mapping[str, Mapping[str, str]]
    front: FaceDesign
    back: FaceDesign


def decode_face_layout(raw: bytes) -> FaceLayout:
    """Read a layout from its TOML form.

    Raises:
        ProfileError: it is malformed, a box leaves the card or two boxes overlap; the text names the place.
    """
    try:
        document = decode_toml(raw)
    except DecodeError as error:
        raise ProfileError(f"the layout is no TOML: {error.what}") from None
    table = _Table(document, "layout")
    if table.take("format", _text) != FORMAT or table.take("version", _whole) != VERSION:
        raise ProfileError(f"layout is not {FORMAT} version {VERSION}")
    layout = _decode_layout(table)
    for name, face in (("front", layout.front), ("back", layout.back)):
        _verify_boxes(name, face, layout)
    return layout


def _decode_layout(table: _Table) -> FaceLayout:
    size = table.take("size", _numbers(2))
    fonts = table.take("fonts", _table)
    colours = table.take("palette", _table)
    partner = table.take("partner", _table)
    roles = {role: fonts.take(role, _names) for role in (*FONT_ROLES, *_others(fonts))}
    styles_table = table.take("styles", _table)
    styles = {name: _decode_style(styles_table.take(name, _table), roles) for name in list(styles_table.left)}
    layout = FaceLayout(
        width=size[0],
        height=size[1],
        fonts=roles,
        when_font_missing=table.take("when_font_missing", _one_of("notice", "error")),
        palette=Palette(
            colours.take("top", _colour),
            colours.take("bottom", _colour),
            (colours.take("first", _colour), colours.take("second", _colour)),
        ),
        partner={relation: _decode_words(partner.take(relation, _table)) for relation in list(partner.left)},
        front=_decode_face(table.take("front", _table), styles),
        back=_decode_face(table.take("back", _table), styles),
    )
    for part in (fonts, colours, partner, table):
        part.finish()
    return layout


def _others(fonts: _Table) -> tuple[str, ...]:
    """Roles besides those of every layout: a script's name, or that with a hyphen and more."""
    return tuple(role for role in fonts.left if role not in FONT_ROLES and role.partition("-")[0] in UNICODE_SCRIPTS)


def _decode_words(table: _Table) -> dict[str, str]:
    """The words by script."""
    words = {script: table.take(script, _text, "") for script in UNICODE_SCRIPTS if script != "latin"}
    found = {"latin": table.take("latin", _text)} | {script: text for script, text in words.items() if text}
    table.finish()
    return found


def _decode_style(table: _Table, roles: Iterable[str]) -> TextStyle:
    style = TextStyle(
        table.take("font", _one_of(*roles)),
        table.take("size", _number),
        table.take("align", _one_of("left", "center", "right")),
        table.take("colour", _colour),
        table.take("language", _language, ""),
    )
    table.finish()
    return style


def _decode_face(table: _Table, styles: Mapping[str, TextStyle]) -> FaceDesign:
    texts = tuple(_decode_text(entry, styles) for entry in table.take("texts", _tables, []))
    images = tuple(_decode_image(entry) for entry in table.take("images", _tables, []))
    mrz = table.take("mrz", _mrz, None)
    overprint = table.take("overprint", _box, None)
    table.finish()
    return FaceDesign(texts, images, mrz, overprint)


def _decode_text(table: _Table, styles: Mapping[str, TextStyle]) -> TextField:
    source = table.take("source", _source, None)
    text = table.take("text", _text, None)
    if (source is None) == (text is None):
        raise ProfileError(f"{table.path} has not exactly one of source and text")
    style = table.take("style", _one_of(*styles))
    field = TextField(
        source,
        text,
        table.take("box", _box),
        styles[style],
        table.take("lines", _whole, 1),
        table.take("optional", _flag, False),
    )
    table.finish()
    return field


def _decode_image(table: _Table) -> ImageField:
    field = ImageField(table.take("source", _one_of(*sorted(IMAGE_SOURCES))), table.take("box", _box))
    table.finish()
    return field


def _verify_boxes(name: str, face: FaceDesign, layout: FaceLayout) -> None:
    boxes = face.boxes()
    for index, (first, box) in enumerate(boxes):
        if not box.is_within(layout.width, layout.height):
            raise ProfileError(f"layout.{name}: the box of {first} leaves the card")
        for second, other in boxes[index + 1 :]:
            if box.overlaps(other):
                raise ProfileError(f"layout.{name}: the boxes of {first} and {second} overlap")


# Reading of single values: each raises ProfileError with the path of the key.

_MISSING: Final = object()


class _Table:
    """A TOML table of which every key must be taken."""

    def __init__(self, content: dict[str, Any], path: str) -> None:
        self.left = dict(content)
        self.path = path

    def take(self, key: str, decode: Callable[[Any, str], T], default: Any = _MISSING) -> T:
        """Take one key; the default stands for an absent one, without it the key must be there."""
        if key not in self.left:
            if default is _MISSING:
                raise ProfileError(f"{self.path}.{key} is missing")
            return default  # type: ignore[no-any-return]  # the default is of the type that the caller expects
        return decode(self.left.pop(key), f"{self.path}.{key}")

    def finish(self) -> None:
        """Refuse keys that nobody took."""
        if self.left:
            raise ProfileError(f"{self.path}.{min(self.left)} is unknown")


def _table(value: Any, path: str) -> _Table:
    if not isinstance(value, dict):
        raise ProfileError(f"{path} is not a table")
    return _Table(value, path)


def _tables(value: Any, path: str) -> list[_Table]:
    if not isinstance(value, list):
        raise ProfileError(f"{path} is not an array of tables")
    return [_table(entry, f"{path}[{index}]") for index, entry in enumerate(value)]


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise ProfileError(f"{path} is not a text")
    return value


def _source(value: Any, path: str) -> str:
    if isinstance(value, str) and _DETAIL.fullmatch(value):
        return value
    return str(_one_of(*sorted(TEXT_SOURCES))(value, path))


def _language(value: Any, path: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z]{2,3}", value, re.ASCII):
        raise ProfileError(f"{path} is not a language of ISO 639")
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise ProfileError(f"{path} is not true or false")
    return value


def _whole(value: Any, path: str) -> int:
    if type(value) is not int or not 1 <= value <= 9:
        raise ProfileError(f"{path} is not a whole number from 1 to 9")
    return value


def _number(value: Any, path: str) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1000:
        raise ProfileError(f"{path} is not a number of millimetres")
    return float(value)


def _numbers(count: int | None) -> Callable[[Any, str], tuple[float, ...]]:
    def decode(value: Any, path: str) -> tuple[float, ...]:
        if not isinstance(value, list) or count not in (None, len(value)):
            raise ProfileError(f"{path} is not an array of {count or 'some'} numbers")
        return tuple(_number(entry, path) for entry in value)

    return decode


def _box(value: Any, path: str) -> Box:
    return Box(*_numbers(4)(value, path))


def _mrz(value: Any, path: str) -> MrzField:
    table = _table(value, path)
    field = MrzField(
        table.take("box", _box),
        table.take("left", _number),
        table.take("centres", _numbers(None)),
        table.take("pitch", _number),
        table.take("size", _number),
    )
    table.finish()
    return field


def _names(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ProfileError(f"{path} is not an array of file names")
    return tuple(_text(entry, path) for entry in value)


def _colour(value: Any, path: str) -> Colour:
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ProfileError(f"{path} is not a colour #rrggbb")
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _one_of(*choices: str) -> Callable[[Any, str], Any]:
    def decode(value: Any, path: str) -> str:
        if value not in choices or not isinstance(value, str):
            raise ProfileError(f"{path} is not one of {', '.join(choices)}")
        return value

    return decode
