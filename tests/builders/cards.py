"""Cards in a register: made by a job with a place in a status list, as a personalisation leaves them. SPECIMEN."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, date, datetime

from sqlalchemy import Connection, Engine

from eid.enrolment.roles import Actor, Role
from eid.services.card.cards import CardOrder, ProducedCard, activate_card, order_card, record_personalised, store_card
from eid.store.cards import RegisteredCard
from eid.store.database import in_transaction
from eid.store.issued_documents import register_document
from eid.store.personalization_jobs import change_job, create_job
from eid.store.status_places import allocate_place

NOW = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
SERIES = "https://status.example.org/1"
EXPIRES = date(2036, 5, 31)


def actor(*roles: Role, name: str = "officer-1") -> Actor:
    return Actor(name, frozenset(roles))


MAKER = actor(Role.PRODUCTION_OPERATOR, name="press-1")
COUNTER = actor(Role.DELIVERY_OPERATOR, name="counter-1")
AGENT = actor(Role.CALL_CENTRE_AGENT, name="agent-1")
CHIEF = actor(Role.ADMINISTRATOR, name="chief-1")


def personalised_job(
    connection: Connection, number: str, place: int, *, state: str = "SUCCEEDED", size: int = 64
) -> tuple[uuid.UUID, uuid.UUID]:
    """A job with a place in the list and, where it succeeded, a document: (job, document)."""
    job = create_job(connection, profile_digest=bytes(32), reader="", attempt=1, now=NOW)
    allocate_place(connection, SERIES, size, job.id, lambda count: place.to_bytes(count, "big"))
    if state == "PLANNED":
        return job.id, job.id
    job = change_job(connection, job, "RUNNING", NOW, card_serial=f"{place:020x}")
    if state != "RUNNING":
        job = change_job(connection, job, state, NOW)
    document = register_document(
        connection,
        profile_name="ma-cnie",
        profile_digest=bytes(32),
        sod_hash=hashlib.sha256(job.id.bytes).digest(),
        card_serial=f"{place:020x}",
        document_number_tag=hashlib.sha256(number.encode()).digest(),
        key_versions={"scp03": 48},
        attempt=1,
        report_digest=bytes(32),
        now=NOW,
        job_id=job.id,
    )
    return job.id, document.id


def card_in_stock(
    engine: Engine, number: str = "SPM00001", place: int = 7, *, expires_on: date = EXPIRES, **order: object
) -> RegisteredCard:
    def work(connection: Connection) -> RegisteredCard:
        job, document = personalised_job(connection, number, place)
        made = order_card(connection, CardOrder(**order), MAKER, NOW)  # type: ignore[arg-type]  # by name, as the caller has them
        record_personalised(connection, made.id, ProducedCard(job, document, number, expires_on), MAKER, NOW)
        return store_card(connection, made.id, MAKER, NOW)

    return in_transaction(engine, work)


def active_card(engine: Engine, number: str = "SPM00001", place: int = 7, **order: object) -> RegisteredCard:
    stocked = card_in_stock(engine, number, place, **order)  # type: ignore[arg-type]  # by name, as the caller has them
    return in_transaction(engine, lambda connection: activate_card(connection, stocked.id, COUNTER, NOW))
