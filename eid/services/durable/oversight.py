"""What an operator sees of the work: who does it, what waits, what has failed and may be tried again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from eid.store.database import in_transaction
from eid.store.outbox import count_waiting
from eid.store.work_records import Failure, ask_again, ask_all_again, list_failures, list_leases

WORKER: Final = "worker:"
SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, and whether it has given a sign of life lately."""

    name: str
    is_alive: bool


@dataclass(frozen=True, slots=True)
class WorkState:
    """How the work stands. waiting: how much nobody has taken over; failures: the oldest ones."""

    workers: tuple[WorkerState, ...]
    waiting: int
    failures: tuple[Failure, ...]

    @property
    def has_more(self) -> bool:
        """Whether there may be more failures than these."""
        return len(self.failures) >= SHOWN


def look_at_work(engine: Engine, now: datetime) -> WorkState:
    """How the work stands.

    Raises:
        StoreError: the database cannot be read.
    """

    def read(connection: Connection) -> WorkState:
        leases = list_leases(connection, WORKER)
        workers = tuple(WorkerState(item.name.removeprefix(WORKER), item.expires_at > now) for item in leases)
        return WorkState(workers, count_waiting(connection), list_failures(connection, limit=SHOWN))

    return in_transaction(engine, read)


def ask_for_another_try(engine: Engine, work_id: uuid.UUID) -> None:
    """Have failed work tried once more by the next worker.

    Raises:
        NotStoredError: no work with this identifier has failed.
    """
    in_transaction(engine, lambda connection: ask_again(connection, work_id))


def ask_for_another_try_of_all(engine: Engine, kind: str | None = None) -> int:
    """Have all failed work, or all of a kind, tried once more, as after an outage; how much that is."""
    return in_transaction(engine, lambda connection: ask_all_again(connection, kind))
