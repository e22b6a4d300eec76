"""The way of a finished card to its holder: sent, arrived, handed over to the right person, active; the old card ends.

Hand-over, activation and the end of the cards before it are one transaction: nobody ever has two valid cards, or none
that he should have.
"""

from __future__ import annotations

import hmac
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection, Engine

from eid.enrolment.application import ApplicationFacts
from eid.enrolment.card_status import CardState, RevocationCause
from eid.enrolment.deadlines import local_day
from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.production import OrderState
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules
from eid.errors import EidError, EnrolmentError, NotStoredError, RecordError, Refusal
from eid.services.application.steps import facts_of, load_seen, person_of, rules_of, step
from eid.services.card.cards import activate_card, destroy_card, revoke_card
from eid.services.card.production import MAKER, settle_stock, settlement
from eid.store.applications import StoredApplication
from eid.store.cards import RegisteredCard, find_by_person
from eid.store.database import in_transaction
from eid.store.production_orders import ProductionOrder, order_of_card, orders_of, uncollected_cards

COLLECTED: Final = "collector-checked"
_COUNTER: Final = frozenset((Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER))
_FATES: Final = {
    "none": RevocationCause.SUPERSEDED,  # there should be none; if there is one after all, it ends
    "supersede": RevocationCause.SUPERSEDED,
    "data-changed": RevocationCause.DATA_CHANGED,
    "revoke-lost": RevocationCause.LOST,
    "revoke-stolen": RevocationCause.STOLEN,
    "revoke-damaged": RevocationCause.DAMAGED,
    "revoke-defect": RevocationCause.DEFECT,
}


@unique
class Relation(StrEnum):
    """Who collects a card."""

    HOLDER = "holder"
    GUARDIAN = "guardian"


@unique
class Comparison(StrEnum):
    """How the officer made sure that it is this person."""

    PORTRAIT = "portrait"  # the person before him and the portrait in the card
    FINGERPRINT = "fingerprint"
    CARD = "card"  # the guardian's own card


@dataclass(frozen=True, slots=True)
class CollectorCheck:
    """What the officer at the counter has checked before he hands a card over.

    Args:
        relation: who collects it. comparison: how he was recognised. personal_number: of the collector, as his paper
            says it. sod_hash: SHA-256 of EF.SOD, read from the very card at the counter. old_card_returned: the card
            before it was taken back.
    """

    relation: Relation
    comparison: Comparison
    personal_number: str = field(repr=False)
    sod_hash: bytes
    old_card_returned: bool = False


def ship(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """A finished card is sent to the site where it will be handed over.

    Raises:
        EnrolmentError: there is no finished card, FORBIDDEN. NotStoredError: no such application.
    """
    return in_transaction(engine, lambda connection: _move(connection, application_id, "ship", actor, now))


def arrive(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The card has arrived at its site; its holder is told.

    Raises:
        EnrolmentError: it was not sent, or to another site, FORBIDDEN. NotStoredError: no such application.
    """
    return in_transaction(engine, lambda connection: _move(connection, application_id, "arrive", actor, now))


def hand_over(
    engine: Engine, application_id: uuid.UUID, check: CollectorCheck, actor: Actor, now: datetime
) -> StoredApplication:
    """Hand the card over: from the next publication of the status lists on it is valid, and the cards before it end.

    Raises:
        EnrolmentError: GUARD, who collects it may not, it is another card, or another site's; FORBIDDEN; it is not
            there. NotStoredError: no such application.
    """

    def work(connection: Connection) -> StoredApplication:
        application = load_seen(connection, application_id, actor)
        order = _require_passed(connection, application)
        person = decode_person(person_of(connection, application).record)
        _verify_collector(check, order, person, rules_of(application), now)
        facts = replace(_facts(connection, application, order, now), collector_checked=True)
        told = {
            "order": str(order.id),
            "relation": check.relation.value,
            "comparison": check.comparison.value,
            "old_card_returned": check.old_card_returned,
        }
        after = step(connection, application, "hand-over", actor, now, facts=facts, detail=told)
        if order.card_id is None:
            raise NotStoredError("the order has no card")
        activate_card(connection, order.card_id, actor, now)
        _end_former_cards(connection, application, order.card_id, actor, now)
        return after

    return in_transaction(engine, work)


def list_uncollected(engine: Engine, actor: Actor, limit: int = 100) -> tuple[RegisteredCard, ...]:
    """Cards at the actor's site that nobody has collected in time, and which are to be destroyed; oldest first.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    actor.require(_COUNTER)
    site = _require_site(actor)
    return in_transaction(engine, lambda connection: uncollected_cards(connection, site, limit))


def destroy_uncollected(
    engine: Engine, card_id: uuid.UUID, witness: str, actor: Actor, now: datetime
) -> RegisteredCard:
    """A card that nobody has collected in time is destroyed at its site, before a second person; so is its blank then.

    Raises:
        EnrolmentError: it is no such card, or another site's; there was no second person; FORBIDDEN. NotStoredError:
            there is no such card.
    """
    actor.require(_COUNTER)

    def work(connection: Connection) -> tuple[RegisteredCard, ProductionOrder | None]:
        order = order_of_card(connection, card_id)
        if order is not None and order.deliver_to != _require_site(actor):
            raise EnrolmentError(Refusal.GUARD, "this is another site's", guard="same-site")
        works = () if order is None else (settlement(order, now),)
        return destroy_card(connection, card_id, witness, actor, now, works), order

    destroyed, order = in_transaction(engine, work)
    if order is not None:
        with suppress(EidError):  # the work of doing so is kept
            settle_stock(engine, order, MAKER, now)
    return destroyed


def _require_site(actor: Actor) -> str:
    if actor.site is None:
        raise EnrolmentError(Refusal.FORBIDDEN, "the token names no office of the officer", guard="workplace")
    return actor.site


def _move(
    connection: Connection, application_id: uuid.UUID, event: str, actor: Actor, now: datetime
) -> StoredApplication:
    application = load_seen(connection, application_id, actor)
    order = _last_order(connection, application)
    facts = _facts(connection, application, order, now)
    told = {} if order is None else {"order": str(order.id), "site": order.deliver_to}
    return step(connection, application, event, actor, now, facts=facts, detail=told)


def _facts(
    connection: Connection, application: StoredApplication, order: ProductionOrder | None, now: datetime
) -> ApplicationFacts:
    site = None if order is None else order.deliver_to
    return replace(facts_of(connection, application, now), site=site)


def _last_order(connection: Connection, application: StoredApplication) -> ProductionOrder | None:
    orders = orders_of(connection, application.id)
    return orders[-1] if orders else None


def _require_passed(connection: Connection, application: StoredApplication) -> ProductionOrder:
    order = _last_order(connection, application)
    if order is None or order.state != OrderState.PASSED:
        raise EnrolmentError(Refusal.WRONG_STATE, "there is no finished card of this application")
    return order


def _verify_collector(
    check: CollectorCheck, order: ProductionOrder, person: PersonRecord, rules: EnrolmentRules, now: datetime
) -> None:
    """The card on the counter is this person's, and who stands before it may have it."""
    if order.sod_hash is None or not hmac.compare_digest(order.sod_hash, check.sod_hash):
        raise EnrolmentError(Refusal.GUARD, "this is another card", guard=COLLECTED)
    if check.relation is Relation.GUARDIAN:
        expected, what = (None if person.guardian is None else person.guardian.personal_number), "guardian"
    else:
        expected, what = person.personal_number, "holder"
        born = person.born
        if born is not None and rules.needs_guardian(born, local_day(now, rules)):
            raise EnrolmentError(Refusal.GUARD, "a minor's card is handed over to the guardian", guard=COLLECTED)
    given = "".join(check.personal_number.split()).upper()
    if expected is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise EnrolmentError(Refusal.GUARD, f"who collects the card is not the {what}", guard=COLLECTED)
    if check.comparison is Comparison.CARD and check.relation is Relation.HOLDER:
        raise RecordError("comparison is portrait or fingerprint for the holder himself")


def _end_former_cards(
    connection: Connection, application: StoredApplication, card_id: uuid.UUID, actor: Actor, now: datetime
) -> None:
    cause = _FATES[rules_of(application).find_reason(application.reason).old_card]
    for former in find_by_person(connection, application.person_id):
        if former.id != card_id and former.state in (CardState.ACTIVE, CardState.SUSPENDED):
            revoke_card(connection, former.id, cause, actor, now, replaced_by=card_id)
