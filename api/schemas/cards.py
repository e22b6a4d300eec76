"""Bodies of cards and of what relying parties may know of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.registry import RequestBody, ResponseBody
from eid.enrolment.card_status import CardState, RevocationCause, SuspensionCause

DocumentNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9<]{1,32}$")]


class Card(ResponseBody):
    """A card of the register, for its holder and for staff."""

    id: UUID
    state: CardState
    cause: str | None = Field(description="Why it is suspended or revoked; relying parties never see it")
    document_number: str | None
    expires_on: date | None = Field(description="The last day on which it is valid")
    is_expired: bool
    application_id: UUID | None
    replaced_by: UUID | None
    ordered_at: datetime
    changed_at: datetime


class Cards(ResponseBody):
    """Cards, the newest first."""

    cards: list[Card]


class WantedCard(RequestBody):
    """A card by its number."""

    document_number: DocumentNumber


class Suspension(RequestBody):
    """Why a card is suspended."""

    cause: SuspensionCause


class Revocation(RequestBody):
    """Why a card is revoked, and by which it is replaced."""

    cause: RevocationCause
    replaced_by: UUID | None = None


class CardWitness(RequestBody):
    """Who watches that a card is destroyed, by his identifier."""

    witness: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]


class CardStatus(ResponseBody):
    """All that a relying party learns of a card."""

    status: Literal["VALID", "INVALID", "SUSPENDED"]
    checked_at: datetime


class StatusListAggregation(ResponseBody):
    """URIs of all status lists (Token Status List, 9.3)."""

    status_lists: list[str]
