"""Approval: a second officer lets a card be made, once, and the stamp is spent.

Stamp and application lie in different places. The approval counts first, together with the work of consuming the stamp:
it is reserved for this application alone, and no card is begun before it is consumed (`eid.services.card.production`).
So whatever dies in between, in the end as many stamps are consumed as applications with a fee were approved.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from eid.enrolment.application import APPLICATION, ApplicationFacts, ApplicationState
from eid.enrolment.person import decode_person
from eid.enrolment.roles import Actor, Role
from eid.errors import EidError, EnrolmentError, LifecycleError, RecordError, Refusal
from eid.services.application.steps import (
    columns_of,
    facts_of,
    load_seen,
    person_of,
    rules_of,
    search_keys_of,
    stamp_consumption,
    step,
)
from eid.services.durable.work import Workshop
from eid.services.stamp.spending import consume_stamp, holds_stamp
from eid.services.stamp.stamps import CLERK, StampOffice
from eid.store.applications import StoredApplication, load_application
from eid.store.captures import blocking_codes
from eid.store.database import in_transaction
from eid.store.outbox import Work
from eid.store.persons import claim_number, replace_person
from eid.store.production_orders import ProductionOrder, insert_order
from eid.store.stamps import find_stamp

ORDINARY: Final = 5  # of priorities 0 to 9
_APPROVERS: Final = frozenset((Role.APPROVER,))


def approve(
    office: StampOffice,
    application_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    *,
    priority: int = ORDINARY,
    personal_number: str | None = None,
) -> ProductionOrder:
    """A second officer approves a file; a card is ordered, and the stamp consumed.

    Args:
        priority: 0 to 9, the highest is made first. personal_number: for a person who has none yet.

    Raises:
        EnrolmentError: it is his own file, something is open still, there is no stamp or no personal number, or the
            number is another's. RecordError: a priority or number of another form. NotStoredError: no such application.
    """
    role = actor.require(_APPROVERS)
    if not 0 <= priority <= 9:
        raise RecordError("priority is not 0 to 9")
    if personal_number is not None:
        _claim(office, application_id, personal_number, actor, now)

    def work(connection: Connection) -> tuple[StoredApplication, ProductionOrder]:
        application = load_seen(connection, application_id, actor, change=True)  # nobody places a hold meanwhile
        if personal_number is not None:
            _give_number(connection, application, personal_number, now)
        if person_of(connection, application).personal_number is None:
            raise EnrolmentError(Refusal.GUARD, "the person has no personal number yet", guard="personal-number")
        facts = _facts(connection, application, now)
        order = _order(connection, application, priority, now)
        stamp_id = application.stamp_id
        works = () if stamp_id is None else (stamp_consumption(application, stamp_id, now),)
        told = {"order": str(order.id)}
        return step(connection, application, "approve", actor, now, facts=facts, detail=told, work=works), order

    application, order = in_transaction(office.engine, work)
    try:
        spend_stamp(office, application, Actor(actor.id, frozenset((role,)), actor.site), now)
    except EidError:
        pass  # the work of doing so is kept, and no card is begun before
    return order


def return_to_capture(office: StampOffice, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """A second officer wants the person captured again; he must come once more.

    Raises:
        EnrolmentError: it is his own file, or the life cycle forbids it. NotStoredError: there is no such application.
    """

    def work(connection: Connection) -> StoredApplication:
        application = load_seen(connection, application_id, actor)
        return step(connection, application, "return", actor, now)

    return in_transaction(office.engine, work)


def spend_stamp(office: StampOffice, application: StoredApplication, actor: Actor, now: datetime) -> None:
    """Consume the stamp of an approved application; done again it changes nothing.

    Raises:
        EnrolmentError: the stamp is not reserved for it any more: somebody has blocked it meanwhile.
    """
    if application.stamp_id is not None:
        consume_stamp(office, application.stamp_id, application.id, actor, now)


def is_paid(connection: Connection, application: StoredApplication) -> bool:
    """Whether the fee is paid for good: its stamp is consumed for this application, or there is none to pay."""
    if application.stamp_id is None:
        return application.fee == 0
    stamp = find_stamp(connection, application.stamp_id)
    return stamp.state == "CONSUMED" and stamp.application_id == application.id


def handle_consume(workshop: Workshop, work: Work) -> None:
    """The work `stamp.consume`."""
    application_id = uuid.UUID(work.payload["application"])
    application = in_transaction(workshop.engine, lambda connection: load_application(connection, application_id))
    if application is None:
        raise LifecycleError("there is no such application")
    spend_stamp(StampOffice(workshop.engine, workshop.rules, workshop.keys), application, CLERK, workshop.now())


def _facts(connection: Connection, application: StoredApplication, now: datetime) -> ApplicationFacts:
    """With the open questions, and whether the stamp is still this application's: somebody may have blocked it."""
    return replace(
        facts_of(connection, application, now),
        holds=blocking_codes(connection, application.id),
        stamp_reserved=holds_stamp(connection, application),
    )


def _order(connection: Connection, application: StoredApplication, priority: int, now: datetime) -> ProductionOrder:
    """The card is handed over where the person was enrolled."""
    site = application.appointment_site or application.site
    if site is None:
        raise EnrolmentError(Refusal.GUARD, "nobody knows where the card is to be handed over", guard="same-site")
    profile = rules_of(application).issuer.profile
    return insert_order(connection, application.id, profile=profile, deliver_to=site, priority=priority, now=now)


def _claim(office: StampOffice, application_id: uuid.UUID, number: str, actor: Actor, now: datetime) -> None:
    """Take a number for the person of an application: a step of its own, for numbers are a family of their own."""

    def look(connection: Connection) -> tuple[StoredApplication, str | None]:
        application = load_seen(connection, application_id, actor)
        facts = _facts(connection, application, now)
        APPLICATION.step(ApplicationState(application.state), "approve", facts, actor)  # or no number is taken
        return application, person_of(connection, application).personal_number

    application, known = in_transaction(office.engine, look)
    if not re.fullmatch(rules_of(application).personal_number, number, re.ASCII):
        raise RecordError("personal_number has not the form of the rules")
    if known not in (None, number):
        raise EnrolmentError(Refusal.GUARD, "the person has another personal number", guard="personal-number")
    person = application.person_id
    holder = in_transaction(office.engine, lambda connection: claim_number(connection, number, person, now))
    if holder != person:
        raise EnrolmentError(Refusal.GUARD, "the personal number is another's", guard="personal-number")


def _give_number(connection: Connection, application: StoredApplication, number: str, now: datetime) -> None:
    person = person_of(connection, application)
    if person.personal_number == number:
        return
    record = decode_person(person.record).model_copy(update={"personal_number": number})
    columns: dict[str, Any] = columns_of(record)
    replace_person(
        connection, replace(person, **columns), search_keys_of(record, rules_of(application)), now, keep_keys=True
    )
