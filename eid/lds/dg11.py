"""DG11: additional personal details (Doc 9303-10 4.7.11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv, find_value
from eid.lds.details import Element, Kind, build_table, decode_date, decode_details, encode_details

CLAUSE: Final = "Doc 9303-10 4.7.11"
TAG: Final = 0x6B
DATE_OF_BIRTH: Final = 0x5F2B

ELEMENTS: Final = build_table(
    Element(0x5F0E, "full_name", Kind.TEXT),
    Element(0x5F0F, "other_names", Kind.NAMES),
    Element(0x5F10, "personal_number", Kind.TEXT),
    Element(DATE_OF_BIRTH, "full_date_of_birth", Kind.DATE),
    Element(0x5F11, "place_of_birth", Kind.FIELDS),
    Element(0x5F42, "permanent_address", Kind.FIELDS),
    Element(0x5F12, "telephone", Kind.TEXT),
    Element(0x5F13, "profession", Kind.TEXT),
    Element(0x5F14, "title", Kind.TEXT),
    Element(0x5F15, "personal_summary", Kind.TEXT),
    Element(0x5F16, "proof_of_citizenship", Kind.OCTETS),
    Element(0x5F17, "other_document_numbers", Kind.FIELDS),
    Element(0x5F18, "custody_information", Kind.TEXT),
)


@dataclass(frozen=True, slots=True)
class DG11:
    """DG11. None: the element is absent; an empty text: it is there and empty, as some states write it.

    Args:
        full_name: in national characters, primary and secondary identifier separated by "<<", words by "<".
        full_date_of_birth: "YYYYMMDD", unknown parts 0. place_of_birth, permanent_address: fields in order.
        other_document_numbers: of other valid travel documents. proof_of_citizenship: a JPEG or JPEG 2000 image.
        other: elements that this table does not know.
    """

    full_name: str | None = field(default=None, repr=False)
    other_names: tuple[str, ...] = field(default=(), repr=False)
    personal_number: str | None = field(default=None, repr=False)
    full_date_of_birth: str | None = field(default=None, repr=False)
    place_of_birth: tuple[str, ...] | None = field(default=None, repr=False)
    permanent_address: tuple[str, ...] | None = field(default=None, repr=False)
    telephone: str | None = field(default=None, repr=False)
    profession: str | None = field(default=None, repr=False)
    title: str | None = field(default=None, repr=False)
    personal_summary: str | None = field(default=None, repr=False)
    proof_of_citizenship: bytes | None = field(default=None, repr=False)
    other_document_numbers: tuple[str, ...] | None = field(default=None, repr=False)
    custody_information: str | None = field(default=None, repr=False)
    other: tuple[Tlv, ...] = field(default=(), repr=False)
    defects: tuple[str, ...] = field(default=(), compare=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_details(TAG, self, ELEMENTS, self.other)


def decode_full_date_of_birth(raw: bytes) -> str | None:
    """The date of birth alone, as in `DG11`, for those who need nothing else of it; None where it is absent.

    Raises:
        DecodeError: DG11 is no template of data objects, or the element occurs twice or is malformed.
    """
    value = find_value(decode_tlv(raw, TAG).value, DATE_OF_BIRTH)
    return None if value is None else decode_date(value, DATE_OF_BIRTH)


def decode_dg11(raw: bytes) -> DG11:
    """Decode DG11.

    Raises:
        DecodeError: an element occurs twice, or its value is malformed.
    """
    details = decode_details(decode_tlv(raw, TAG).children(), ELEMENTS, CLAUSE)
    return DG11(**details.values, other=details.other, defects=details.defects, raw=raw)
