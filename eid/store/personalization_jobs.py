"""Personalisation jobs: one attempt to write one card.

::

    PLANNED --> RUNNING --> SUCCEEDED
                   |------> FAILED      the card is untouched or can be taken up again
                   +------> SPOILED     the card is lost; a new attempt needs a new card
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, insert, select, update

from eid.errors import LifecycleError
from eid.store.tables import personalization_job as table
from eid.store.types import new_id

TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "PLANNED": frozenset(("RUNNING", "FAILED")),
    "RUNNING": frozenset(("SUCCEEDED", "FAILED", "SPOILED")),
    "FAILED": frozenset(("RUNNING", "SPOILED")),
    "SUCCEEDED": frozenset(),
    "SPOILED": frozenset(),
}


@dataclass(frozen=True, slots=True)
class PersonalizationJob:
    """One job.

    Args:
        version: counts changes; a change is refused where somebody else was faster. attempt: from 1, per document.
        card_serial: hexadecimal key diversification data, None until the card has been asked.
    """

    id: uuid.UUID
    state: str
    version: int
    attempt: int
    profile_digest: bytes
    reader: str
    card_serial: str | None
    created_at: datetime
    updated_at: datetime


def create_job(
    connection: Connection, *, profile_digest: bytes, reader: str, attempt: int, now: datetime
) -> PersonalizationJob:
    """Keep a new job, planned."""
    job = PersonalizationJob(new_id(now), "PLANNED", 1, attempt, profile_digest, reader, None, now, now)
    connection.execute(
        insert(table).values(
            id=job.id,
            state=job.state,
            version=job.version,
            attempt=attempt,
            profile_digest=profile_digest,
            reader=reader,
            created_at=now,
            updated_at=now,
        )
    )
    return job


def load_job(connection: Connection, job_id: uuid.UUID) -> PersonalizationJob | None:
    """Return the job, or None where there is none with this id."""
    row = connection.execute(select(table).where(table.c.id == job_id)).mappings().one_or_none()
    return None if row is None else _job(row)


def jobs_in_state(connection: Connection, state: str) -> tuple[PersonalizationJob, ...]:
    """All jobs in a state, oldest first: after a crash those RUNNING are to be taken up again."""
    rows = connection.execute(select(table).where(table.c.state == state).order_by(table.c.id)).mappings()
    return tuple(_job(row) for row in rows)


def change_job(
    connection: Connection, job: PersonalizationJob, state: str, now: datetime, *, card_serial: str | None = None
) -> PersonalizationJob:
    """Move a job to another state, or, in the same state, note its card's serial; return it as it is now.

    Raises:
        LifecycleError: there is no such transition, the job has another card already, or somebody else has changed the
            job since it was loaded.
    """
    if state != job.state and state not in TRANSITIONS[job.state]:
        raise LifecycleError(f"a personalisation job cannot go from {job.state} to {state}")
    if card_serial is not None and job.card_serial not in (None, card_serial):
        raise LifecycleError("the job was begun with another card")
    changed = replace(
        job, state=state, version=job.version + 1, updated_at=now, card_serial=card_serial or job.card_serial
    )
    done = connection.execute(
        update(table)
        .where(table.c.id == job.id, table.c.state == job.state, table.c.version == job.version)
        .values(state=state, version=changed.version, updated_at=now, card_serial=changed.card_serial)
    )
    if done.rowcount != 1:
        raise LifecycleError("the personalisation job was changed by somebody else")
    return changed


def _job(row: RowMapping) -> PersonalizationJob:
    return PersonalizationJob(**row)
