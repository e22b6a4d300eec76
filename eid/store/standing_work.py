"""Work of which one piece at most is outstanding: asked for by whoever likes, as often as he likes.

A lease says that a piece is outstanding, under which identifier, and when to remind of it. Then that very piece is
handed over again: it changes nothing where it waits or is under way, and brings it back where it was lost or failed.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from eid.errors import NotStoredError
from eid.store.outbox import Work, enqueue, is_waiting
from eid.store.types import made_at, new_id
from eid.store.work_records import (
    Lease,
    ask_again,
    find_lease,
    hold_lease,
    list_leases,
    prolong_lease,
    release_lease,
)

REMINDER: Final = timedelta(minutes=15)
_PREFIX: Final = "standing:"


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A piece of work that was asked for and is not over. since: when it was first asked for."""

    kind: str
    since: datetime


def ask(connection: Connection, kind: str, now: datetime) -> None:
    """Have work of a kind done, in the caller's transaction; harmless where it is asked for already."""
    found = find_lease(connection, _PREFIX + kind)
    if found is None:
        work_id = new_id(now)
        if hold_lease(connection, Lease(_PREFIX + kind, str(work_id), now + REMINDER), now):
            enqueue(connection, Work(work_id, kind, {}, now))
    elif prolong_lease(connection, found, now, now + REMINDER):
        _remind(connection, Work(uuid.UUID(found.holder), kind, {}, now))


def settle(connection: Connection, work: Work) -> None:
    """It is over: from now on it may be asked for anew. Harmless for a piece that was over before."""
    release_lease(connection, Lease(_PREFIX + work.kind, str(work.id), work.created_at))


def list_outstanding(connection: Connection) -> tuple[Outstanding, ...]:
    """What was asked for and is not over."""
    leases = list_leases(connection, _PREFIX)
    return tuple(Outstanding(item.name.removeprefix(_PREFIX), made_at(uuid.UUID(item.holder))) for item in leases)


def _remind(connection: Connection, work: Work) -> None:
    try:
        ask_again(connection, work.id)
    except NotStoredError:  # it has not failed
        if not is_waiting(connection, work.id):
            enqueue(connection, work)
