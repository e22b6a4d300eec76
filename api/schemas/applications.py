"""Bodies of applications and their papers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.registry import RequestBody, ResponseBody
from eid.enrolment.person import PersonRecord

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$"), Field(examples=["fr"])]
Site = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class NewApplicationBody(RequestBody):
    """What an application begins with; of the record anything may still be missing."""

    reason: Code = Field(description="Why a card is wanted: a code of the country's rules", examples=["first"])
    record: PersonRecord
    abroad: bool = Field(default=False, description="Whether the papers are those of residents abroad")
    site: Site | None = Field(default=None, description="The office that it is addressed to")
    language: Language | None = Field(
        default=None, description="In which the applicant is told things; null: his account's, the country's first"
    )
    service: Code | None = Field(default=None, description="A code of /v1/services; null: the first of files kept here")
    category: Code | None = Field(
        default=None, description="Of those who come first (/v1/services): its papers are wanted, an officer decides"
    )


class PapersBody(RequestBody):
    """Which papers are asked for."""

    papers: Annotated[list[Code], Field(min_length=1, max_length=12)]


class ValidationBody(RequestBody):
    """Why register and papers differ, where the reason for the card does not say it."""

    reconciliation: Code | None = Field(
        default=None, description="Why register and papers differ: of `reconciliations` of /v1/services"
    )
    declines_category: bool = Field(
        default=False,
        description="Whether the person is none of those who come first, though the application says so",
    )


class CategoryStatement(RequestBody):
    """That the person is one of those who come first, or not."""

    category: Code | None = Field(description="A code of /v1/services; null: of none")


class RejectionBody(RequestBody):
    """Why an application is refused."""

    code: Code = Field(description="A code of the country's rules", examples=["papers-insufficient"])


class NumberBody(RequestBody):
    """The number of a receipt, as somebody types it."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Application(ResponseBody):
    """Where an application stands; nothing of the person."""

    id: UUID
    number: str = Field(description="On the receipt; twelve characters and a check character")
    state: str
    version: int
    service: str
    reason: str
    category: str | None = Field(description="Of those who come first: as stated, once validated as it was found")
    abroad: bool
    site: str | None
    language: str
    fee: int | None = Field(description="In whole units of the currency; null while the date of birth is not known")
    currency: str
    has_stamp: bool
    requested_papers: list[str]
    refusal: str | None = Field(description="Why it was refused, a code of the country's rules")
    refusal_title: str | None = Field(description="The same in the applicant's language")
    appeal_until: datetime | None = Field(description="Until when an appeal is open; null: none is")
    submitted_at: datetime | None
    decide_by: datetime | None = Field(description="When the office must have decided")
    due_at: datetime | None = Field(description="When it lapses where nothing happens")
    created_at: datetime


class Document(ResponseBody):
    """A file that was taken in."""

    id: UUID
    paper: str
    issued_on: date | None
    media_type: str
    octets: int
    pages: int
    uploaded_at: datetime


class WholeApplication(ResponseBody):
    """An application with person and papers."""

    application: Application
    person_id: UUID
    person_state: str
    record: PersonRecord
    documents: list[Document]


class ApplicationList(ResponseBody):
    """Applications, none of the persons."""

    applications: list[Application]


class DocumentList(ResponseBody):
    """The files of an application."""

    documents: list[Document]


class WantedPaper(ResponseBody):
    """A paper that an application needs."""

    code: str
    title: str = Field(description="In the applicant's language")
    fresh_days: int | None = Field(description="How old it may be at most")


class Needs(ResponseBody):
    """What an application needs, and what of it is missing."""

    papers: list[WantedPaper]
    missing: list[str] = Field(description="JSON pointers of fields, codes of papers; a paper too old as CODE:too-old")
    fee: int | None
    currency: str
    old_card: str = Field(description="What becomes of the card before it")
    is_mandatory: bool | None = Field(description="Whether a card is mandatory at this age")
    needs_fingerprints: bool | None
    last_valid_day: date | None = Field(description="Of a card that was issued today")


class ComparisonBody(ResponseBody):
    """An application beside the register: names of fields, no content."""

    registered: UUID | None = Field(description="The registered person that it is about")
    divergences: list[str]
    unexplained: list[str] = Field(description="Those that the reason for the card does not explain")
    name_warnings: list[str] = Field(
        description="What to look at again in the names (legacy-title, digits, many-given-names, spellings-differ)"
    )
