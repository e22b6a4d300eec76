"""The machine readable zone as one value, from which both DG1 and the printed lines come (Doc 9303-3 section 4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Final

from eid.errors import DecodeError, RecordError
from eid.mrz.check_digit import compute_check_digit
from eid.mrz.dates import verify_date
from eid.mrz.layout import LAYOUTS, MRV_A, MRV_B, TD1, TD2, TD3, MrzFormat, MrzLayout, Zone
from eid.mrz.names import FILLER, build_mrz_name, split_mrz_name
from eid.mrz.transliteration import transliterate

CLAUSE: Final = "Doc 9303-3 4"
CHECK_CLAUSE: Final = "Doc 9303-3 4.9"
LONG_NUMBER_CLAUSE: Final = "Doc 9303-5 4.2.2 note j"
NUMBER_WIDTH: Final = 9

# Raw characters of each data element, fillers included (Doc 9303-3 4.3, 4.5, 4.7): those it begins with, and of which
# kind all further ones are, where its length depends on the format.
_CHARACTERS: Final = {
    "document_code": ("[A-Z][A-Z<]", ""),
    "issuing_state": ("[A-Z](?:[A-Z][A-Z<]|<<)", ""),
    "nationality": ("[A-Z](?:[A-Z][A-Z<]|<<)", ""),
    "document_number": ("[A-Z0-9]", "[A-Z0-9<]"),
    "date_of_birth": ("[0-9<]{6}", ""),
    "date_of_expiry": ("[0-9]{6}", ""),
    "sex": ("[MF<]", ""),
    "optional_data_1": ("", "[A-Z0-9<]"),
    "optional_data_2": ("", "[A-Z0-9<]"),
    "names": ("[A-Z]", "[A-Z<]"),
}
PATTERNS: Final = {
    name: re.compile(first + (further and f"{further}*"), re.ASCII) for name, (first, further) in _CHARACTERS.items()
}
_MATCHES: Final = {name: pattern.fullmatch for name, pattern in PATTERNS.items()}
CHECKED: Final = ("document_number", "date_of_birth", "date_of_expiry", "optional_data_1", "composite")
_DATES: Final = {"date_of_birth": False, "date_of_expiry": True}  # whether every part must be known
SEX_TO_MRZ: Final = {"M": "M", "F": "F", "X": FILLER}  # Doc 9303-3 4.7: X is printed, a filler is encoded
SEX_FROM_MRZ: Final = {encoded: sex for sex, encoded in SEX_TO_MRZ.items()}


@dataclass(frozen=True, slots=True)
class Mrz:
    """One machine readable zone; fields without trailing fillers, in the characters of the zone.

    `date_of_birth` and `date_of_expiry` are YYMMDD. `sex` is M, F or X. Identifiers have spaces between components.
    `optional_data_2` exists in TD1 only. The representation hides everything but the format.
    """

    format: MrzFormat
    document_code: str = field(repr=False)
    issuing_state: str = field(repr=False)
    document_number: str = field(repr=False)
    nationality: str = field(repr=False)
    date_of_birth: str = field(repr=False)
    sex: str = field(repr=False)
    date_of_expiry: str = field(repr=False)
    primary_identifier: str = field(repr=False)
    secondary_identifier: str = field(default="", repr=False)
    optional_data_1: str = field(default="", repr=False)
    optional_data_2: str = field(default="", repr=False)

    @property
    def information(self) -> str:
        """The MRZ_information that BAC and PACE use as password: number, birth, expiry, each with its check digit.

        A document number over nine characters enters whole, a shorter one with its fillers (Doc 9303-11 4.3.2).
        """
        return build_mrz_information(self.document_number, self.date_of_birth, self.date_of_expiry)

    @property
    def text(self) -> str:
        """The lines joined without separator, as DG1 holds them (Doc 9303-10 4.7.1)."""
        return "".join(self.encode())

    def encode(self) -> tuple[str, ...]:
        """The lines of the zone; names too long for their field are truncated.

        Raises:
            RecordError: a field does not fit or has a character that the zone cannot have; the text names the field.
        """
        return _encode(self)


def build_mrz_information(document_number: str, date_of_birth: str, date_of_expiry: str) -> str:
    """MRZ_information from the three values as typed: number (any length), YYMMDD, YYMMDD (Doc 9303-11 4.3.2).

    Raises:
        RecordError: a value has a character that the zone cannot have, or a date has another length than six.
    """
    if not PATTERNS["document_number"].fullmatch(document_number):
        raise RecordError("MRZ document_number has characters other than A-Z, 0-9 and <")
    for name, value in (("date_of_birth", date_of_birth), ("date_of_expiry", date_of_expiry)):
        if not PATTERNS[name].fullmatch(value):
            raise RecordError(f"MRZ {name} is not YYMMDD")
    parts = (document_number.ljust(NUMBER_WIDTH, FILLER), date_of_birth, date_of_expiry)
    return "".join(part + compute_check_digit(part) for part in parts)


def build_mrz(
    mrz_format: MrzFormat,
    *,
    document_code: str,
    issuing_state: str,
    document_number: str,
    nationality: str,
    date_of_birth: str,
    sex: str,
    date_of_expiry: str,
    family_name: str,
    given_names: str,
    optional_data_1: str = "",
    optional_data_2: str = "",
    language: str | None = None,
) -> Mrz:
    """Build a zone from names in national characters: transliterated, and truncated to what the zone can show.

    The result is what `decode_mrz` reads back from its own lines.

    Raises:
        RecordError: a value does not fit the zone or a name cannot be transliterated.
    """
    mrz = Mrz(
        mrz_format,
        document_code,
        issuing_state,
        document_number,
        nationality,
        date_of_birth,
        sex,
        date_of_expiry,
        transliterate(family_name, language),
        transliterate(given_names, language),
        optional_data_1,
        optional_data_2,
    )
    return decode_mrz(mrz.encode())


# Writing


def _encode(mrz: Mrz) -> tuple[str, ...]:
    layout = LAYOUTS[mrz.format]
    number, number_check, optional_1 = _split_number(mrz, layout)
    grid = [[FILLER] * layout.width for _ in range(layout.height)]
    for name, zone, value in (
        ("document_code", layout.document_code, mrz.document_code),
        ("issuing_state", layout.issuing_state, mrz.issuing_state),
        ("document_number", layout.document_number, number),
        ("nationality", layout.nationality, mrz.nationality),
        ("date_of_birth", layout.date_of_birth, mrz.date_of_birth),
        ("sex", layout.sex, SEX_TO_MRZ.get(mrz.sex, "?")),
        ("date_of_expiry", layout.date_of_expiry, mrz.date_of_expiry),
        ("optional_data_1", layout.optional_data_1, optional_1),
        ("optional_data_2", layout.optional_data_2, mrz.optional_data_2),
        (
            "names",
            layout.names,
            build_mrz_name(mrz.primary_identifier, mrz.secondary_identifier, layout.names.width)[0],
        ),
    ):
        _put(grid, name, zone, value)
    _put_checks(grid, layout, number_check)
    return tuple("".join(line) for line in grid)


def _split_number(mrz: Mrz, layout: MrzLayout) -> tuple[str, str, str]:
    """Document number zone, its check digit, optional data: a long number runs over into the latter (note j)."""
    number = mrz.document_number
    padded = number.ljust(NUMBER_WIDTH, FILLER)
    if not PATTERNS["document_number"].fullmatch(number) or number.endswith(FILLER):
        raise RecordError("MRZ document_number has characters other than A-Z, 0-9 and < between them")
    check = compute_check_digit(padded)
    if len(number) <= NUMBER_WIDTH:
        return padded, check, mrz.optional_data_1
    if not layout.long_document_number:
        raise RecordError(
            f"MRZ document_number has over {NUMBER_WIDTH} characters, which {mrz.format.value} cannot hold"
        )
    if number[NUMBER_WIDTH - 1] == FILLER or FILLER in number[NUMBER_WIDTH:]:
        raise RecordError("MRZ document_number over nine characters has a filler where none can be")
    return number[:NUMBER_WIDTH], FILLER, number[NUMBER_WIDTH:] + check + FILLER + mrz.optional_data_1


def _put(grid: list[list[str]], name: str, zone: Zone | None, value: str) -> None:
    if zone is None:
        if value:
            raise RecordError(f"MRZ {name} does not exist in this format")
        return
    raw = value.ljust(zone.width, FILLER)
    if len(raw) > zone.width:
        raise RecordError(f"MRZ {name} has over {zone.width} characters")
    fault = _fault(name, raw)
    if fault:
        raise RecordError(f"MRZ {name} {fault}")
    grid[zone.line][zone.start : zone.end] = raw


def _put_checks(grid: list[list[str]], layout: MrzLayout, number_check: str) -> None:
    def put(zone: Zone, digit: str) -> None:
        grid[zone.line][zone.start] = digit

    def digit_over(*zones: Zone) -> str:
        lines = ["".join(line) for line in grid]
        return compute_check_digit("".join(zone.of(lines) for zone in zones))

    put(layout.document_number_check, number_check)
    put(layout.date_of_birth_check, digit_over(layout.date_of_birth))
    put(layout.date_of_expiry_check, digit_over(layout.date_of_expiry))
    if layout.optional_data_1_check:
        used = "".join(grid[layout.optional_data_1.line][layout.optional_data_1.start : layout.optional_data_1.end])
        # Doc 9303-4 4.2.2: the check digit of an unused field may be a filler.
        put(layout.optional_data_1_check, digit_over(layout.optional_data_1) if used.strip(FILLER) else FILLER)
    if layout.composite_check:
        put(layout.composite_check, digit_over(*layout.composite_over))


def _fault(name: str, raw: str) -> str | None:
    """What is wrong with the raw characters of a data element; None if nothing is."""
    if not _MATCHES[name](raw):
        return "has characters that it cannot have"
    return _fault_of_date(name, raw) if name in _DATES else None


def _fault_of_date(name: str, raw: str) -> str | None:
    try:
        verify_date(raw, whole=_DATES[name])
    except DecodeError as error:
        return f"is no date: {error.what}"
    return None


# Reading


@dataclass(frozen=True, slots=True, repr=False)
class _Elements:
    """The data elements of a zone as they stand, fillers included; one that the format does not have is empty."""

    document_code: str
    issuing_state: str
    nationality: str
    document_number: str
    date_of_birth: str
    date_of_expiry: str
    sex: str
    optional_data_1: str
    optional_data_2: str
    names: str


@dataclass(frozen=True, slots=True)
class _Places:
    """Where everything stands in the lines of one format, joined; made once from its layout.

    Args:
        elements: where each data element stands.
        match: takes the whole zone apart in one go, where the characters of each element are those it may have; a group
            for each element, also of those that the format does not have.
        checks: the position of each check digit; optional_data_1 and composite have none in some formats.
        composite: what the composite check digit covers.
    """

    layout: MrzLayout
    elements: Mapping[str, slice]
    match: Callable[[str], re.Match[str] | None]
    checks: Mapping[str, int]
    composite: tuple[slice, ...]


def _find_places(layout: MrzLayout) -> _Places:
    def slice_of(zone: Zone) -> slice:
        start = zone.line * layout.width
        return slice(start + zone.start, start + zone.end)

    zones = {name: slice_of(zone) for name in PATTERNS if (zone := getattr(layout, name)) is not None}
    checks = {name: slice_of(zone).start for name in CHECKED if (zone := getattr(layout, f"{name}_check")) is not None}
    return _Places(
        layout,
        MappingProxyType(zones),
        _join_patterns(zones, layout.height * layout.width),
        MappingProxyType(checks),
        tuple(slice_of(zone) for zone in layout.composite_over),
    )


def _join_patterns(zones: Mapping[str, slice], length: int) -> Callable[[str], re.Match[str] | None]:
    """One expression for the whole zone: a group for each element, and anything where check digits stand."""
    parts, position = [], 0
    for name, place in sorted(zones.items(), key=lambda item: item[1].start):
        first, further = _CHARACTERS[name]
        rest = f"{further}{{{place.stop - place.start - bool(first)}}}" if further else ""
        parts.append(f".{{{place.start - position}}}(?P<{name}>{first}{rest})")
        position = place.stop
    parts.append(f".{{{length - position}}}")
    parts += [f"(?P<{name}>)" for name in PATTERNS if name not in zones]
    return re.compile("".join(parts), re.DOTALL).fullmatch


_NAMES: Final = tuple(item.name for item in fields(_Elements))
# By height and width, and whether the document code begins with V, which only that of a visa does (Doc 9303-7 4.2.2).
_PLACES: Final = {
    ((3, 30), False): _find_places(TD1),
    ((3, 30), True): _find_places(TD1),
    ((2, 36), False): _find_places(TD2),
    ((2, 36), True): _find_places(MRV_B),
    ((2, 44), False): _find_places(TD3),
    ((2, 44), True): _find_places(MRV_A),
}
_SHAPES: Final = {height * width: (height, width) for (height, width), _ in _PLACES}


def decode_mrz(text: str | Sequence[str]) -> Mrz:
    """Read a zone from its lines, or from one text with or without line ends; every check digit is verified.

    Raises:
        DecodeError: the zone has another shape, a field has impossible characters, or a check digit is wrong; the
            text names the field, never its content.
    """
    zone, shape = _join_lines(text)
    return _decode(zone, shape)


def decode_joined_mrz(zone: str) -> Mrz:
    """Read a zone from its lines joined without any separator, as DG1 holds them (Doc 9303-10 4.7.1).

    Raises:
        DecodeError: as `decode_mrz`.
    """
    return _decode(zone, _SHAPES.get(len(zone)))


def _decode(zone: str, shape: tuple[int, int] | None) -> Mrz:
    places = None if shape is None else _PLACES.get((shape, zone[:1] == "V"))
    if places is None:
        raise DecodeError("MRZ is not 3 lines of 30, 2 of 36 or 2 of 44 characters", clause=CLAUSE)
    elements = _take_elements(zone, places)
    number, optional_1 = _join_number(zone, places, elements)
    _verify_checks(zone, places, elements)
    primary, secondary = split_mrz_name(elements.names)
    return Mrz(
        places.layout.format,
        elements.document_code.rstrip(FILLER),
        elements.issuing_state.rstrip(FILLER),
        number,
        elements.nationality.rstrip(FILLER),
        elements.date_of_birth,
        SEX_FROM_MRZ[elements.sex],
        elements.date_of_expiry,
        primary,
        secondary,
        optional_1,
        elements.optional_data_2.rstrip(FILLER),
    )


def _join_lines(text: str | Sequence[str]) -> tuple[str, tuple[int, int] | None]:
    """The lines joined; how many they are and how long each, None where they differ in length."""
    lines = text.split() if isinstance(text, str) else text
    if isinstance(text, str) and len(lines) == 1:
        return lines[0], _SHAPES.get(len(lines[0]))
    widths = {len(line) for line in lines}
    return "".join(lines), (len(lines), widths.pop()) if len(widths) == 1 else None


def _take_elements(zone: str, places: _Places) -> _Elements:
    taken = places.match(zone)
    if taken is None:
        raise DecodeError(f"MRZ {_find_malformed(zone, places)} has characters that it cannot have", clause=CLAUSE)
    elements = _Elements(*taken.group(*_NAMES))
    for name, raw in (("date_of_birth", elements.date_of_birth), ("date_of_expiry", elements.date_of_expiry)):
        fault = _fault_of_date(name, raw)
        if fault:
            raise DecodeError(f"MRZ {name} {fault}", clause=CLAUSE)
    return elements


def _find_malformed(zone: str, places: _Places) -> str:
    """Name of the first element that keeps the whole from matching."""
    return next(name for name, place in places.elements.items() if not _MATCHES[name](zone[place]))


def _join_number(zone: str, places: _Places, elements: _Elements) -> tuple[str, str]:
    """The whole document number, its check digit verified, and the optional data that is left."""
    number, optional = elements.document_number, elements.optional_data_1
    check = zone[places.checks["document_number"]]
    if check != FILLER or not places.layout.long_document_number:
        _verify_check("document_number", number, check)
        return number.rstrip(FILLER), optional.rstrip(FILLER)
    head, filler, rest = optional.partition(FILLER)
    if len(head) < 2 or not filler or number.endswith(FILLER):
        raise DecodeError("MRZ document_number has neither a check digit nor a continuation", clause=LONG_NUMBER_CLAUSE)
    number, check = number + head[:-1], head[-1]
    _verify_check("document_number", number, check)
    return number, rest.rstrip(FILLER)


def _verify_checks(zone: str, places: _Places, elements: _Elements) -> None:
    checks = places.checks
    _verify_check("date_of_birth", elements.date_of_birth, zone[checks["date_of_birth"]])
    _verify_check("date_of_expiry", elements.date_of_expiry, zone[checks["date_of_expiry"]])
    if "optional_data_1" in checks:
        check = zone[checks["optional_data_1"]]
        if check != FILLER or elements.optional_data_1.strip(FILLER):  # Doc 9303-4 4.2.2
            _verify_check("optional_data_1", elements.optional_data_1, check)
    if "composite" in checks:
        _verify_check("composite", "".join([zone[part] for part in places.composite]), zone[checks["composite"]])


def _verify_check(name: str, data: str, check: str) -> None:
    if check != compute_check_digit(data):
        raise DecodeError(f"MRZ {name} check digit is wrong", clause=CHECK_CLAUSE)
