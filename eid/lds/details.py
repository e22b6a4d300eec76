"""What DG11 and DG12 have in common: a tag list, then optional elements, some of them text, dates or lists of names.

The elements of a data group are one table, read by the decoder and by the encoder. Deviations that real documents show
are read past and told as defects; unknown elements are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, unique
from types import MappingProxyType
from typing import Any, Final

from eid.codec.tlv import Tlv, encode_tlv, find_tlv
from eid.errors import DecodeError
from eid.lds.instances import COUNT, check_count, encode_count
from eid.lds.tag_list import TAG_LIST, decode_tag_list, encode_tag_list
from eid.lds.text import decode_digits, decode_fields, decode_text, encode_digits, encode_fields

NAMES_TEMPLATE: Final = 0xA0
DATE_DIGITS: Final = 8  # YYYYMMDD
TIME_DIGITS: Final = 14  # YYYYMMDDhhmmss


@unique
class Kind(Enum):
    """How an element's value is to be read."""

    TEXT = "text"
    FIELDS = "fields"  # text, its fields separated by the filler
    DATE = "date"
    TIME = "time"
    OCTETS = "octets"
    NAMES = "names"  # any number of texts under this tag, inside template A0


@dataclass(frozen=True, slots=True)
class Element:
    """One row of a data group's table: tag, attribute of the value class, kind."""

    tag: int
    name: str
    kind: Kind


def build_table(*elements: Element) -> Mapping[int, Element]:
    """The elements of a data group by tag, in order."""
    return MappingProxyType({element.tag: element for element in elements})


@dataclass(frozen=True, slots=True)
class Details:
    """What a template held: attribute values by name, elements outside the table, defects."""

    values: dict[str, Any]
    other: tuple[Tlv, ...]
    defects: tuple[str, ...]


def decode_details(objects: tuple[Tlv, ...], elements: Mapping[int, Element], clause: str) -> Details:
    """Read the elements of a template.

    Raises:
        DecodeError: an element occurs twice, or its value is malformed.
    """
    defects: list[str] = []
    values: dict[str, Any] = {}
    other: list[Tlv] = []
    names: list[Element] = []
    for item in objects:
        element = elements.get(item.tag)
        if element is None:
            if item.tag == NAMES_TEMPLATE:
                names = [candidate for candidate in elements.values() if candidate.kind is Kind.NAMES]
            elif item.tag != TAG_LIST:
                other.append(item)
        elif element.kind is Kind.NAMES:
            names = [element]
        elif element.name in values:
            raise DecodeError(f"data object {item.tag:X} occurs twice", clause=clause)
        else:
            values[element.name] = _decode_value(item, element.kind, defects)
    for element in names:
        values[element.name] = _decode_names(objects, element.tag, defects, clause)
    defects += _check_tag_list(objects)
    return Details(values, tuple(other), tuple(defects))


def encode_details(tag: int, source: object, elements: Mapping[int, Element], other: Iterable[Tlv]) -> bytes:
    """Write a template: tag list, the elements that `source` has (not None, not an empty tuple), other elements."""
    tags: list[int] = []
    content = b""
    for element in elements.values():
        value = getattr(source, element.name)
        if value is None or value == ():
            continue
        # The tag list names the elements of the table; issuers list 5F0F and 5F1A there, not the template around them.
        tags.append(element.tag)
        content += _encode_element(element, value)
    for item in other:
        tags.append(item.tag)
        content += item.encode()
    return encode_tlv(tag, encode_tag_list(tags) + content)


def decode_date(value: bytes, tag: int) -> str:
    """YYYYMMDD, or nothing where the element is empty, as some states write it.

    Raises:
        DecodeError: other than eight digits.
    """
    return decode_digits(value, DATE_DIGITS, tag) if value else ""


def _decode_value(item: Tlv, kind: Kind, defects: list[str]) -> Any:
    if kind is Kind.OCTETS:
        return item.value
    if kind is Kind.DATE:
        return decode_date(item.value, item.tag)
    if kind is Kind.TIME and item.value:
        return decode_digits(item.value, TIME_DIGITS, item.tag)
    text = _decode_text(item, defects)
    return decode_fields(text) if kind is Kind.FIELDS else text


def _decode_text(item: Tlv, defects: list[str]) -> str:
    text, is_utf8 = decode_text(item.value)
    if not is_utf8:
        defects.append(f"data object {item.tag:X} is not UTF-8")
    return text


def _decode_names(objects: tuple[Tlv, ...], tag: int, defects: list[str], clause: str) -> tuple[str, ...]:
    return tuple(_decode_text(item, defects) for item in _find_names(objects, tag, defects, clause))


def _find_names(objects: tuple[Tlv, ...], tag: int, defects: list[str], clause: str) -> tuple[Tlv, ...]:
    """The names inside template A0, or, as some states write them, in the place of the template."""
    template = find_tlv(objects, NAMES_TEMPLATE)
    bare = tuple(item for item in objects if item.tag == tag)
    if bare:
        defects.append(f"data object {tag:X} outside template A0")
    if template is None:
        return bare
    children = template.children()
    names = tuple(item for item in children if item.tag == tag)
    check_count((item for item in children if item.tag == COUNT), len(names), clause)
    return names + bare


def _check_tag_list(objects: tuple[Tlv, ...]) -> list[str]:
    tag_list = find_tlv(objects, TAG_LIST)
    if tag_list is None:
        return ["tag list is missing"]
    present = {item.tag for item in objects} - {TAG_LIST, NAMES_TEMPLATE}
    template = find_tlv(objects, NAMES_TEMPLATE)
    inside = set() if template is None else {item.tag for item in template.children()} - {COUNT}
    listed = set(decode_tag_list(tag_list.value))
    if listed - {NAMES_TEMPLATE} - inside == present and (not inside or listed & {NAMES_TEMPLATE, *inside}):
        return []
    return ["tag list does not match the elements"]


def _encode_element(element: Element, value: Any) -> bytes:
    if element.kind is Kind.NAMES:
        names = b"".join(encode_tlv(element.tag, name.encode("utf-8")) for name in value)
        return encode_tlv(NAMES_TEMPLATE, encode_count(len(value)) + names)
    return encode_tlv(element.tag, _encode_value(element.kind, value))


def _encode_value(kind: Kind, value: Any) -> bytes:
    if kind is Kind.OCTETS:
        return bytes(value)
    if kind is Kind.FIELDS:
        return encode_fields(value)
    if kind is Kind.TEXT or value == "":
        return str(value).encode("utf-8")
    return encode_digits(value, DATE_DIGITS if kind is Kind.DATE else TIME_DIGITS)
