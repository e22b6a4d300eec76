"""The register's side of cards that a station writes which reaches it over HTTP only (`eid.services.card.station`).

The station has the card and the authority's keys; the orders, the data that go on the card, the journal and the status
lists are here. What a station tells is held against what the journal and the stock know: a card counts as written only
where its lock and the very EF.SOD that is reported stand in the journal.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection as Database

from eid.enrolment.production import PRODUCTION, OrderFacts, OrderState
from eid.enrolment.roles import Actor
from eid.errors import EnrolmentError, LifecycleError, Refusal, StoreError
from eid.identity import IdentityRecord
from eid.personalization.open import IDENTIFY
from eid.profile.loader import LoadedProfile, load_profile
from eid.protocols.exchange import Checkpoint
from eid.services.application.steps import refuse_own_person
from eid.services.audit.log import note_reading
from eid.services.card.production import MAKERS, advance_order, load_order, require_order
from eid.services.card.writing_desk import WritingDesk, build_record, enter_written, require_job, take_up
from eid.services.issuing.attempt import LOCK, SIGN
from eid.services.issuing.job_book import FinishedCard, bind_card, job_place, register_finished, require_unissued
from eid.store.applications import require_application
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, find_by_sod
from eid.store.journal import JobProgress, JournalEntry, append_entries, read_journal, summarize
from eid.store.personalization_jobs import PersonalizationJob, change_job, load_job
from eid.store.production_orders import ProductionOrder


@dataclass(frozen=True, slots=True)
class BegunCard:
    """What a station needs to write a card, but for the record itself.

    Args:
        place: URI of a status list and the index there. entries: the journal so far, for a card that broke off.
    """

    order: ProductionOrder
    job: PersonalizationJob
    place: tuple[str, int]
    entries: tuple[JournalEntry, ...]


def begin(
    desk: WritingDesk,
    order_id: uuid.UUID,
    profile_digest: bytes,
    reader: str,
    actor: Actor,
    random: Callable[[int], bytes] = os.urandom,
) -> BegunCard:
    """Take up an order for a station: its job is new, or the one that broke off; of a written card it is told again.

    Args:
        profile_digest: of the card profile by which the station writes.

    Raises:
        LifecycleError: the station has another version of the profile, the card is spoiled, or the stock knows of no
            blank for it. EnrolmentError: the order is in another state, FORBIDDEN. NotStoredError: there is none.
    """
    actor.require(MAKERS)
    order = require_order(desk.engine, order_id)
    loaded = _require_profile(order, profile_digest)
    in_transaction(desk.engine, lambda connection: _refuse_own(connection, order, actor))
    if order.state == OrderState.WRITTEN:
        job = require_job(desk, order)
    else:
        if order.state == OrderState.READY:  # what does not fit the card is refused before the blank is taken
            build_record(desk, order)
        order, job = take_up(desk, order, profile_digest, reader, actor)

    def work(connection: Database) -> BegunCard:
        place = job_place(connection, loaded, job, random)
        return BegunCard(order, job, place, read_journal(connection, job.id))

    return in_transaction(desk.engine, work)


def hand_out_record(desk: WritingDesk, order_id: uuid.UUID, actor: Actor) -> IdentityRecord:
    """What goes on the card of an order that is being written; that it was handed out stands in the audit log.

    Raises:
        EnrolmentError: the order is in another state, FORBIDDEN. NotStoredError: there is no such order, or nothing
            was captured. RecordError: the record does not fit the card.
    """
    role = actor.require(MAKERS)

    def work(connection: Database) -> ProductionOrder:
        order, _ = _require_writing(connection, order_id, actor)
        application = require_application(connection, order.application_id)
        told = {"part": "card", "order": str(order.id)}
        note_reading(connection, application.person_id, "person", actor, role, desk.now(), **told)
        return order

    return build_record(desk, in_transaction(desk.engine, work))


def note_steps(desk: WritingDesk, order_id: uuid.UUID, steps: Sequence[Checkpoint], actor: Actor) -> None:
    """Keep intents and results, all of them or none; with the card's serial the job is bound to it.

    Raises:
        LifecycleError: it is another card than the reserved blank, or another job's. StoreError: a detail is too large.
        EnrolmentError: the order is in another state, FORBIDDEN. NotStoredError: there is no such order.
    """
    actor.require(MAKERS)

    def work(connection: Database) -> None:
        order, job = _require_writing(connection, order_id, actor)
        for serial in (step.detail.get("card_serial", "") for step in steps if step.step == IDENTIFY):
            if serial.upper() != order.serial:
                raise LifecycleError("this is another blank than the one that is reserved for the order")
            job = bind_card(connection, job, serial, desk.now())
        append_entries(connection, job.id, steps, desk.now())

    in_transaction(desk.engine, work)


def give_up(desk: WritingDesk, order_id: uuid.UUID, actor: Actor) -> ProductionOrder:
    """Nothing was written to the blank: the job has failed, the order is READY again.

    Raises:
        EnrolmentError: WRONG_STATE, the journal knows better; the order is in another state; FORBIDDEN.
        NotStoredError: there is no such order.
    """
    actor.require(MAKERS)

    def work(connection: Database) -> ProductionOrder:
        order, job = _require_writing(connection, order_id, actor)
        progress = summarize(read_journal(connection, job.id))
        if progress.unfinished is not None or progress.results.keys() - {IDENTIFY}:
            raise EnrolmentError(Refusal.WRONG_STATE, "something was written to the blank: go on with it, or reject it")
        change_job(connection, job, "FAILED", desk.now())
        return advance_order(connection, order, "retry", OrderFacts(), actor, desk.now(), job_id=None)

    return in_transaction(desk.engine, work)


def finish(
    desk: WritingDesk, order_id: uuid.UUID, finished: FinishedCard, actor: Actor
) -> tuple[ProductionOrder, IssuedDocument]:
    """The card is written, locked, read back and verified; told again it changes nothing.

    Raises:
        EnrolmentError: GUARD, the journal knows of no such card; the order is in another state; FORBIDDEN.
        AlreadyDoneError: a document with this number is issued already. NotStoredError: there is no such order.
    """
    actor.require(MAKERS)

    def work(connection: Database) -> tuple[ProductionOrder, IssuedDocument]:
        order = load_order(connection, order_id)
        known = find_by_sod(connection, finished.sod_hash)
        if order.state == OrderState.WRITTEN and known is not None and known.job_id == order.job_id:
            return order, known
        order, job = _require_writing(connection, order_id, actor)
        facts = OrderFacts(chip_verified=_agrees(job, finished, summarize(read_journal(connection, job.id))))
        PRODUCTION.step(OrderState(order.state), "write", facts, actor)
        require_unissued(connection, finished.document_number_tag)
        loaded = _require_profile(order, job.profile_digest)
        document, _ = register_finished(connection, job, loaded, finished, desk.now())
        return enter_written(connection, order, document, facts, actor, desk.now()), document

    return in_transaction(desk.engine, work)


def _agrees(job: PersonalizationJob, finished: FinishedCard, progress: JobProgress) -> bool:
    """Whether the journal knows of this very card: bound to the job, its EF.SOD signed, locked last."""
    try:
        ef_sod = bytes.fromhex(progress.results.get(SIGN, {}).get("ef_sod", ""))
    except ValueError:
        return False
    return (
        job.card_serial == finished.card_serial
        and hashlib.sha256(ef_sod).digest() == finished.sod_hash
        and progress.is_finished(LOCK)
        and progress.unfinished is None
    )


def _require_writing(
    connection: Database, order_id: uuid.UUID, actor: Actor
) -> tuple[ProductionOrder, PersonalizationJob]:
    order = load_order(connection, order_id)
    _refuse_own(connection, order, actor)
    if order.state != OrderState.WRITING or order.job_id is None:
        raise EnrolmentError(Refusal.WRONG_STATE, f"no card is being written for an order that is {order.state}")
    job = load_job(connection, order.job_id)
    if job is None:
        raise StoreError("the order's personalisation job is not in the database")
    return order, job


def _refuse_own(connection: Database, order: ProductionOrder, actor: Actor) -> None:
    refuse_own_person(connection, require_application(connection, order.application_id), actor)


def _require_profile(order: ProductionOrder, digest: bytes) -> LoadedProfile:
    loaded = load_profile(order.profile)
    if loaded.digest != digest:
        raise LifecycleError(f"the card is to be written by another version of the profile {order.profile}")
    return loaded
