"""Production: an order takes a blank out of the stock and makes a card of it, or spoils it; every step can be resumed.

::

    QUEUED --reserve--> READY --start--> WRITING --write--> WRITTEN --pass--> PASSED
                          ^---- retry ------+                 |
                                            +--- spoil -------+--> SPOILED, and the next order is QUEUED

The order's rows lie with the citizen's affairs, the blank's with its store: each is changed in a transaction of its
own. The order says what is to become of its blank, the work `stock.settle` sees that it does. What happens to the chip
is in the journal of the personalisation job (`eid.services.issuing.issuance`): the order knows its job before the card
is touched, and whoever takes it up again asks the job, and the job asks the card.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from os import urandom
from typing import Any, Final

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from eid.enrolment.application import ApplicationFacts
from eid.enrolment.deadlines import local_day
from eid.enrolment.person import decode_person
from eid.enrolment.production import PRODUCTION, OrderFacts, OrderState
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules
from eid.errors import EidError, EnrolmentError, LifecycleError, NotStoredError, Refusal, StoreError
from eid.services.application.approval import is_paid
from eid.services.application.steps import person_of, refuse_own_person, rules_of, step
from eid.services.card.cards import DESTROYED, CardOrder, order_card, require_card, store_card, void_card
from eid.services.card.stock import (
    consume_blank,
    recall_blank,
    release_blank,
    require_cause,
    reserve_blank,
    spoil_blank,
)
from eid.services.durable.work import Workshop
from eid.services.lifecycle import Standing, advance
from eid.store.applications import ALPHABET, StoredApplication, require_application
from eid.store.database import in_transaction
from eid.store.journal import JournalEntry, read_journal
from eid.store.outbox import Work
from eid.store.personalization_jobs import change_job, load_job
from eid.store.production_orders import (
    ProductionOrder,
    find_order,
    insert_order,
    list_orders,
    orders_of,
    take_number,
)
from eid.store.production_tables import production_order
from eid.store.types import new_id_like

SETTLE: Final = "stock.settle"
DRAWS: Final = 64
MAKER: Final = Actor("production", frozenset((Role.SYSTEM,)))
"""This service, where it finishes what somebody began."""
MAKERS: Final = frozenset((Role.PRODUCTION_OPERATOR, Role.SYSTEM))
_READERS: Final = frozenset(
    (Role.PRODUCTION_OPERATOR, Role.DELIVERY_OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR, Role.SYSTEM)
)


# --- orders


def require_order(engine: Engine, order_id: uuid.UUID) -> ProductionOrder:
    """The order.

    Raises:
        NotStoredError: there is none.
    """
    return in_transaction(engine, lambda connection: load_order(connection, order_id))


def view_order(engine: Engine, order_id: uuid.UUID, actor: Actor) -> ProductionOrder:
    """The order, for those who make or carry cards.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: there is none.
    """
    actor.require(_READERS)
    return require_order(engine, order_id)


def order_journal(engine: Engine, order_id: uuid.UUID, actor: Actor) -> tuple[JournalEntry, ...]:
    """What was done to the card of an order, so far.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: there is no such order.
    """
    order = view_order(engine, order_id, actor)
    if order.job_id is None:
        return ()
    job_id = order.job_id
    return in_transaction(engine, lambda connection: read_journal(connection, job_id))


def queued_orders(engine: Engine, state: str, actor: Actor, limit: int = 100) -> tuple[ProductionOrder, ...]:
    """Orders in a state, the most urgent first.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    actor.require(_READERS)
    return in_transaction(engine, lambda connection: list_orders(connection, state, limit))


def reserve(
    engine: Engine,
    order_id: uuid.UUID,
    store_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    random: Callable[[int], bytes] = urandom,
) -> ProductionOrder:
    """Take a blank out of a store for an order, and give the card its number and its days; again: the same.

    Raises:
        EnrolmentError: the stamp is not consumed yet, the order is in another state, FORBIDDEN. NoBlanksError: the
            store has none. NotStoredError: no such order or store.
    """
    role = actor.require(MAKERS)
    order = require_order(engine, order_id)
    if order.state == OrderState.READY:
        return order
    refuse_unless(engine, order, "reserve", actor)
    blank = reserve_blank(engine, store_id, order.profile, order.id, actor, now)
    number = order.document_number or draw_number(engine, order, now, random)

    def work(connection: Database) -> ProductionOrder:
        current = load_order(connection, order_id)
        application = require_application(connection, current.application_id)
        _require_wanted(application)
        born = decode_person(person_of(connection, application).record).born
        if born is None:
            raise LifecycleError("nobody knows when the person was born")
        rules = rules_of(application)
        day = local_day(now, rules)
        if application.state == "APPROVED":
            application = step(connection, application, "produce", actor, now, detail={"order": str(order_id)})
        card_id = current.card_id or _enter_card(connection, application, actor, now)
        return advance_order(
            connection,
            current,
            "reserve",
            OrderFacts(paid=is_paid(connection, application)),
            actor,
            now,
            store_id=store_id,
            serial=blank.serial,
            document_number=number,
            issued_on=day,
            expires_on=rules.last_valid_day(born, day),
            operator=actor.tag(role),
            card_id=card_id,
        )

    return in_transaction(engine, work)


def release(engine: Engine, order_id: uuid.UUID, actor: Actor, now: datetime) -> ProductionOrder:
    """Put the blank of an order back, to which nothing was written.

    Raises:
        EnrolmentError: the order is in another state, FORBIDDEN. NotStoredError: no such order.
    """

    def work(connection: Database) -> ProductionOrder:
        order = load_order(connection, order_id)
        refuse_own_person(connection, require_application(connection, order.application_id), actor)
        return advance_order(connection, order, "release", OrderFacts(), actor, now, settle=True)

    return _settled(engine, in_transaction(engine, work), actor, now)


def draw_number(engine: Engine, order: ProductionOrder, now: datetime, random: Callable[[int], bytes]) -> str:
    """A document number that no card ever had; it is used up, whatever becomes of the order.

    Raises:
        StoreError: none was found.
    """

    def work(connection: Database) -> str | None:
        number = _random_number(rules_of(require_application(connection, order.application_id)), random)
        return number if take_number(connection, number, order.id, now) else None

    for _ in range(DRAWS):
        number = in_transaction(engine, work)
        if number is not None:
            return number
    raise StoreError("no free document number was found: the rules want a longer one")


# --- after writing


def inspect_card(
    engine: Engine, order_id: uuid.UUID, actor: Actor, now: datetime, *, defect: str | None = None
) -> ProductionOrder:
    """An operator has looked at the finished card: it is good, or has a defect and is spoiled.

    Args:
        defect: a cause of `eid.services.card.stock.CAUSES`.

    Raises:
        EnrolmentError: the order is in another state, FORBIDDEN. RecordError: an unknown cause. NotStoredError.
    """
    if defect is not None:
        return spoil(engine, order_id, defect, actor, now)

    def work(connection: Database) -> ProductionOrder:
        order = load_order(connection, order_id)
        facts = OrderFacts(chip_verified=order.sod_hash is not None)
        passed = advance_order(connection, order, "pass", facts, actor, now, settle=True)
        if order.card_id is not None:
            store_card(connection, order.card_id, actor, now)
        application = require_application(connection, order.application_id)
        good = ApplicationFacts(quality_passed=True)
        step(connection, application, "pass", actor, now, facts=good, detail={"order": str(order_id)})
        return passed

    return _settled(engine, in_transaction(engine, work), actor, now)


def spoil(engine: Engine, order_id: uuid.UUID, cause: str, actor: Actor, now: datetime) -> ProductionOrder:
    """The card of an order is no good: the blank is spoiled, its number void, and the next order is queued.

    Raises:
        EnrolmentError: the order is in another state, FORBIDDEN. RecordError: an unknown cause. NotStoredError.
    """
    require_cause(cause)

    def work(connection: Database) -> ProductionOrder:
        order = load_order(connection, order_id)
        spoiled = advance_order(connection, order, "spoil", OrderFacts(), actor, now, settle=True, cause=cause)
        if order.card_id is not None:
            void_card(connection, order.card_id, actor, now)
        application = require_application(connection, order.application_id)
        again = insert_order(
            connection,
            application.id,
            profile=order.profile,
            deliver_to=order.deliver_to,
            priority=min(9, order.priority + 1),
            now=now,
        )
        told = {"order": str(order_id), "next": str(again.id), "cause": cause}
        step(connection, application, "spoil", actor, now, detail=told)
        return spoiled

    return _settled(engine, in_transaction(engine, work), actor, now)


def cancel_orders(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """End the queued order of an application that the authority has ended; harmless where it has none."""

    def work(connection: Database) -> None:
        for order in orders_of(connection, application_id):
            if order.state == OrderState.QUEUED:
                advance_order(connection, order, "cancel", OrderFacts(), actor, now)

    in_transaction(engine, work)


def settle_stock(engine: Engine, order: ProductionOrder, actor: Actor, now: datetime) -> None:
    """Let the blank of an order, and its job, follow it; done again it changes nothing."""
    if order.store_id is None:
        return
    if order.state == OrderState.SPOILED and order.job_id is not None:
        job_id = order.job_id
        in_transaction(engine, lambda connection: _spoil_job(connection, job_id, now))
    if order.state == OrderState.PASSED:
        consume_blank(engine, order.store_id, order.id, actor, now)
        if in_transaction(engine, lambda connection: _is_destroyed(connection, order)):
            recall_blank(engine, order.store_id, order.id, actor, now)
    elif order.state == OrderState.SPOILED:
        spoil_blank(engine, order.store_id, order.id, order.cause or "other", actor, now)
    elif order.state in (OrderState.QUEUED, OrderState.CANCELLED):
        release_blank(engine, order.store_id, order.id, actor, now)


def settlement(order: ProductionOrder, now: datetime) -> Work:
    """The work of letting the blank of an order follow it."""
    return Work(new_id_like(order.id, now), SETTLE, {"order": str(order.id)}, now)


def handle_settle(workshop: Workshop, work: Work) -> None:
    """The work `stock.settle`."""
    order = require_order(workshop.engine, uuid.UUID(work.payload["order"]))
    settle_stock(workshop.engine, order, MAKER, workshop.now())


def handle_cancel(workshop: Workshop, work: Work) -> None:
    """The work `production.cancel`."""
    cancel_orders(workshop.engine, uuid.UUID(work.payload["application"]), MAKER, workshop.now())


# --- inside transactions


def _settled(engine: Engine, order: ProductionOrder, actor: Actor, now: datetime) -> ProductionOrder:
    try:
        settle_stock(engine, order, as_maker(actor), now)
    except EidError:
        pass  # the work of doing so is kept
    return order


def advance_order(
    connection: Database,
    order: ProductionOrder,
    event: str,
    facts: OrderFacts,
    actor: Actor,
    now: datetime,
    *,
    settle: bool = False,
    **values: Any,
) -> ProductionOrder:
    """Let an event happen to an order. settle: its blank is to follow. values: further columns."""
    standing = Standing(production_order, order.id, order.state, order.version)
    works = (settlement(order, now),) if settle else ()
    told = {name: str(values[name]) for name in ("job_id", "store_id", "card_id", "cause") if values.get(name)}
    detail = {"application": str(order.application_id), **told}
    advance(connection, PRODUCTION, standing, event, facts, actor, now, detail=detail, values=values, work=works)
    return load_order(connection, order.id)


def refuse_unless(engine: Engine, order: ProductionOrder, event: str, actor: Actor) -> None:
    """Refuse an event before anything else is done for it, as its transaction would."""

    def work(connection: Database) -> OrderFacts:
        application = require_application(connection, order.application_id)
        _require_wanted(application)
        refuse_own_person(connection, application, actor)
        return OrderFacts(paid=is_paid(connection, application))

    PRODUCTION.step(OrderState(order.state), event, in_transaction(engine, work), actor)


def _require_wanted(application: StoredApplication) -> None:
    if application.state not in ("APPROVED", "IN_PRODUCTION"):
        raise EnrolmentError(Refusal.WRONG_STATE, f"no card for an application that is {application.state}")


def _enter_card(connection: Database, application: StoredApplication, actor: Actor, now: datetime) -> uuid.UUID:
    order = CardOrder(application.id, application.person_id, application.applicant)
    return order_card(connection, order, actor, now).id


def _is_destroyed(connection: Database, order: ProductionOrder) -> bool:
    return order.card_id is not None and require_card(connection, order.card_id).cause == DESTROYED


def _spoil_job(connection: Database, job_id: uuid.UUID, now: datetime) -> None:
    job = load_job(connection, job_id)
    if job is not None and job.state in ("RUNNING", "FAILED"):
        change_job(connection, job, "SPOILED", now)


def as_maker(actor: Actor) -> Actor:
    """The actor, or this service in his place where he makes no cards."""
    return actor if actor.acting_as(MAKERS) is not None else MAKER


def load_order(connection: Database, order_id: uuid.UUID) -> ProductionOrder:
    """The order.

    Raises:
        NotStoredError: there is none.
    """
    found = find_order(connection, order_id)
    if found is None:
        raise NotStoredError("there is no such production order")
    return found


def _random_number(rules: EnrolmentRules, random: Callable[[int], bytes]) -> str:
    """The prefix, then characters that cannot be mistaken for each other, each of five random bits."""
    return rules.issuer.number_prefix + "".join(ALPHABET[octet & 31] for octet in random(rules.issuer.number_length))
