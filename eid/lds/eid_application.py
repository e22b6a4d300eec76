"""The eID application: its data groups DG1 to DG22, typed (TR-03110-4 2.2).

Each elementary file is [APPLICATION n] around the group's type; n is the group's number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final, TypeAlias

from eid.codec import der
from eid.errors import DecodeError
from eid.lds import eid_values as values
from eid.lds.eid_values import GeneralPlace, OptionalData, Place, Text
from eid.lds.files import ElementaryFile
from eid.mrz import PartialDate

EID_AID: Final = bytes.fromhex("E80704007F00070302")  # id-eID, TR-03110-4 2.2.1
MAX_GROUP: Final = 1 << 16  # octets of one file

EidValue: TypeAlias = (
    str | date | PartialDate | bytes | Place | Text | tuple[GeneralPlace, ...] | tuple[OptionalData, ...] | GeneralPlace
)

DOCUMENT_TYPE: Final = 1
ISSUING_ENTITY: Final = 2
DATE_OF_EXPIRY: Final = 3
GIVEN_NAMES: Final = 4
FAMILY_NAMES: Final = 5
NOM_DE_PLUME: Final = 6
ACADEMIC_TITLE: Final = 7
DATE_OF_BIRTH: Final = 8
PLACE_OF_BIRTH: Final = 9
NATIONALITY: Final = 10
SEX: Final = 11
OPTIONAL_DATA: Final = 12
BIRTH_NAME: Final = 13
WRITTEN_SIGNATURE: Final = 14
DATE_OF_ISSUANCE: Final = 15
PLACE_OF_RESIDENCE: Final = 17
MUNICIPALITY_ID: Final = 18
RESIDENCE_PERMIT_1: Final = 19
RESIDENCE_PERMIT_2: Final = 20
PHONE_NUMBER: Final = 21
EMAIL_ADDRESS: Final = 22
WRITABLE: Final = range(17, 23)  # the holder's circumstances change while the card is out (table 3)


@dataclass(frozen=True, slots=True)
class EidGroup:
    """One data group: its number, a name for machines, one for people, and its type."""

    number: int
    name: str
    title: str
    decode: Callable[[bytes, str], Any]
    encode: Callable[[Any], bytes]

    @property
    def tag(self) -> int:
        """[APPLICATION n], constructed."""
        return 0x60 | self.number

    @property
    def file(self) -> ElementaryFile:
        """Identifiers of the file (table 3)."""
        return ElementaryFile(f"DG{self.number}", 0x0100 + self.number, self.number, self.tag, self.number)


def _text(tag: int) -> tuple[Callable[[bytes, str], str], Callable[[str], bytes]]:
    return partial(values.decode_text_string, tag), partial(der.encode_string, tag)


def _letters(*lengths: int) -> tuple[Callable[[bytes, str], str], Callable[[str], bytes]]:
    return lambda raw, what: values.decode_letters(raw, what, lengths), partial(values.encode_letters, lengths)


def _decode_sex(raw: bytes, what: str) -> str:
    text = values.decode_text_string(der.PRINTABLE_STRING, raw, what)
    if text not in ("M", "F", " "):
        raise DecodeError(f"{what} is none of M, F and blank", clause=values.CLAUSE)
    return text


def _encode_sex(text: str) -> bytes:
    if text not in ("M", "F", " "):
        raise ValueError("none of M, F and blank")
    return der.encode_string(der.PRINTABLE_STRING, text)


def _decode_issuing_entity(raw: bytes, what: str) -> str | Place:
    is_place = raw[:1] == bytes((der.SEQUENCE,))
    return values.decode_place(raw, what) if is_place else values.decode_country(raw, what)


def _encode_issuing_entity(value: str | Place) -> bytes:
    return values.encode_place(value) if isinstance(value, Place) else values.encode_country(value)


def _decode_octets(raw: bytes, what: str) -> bytes:
    content, offset = der.read_octet_string(raw, 0, len(raw), what)
    der.check_end(offset, len(raw), what)
    return content


def _encode_date(value: date) -> bytes:
    return values.encode_partial_date(PartialDate(value.year, value.month, value.day))


_UTF8: Final = _text(der.UTF8_STRING)
_DATE: Final = (values.decode_date, _encode_date)
_PARTIAL_DATE: Final = (values.decode_partial_date, values.encode_partial_date)
_PLACE: Final = (values.decode_general_place, values.encode_general_place)
_OCTETS: Final = (_decode_octets, der.encode_octet_string)
_LONG_TEXT: Final = (values.decode_text, values.encode_text)

EID_GROUPS: Final = (
    EidGroup(DOCUMENT_TYPE, "document_type", "Document type", *_letters(2)),
    EidGroup(ISSUING_ENTITY, "issuing_entity", "Issuing entity", _decode_issuing_entity, _encode_issuing_entity),
    EidGroup(DATE_OF_EXPIRY, "date_of_expiry", "Date of expiry", *_DATE),
    EidGroup(GIVEN_NAMES, "given_names", "Given names", *_UTF8),
    EidGroup(FAMILY_NAMES, "family_names", "Family names", *_UTF8),
    EidGroup(NOM_DE_PLUME, "nom_de_plume", "Nom de plume", *_UTF8),
    EidGroup(ACADEMIC_TITLE, "academic_title", "Academic title", *_UTF8),
    EidGroup(DATE_OF_BIRTH, "date_of_birth", "Date of birth", *_PARTIAL_DATE),
    EidGroup(PLACE_OF_BIRTH, "place_of_birth", "Place of birth", *_PLACE),
    EidGroup(NATIONALITY, "nationality", "Nationality", *_letters(1, 3)),
    EidGroup(SEX, "sex", "Sex", _decode_sex, _encode_sex),
    EidGroup(OPTIONAL_DATA, "optional_data", "Optional data", values.decode_optional_data, values.encode_optional_data),
    EidGroup(BIRTH_NAME, "birth_name", "Birth name", *_UTF8),
    EidGroup(WRITTEN_SIGNATURE, "written_signature", "Written signature", *_OCTETS),
    EidGroup(DATE_OF_ISSUANCE, "date_of_issuance", "Date of issuance", *_DATE),
    EidGroup(
        PLACE_OF_RESIDENCE, "place_of_residence", "Place of residence", values.decode_residence, values.encode_residence
    ),
    EidGroup(MUNICIPALITY_ID, "municipality_id", "Municipality ID", *_OCTETS),
    EidGroup(RESIDENCE_PERMIT_1, "residence_permit_1", "Residence permit I", *_LONG_TEXT),
    EidGroup(RESIDENCE_PERMIT_2, "residence_permit_2", "Residence permit II", *_LONG_TEXT),
    EidGroup(PHONE_NUMBER, "phone_number", "Phone number", *_text(der.PRINTABLE_STRING)),
    EidGroup(EMAIL_ADDRESS, "email_address", "Email address", *_text(der.IA5_STRING)),
)
_BY_NUMBER: Final = {group.number: group for group in EID_GROUPS}


def eid_group(number: int) -> EidGroup:
    """The data group of this number.

    Raises:
        KeyError: there is none; 16 is reserved.
    """
    return _BY_NUMBER[number]


def decode_eid_group(number: int, raw: bytes) -> EidValue:
    """The value in a data group's file.

    Args:
        number: 1..22 without 16. raw: the file's content, without what may stand behind the data group.

    Raises:
        DecodeError: no such data group, or malformed.
    """
    group = _BY_NUMBER.get(number)
    if group is None:
        raise DecodeError(f"the eID application has no DG{number}", clause="TR-03110-4 2.2.3")
    der.check_input(raw, f"DG{number}", MAX_GROUP)
    start, stop = der.enter(raw, 0, len(raw), group.tag, f"DG{number}")
    der.check_end(stop, len(raw), f"DG{number}")
    value: EidValue = group.decode(raw[start:stop], f"DG{number}")
    return value


def encode_eid_group(number: int, value: EidValue) -> bytes:
    """A data group's file.

    Raises:
        ValueError: characters that the group's type does not have; the caller's mistake. KeyError: no such group.
    """
    group = _BY_NUMBER[number]
    return der.encode(group.tag, group.encode(value))
