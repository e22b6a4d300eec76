"""Writing a card where the register is at hand: the order's blank becomes the card of its person.

The order knows its personalisation job before the card is touched; the job's journal knows what was done to the card.
What broke off is taken up again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from eid.enrolment.production import OrderState
from eid.enrolment.roles import Actor
from eid.errors import EidError, LifecycleError
from eid.gateways.blobs import BlobStore
from eid.personalization.build import CardSecrets
from eid.personalization.open import IDENTIFY
from eid.profile.loader import LoadedProfile
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection
from eid.services.card.production import MAKERS, require_order, spoil
from eid.services.card.writing_desk import (
    WritingDesk,
    build_record,
    note_written,
    require_document,
    retry,
    take_up,
)
from eid.services.issuing.card_material import derive_secrets
from eid.services.issuing.issuance import Issuance, IssuedCard
from eid.services.issuing.job_book import StoredJob
from eid.services.issuing.quality_check import QualityError
from eid.services.pki.authority import IssuingAuthority
from eid.store.production_orders import ProductionOrder


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

    @property
    def desk(self) -> WritingDesk:
        """The register's side."""
        return WritingDesk(self.engine, self.blobs, self.now)


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
            ProtocolError: the card refused. EnrolmentError: the order is in another state, FORBIDDEN; what was captured
            is not what the officer signed.
    """
    actor.require(MAKERS)
    desk, order = line.desk, require_order(line.engine, order_id)
    _require_product(line, order)
    # What does not fit the card, or is not what the officer signed, is refused before the blank is taken.
    record = build_record(desk, order) if order.state == OrderState.READY else None
    order, job = take_up(desk, order, line.loaded.digest, reader, actor)
    if job.state == "SUCCEEDED":
        return note_written(desk, order, require_document(desk, job), actor), None
    record = record or build_record(desk, order)
    watch = RightBlank(order.serial or "", sink)
    book = StoredJob(line.engine, line.loaded, job, line.now)
    making = Issuance(book, line.authority, line.loaded, line.now, line.trust_points)
    try:
        issued = making.run(record, card, watch)
    except QualityError:
        spoil(line.engine, order.id, "quality", actor, line.now())
        raise
    except EidError:
        if making.job.state == "FAILED":  # and so the blank is as it was
            retry(desk, order, actor)
        raise
    return note_written(desk, order, issued.document, actor), issued


def card_secrets(authority: IssuingAuthority, loaded: LoadedProfile, serial: str, job_id: uuid.UUID) -> CardSecrets:
    """CAN, PIN and PUK of a card, for whoever prints it and the letter to its holder.

    Args:
        serial: of its blank, hexadecimal. job_id: of the personalisation job that wrote it.
    """
    keys = authority.master_key.card_keys(bytes.fromhex(serial), loaded.profile.security_domain.key_version)
    return derive_secrets(keys, job_id, loaded.profile)


@dataclass(frozen=True, slots=True)
class RightBlank:
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
