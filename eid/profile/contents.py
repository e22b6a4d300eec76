"""Which values of an identity record stand where on the chip: tables of a card profile.

A source is the name of a field (`personal_number`), of a text in one of its scripts (`address.latin`, `father.native`),
or of one of the country's own values (`details.profession`). An empty source leaves an element out; so does a record
without the value, unless the profile's `[record]` requires it.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from eid.identity import BILINGUAL_FIELDS, CODE_PATTERNS, DETAIL_CODE, OF_THE_COUNTRY
from eid.profile.statement import Statement

DETAILS: Final = "details"
SPELT: Final = (*BILINGUAL_FIELDS, "partner")
"""Texts in the country's own script and in Latin."""
_DETAIL: Final = rf"{DETAILS}\.{DETAIL_CODE.strip('^$')}"
_TEXT: Final = re.compile(rf"(?:{'|'.join(SPELT)})(?:\.latin|\.native)?|{'|'.join(CODE_PATTERNS)}|{_DETAIL}", re.ASCII)
_FIELD: Final = re.compile(rf"{'|'.join((*OF_THE_COUNTRY, 'partner'))}|{_DETAIL}", re.ASCII)


def _known_text(source: str) -> str:
    if source and not _TEXT.fullmatch(source):
        raise ValueError("no text of an identity record is called so")
    return source


def _known_field(source: str) -> str:
    if not _FIELD.fullmatch(source):
        raise ValueError("no field that a record may leave out is called so")
    return source


Text = Annotated[str, AfterValidator(_known_text)]
Wanted = Annotated[str, AfterValidator(_known_field)]
NamePart = Literal["family_name", "given_names", "father", "mother"]
Detail13 = (
    Literal["father", "mother", "partner", "civil_status_number", "telephone", "email"]
    | Annotated[str, Field(pattern=f"^{_DETAIL}$")]
)


class PersonalDetails(Statement):
    """DG11 by element (Doc 9303-10 4.7.11)."""

    full_name: Literal["", "name"] = "name"
    other_names: Text = ""
    personal_number: Text = "personal_number"
    full_date_of_birth: Literal["", "date_of_birth"] = "date_of_birth"
    place_of_birth: Text = "place_of_birth"
    permanent_address: Text = "address"
    telephone: Text = ""
    profession: Text = ""
    title: Text = ""
    personal_summary: Text = ""
    other_document_numbers: Text = ""
    custody_information: Text = ""


class DocumentDetails(Statement):
    """DG12 by element (Doc 9303-10 4.7.12)."""

    issuing_authority: Text = "issuing_authority.latin"
    date_of_issue: Literal["", "issued_on"] = "issued_on"
    endorsements: Text = ""
    tax_or_exit_requirements: Text = ""


class Contents(Statement):
    """What of a record stands in DG11, DG12 and DG13; the place in a status list stands in DG13 besides."""

    DG11: PersonalDetails = PersonalDetails()
    DG12: DocumentDetails = DocumentDetails()
    DG13: tuple[Detail13, ...] = ("father", "mother", "partner", "civil_status_number")

    @property
    def stated(self) -> frozenset[str]:
        """The data groups whose contents are not what they are unless something is said."""
        usual = Contents()
        return frozenset(name for name in Contents.model_fields if getattr(self, name) != getattr(usual, name))


class RecordNeeds(Statement):
    """What a record must have for this product, of all that a record may leave out."""

    required: tuple[Wanted, ...] = ()
