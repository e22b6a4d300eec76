"""What became of durable work: effects that count once, failures that wait for a person, leases that run out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from eid.errors import NotStoredError
from eid.store.audit import bucket_of
from eid.store.outbox import Work
from eid.store.work_tables import work_done, work_failure, work_lease

MAX_WHY: Final = 512  # characters
SKEW: Final = timedelta(minutes=5)  # far more than by what clocks differ that agree within seconds


@dataclass(frozen=True, slots=True)
class Failure:
    """Work that failed for good. attempts: how often it was tried; asked_again: somebody ordered another try."""

    work: Work
    attempts: int
    why: str
    failed_at: datetime
    asked_again: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds something until when."""

    name: str
    holder: str
    expires_at: datetime

    def is_turn_over(self, now: datetime, length: timedelta) -> bool:
        """Whether the next turn is due: it has run out, or runs on for longer than it is long.

        Then a clock that was ahead took it. A turn too many does no harm; none until that clock was right would.
        """
        return not now < self.expires_at <= now + length + SKEW


def is_first_time(connection: Connection, work: Work, now: datetime) -> bool:
    """Mark the work as done in the caller's transaction; False where another transaction has done so before."""
    try:
        with connection.begin_nested():
            connection.execute(insert(work_done).values(bucket=bucket_of(work.id), id=work.id, done_at=now))
    except IntegrityError:
        return False
    return True


def forget_done(connection: Connection, before: datetime) -> int:
    """Drop the marks of work that was done before this moment; return how many."""
    return connection.execute(delete(work_done).where(work_done.c.done_at < before)).rowcount


def keep_failure(connection: Connection, work: Work, attempts: int, why: str, now: datetime) -> None:
    """Keep work that failed for good; one that failed before is brought up to date."""
    values: Mapping[str, Any] = {
        "kind": work.kind,
        "payload": dict(work.payload),
        "created_at": work.created_at,
        "attempts": attempts,
        "why": why[:MAX_WHY],
        "failed_at": now,
        "asked_again": False,
    }
    if connection.execute(update(work_failure).where(*_key(work.id)).values(values)).rowcount == 0:
        connection.execute(insert(work_failure).values(bucket=bucket_of(work.id), id=work.id, **values))


def list_failures(connection: Connection, *, asked_again: bool = False, limit: int = 100) -> tuple[Failure, ...]:
    """The oldest failures; those that wait for a person, or those that somebody ordered to be tried again."""
    query = select(work_failure).where(work_failure.c.asked_again == asked_again)
    rows = connection.execute(query.order_by(work_failure.c.failed_at, work_failure.c.id).limit(limit))
    return tuple(_failure(row) for row in rows)


def ask_again(connection: Connection, work_id: uuid.UUID) -> None:
    """Order that failed work be tried again.

    Raises:
        NotStoredError: no work with this identifier has failed.
    """
    if connection.execute(update(work_failure).where(*_key(work_id)).values(asked_again=True)).rowcount == 0:
        raise NotStoredError("no work with this identifier has failed")


def ask_all_again(connection: Connection, kind: str | None = None) -> int:
    """Order that all failed work, or all of a kind, be tried again; how much that is."""
    order = update(work_failure).where(work_failure.c.asked_again.is_(False)).values(asked_again=True)
    return connection.execute(order if kind is None else order.where(work_failure.c.kind == kind)).rowcount


def drop_failure(connection: Connection, failure: Failure) -> None:
    """Forget a failure whose work is tried again; harmless where it is gone, or where the work has failed anew."""
    same = (work_failure.c.asked_again.is_(True), work_failure.c.attempts == failure.attempts)
    connection.execute(delete(work_failure).where(*_key(failure.work.id), *same))


def hold_lease(connection: Connection, lease: Lease, now: datetime) -> bool:
    """Take or keep a lease; False while somebody else holds it."""
    values = {"holder": lease.holder, "expires_at": lease.expires_at}
    free = or_(work_lease.c.holder == lease.holder, work_lease.c.expires_at <= now)
    if connection.execute(update(work_lease).where(work_lease.c.name == lease.name, free).values(values)).rowcount:
        return True
    try:
        with connection.begin_nested():
            connection.execute(insert(work_lease).values(name=lease.name, **values))
    except IntegrityError:
        return False
    return True


def renew_lease(connection: Connection, lease: Lease) -> bool:
    """Keep a lease that this holder has; False where another one has it by now."""
    mine = (work_lease.c.name == lease.name, work_lease.c.holder == lease.holder)
    return bool(connection.execute(update(work_lease).where(*mine).values(expires_at=lease.expires_at)).rowcount)


def take_turn(connection: Connection, lease: Lease, now: datetime) -> bool:
    """Take the next turn of a timer: True for one caller, once the one before is over, whoever had it."""
    over = or_(work_lease.c.expires_at <= now, work_lease.c.expires_at > lease.expires_at + SKEW)  # as `is_turn_over`
    due = (work_lease.c.name == lease.name, over)
    values = {"holder": lease.holder, "expires_at": lease.expires_at}
    if connection.execute(update(work_lease).where(*due).values(values)).rowcount:
        return True
    if connection.execute(select(work_lease.c.name).where(work_lease.c.name == lease.name)).one_or_none():
        return False
    return hold_lease(connection, lease, now)


def prolong_lease(connection: Connection, lease: Lease, now: datetime, until: datetime) -> bool:
    """Keep a lease that has run out for whoever has it: True for one caller, False where it is gone or another's."""
    same = (work_lease.c.name == lease.name, work_lease.c.holder == lease.holder, work_lease.c.expires_at <= now)
    return bool(connection.execute(update(work_lease).where(*same).values(expires_at=until)).rowcount)


def release_lease(connection: Connection, lease: Lease) -> None:
    """Let go of a lease; harmless where another one has it."""
    connection.execute(delete(work_lease).where(work_lease.c.name == lease.name, work_lease.c.holder == lease.holder))


def find_lease(connection: Connection, name: str) -> Lease | None:
    """The lease of this name, run out or not; None where there is none."""
    row = connection.execute(select(work_lease).where(work_lease.c.name == name)).one_or_none()
    return None if row is None else Lease(row.name, row.holder, row.expires_at)


def list_leases(connection: Connection, prefix: str) -> tuple[Lease, ...]:
    """The leases whose names begin so."""
    query = select(work_lease).where(work_lease.c.name.startswith(prefix, autoescape=True)).order_by(work_lease.c.name)
    return tuple(Lease(row.name, row.holder, row.expires_at) for row in connection.execute(query))


def _key(work_id: uuid.UUID) -> tuple[Any, ...]:
    return (work_failure.c.bucket == bucket_of(work_id), work_failure.c.id == work_id)


def _failure(row: Row[Any]) -> Failure:
    work = Work(row.id, row.kind, row.payload, row.created_at)
    return Failure(work, row.attempts, row.why, row.failed_at, row.asked_again)
