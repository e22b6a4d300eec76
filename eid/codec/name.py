"""X.501 distinguished names (RFC 5280 4.1.2.4): reading, a value for comparison, writing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eid.codec import der, oid
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.errors import DecodeError

MAX_NAME: Final = 8192  # octets
_CLAUSE: Final = "RFC 5280 4.1.2.4"
_COUNTRY_TYPE: Final = der.encode_oid(oid.COUNTRY_NAME)
_SHORT_NAMES: Final[dict[str, str]] = {
    oid.COMMON_NAME: "CN",
    oid.SERIAL_NUMBER: "serialNumber",
    oid.COUNTRY_NAME: "C",
    oid.LOCALITY_NAME: "L",
    oid.STATE_OR_PROVINCE_NAME: "ST",
    oid.ORGANIZATION_NAME: "O",
    oid.ORGANIZATIONAL_UNIT_NAME: "OU",
    oid.DOMAIN_COMPONENT: "DC",
    oid.EMAIL_ADDRESS: "emailAddress",
}
_OIDS: Final = {name: dotted for dotted, name in _SHORT_NAMES.items()}

NormalisedName = tuple[frozenset[tuple[str, str]], ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """AttributeTypeAndValue: the type's object identifier (dotted), the text."""

    oid: str
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name: its relative names in order, and the DER it came from."""

    raw: bytes
    relative_names: tuple[tuple[Attribute, ...], ...]

    @property
    def country(self) -> str | None:
        """The country code as it stands (states write it in either case); None if there is none."""
        return self.find(oid.COUNTRY_NAME)

    def find(self, attribute_type: str) -> str | None:
        """Text of the first attribute of a type."""
        for relative_name in self.relative_names:
            for attribute in relative_name:
                if attribute.oid == attribute_type:
                    return attribute.text
        return None

    @property
    def normalised(self) -> NormalisedName:
        """Value to compare names by: string type, letter case and runs of spaces do not count (RFC 5280 7.1)."""
        return tuple(
            frozenset((item.oid, _normalise(item.text)) for item in relative_name)
            for relative_name in self.relative_names
        )

    def __str__(self) -> str:
        parts = ("+".join(map(_format_attribute, relative_name)) for relative_name in self.relative_names)
        return ",".join(parts)


def _normalise(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _format_attribute(attribute: Attribute) -> str:
    """RFC 4514 2.4, in the order of the encoding."""
    text = "".join(f"\\{letter}" if letter in ',+"\\<>;=' else letter for letter in attribute.text)
    if text[:1] in ("#", " "):
        text = "\\" + text
    return f"{_SHORT_NAMES.get(attribute.oid, attribute.oid)}={text}"


def read_name(data: bytes, offset: int, end: int, what: str) -> tuple[str | None, int]:
    """Walk over a Name: its country code in upper case (None if there is none), and the offset behind it.

    Only the structure and the country are looked at; `decode_name` reads the rest.

    Raises:
        DecodeError: the structure is malformed, or the country is no text.
    """
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    country = None
    while offset < stop:
        found, offset = _read_relative_country(data, offset, stop, what)
        country = country or found
    return country, stop


def _read_relative_country(data: bytes, offset: int, end: int, what: str) -> tuple[str | None, int]:
    """Walk over a RelativeDistinguishedName: its country if it has one, and the offset behind it."""
    country = None
    start, stop = der.enter(data, offset, end, der.SET, what)
    if start == stop:
        raise DecodeError(f"{what}: empty RelativeDistinguishedName", offset=offset, clause=_CLAUSE)
    while start < stop:
        type_offset, pair_stop = der.enter(data, start, stop, der.SEQUENCE, what)
        _, value_offset = der.enter(data, type_offset, pair_stop, der.OBJECT_IDENTIFIER, what)
        tag, inner, behind = der.read_any(data, value_offset, pair_stop, what)
        der.check_end(behind, pair_stop, what)
        if country is None and data[type_offset:value_offset] == _COUNTRY_TYPE:
            country = der.decode_string(tag, data[inner:behind], inner, what).upper()
        start = pair_stop
    return country, stop


def decode_name(raw: bytes, what: str = "Name", defects: Defects = None) -> Name:
    """Decode a Name that fills the input.

    Raises:
        DecodeError: malformed; a text outside its string type, or a misordered RelativeDistinguishedName
            (tolerable: MALFORMED_NAME).
    """
    der.check_input(raw, what, MAX_NAME)
    start, stop = der.enter(raw, 0, len(raw), der.SEQUENCE, what)
    der.check_end(stop, len(raw), what)
    names = []
    for at, tag, inner, behind in der.split(raw, start, stop, what):
        if tag != der.SET or inner == behind:
            raise DecodeError(f"{what}: RelativeDistinguishedName is due", offset=at, clause=_CLAUSE)
        names.append(_read_relative_name(raw, inner, behind, what, defects))
    return Name(raw, tuple(names))


def _read_relative_name(data: bytes, offset: int, end: int, what: str, defects: Defects) -> tuple[Attribute, ...]:
    attributes = []
    previous = b""
    while offset < end:
        start, stop = der.enter(data, offset, end, der.SEQUENCE, what)
        current = data[offset:stop]
        if current <= previous:
            tolerate(defects, DefectCode.MALFORMED_NAME, f"{what}: SET OF out of order", offset, "X.690 11.6")
        attribute_type, start = der.read_oid(data, start, stop, what)
        tag, inner, behind = der.read_any(data, start, stop, what)
        der.check_end(behind, stop, what)
        attributes.append(Attribute(attribute_type, _read_text(data, tag, inner, behind, what, defects)))
        previous, offset = current, stop
    return tuple(attributes)


def _read_text(data: bytes, tag: int, start: int, stop: int, what: str, defects: Defects) -> str:
    try:
        return der.decode_string(tag, data[start:stop], start, what)
    except DecodeError as error:
        tolerate(defects, DefectCode.MALFORMED_NAME, error.what, start, _CLAUSE)
        return data[start:stop].decode("latin-1")


def encode_name(attributes: Iterable[tuple[str, str]]) -> bytes:
    """Encode a Name with one attribute in each relative name.

    Args:
        attributes: type (short name such as "C", or dotted) and text, most significant first. Country and serialNumber
            become PrintableString, domain component and e-mail IA5String, all others UTF8String (Doc 9303-12 7.1.1).

    Raises:
        ValueError: a text outside its string type; the caller's mistake.
    """
    return der.encode_sequence(*(_encode_relative_name(_OIDS.get(kind, kind), text) for kind, text in attributes))


def _encode_relative_name(attribute_type: str, text: str) -> bytes:
    tag = der.UTF8_STRING
    if attribute_type in (oid.COUNTRY_NAME, oid.SERIAL_NUMBER):
        tag = der.PRINTABLE_STRING
    elif attribute_type in (oid.DOMAIN_COMPONENT, oid.EMAIL_ADDRESS):
        tag = der.IA5_STRING
    pair = der.encode_sequence(der.encode_oid(attribute_type), der.encode_string(tag, text))
    return der.encode_set_of((pair,))
