"""DG12: additional document details (Doc 9303-10 4.7.12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.tlv import Tlv, decode_tlv
from eid.lds.details import Element, Kind, build_table, decode_details, encode_details

CLAUSE: Final = "Doc 9303-10 4.7.12"
TAG: Final = 0x6C

ELEMENTS: Final = build_table(
    Element(0x5F19, "issuing_authority", Kind.TEXT),
    Element(0x5F26, "date_of_issue", Kind.DATE),
    Element(0x5F1A, "other_persons", Kind.NAMES),
    Element(0x5F1B, "endorsements", Kind.TEXT),
    Element(0x5F1C, "tax_or_exit_requirements", Kind.TEXT),
    Element(0x5F1D, "image_of_front", Kind.OCTETS),
    Element(0x5F1E, "image_of_rear", Kind.OCTETS),
    Element(0x5F55, "time_of_personalization", Kind.TIME),
    Element(0x5F56, "personalization_system", Kind.TEXT),
)


@dataclass(frozen=True, slots=True)
class DG12:
    """DG12. None: the element is absent; an empty text: it is there and empty.

    Args:
        date_of_issue: "YYYYMMDD". time_of_personalization: "YYYYMMDDhhmmss".
        personalization_system: its serial number. image_of_front, image_of_rear: JPEG or JPEG 2000.
        other: elements that this table does not know.
    """

    issuing_authority: str | None = None
    date_of_issue: str | None = None
    other_persons: tuple[str, ...] = field(default=(), repr=False)
    endorsements: str | None = field(default=None, repr=False)
    tax_or_exit_requirements: str | None = field(default=None, repr=False)
    image_of_front: bytes | None = field(default=None, repr=False)
    image_of_rear: bytes | None = field(default=None, repr=False)
    time_of_personalization: str | None = None
    personalization_system: str | None = None
    other: tuple[Tlv, ...] = field(default=(), repr=False)
    defects: tuple[str, ...] = field(default=(), compare=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_details(TAG, self, ELEMENTS, self.other)


def decode_dg12(raw: bytes) -> DG12:
    """Decode DG12.

    Raises:
        DecodeError: an element occurs twice, or its value is malformed.
    """
    details = decode_details(decode_tlv(raw, TAG).children(), ELEMENTS, CLAUSE)
    return DG12(**details.values, other=details.other, defects=details.defects, raw=raw)
