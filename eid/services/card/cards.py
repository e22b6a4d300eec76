"""The card register: a card is ordered, made, stored, activated; suspended, resumed, revoked.

Every change is a step of the life cycle in `eid.enrolment.card_status`, in the caller's transaction. Relying parties
learn from published lists whether a card is valid, invalid or suspended, never why.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import Fact
from eid.enrolment.card_status import (
    CARD,
    CardFacts,
    CardState,
    RevocationCause,
    SuspensionCause,
    status_value,
)
from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, EnrolmentError, NotStoredError, Refusal
from eid.pki.status_list import StatusType
from eid.services.application.steps import OWN_FILE, is_own_person
from eid.services.audit.log import note_reading
from eid.services.card.status_lists import ask_to_publish_change
from eid.services.lifecycle import Standing, advance, begin
from eid.store.applications import load_application
from eid.store.card_tables import card as table
from eid.store.cards import RegisteredCard, enter_card, find_by_holder, find_by_number, load_card
from eid.store.database import in_transaction
from eid.store.issued_documents import load_document
from eid.store.outbox import Work
from eid.store.persons import StoredPerson, load_person
from eid.store.status_places import find_place
from eid.store.subscriptions import has_topic
from eid.store.types import new_id, new_id_like

READERS: Final = frozenset(
    (
        Role.CALL_CENTRE_AGENT,
        Role.ENROLMENT_OFFICER,
        Role.PRODUCTION_OPERATOR,
        Role.DELIVERY_OPERATOR,
        Role.ADMINISTRATOR,
    )
)
"""Staff who may look a card up."""
DESTROYED: Final = "destroyed"  # cause of a card that was never collected, when it is no more
EVENTS: Final = {
    "store": "credential.registered",
    "activate": "credential.activated",
    "suspend": "credential.suspended",
    "resume": "credential.resumed",
    "revoke": "credential.revoked",
}
"""Events of a card that other systems may hear of, and the topics under which they do."""
TELL: Final = "osia.credential"  # kind of work
_QUIET: Final = frozenset((RevocationCause.SUPERSEDED, RevocationCause.UNCOLLECTED))  # the holder knows it already


@dataclass(frozen=True, slots=True)
class CardOrder:
    """For whom a card is to be made.

    Args:
        application_id, person_id: None for a card without an application. holder: the identifier under which the
            holder acts, so that he can suspend it himself.
    """

    application_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None
    holder: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ProducedCard:
    """What the personalisation made. expires_on: the last day on which the card is valid."""

    job_id: uuid.UUID
    document_id: uuid.UUID
    document_number: str = field(repr=False)
    expires_on: date


def order_card(
    connection: Connection,
    order: CardOrder,
    actor: Actor,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> RegisteredCard:
    """Enter a card that is to be made; it lies in the bucket of its application."""
    relative = order.application_id or order.person_id
    card_id = new_id(now, random) if relative is None else new_id_like(relative, now, random)
    state = CARD.initial.value
    made = RegisteredCard(
        card_id,
        state,
        1,
        order.application_id,
        order.person_id,
        order.holder,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        now,
        now,
    )
    enter_card(connection, made)
    begin(connection, CARD, table, card_id, actor.tag(min(actor.roles, default=Role.SYSTEM)), now)
    return made


def record_personalised(
    connection: Connection, card_id: uuid.UUID, produced: ProducedCard, actor: Actor, now: datetime
) -> RegisteredCard:
    """Note that the card was written and locked: its number, its last day, its place in a status list.

    Raises:
        EnrolmentError: the card is in another state, or the actor makes no cards. NotStoredError: there is no such
            card, or the job has no place in a status list.
    """
    place = find_place(connection, produced.job_id)
    if place is None:
        raise NotStoredError("the personalisation job has no place in a status list")
    values = {
        "job_id": produced.job_id,
        "document_id": produced.document_id,
        "document_number": produced.document_number,
        "expires_on": produced.expires_on,
        "status_uri": place[0],
        "status_place": place[1],
    }
    detail: dict[str, Fact] = {"job": str(produced.job_id), "document": str(produced.document_id)}
    return _change(connection, card_id, "personalise", actor, now, values=values, detail=detail)


def void_card(connection: Connection, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
    """Note that the card was spoiled in production."""
    return _change(connection, card_id, "void", actor, now)


def store_card(connection: Connection, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
    """Note that the card passed its quality check and waits for its holder."""
    return _change(connection, card_id, "store", actor, now)


def activate_card(connection: Connection, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
    """The holder has it: from the next publication on it is valid."""
    return _change(connection, card_id, "activate", actor, now)


def suspend_card(
    connection: Connection,
    card_id: uuid.UUID,
    cause: SuspensionCause,
    actor: Actor,
    now: datetime,
) -> RegisteredCard:
    """Suspend a card: its holder reports it lost, or staff has a reason. It can be resumed.

    Raises:
        EnrolmentError: it is not active, or an applicant does not hold it.
    """
    return _change(
        connection,
        card_id,
        "suspend",
        actor,
        now,
        values={"cause": cause.value},
        detail={"cause": cause.value},
        template="card-suspended",
    )


def resume_card(connection: Connection, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
    """It was found: it is active again."""
    values = {"cause": None}
    return _change(connection, card_id, "resume", actor, now, values=values, template="card-resumed")


def revoke_card(
    connection: Connection,
    card_id: uuid.UUID,
    cause: RevocationCause,
    actor: Actor,
    now: datetime,
    *,
    replaced_by: uuid.UUID | None = None,
) -> RegisteredCard:
    """Revoke a card for ever; its holder is told, unless he was just given another or told that his application lapsed.

    Args:
        replaced_by: the card that takes its place.
    """
    detail: dict[str, Fact] = {"cause": cause.value}
    if replaced_by is not None:
        detail["replaced_by"] = str(replaced_by)
    values = {"cause": cause.value, "replaced_by": replaced_by}
    told = None if cause in _QUIET else "card-revoked"
    return _change(connection, card_id, "revoke", actor, now, values=values, detail=detail, template=told)


def destroy_card(
    connection: Connection, card_id: uuid.UUID, witness: str, actor: Actor, now: datetime, work: Iterable[Work] = ()
) -> RegisteredCard:
    """Note that a card, which was never collected and is revoked for it, was destroyed before a second person.

    Raises:
        EnrolmentError: it is no such card, or was destroyed before; there was no second person; FORBIDDEN.
    """
    if require_card(connection, card_id).cause != RevocationCause.UNCOLLECTED:
        raise EnrolmentError(Refusal.WRONG_STATE, "a card is destroyed that nobody has collected in time")
    values, told = {"cause": DESTROYED}, {"witness": witness}
    return _change(connection, card_id, "destroy", actor, now, values=values, detail=told, work=work, witness=witness)


def enter_issued_card(
    connection: Connection,
    document_id: uuid.UUID,
    document_number: str,
    expires_on: date,
    actor: Actor,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
) -> RegisteredCard:
    """Take a card into the register that was issued without an application; it is in stock then.

    Raises:
        NotStoredError: no such document was issued. AlreadyDoneError: its card is in the register.
    """
    document = load_document(connection, document_id)
    if document is None or document.job_id is None:
        raise NotStoredError(f"there is no issued document {document_id} that was personalised here")
    if any(item.document_id == document_id for item in find_by_number(connection, document_number)):
        raise AlreadyDoneError("the card is in the register already")
    made = order_card(connection, CardOrder(), actor, now, random)
    produced = ProducedCard(document.job_id, document_id, document_number, expires_on)
    record_personalised(connection, made.id, produced, actor, now)
    return store_card(connection, made.id, actor, now)


@dataclass(frozen=True, slots=True)
class Register:
    """The register in a database, for those who change one card at a time: each call is a transaction of its own."""

    engine: Engine = field(repr=False)

    def require(self, card_id: uuid.UUID) -> RegisteredCard:
        """The card with this identifier.

        Raises:
            NotStoredError: there is none.
        """
        return in_transaction(self.engine, lambda connection: require_card(connection, card_id))

    def find(self, document_number: str) -> tuple[RegisteredCard, ...]:
        """Cards with this document number, newest first."""
        return in_transaction(self.engine, lambda connection: find_by_number(connection, document_number))

    def own(self, actor: Actor) -> tuple[RegisteredCard, ...]:
        """The cards that the actor holds, newest first."""
        return in_transaction(self.engine, lambda connection: find_by_holder(connection, actor.id))

    def view(self, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
        """A card, for its holder or for staff, of whom it is noted.

        Raises:
            NotStoredError: there is none, or it is another's.
        """

        def work(connection: Connection) -> RegisteredCard:
            found = require_card(connection, card_id)
            role = actor.acting_as(READERS)
            if role is not None:
                refuse_own_card(connection, found, actor)
                note_reading(connection, card_id, "card", actor, role, now)
            elif found.holder is None or found.holder != actor.id:
                raise NotStoredError("there is no such card")
            return found

        return in_transaction(self.engine, work)

    def search(self, document_number: str, actor: Actor, now: datetime) -> tuple[RegisteredCard, ...]:
        """Cards with this number, for staff, of whom it is noted.

        Raises:
            EnrolmentError: the actor is none of them.
        """

        def work(connection: Connection) -> tuple[RegisteredCard, ...]:
            role = actor.require(READERS, "the register is for other roles")
            found = find_by_number(connection, document_number)
            for item in found:
                refuse_own_card(connection, item, actor)
                note_reading(connection, item.id, "card", actor, role, now)
            return found

        return in_transaction(self.engine, work)

    def ask(self, document_number: str, actor: Actor, now: datetime, today: date) -> StatusType:
        """What a relying party may know of the newest card with this number; that it asked is noted."""

        def work(connection: Connection) -> StatusType:
            found = next(iter(find_by_number(connection, document_number)), None)
            role = actor.require(frozenset((Role.RELYING_PARTY,)), "this is for relying parties")
            if found is not None:
                note_reading(connection, found.id, "card-status", actor, role, now)
            return status_for_relying_parties(found, today)

        return in_transaction(self.engine, work)

    def enter(
        self, document_id: uuid.UUID, document_number: str, expires_on: date, actor: Actor, now: datetime
    ) -> RegisteredCard:
        """See `enter_issued_card`."""
        return in_transaction(
            self.engine,
            lambda connection: enter_issued_card(connection, document_id, document_number, expires_on, actor, now),
        )

    def activate(self, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
        """See `activate_card`: of a card that was issued without an application.

        Raises:
            EnrolmentError: GUARD collector-checked, it was made for an application: its hand-over makes it active.
        """

        def work(connection: Connection) -> RegisteredCard:
            if require_card(connection, card_id).application_id is not None:
                said = "a card that was made for an application becomes active when it is handed over"
                raise EnrolmentError(Refusal.GUARD, said, guard="collector-checked")
            return activate_card(connection, card_id, actor, now)

        return in_transaction(self.engine, work)

    def suspend(self, card_id: uuid.UUID, cause: SuspensionCause, actor: Actor, now: datetime) -> RegisteredCard:
        """See `suspend_card`."""
        return in_transaction(self.engine, lambda connection: suspend_card(connection, card_id, cause, actor, now))

    def resume(self, card_id: uuid.UUID, actor: Actor, now: datetime) -> RegisteredCard:
        """See `resume_card`."""
        return in_transaction(self.engine, lambda connection: resume_card(connection, card_id, actor, now))

    def revoke(
        self,
        card_id: uuid.UUID,
        cause: RevocationCause,
        actor: Actor,
        now: datetime,
        *,
        replaced_by: uuid.UUID | None = None,
    ) -> RegisteredCard:
        """See `revoke_card`."""
        return in_transaction(
            self.engine,
            lambda connection: revoke_card(connection, card_id, cause, actor, now, replaced_by=replaced_by),
        )


def require_card(connection: Connection, card_id: uuid.UUID) -> RegisteredCard:
    """The card with this identifier.

    Raises:
        NotStoredError: there is none.
    """
    found = load_card(connection, card_id)
    if found is None:
        raise NotStoredError("there is no such card")
    return found


def refuse_own_card(connection: Connection, item: RegisteredCard, actor: Actor) -> None:
    """Staff has nothing to do with its own cards in the register; it reports one lost as every holder does.

    Raises:
        EnrolmentError: FORBIDDEN, the personal number of the person is the actor's own.
    """
    if actor.own is not None and is_own_person(_person_of(connection, item), actor):
        raise EnrolmentError(Refusal.FORBIDDEN, OWN_FILE, guard="own-file")


def _person_of(connection: Connection, item: RegisteredCard) -> StoredPerson | None:
    application = None if item.application_id is None else load_application(connection, item.application_id)
    person_id = item.person_id if application is None else application.person_id
    return None if person_id is None else load_person(connection, person_id)


def is_expired(item: RegisteredCard, today: date) -> bool:
    """Whether the card's last day is over. today: in the time zone of the rules."""
    return item.expires_on is not None and item.expires_on < today


def status_for_relying_parties(item: RegisteredCard | None, today: date) -> StatusType:
    """All that a relying party learns: valid, invalid or suspended; a number that nobody has is invalid, no more."""
    if item is None or is_expired(item, today):
        return StatusType.INVALID
    return StatusType(status_value(CardState(item.state)))


def _change(
    connection: Connection,
    card_id: uuid.UUID,
    event: str,
    actor: Actor,
    now: datetime,
    *,
    values: Mapping[str, Any] | None = None,
    detail: Mapping[str, Fact] | None = None,
    work: Iterable[Work] = (),
    template: str | None = None,
    witness: str | None = None,
) -> RegisteredCard:
    before = require_card(connection, card_id)
    refuse_own_card(connection, before, actor)
    told = () if template is None or before.application_id is None else (_notice(before, template, now),)
    standing = Standing(table, before.id, before.state, before.version)
    facts = CardFacts(before.holder, witness)
    changed = {**(values or {}), "changed_at": now}
    works = (*work, *told, *_events_of(connection, before, event, now))
    advance(connection, CARD, standing, event, facts, actor, now, detail=detail, values=changed, work=works)
    if before.status_uri is not None:
        ask_to_publish_change(connection, before.status_uri, now)
    return require_card(connection, card_id)


def _events_of(connection: Connection, before: RegisteredCard, event: str, now: datetime) -> tuple[Work, ...]:
    """The work of telling other systems, where there is a topic to tell it under."""
    topic = EVENTS.get(event)
    if topic is None or not has_topic(connection, topic):
        return ()
    told = {"card": str(before.id), "event": event, "version": str(before.version + 1), "at": now.isoformat()}
    return (Work(new_id_like(before.id, now), TELL, told, now),)


def _notice(item: RegisteredCard, template: str, now: datetime) -> Work:
    """Its holder is told, wherever it was that somebody acted: he may know nothing of it."""
    payload = {"template": template, "application": str(item.application_id), "card": str(item.id)}
    return Work(new_id_like(item.id, now), "notify", payload, now)
