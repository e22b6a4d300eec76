"""The journal of a personalisation job: before each step that changes the card its intent, after it its result.

A step with an intent and no result may or may not have happened. Whoever takes the job up again asks the card; it never
repeats such a step blindly.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, func, insert, select

from eid.errors import StoreError
from eid.protocols.exchange import Checkpoint
from eid.store.database import in_transaction
from eid.store.tables import STEP_PHASES
from eid.store.tables import personalization_step as table

MAX_DETAIL: Final = 16_384  # characters of JSON: digests, versions and public keys are far smaller


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the journal. seq: from 1, without gaps."""

    seq: int
    step: str
    phase: str
    detail: dict[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job has come, by its journal.

    Args:
        results: what each finished step left behind, the last time it was done. unfinished: the step whose intent
            stands without a result, which only the card can answer for; None where there is none.
    """

    results: dict[str, dict[str, str]]
    unfinished: JournalEntry | None

    def is_finished(self, step: str) -> bool:
        """Whether the step was done for certain."""
        return step in self.results and (self.unfinished is None or self.unfinished.step != step)


class Journal:
    """A `CheckpointSink` that writes into the store; `record` returns when the entry is durable.

    Args:
        now: the clock, aware values.
    """

    def __init__(self, engine: Engine, job_id: uuid.UUID, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._job_id = job_id
        self._now = now

    def record(self, checkpoint: Checkpoint) -> None:
        """Write an intent or a result; checkpoints of other phases only measure, and are passed over.

        Raises:
            StoreError: it could not be made durable, or the detail is larger than facts about a step can be.
        """
        if checkpoint.phase in STEP_PHASES:
            in_transaction(
                self._engine, lambda connection: append_entries(connection, self._job_id, (checkpoint,), self._now())
            )

    def progress(self) -> JobProgress:
        """How far the job has come."""
        return last_state(self._engine, self._job_id)


def read_journal(connection: Connection, job_id: uuid.UUID) -> tuple[JournalEntry, ...]:
    """The whole journal of a job, in order."""
    rows = connection.execute(
        select(table.c.seq, table.c.step, table.c.phase, table.c.detail, table.c.at)
        .where(table.c.job_id == job_id)
        .order_by(table.c.seq)
    )
    return tuple(JournalEntry(*row) for row in rows)


def last_state(engine: Engine, job_id: uuid.UUID) -> JobProgress:
    """How far a job has come, for whoever takes it up again."""
    return summarize(in_transaction(engine, lambda connection: read_journal(connection, job_id)))


def summarize(entries: tuple[JournalEntry, ...]) -> JobProgress:
    """Fold a journal into what is known and what is not."""
    results: dict[str, dict[str, str]] = {}
    unfinished: JournalEntry | None = None
    for entry in entries:
        if entry.phase == "intent":
            unfinished = entry
        else:
            results[entry.step] = entry.detail
            unfinished = None if unfinished is not None and unfinished.step == entry.step else unfinished
    return JobProgress(results, unfinished)


def append_entries(connection: Connection, job_id: uuid.UUID, steps: Iterable[Checkpoint], now: datetime) -> None:
    """Write intents and results behind what is there.

    Raises:
        StoreError: a detail is larger than facts about a step can be.
    """
    last = connection.execute(select(func.max(table.c.seq)).where(table.c.job_id == job_id)).scalar()
    for seq, item in enumerate(steps, (last or 0) + 1):
        if len(json.dumps(item.detail)) > MAX_DETAIL:
            raise StoreError(f"the detail of step {item.step!r} is over {MAX_DETAIL} characters")
        values = {"step": item.step, "phase": item.phase, "detail": item.detail}
        connection.execute(insert(table).values(job_id=job_id, seq=seq, at=now, **values))
