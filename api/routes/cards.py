"""`/v1/cards`: looked up, suspended, resumed, revoked; and the one thing that a relying party may ask."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends

from api.access import require
from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas import cards as schemas
from eid.enrolment.card_status import CardState
from eid.enrolment.roles import Actor, Role
from eid.services.card import delivery
from eid.services.card.cards import READERS, Register, is_expired
from eid.services.person.search import mask_number
from eid.services.registry import Registry
from eid.store.cards import RegisteredCard

router = APIRouter(tags=["cards"])
Holder = Annotated[Actor, Depends(require(Role.APPLICANT))]
Viewer = Annotated[Actor, Depends(require(Role.APPLICANT, *READERS))]
Staff = Annotated[Actor, Depends(require(*READERS))]
Suspender = Annotated[
    Actor,
    Depends(require(Role.APPLICANT, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER, Role.ADMINISTRATOR)),
]
Resumer = Annotated[Actor, Depends(require(Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER))]
Revoker = Annotated[Actor, Depends(require(Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER, Role.ADMINISTRATOR))]
Counter = Annotated[Actor, Depends(require(Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER))]
RelyingParty = Annotated[Actor, Depends(require(Role.RELYING_PARTY))]
WHOLE: Final = (READERS - {Role.CALL_CENTRE_AGENT}) | {Role.APPLICANT}
"""Who sees a card's whole number."""
SEEN: Final[Any] = problems(RegistryProblem.UNKNOWN)
STEP: Final[Any] = problems(RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.CONDITION)


@router.get("/v1/cards", operation_id="listCards", summary="The caller's own cards")
def list_cards(registry: CurrentRegistry, actor: Holder) -> schemas.Cards:
    """The newest first."""
    return schemas.Cards(cards=[_render(registry, item, actor) for item in Register(registry.engine).own(actor)])


@router.post(
    "/v1/cards/search",
    operation_id="searchCards",
    summary="Cards with a document number",
    responses=problems(RegistryProblem.INVALID_VALUE),
)
def search_cards(registry: CurrentRegistry, actor: Staff, body: schemas.WantedCard) -> schemas.Cards:
    """For staff; every card that is shown is noted in the audit log. Numbers never stand in a URL."""
    found = Register(registry.engine).search(body.document_number, actor, registry.now())
    return schemas.Cards(cards=[_render(registry, item, actor) for item in found])


@router.post(
    "/v1/cards/status",
    operation_id="askCardStatus",
    summary="Whether a card is valid, invalid or suspended",
    responses=problems(RegistryProblem.INVALID_VALUE),
)
def ask_card_status(registry: CurrentRegistry, actor: RelyingParty, body: schemas.WantedCard) -> schemas.CardStatus:
    """For relying parties that cannot read the chip, others ask the list. A number that nobody has is INVALID."""
    now = registry.now()
    status = Register(registry.engine).ask(body.document_number, actor, now, today(registry))
    return schemas.CardStatus(status=cast(Literal["VALID", "INVALID", "SUSPENDED"], status.name), checked_at=now)


@router.get("/v1/cards/uncollected", operation_id="listUncollected", summary="Cards that nobody has collected")
def list_uncollected(registry: CurrentRegistry, actor: Counter) -> schemas.Cards:
    """At the caller's site, revoked and to be destroyed; the oldest first."""
    return schemas.Cards(
        cards=[_render(registry, item, actor) for item in delivery.list_uncollected(registry.engine, actor)]
    )


@router.get("/v1/cards/{card_id}", operation_id="showCard", summary="Where a card stands", responses=SEEN)
def show_card(registry: CurrentRegistry, actor: Viewer, card_id: UUID) -> schemas.Card:
    """To its holder, and to staff."""
    return _render(registry, Register(registry.engine).view(card_id, actor, registry.now()), actor)


@router.post("/v1/cards/{card_id}/suspend", operation_id="suspendCard", summary="Report a card lost", responses=STEP)
def suspend_card(registry: CurrentRegistry, actor: Suspender, card_id: UUID, body: schemas.Suspension) -> schemas.Card:
    """By its holder or by staff; from the next publication on relying parties know, within minutes."""
    return _render(registry, Register(registry.engine).suspend(card_id, body.cause, actor, registry.now()), actor)


@router.post("/v1/cards/{card_id}/resume", operation_id="resumeCard", summary="The card was found", responses=STEP)
def resume_card(registry: CurrentRegistry, actor: Resumer, card_id: UUID) -> schemas.Card:
    """By staff who have seen holder and card."""
    return _render(registry, Register(registry.engine).resume(card_id, actor, registry.now()), actor)


@router.post("/v1/cards/{card_id}/revoke", operation_id="revokeCard", summary="Revoke a card for ever", responses=STEP)
def revoke_card(registry: CurrentRegistry, actor: Revoker, card_id: UUID, body: schemas.Revocation) -> schemas.Card:
    """The cause stays in the register."""
    register = Register(registry.engine)
    revoked = register.revoke(card_id, body.cause, actor, registry.now(), replaced_by=body.replaced_by)
    return _render(registry, revoked, actor)


@router.post("/v1/cards/{card_id}/destroy", operation_id="destroyCard", summary="Destroy a card", responses=STEP)
def destroy_card(registry: CurrentRegistry, actor: Counter, card_id: UUID, body: schemas.CardWitness) -> schemas.Card:
    """One that nobody has collected, before a second person; its blank is accounted for as destroyed."""
    now = registry.now()
    destroyed = delivery.destroy_uncollected(registry.engine, card_id, body.witness, actor, now)
    return _render(registry, destroyed, actor)


def today(registry: Registry) -> date:
    """The day in the time zone of the rules, by which a card's last day is over or not."""
    return registry.now().astimezone(ZoneInfo(registry.rules.time_zone)).date()


def _render(registry: Registry, item: RegisteredCard, actor: Actor) -> schemas.Card:
    """A call centre sees the last characters of the number, as it does of whoever calls."""
    number = item.document_number
    return schemas.Card(
        id=item.id,
        state=CardState(item.state),
        cause=item.cause,
        document_number=number if actor.acting_as(WHOLE) is not None else mask_number(number),
        expires_on=item.expires_on,
        is_expired=is_expired(item, today(registry)),
        application_id=item.application_id,
        replaced_by=item.replaced_by,
        ordered_at=item.ordered_at,
        changed_at=item.changed_at,
    )
