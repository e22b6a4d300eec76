"""From the outbox to what does the work: the relay, and a way to do all of it at once without a worker."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from eid.gateways.jobs import InlineEngine, Job, WorkEngine
from eid.services.durable.handlers import HANDLERS, NEEDS
from eid.services.durable.work import Capability, Handler, Outcome, Workshop, pause_after, perform
from eid.store.database import in_transaction, reading
from eid.store.outbox import Work, forget, waiting
from eid.store.work_records import drop_failure, list_failures

AT_ONCE: Final = 200  # pieces of work that are relayed in one go
log: Final = logging.getLogger("eid.worker")


def relay(engine: Engine, work_engine: WorkEngine, limit: int = AT_ONCE, leave: Collection[str] = ()) -> int:
    """Hand work that waits over to the engine; return how much that was. leave: kinds that stay where they are.

    Work is forgotten after it was handed over. Where a process died between the two, work is handed over twice: the
    engine knows it by its identifiers, or, in another company, does it twice, which is harmless (`durable.work`).
    """
    with reading(engine) as connection:
        fresh = tuple(work for work in waiting(connection, limit) if work.kind not in leave)
        again = tuple(
            failure
            for failure in list_failures(connection, asked_again=True, limit=limit)
            if failure.work.kind not in leave
        )
    if fresh:
        work_engine.submit([_job(work) for work in fresh])
    for failure in again:
        work_engine.submit([_job(failure.work)], failure.attempts)

    def drop(connection: Connection) -> None:
        forget(connection, *fresh)
        for failure in again:
            drop_failure(connection, failure)

    if fresh or again:
        in_transaction(engine, drop)
    return len(fresh) + len(again)


def drain(workshop: Workshop, handlers: Mapping[str, Handler] | None = None) -> int:
    """Do all work that waits, and what that causes, here and now, without a worker; return how much that was.

    Work that was asked to be tried again is tried again at once, and is a failure after its last attempt. What needs a
    key that is not here waits on.
    """
    table = HANDLERS if handlers is None else handlers
    inline, done = InlineEngine(partial(perform_job, workshop, table)), 0
    others = {kind for kind, need in NEEDS.items() if need not in workshop.capabilities}
    while taken := relay(workshop.engine, inline, leave=others):
        done += taken
    return done


def perform_job(workshop: Workshop, handlers: Mapping[str, Handler], job: Job, attempt: int) -> timedelta | None:
    """Do a job by the handler of its kind; how long to wait before another attempt, None where it is over."""
    work = Work(UUID(job.id), job.kind, job.payload, job.created_at)
    outcome = perform(workshop, handlers, work, attempt)
    level = logging.INFO if outcome is Outcome.DONE else logging.WARNING
    log.log(level, "%s %s, attempt %d: %s", work.kind, work.id, attempt + 1, outcome.value)
    return pause_after(attempt) if outcome is Outcome.AGAIN else None


def _job(work: Work) -> Job:
    return Job(str(work.id), work.kind, work.payload, work.created_at, NEEDS.get(work.kind, Capability.WORK).value)
