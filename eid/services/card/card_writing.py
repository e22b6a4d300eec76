"""Writing a card: the order's blank becomes the card of its person, or what broke off is taken up again.

The order knows its personalisation job before the card is touched; the job's journal knows what was done to the card.
"""

from __future__ import annotations

import uuid
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
from eid.errors import EidError, LifecycleError, NotStoredError, StoreError
from eid.gateways.blobs import BlobStore
from eid.identity import IdentityRecord
from eid.personalization.build import CardSecrets
from eid.personalization.open import IDENTIFY
from eid.profile.loader import LoadedProfile
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection
from eid.services.application.enrolment import load_captured
from eid.services.application.steps import person_of, rules_of
from eid.services.card.cards import ProducedCard, record_personalised
from eid.services.card.production import (
    MAKERS,
    advance_order,
    as_maker,
    load_order,
    refuse_unless,
    require_order,
    spoil,
)
from eid.services.card.production_record import build_identity_record
from eid.services.issuing import issuance
from eid.services.issuing.card_material import derive_secrets
from eid.services.issuing.issuance import Issuance, IssuedCard
from eid.services.issuing.quality_check import QualityError
from eid.services.pki.authority import IssuingAuthority
from eid.store.applications import StoredApplication, require_application
from eid.store.captures import last_capture
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, find_by_job
from eid.store.personalization_jobs import PersonalizationJob, load_job
from eid.store.production_orders import (
    ProductionOrder,
)
from eid.store.stock import find_reserved


@dataclass(frozen=True, slots=True)
class Line:
    """A place where cards are written.

    Args:
        store_id: of the blanks. loaded: the card profile of the blanks. now: the clock.
        trust_points: CVCA certificates, where the profile has Terminal Authentication.
    """

    engine: Engine = field(repr=False)
    blobs: BlobStore = field(repr=False)
    authority: IssuingAuthority = field(repr=False)
    loaded: LoadedProfile = field(repr=False)
    store_id: uuid.UUID
    now: Callable[[], datetime]
    trust_points: tuple[bytes, ...] = field(default=(), repr=False)


def write(
    line: Line, order_id: uuid.UUID, card: Connection, reader: str, actor: Actor, sink: CheckpointSink | None = None
) -> tuple[ProductionOrder, IssuedCard | None]:
    """Write the card of an order to the blank in the reader: begin, or go on where it broke off.

    Args:
        reader: its name. sink: is told every checkpoint after it is durable.

    Returns:
        The order, WRITTEN, and the card; None in its place where it was finished before this process.

    Raises:
        BrokenOffError: the card was lost; put it back and call again. QualityError: the card failed its check and is
            spoiled: a new order is queued. LifecycleError: another blank than the reserved one, or the authority
            cannot sign; nothing was written. RecordError: the record does not fit the card. StatusWordError,
            ProtocolError: the card refused. EnrolmentError: the order is in another state, FORBIDDEN.
    """
    actor.require(MAKERS)
    order = require_order(line.engine, order_id)
    _require_product(line, order)
    order, job = _take_up(line, order, reader, actor)
    if job.state == "SUCCEEDED":
        return _note_written(line, order, _require_document(line, job), actor), None
    record = build_record(line, order)
    watch = _RightBlank(order.serial or "", sink)
    making = Issuance(line.engine, line.authority, line.loaded, job, line.now, line.trust_points)
    try:
        issued = making.run(record, card, watch)
    except QualityError:
        spoil(line.engine, order.id, "quality", actor, line.now())
        raise
    except EidError:
        if making.job.state == "FAILED":  # and so the blank is as it was
            _retry(line, order, actor)
        raise
    return _note_written(line, order, issued.document, actor), issued


def card_secrets(line: Line, order: ProductionOrder) -> CardSecrets:
    """CAN, PIN and PUK of an order's card, for whoever prints it and the letter to its holder.

    Raises:
        LifecycleError: no card was begun for the order yet.
    """
    if order.serial is None or order.job_id is None:
        raise LifecycleError("no card was begun for this order yet")
    profile = line.loaded.profile
    keys = line.authority.master_key.card_keys(bytes.fromhex(order.serial), profile.security_domain.key_version)
    return derive_secrets(keys, order.job_id, profile)


def _take_up(
    line: Line, order: ProductionOrder, reader: str, actor: Actor
) -> tuple[ProductionOrder, PersonalizationJob]:
    """The order in WRITING with its job, which is new, or the one that broke off."""
    if order.state == OrderState.WRITING and order.job_id is not None:
        job_id = order.job_id
        job = in_transaction(line.engine, lambda connection: load_job(connection, job_id))
        if job is None:
            raise StoreError("the order's personalisation job is not in the database")
        if job.state == "SPOILED":
            spoil(line.engine, order.id, "quality", actor, line.now())
            raise LifecycleError("the card of this order is spoiled: a new order is queued")
        if job.state != "FAILED":
            return order, job
        order = _retry(line, order, actor)
    refuse_unless(line.engine, order, "start", actor)
    _require_blank(line, order)
    made = issuance.begin(line.engine, line.authority, line.loaded, reader, line.now, line.trust_points).job

    def work(connection: Database) -> ProductionOrder:
        current = load_order(connection, order.id)
        return advance_order(connection, current, "start", OrderFacts(), actor, line.now(), job_id=made.id)

    return in_transaction(line.engine, work), made


def _require_blank(line: Line, order: ProductionOrder) -> None:
    """The stock must agree that the blank is this order's."""
    blank = in_transaction(line.engine, lambda connection: find_reserved(connection, line.store_id, order.id))
    if blank is None or blank.state != "RESERVED" or blank.serial != order.serial:
        raise LifecycleError("the stock knows of no blank for this order: release the order and reserve again")


def _retry(line: Line, order: ProductionOrder, actor: Actor) -> ProductionOrder:
    def work(connection: Database) -> ProductionOrder:
        return advance_order(
            connection, load_order(connection, order.id), "retry", OrderFacts(), actor, line.now(), job_id=None
        )

    return in_transaction(line.engine, work)


def build_record(line: Line, order: ProductionOrder) -> IdentityRecord:
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

    application, person, signed = in_transaction(line.engine, work)
    capture = decode_signed_capture(signed).record
    images = load_captured(line.engine, line.blobs, application.id)
    return build_identity_record(decode_person(person), order, capture, images, rules_of(application))


def _note_written(line: Line, order: ProductionOrder, document: IssuedDocument, actor: Actor) -> ProductionOrder:
    """The chip is written, locked, read back and verified; done again it changes nothing."""

    def work(connection: Database) -> ProductionOrder:
        current = load_order(connection, order.id)
        if current.state != OrderState.WRITING:
            return current
        if current.card_id is None or current.document_number is None or current.expires_on is None:
            raise StoreError("the order has no card")
        if document.job_id is None:
            raise StoreError("the document has no job")
        produced = ProducedCard(document.job_id, document.id, current.document_number, current.expires_on)
        record_personalised(connection, current.card_id, produced, as_maker(actor), line.now())
        facts = OrderFacts(chip_verified=True)
        return advance_order(connection, current, "write", facts, actor, line.now(), sod_hash=document.sod_hash)

    return in_transaction(line.engine, work)


@dataclass(frozen=True, slots=True)
class _RightBlank:
    """Refuses another blank than the reserved one, before it is touched."""

    serial: str
    then: CheckpointSink | None

    def record(self, checkpoint: Checkpoint) -> None:
        """Look at the card's serial as soon as it is known."""
        if checkpoint.step == IDENTIFY and checkpoint.detail.get("card_serial", "").upper() != self.serial:
            raise LifecycleError("this is another blank than the one that is reserved for the order")
        if self.then is not None:
            self.then.record(checkpoint)


def _require_product(line: Line, order: ProductionOrder) -> None:
    if line.loaded.profile.name != order.profile:
        raise LifecycleError(f"the order is for the card profile {order.profile}")
    if order.store_id not in (None, line.store_id):
        raise LifecycleError("the blank of this order is in another store")


def _require_document(line: Line, job: PersonalizationJob) -> IssuedDocument:
    found = in_transaction(line.engine, lambda connection: find_by_job(connection, job.id))
    if found is None:
        raise StoreError("the personalisation job has succeeded, but its document is not registered")
    return found
