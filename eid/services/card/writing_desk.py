"""The register's side of writing cards: an order taken up, what goes on its card, what became of it.

`eid.services.card.card_writing` uses it where the register is at hand, `eid.services.card.remote_writing` for stations
that reach it over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from eid.enrolment.capture import decode_signed_capture
from eid.enrolment.person import decode_person
from eid.enrolment.production import OrderFacts, OrderState
from eid.enrolment.roles import Actor
from eid.errors import LifecycleError, NotStoredError, StoreError
from eid.gateways.blobs import BlobStore
from eid.identity import IdentityRecord
from eid.services.application.enrolment import load_captured
from eid.services.application.steps import person_of, rules_of
from eid.services.card.cards import ProducedCard, record_personalised
from eid.services.card.production import advance_order, as_maker, load_order, refuse_unless, spoil
from eid.services.card.production_record import build_identity_record
from eid.store.applications import StoredApplication, require_application
from eid.store.captures import last_capture
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, find_by_job
from eid.store.personalization_jobs import PersonalizationJob, create_job, load_job
from eid.store.production_orders import ProductionOrder
from eid.store.stock import find_reserved


@dataclass(frozen=True, slots=True)
class WritingDesk:
    """What the register's side works with. now: the clock."""

    engine: Engine = field(repr=False)
    blobs: BlobStore = field(repr=False)
    now: Callable[[], datetime]


def take_up(
    desk: WritingDesk, order: ProductionOrder, profile_digest: bytes, reader: str, actor: Actor
) -> tuple[ProductionOrder, PersonalizationJob]:
    """The order in WRITING with its job, which is new, or the one that broke off.

    Raises:
        LifecycleError: its card is spoiled, or the stock knows of no blank for it. EnrolmentError: it is in another
            state, FORBIDDEN.
    """
    if order.state == OrderState.WRITING and order.job_id is not None:
        job = require_job(desk, order)
        if job.state == "SPOILED":
            spoil(desk.engine, order.id, "quality", actor, desk.now())
            raise LifecycleError("the card of this order is spoiled: a new order is queued")
        if job.state != "FAILED":
            return order, job
        order = retry(desk, order, actor)
    refuse_unless(desk.engine, order, "start", actor)
    _require_blank(desk, order)

    def work(connection: Database) -> tuple[ProductionOrder, PersonalizationJob]:
        now = desk.now()
        made = create_job(connection, profile_digest=profile_digest, reader=reader, attempt=1, now=now)
        current = load_order(connection, order.id)
        return advance_order(connection, current, "start", OrderFacts(), actor, now, job_id=made.id), made

    return in_transaction(desk.engine, work)


def retry(desk: WritingDesk, order: ProductionOrder, actor: Actor) -> ProductionOrder:
    """Nothing was written to the blank of an order: it is READY again."""

    def work(connection: Database) -> ProductionOrder:
        return advance_order(
            connection, load_order(connection, order.id), "retry", OrderFacts(), actor, desk.now(), job_id=None
        )

    return in_transaction(desk.engine, work)


def build_record(desk: WritingDesk, order: ProductionOrder) -> IdentityRecord:
    """What goes on an order's card, for its chip and for whoever prints it.

    Raises:
        NotStoredError: nothing was captured. RecordError: the record does not fit the card.
    """

    def work(connection: Database) -> tuple[StoredApplication, dict[str, Any], bytes]:
        application = require_application(connection, order.application_id)
        stored = last_capture(connection, application.id)
        if stored is None:
            raise NotStoredError("nothing was captured for this application")
        return application, dict(person_of(connection, application).record), stored.record

    application, person, signed = in_transaction(desk.engine, work)
    capture = decode_signed_capture(signed).record
    images = load_captured(desk.engine, desk.blobs, application.id)
    return build_identity_record(decode_person(person), order, capture, images, rules_of(application))


def note_written(desk: WritingDesk, order: ProductionOrder, document: IssuedDocument, actor: Actor) -> ProductionOrder:
    """The chip is written, locked, read back and verified; done again it changes nothing."""

    def work(connection: Database) -> ProductionOrder:
        current = load_order(connection, order.id)
        if current.state != OrderState.WRITING:
            return current
        return enter_written(connection, current, document, OrderFacts(chip_verified=True), actor, desk.now())

    return in_transaction(desk.engine, work)


def enter_written(
    connection: Database,
    order: ProductionOrder,
    document: IssuedDocument,
    facts: OrderFacts,
    actor: Actor,
    now: datetime,
) -> ProductionOrder:
    """Let an order's card enter the register, in the transaction of its caller."""
    if order.card_id is None or order.document_number is None or order.expires_on is None:
        raise StoreError("the order has no card")
    if document.job_id is None:
        raise StoreError("the document has no job")
    produced = ProducedCard(document.job_id, document.id, order.document_number, order.expires_on)
    record_personalised(connection, order.card_id, produced, as_maker(actor), now)
    return advance_order(connection, order, "write", facts, actor, now, sod_hash=document.sod_hash)


def require_job(desk: WritingDesk, order: ProductionOrder) -> PersonalizationJob:
    """The personalisation job of an order that has one.

    Raises:
        StoreError: it is not in the database.
    """
    job_id = order.job_id
    job = None if job_id is None else in_transaction(desk.engine, lambda connection: load_job(connection, job_id))
    if job is None:
        raise StoreError("the order's personalisation job is not in the database")
    return job


def require_document(desk: WritingDesk, job: PersonalizationJob) -> IssuedDocument:
    """The document of a job that has succeeded.

    Raises:
        StoreError: it is not registered.
    """
    found = in_transaction(desk.engine, lambda connection: find_by_job(connection, job.id))
    if found is None:
        raise StoreError("the personalisation job has succeeded, but its document is not registered")
    return found


def _require_blank(desk: WritingDesk, order: ProductionOrder) -> None:
    """The stock must agree that the blank is this order's."""
    store_id = order.store_id
    if store_id is not None:
        blank = in_transaction(desk.engine, lambda connection: find_reserved(connection, store_id, order.id))
        if blank is not None and blank.state == "RESERVED" and blank.serial == order.serial:
            return
    raise LifecycleError("the stock knows of no blank for this order: release the order and reserve again")
