"""DG16: persons to notify (Doc 9303-10 4.7.16).

::

    70
      02   number of persons
      A1   first person; A2 the second, and so on to AF
        5F50 date of the record  5F51 name  5F52 telephone  5F53 address
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, find_tlv
from eid.errors import DecodeError
from eid.lds.details import DATE_DIGITS, decode_date
from eid.lds.instances import COUNT, check_count, encode_count
from eid.lds.text import decode_fields, decode_text, encode_digits, encode_fields

CLAUSE: Final = "Doc 9303-10 4.7.16"
TAG: Final = 0x70
FIRST_PERSON: Final = 0xA1
MAX_PERSONS: Final = 15
DATE: Final = 0x5F50
NAME: Final = 0x5F51
TELEPHONE: Final = 0x5F52
ADDRESS: Final = 0x5F53


@dataclass(frozen=True, slots=True)
class PersonToNotify:
    """One person to notify in an emergency; None where an element is absent.

    Args:
        date_recorded: YYYYMMDD. name: identifiers separated by two fillers, as the MRZ does. address: its lines.
    """

    date_recorded: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    telephone: str | None = field(default=None, repr=False)
    address: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DG16:
    """DG16: one to fifteen persons, and what the issuer got wrong without making the file unreadable."""

    persons: tuple[PersonToNotify, ...]
    raw: bytes = field(default=b"", repr=False, compare=False)
    defects: tuple[str, ...] = field(default=(), compare=False)

    def encode(self) -> bytes:
        """The file's bytes.

        Raises:
            ValueError: no person, more than fifteen, a date of other than eight digits, or a filler inside an address
                line; the caller's mistake.
        """
        if not 1 <= len(self.persons) <= MAX_PERSONS:
            raise ValueError("DG16 holds one to fifteen persons")
        templates = (
            encode_tlv(tag, _encode_person(person)) for tag, person in enumerate(self.persons, start=FIRST_PERSON)
        )
        return encode_tlv(TAG, encode_count(len(self.persons)) + b"".join(templates))


def decode_dg16(raw: bytes) -> DG16:
    """Decode DG16; elements of a person that Doc 9303 does not name are passed over.

    Raises:
        DecodeError: the count is wrong, the templates are not A1, A2 ... in order, or an element is malformed or twice.
    """
    objects = decode_tlv(raw, TAG).children()
    templates = tuple(item for item in objects if item.tag != COUNT)
    check_count(objects, len(templates), CLAUSE)
    expected = tuple(range(FIRST_PERSON, FIRST_PERSON + MAX_PERSONS))[: len(templates)]
    if tuple(item.tag for item in templates) != expected:
        raise DecodeError("templates of persons are not A1, A2 ... in order", clause=CLAUSE)
    defects: list[str] = []
    return DG16(tuple(_decode_person(item, defects) for item in templates), raw, tuple(defects))


def _decode_person(template: Tlv, defects: list[str]) -> PersonToNotify:
    objects = template.children()
    found = {tag: item for tag in (DATE, NAME, TELEPHONE, ADDRESS) if (item := find_tlv(objects, tag)) is not None}
    address = _find_text(found, ADDRESS, defects)
    return PersonToNotify(
        date_recorded=decode_date(found[DATE].value, DATE) if DATE in found else None,
        name=_find_text(found, NAME, defects),
        telephone=_find_text(found, TELEPHONE, defects),
        address=None if address is None else decode_fields(address),
    )


def _find_text(found: Mapping[int, Tlv], tag: int, defects: list[str]) -> str | None:
    if tag not in found:
        return None
    text, is_utf8 = decode_text(found[tag].value)
    if not is_utf8:
        defects.append(f"data object {tag:X} is not UTF-8")
    return text


def _encode_person(person: PersonToNotify) -> bytes:
    content = b""
    if person.date_recorded is not None:
        date = person.date_recorded
        content += encode_tlv(DATE, encode_digits(date, DATE_DIGITS) if date else b"")
    for tag, text in ((NAME, person.name), (TELEPHONE, person.telephone)):
        if text is not None:
            content += encode_tlv(tag, text.encode("utf-8"))
    if person.address is not None:
        content += encode_tlv(ADDRESS, encode_fields(person.address))
    return content
