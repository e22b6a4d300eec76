"""What an operator sees of the work: who does it, what waits, what has failed and may be tried again."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine

from eid.services.durable.work import Capability, Workshop
from eid.store.database import in_transaction
from eid.store.outbox import count_waiting
from eid.store.standing_work import Outstanding, list_outstanding
from eid.store.work_records import Failure, Lease, ask_again, ask_all_again, list_failures, list_leases

WORKER: Final = "worker:"
SHOWN: Final = 200
IsDue: TypeAlias = Callable[[Connection, datetime], bool]
NO_TESTS: Final[Mapping[str, IsDue]] = MappingProxyType({})
log: Final = logging.getLogger("eid.worker")


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, whether it has given a sign of life lately, and what it can do."""

    name: str
    is_alive: bool
    capabilities: frozenset[str]


@dataclass(frozen=True, slots=True)
class WorkState:
    """How the work stands.

    Args:
        waiting: how much nobody has taken over. failures: the oldest ones. outstanding: what is asked for as long as it
            is not done, such as heads of the audit log, and is to be done.
    """

    workers: tuple[WorkerState, ...]
    waiting: int
    failures: tuple[Failure, ...]
    outstanding: tuple[Outstanding, ...]

    @property
    def has_more(self) -> bool:
        """Whether there may be more failures than these."""
        return len(self.failures) >= SHOWN

    def unserved(self, needs: Mapping[str, Capability]) -> tuple[Outstanding, ...]:
        """What waits for a worker who can do it, since nobody who is alive can."""
        able = {name for worker in self.workers if worker.is_alive for name in worker.capabilities}
        return tuple(item for item in self.outstanding if needs.get(item.kind, Capability.WORK) not in able)


def look_at_work(engine: Engine, now: datetime, due: Mapping[str, IsDue] = NO_TESTS) -> WorkState:
    """How the work stands.

    Args:
        due: by kind, whether there is anything to do: what a person does by hand is asked for all the same.

    Raises:
        StoreError: the database cannot be read.
    """

    def read(connection: Connection) -> WorkState:
        workers = tuple(_worker(lease, now) for lease in list_leases(connection, WORKER))
        failures = list_failures(connection, limit=SHOWN)
        outstanding = tuple(
            item for item in list_outstanding(connection) if item.kind not in due or due[item.kind](connection, now)
        )
        return WorkState(workers, count_waiting(connection), failures, outstanding)

    return in_transaction(engine, read)


def tell_unserved(workshop: Workshop, needs: Mapping[str, Capability], due: Mapping[str, IsDue] = NO_TESTS) -> None:
    """At intervals: a line of the log for work that waits in vain."""
    for item in look_at_work(workshop.engine, workshop.now(), due).unserved(needs):
        log.warning("%s waits since %s: no worker that is alive can do it", item.kind, item.since.isoformat())


def describe_holder(space: str, process: int, token: str, capabilities: Collection[str]) -> str:
    """What a worker writes into its lease: where its process number counts, that number, a word, and what it can do."""
    return f"{space} {process} {token} {','.join(sorted(capabilities))}"


def _worker(lease: Lease, now: datetime) -> WorkerState:
    capabilities = lease.holder.split(" ")[3:]
    can = frozenset(name for names in capabilities for name in names.split(","))
    return WorkerState(lease.name.removeprefix(WORKER), lease.expires_at > now, can)


def ask_for_another_try(engine: Engine, work_id: uuid.UUID) -> None:
    """Have failed work tried once more by the next worker.

    Raises:
        NotStoredError: no work with this identifier has failed.
    """
    in_transaction(engine, lambda connection: ask_again(connection, work_id))


def ask_for_another_try_of_all(engine: Engine, kind: str | None = None) -> int:
    """Have all failed work, or all of a kind, tried once more, as after an outage; how much that is."""
    return in_transaction(engine, lambda connection: ask_all_again(connection, kind))
