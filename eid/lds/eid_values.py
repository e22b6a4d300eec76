"""Values of the eID application's data groups: places, texts, dates, and their DER (TR-03110-4 2.2.3.1).

The module is written with explicit tags, as the cards have it: a freetext place is A1 { 0C ... }.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from eid.codec import der
from eid.codec.tlv import Tlv
from eid.errors import DecodeError
from eid.mrz import PartialDate

CLAUSE: Final = "TR-03110-4 2.2.3.1"
MAX_TEXT: Final = 1 << 16  # octets of a text once it is inflated
MAX_PLACES: Final = 16
MAX_OPTIONAL_DATA: Final = 64
_STREET, _CITY, _STATE, _COUNTRY, _ZIP_CODE = 10, 11, 12, 13, 14  # [10]..[14] of Place
_FREETEXT, _NO_PLACE = 1, 2
_UNCOMPRESSED, _COMPRESSED = 1, 2
_LETTERS: Final = re.compile(r"[A-Z ]*")
_DATE: Final = re.compile(r"([0-9]{4})([0-9]{2}|  )([0-9]{2}|  )")
_COUNTRY_LENGTHS: Final = (1, 3)


@dataclass(frozen=True, slots=True)
class Place:
    """A place by its parts. country: one or three letters. state: may also name a region."""

    city: str = field(repr=False)
    country: str
    street: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)
    zip_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FreetextPlace:
    """A place in words."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoPlace:
    """No place, and what is said instead."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text, on the chip as it is or deflated (RFC 1951)."""

    text: str = field(repr=False)
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class OptionalData:
    """An object identifier (dotted), and the element that it defines, DER as it stands."""

    oid: str
    data: bytes | None = field(default=None, repr=False)


GeneralPlace: TypeAlias = Place | FreetextPlace | NoPlace


def decode_text_string(tag: int, raw: bytes, what: str) -> str:
    """Text of one string element that fills the input.

    Raises:
        DecodeError: another type, or characters outside it.
    """
    start, stop = _fill(raw, tag, what)
    return der.decode_string(tag, raw[start:stop], start, what)


def decode_letters(raw: bytes, what: str, lengths: tuple[int, ...]) -> str:
    """ICAOString: capital letters and blanks, of one of these lengths.

    Raises:
        DecodeError: anything else.
    """
    text = decode_text_string(der.PRINTABLE_STRING, raw, what)
    if len(text) not in lengths or not _LETTERS.fullmatch(text):
        raise DecodeError(f"{what} is not of capital letters, or not so long", clause=CLAUSE)
    return text


def decode_country(raw: bytes, what: str) -> str:
    """ICAOCountry: one or three letters.

    Raises:
        DecodeError: anything else.
    """
    return decode_letters(raw, what, _COUNTRY_LENGTHS)


def encode_letters(lengths: tuple[int, ...], text: str) -> bytes:
    """ICAOString of one of these lengths.

    Raises:
        ValueError: other than capital letters and blanks, or not so long; the caller's mistake.
    """
    if len(text) not in lengths or not _LETTERS.fullmatch(text):
        raise ValueError(f"not {' or '.join(map(str, lengths))} capital letters or blanks")
    return der.encode_string(der.PRINTABLE_STRING, text)


def decode_partial_date(raw: bytes, what: str) -> PartialDate:
    """YYYYMMDD; blanks where the day, or day and month, are unknown.

    Raises:
        DecodeError: anything else, or no such date.
    """
    match = _DATE.fullmatch(decode_text_string(der.NUMERIC_STRING, raw, what))
    try:
        if match is not None:
            year, month, day = (int(part) if part.strip() else None for part in match.groups())
            return PartialDate(year or 0, month, day)
    except ValueError:  # no such date
        pass
    raise DecodeError(f"{what} is no date YYYYMMDD", clause=CLAUSE)


def encode_country(text: str) -> bytes:
    """ICAOCountry.

    Raises:
        ValueError: not one or three capital letters; the caller's mistake.
    """
    return encode_letters(_COUNTRY_LENGTHS, text)


def encode_partial_date(value: PartialDate) -> bytes:
    """YYYYMMDD; blanks where a part is unknown."""
    parts = ("  " if part is None else f"{part:02}" for part in (value.month, value.day))
    return der.encode_string(der.NUMERIC_STRING, f"{value.year:04}" + "".join(parts))


def decode_date(raw: bytes, what: str) -> date:
    """YYYYMMDD.

    Raises:
        DecodeError: anything else, no such date, or one that is known in part only.
    """
    value = decode_partial_date(raw, what)
    if value.precision != "day":
        raise DecodeError(f"{what} is known in part only", clause=CLAUSE)
    return value.earliest


def decode_general_place(raw: bytes, what: str) -> GeneralPlace:
    """Read a GeneralPlace that fills the input.

    Raises:
        DecodeError: none of its three forms.
    """
    item = _element(raw, what)
    if item.tag == der.SEQUENCE:
        return decode_place(raw, what)
    if item.tag == der.constructed(_FREETEXT):
        return FreetextPlace(decode_text_string(der.UTF8_STRING, item.value, what))
    if item.tag == der.constructed(_NO_PLACE):
        return NoPlace(decode_text_string(der.UTF8_STRING, item.value, what))
    raise DecodeError(f"{what} is no place", clause=CLAUSE)


def encode_general_place(place: GeneralPlace) -> bytes:
    """GeneralPlace."""
    if isinstance(place, Place):
        return encode_place(place)
    number = _FREETEXT if isinstance(place, FreetextPlace) else _NO_PLACE
    return der.encode_explicit(number, der.encode_string(der.UTF8_STRING, place.text))


def decode_place(raw: bytes, what: str) -> Place:
    """Read a Place that fills the input.

    Raises:
        DecodeError: a part is missing, unknown, doubled or out of order.
    """
    start, stop = _fill(raw, der.SEQUENCE, what)
    parts: dict[int, bytes] = {}
    for tag, inner, outer in _parts(raw, start, stop, what):
        number = tag & 0x1F
        if tag & 0xE0 != 0xA0 or not _STREET <= number <= _ZIP_CODE or number <= max(parts, default=0):
            raise DecodeError(f"{what}: element {tag:02X} is out of place", clause=CLAUSE)
        parts[number] = raw[inner:outer]
    if not {_CITY, _COUNTRY} <= set(parts):
        raise DecodeError(f"{what} has no city or no country", clause=CLAUSE)
    return Place(
        city=decode_text_string(der.UTF8_STRING, parts[_CITY], what),
        country=decode_country(parts[_COUNTRY], what),
        street=_optional(parts.get(_STREET), der.UTF8_STRING, what),
        state=_optional(parts.get(_STATE), der.UTF8_STRING, what),
        zip_code=_optional(parts.get(_ZIP_CODE), der.PRINTABLE_STRING, what),
    )


def encode_place(place: Place) -> bytes:
    """Place.

    Raises:
        ValueError: characters that the types do not have; the caller's mistake.
    """
    texts = (
        (_STREET, place.street, der.UTF8_STRING),
        (_CITY, place.city, der.UTF8_STRING),
        (_STATE, place.state, der.UTF8_STRING),
        (_COUNTRY, _require_country(place.country), der.PRINTABLE_STRING),
        (_ZIP_CODE, place.zip_code, der.PRINTABLE_STRING),
    )
    return der.encode_sequence(
        *(der.encode_explicit(number, der.encode_string(tag, text)) for number, text, tag in texts if text is not None)
    )


def _require_country(text: str) -> str:
    encode_country(text)
    return text


def decode_text(raw: bytes, what: str) -> Text:
    """Read a Text that fills the input.

    Raises:
        DecodeError: neither of its forms, or what is inflated is no text or over 65,536 octets.
    """
    item = _element(raw, what)
    if item.tag == der.constructed(_UNCOMPRESSED):
        return Text(decode_text_string(der.UTF8_STRING, item.value, what))
    if item.tag == der.constructed(_COMPRESSED):
        start, stop = _fill(item.value, der.OCTET_STRING, what)
        inflated = _inflate(item.value[start:stop], what)
        return Text(der.decode_string(der.UTF8_STRING, inflated, 0, what), compressed=True)
    raise DecodeError(f"{what} is no text", clause=CLAUSE)


def encode_text(value: Text) -> bytes:
    """Text."""
    if not value.compressed:
        return der.encode_explicit(_UNCOMPRESSED, der.encode_string(der.UTF8_STRING, value.text))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = deflate.compress(value.text.encode()) + deflate.flush()
    return der.encode_explicit(_COMPRESSED, der.encode_octet_string(content))


def _inflate(content: bytes, what: str) -> bytes:
    """RFC 1951, one stream to its end, bounded before it is written."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        text = inflate.decompress(content, MAX_TEXT)
    except zlib.error:
        raise DecodeError(f"{what} is not deflated", clause="RFC 1951") from None
    if not inflate.eof or inflate.unused_data:
        raise DecodeError(f"{what} is cut, followed by something, or over {MAX_TEXT} octets", clause="RFC 1951")
    return text


def decode_optional_data(raw: bytes, what: str) -> tuple[OptionalData, ...]:
    """Read a SET OF OptionalData that fills the input.

    Raises:
        DecodeError: malformed, or too many.
    """
    start, stop = _fill(raw, der.SET, what)
    items: list[OptionalData] = []
    for tag, inner, outer in _parts(raw, start, stop, what):
        if tag != der.SEQUENCE or len(items) == MAX_OPTIONAL_DATA:
            raise DecodeError(f"{what} holds other than OptionalData, or too much of it", clause=CLAUSE)
        oid, offset = der.read_oid(raw, inner, outer, what)
        data = None
        if offset < outer:
            _, _, behind = der.read_any(raw, offset, outer, what)
            der.check_end(behind, outer, what)
            data = raw[offset:outer]
        items.append(OptionalData(oid, data))
    return tuple(items)


def encode_optional_data(items: tuple[OptionalData, ...]) -> bytes:
    """SET OF OptionalData."""
    return der.encode_set_of(der.encode_sequence(der.encode_oid(item.oid), item.data or b"") for item in items)


def decode_residence(raw: bytes, what: str) -> tuple[GeneralPlace, ...]:
    """One GeneralPlace, or a SET OF several.

    Raises:
        DecodeError: malformed, or too many.
    """
    if _element(raw, what).tag != der.SET:
        return (decode_general_place(raw, what),)
    start, stop = _fill(raw, der.SET, what)
    items = list(der.split(raw, start, stop, what))
    if len(items) > MAX_PLACES:
        raise DecodeError(f"{what}: more than {MAX_PLACES} places", clause=CLAUSE)
    return tuple(decode_general_place(raw[begin:behind], what) for begin, _, _, behind in items)


def encode_residence(places: tuple[GeneralPlace, ...]) -> bytes:
    """A single place as such, others as a SET OF."""
    if len(places) == 1:
        return encode_general_place(places[0])
    return der.encode_set_of(encode_general_place(place) for place in places)


def _fill(raw: bytes, tag: int, what: str) -> tuple[int, int]:
    start, stop = der.enter(raw, 0, len(raw), tag, what)
    der.check_end(stop, len(raw), what)
    return start, stop


def _element(raw: bytes, what: str) -> Tlv:
    """The one element that fills the input."""
    tag, start, stop = der.read_any(raw, 0, len(raw), what)
    der.check_end(stop, len(raw), what)
    return Tlv(tag, raw[start:stop])


def _parts(raw: bytes, start: int, stop: int, what: str) -> list[tuple[int, int, int]]:
    """Tag, start and end of the content of each element."""
    return [(tag, inner, behind) for _, tag, inner, behind in der.split(raw, start, stop, what)]


def _optional(raw: bytes | None, tag: int, what: str) -> str | None:
    return None if raw is None else decode_text_string(tag, raw, what)
