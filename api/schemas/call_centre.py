"""Bodies of the call centre: people looked up, callers who prove who they are, and where their affairs stand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from api.schemas.appointments import SiteCode, Slot
from api.schemas.cards import DocumentNumber
from api.schemas.registry import RequestBody, ResponseBody, Text
from eid.enrolment.card_status import CardState, SuspensionCause

PersonalNumber = Annotated[str, StringConstraints(min_length=1, max_length=20, strip_whitespace=True)]
ReceiptNumber = Annotated[str, StringConstraints(min_length=13, max_length=40)]
Template = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,63}$")]


class WantedPerson(RequestBody):
    """Somebody by exactly one of these."""

    personal_number: PersonalNumber | None = None
    number: ReceiptNumber | None = Field(default=None, description="Of an application's receipt")
    document_number: DocumentNumber | None = None
    name: Text | None = Field(default=None, description="How it begins, in any of the scripts, in either order")

    @model_validator(mode="after")
    def _one(self) -> WantedPerson:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("exactly one")
        return self


class MaskedPerson(ResponseBody):
    """Enough of somebody to tell him from others, no more."""

    id: UUID
    state: str
    name: dict[str, str] = Field(description="By script, the first letter of each word")
    birth_year: int | None
    personal_number: str | None


class FoundPersons(ResponseBody):
    """Those whom a search may mean, ten at most."""

    persons: list[MaskedPerson]


class Answers(RequestBody):
    """Whom the caller says he is, and three or more of his answers, as the agent hears them."""

    person_id: UUID
    date_of_birth: date | None = None
    personal_number: PersonalNumber | None = None
    father: Text | None = Field(default=None, description="His name, in either script")
    mother: Text | None = Field(default=None, description="Her name, in either script")
    phone: Annotated[str, StringConstraints(min_length=9, max_length=24)] | None = None
    number: ReceiptNumber | None = Field(default=None, description="Of a receipt")


class Call(ResponseBody):
    """A caller has proved who he is, to this agent, until then."""

    id: UUID
    person_id: UUID
    expires_at: datetime


class ToldMessage(ResponseBody):
    """What was told, and where to as far as staff may see it."""

    template: str
    channel: str
    masked_to: str
    state: str
    at: datetime


class CallersStamp(ResponseBody):
    """A stamp of the caller's; its digits stand nowhere."""

    id: UUID
    state: str
    last_four: str | None
    messages: int


class CallersAppointment(ResponseBody):
    """When and where the caller is seen."""

    id: UUID
    site: str
    slot: Slot
    state: str


class CallersApplication(ResponseBody):
    """Where an application of the caller's stands."""

    id: UUID
    number: str
    state: str
    service: str
    reason: str
    site: str | None
    submitted_at: datetime | None
    decide_by: datetime | None
    due_at: datetime | None
    appointment: CallersAppointment | None
    stamp: CallersStamp | None
    messages: list[ToldMessage]


class CallersCard(ResponseBody):
    """A card of the caller's."""

    id: UUID
    state: CardState
    document_number: str | None = Field(description="Its last characters")
    expires_on: date | None


class CallView(ResponseBody):
    """All that an agent sees of a caller's affairs."""

    call: Call
    person: MaskedPerson
    applications: list[CallersApplication]
    cards: list[CallersCard]


class StampOfCaller(RequestBody):
    """Which stamp's digits are to be sent again."""

    stamp_id: UUID


class MessageOfCaller(RequestBody):
    """Which message is to be sent again."""

    application_id: UUID
    template: Template


class CardOfCaller(RequestBody):
    """Which card is suspended, and why."""

    card_id: UUID
    cause: SuspensionCause


class TimeOfCaller(RequestBody):
    """Which application gets which time at which site."""

    application_id: UUID
    site: SiteCode
    slot: Slot
