"""Work that a transaction has caused: written with it, so that it exists exactly where the transaction counts.

Whoever takes work over does so under its identifier, and forgets it here afterwards: what is taken over twice, because
a process died between the two, is recognised by the identifier.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from eid.store.audit import bucket_of
from eid.store.tables import outbox

_OLDEST: Final = (
    select(outbox.c.id, outbox.c.kind, outbox.c.payload, outbox.c.created_at)
    .order_by(outbox.c.created_at, outbox.c.id)
    .limit(bindparam("most"))
)
_ENQUEUE: Final = insert(outbox)  # made once, as what every act runs
_FORGET: Final = delete(outbox).where(outbox.c.bucket == bindparam("of_bucket"), outbox.c.id == bindparam("of_id"))


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be done once. kind: what; payload: identifiers and codes, no personal data."""

    id: uuid.UUID
    kind: str
    payload: Mapping[str, Any]
    created_at: datetime


def enqueue(connection: Connection, work: Work) -> None:
    """Write work down; it counts when the caller's transaction does."""
    values = {"id": work.id, "kind": work.kind, "payload": dict(work.payload), "created_at": work.created_at}
    connection.execute(_ENQUEUE, {"bucket": bucket_of(work.id), **values})


def waiting(connection: Connection, limit: int = 100) -> tuple[Work, ...]:
    """The oldest work that nobody has taken over."""
    rows = connection.execute(_OLDEST, {"most": limit})
    return tuple(Work(*row) for row in rows)


def count_waiting(connection: Connection) -> int:
    """How much work nobody has taken over."""
    return connection.execute(select(func.count()).select_from(outbox)).scalar_one()


def is_waiting(connection: Connection, work_id: uuid.UUID) -> bool:
    """Whether nobody has taken this work over yet."""
    mine = (outbox.c.bucket == bucket_of(work_id), outbox.c.id == work_id)
    return connection.execute(select(outbox.c.id).where(*mine)).one_or_none() is not None


def forget(connection: Connection, *works: Work) -> None:
    """Drop work that somebody has taken over, or done; harmless where it is gone."""
    if works:
        connection.execute(_FORGET, [{"of_bucket": bucket_of(work.id), "of_id": work.id} for work in works])
