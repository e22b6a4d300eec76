"""The audit log in the database: rows are appended in the transaction of what they tell of, and never changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from eid.audit.chain import BUCKETS, AuditEvent, AuditRow, genesis, link
from eid.store.tables import audit_chain, audit_row
from eid.store.upsert import insert_or

PAGE: Final = 1000  # rows fetched at once
# Made once: every act of the registry runs them, and to build a statement takes longer than to run it.
_HEAD: Final = (
    select(audit_chain.c.size, audit_chain.c.hash).where(audit_chain.c.bucket == bindparam("chain")).with_for_update()
)
_APPEND: Final = insert(audit_row)
_MOVE_HEAD: Final = update(audit_chain).where(audit_chain.c.bucket == bindparam("chain"))


def bucket_of(subject: uuid.UUID) -> int:
    """The chain, and the distribution key, of a family of rows: the last octet of an identifier that is random there.

    Identifiers of one citizen's affairs share it (`eid.store.types.new_id_like`), so they lie together.
    """
    return subject.bytes[15] % BUCKETS


def append_event(connection: Connection, bucket: int, event: AuditEvent) -> AuditRow:
    """Append an event to a chain; it counts when the caller's transaction does.

    The head of the chain is locked until then: writers of one chain take turns, those of others do not wait.
    """
    size, previous = _lock_head(connection, bucket)
    row = link(bucket, size + 1, previous, event)
    values = {
        "bucket": bucket,
        "seq": row.seq,
        "previous": row.previous,
        "hash": row.hash,
        "at": event.at,
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "detail": dict(event.detail),
    }
    connection.execute(_APPEND, values)
    connection.execute(_MOVE_HEAD, {"chain": bucket, "size": row.seq, "hash": row.hash})
    return row


def _lock_head(connection: Connection, bucket: int) -> tuple[int, bytes]:
    head = connection.execute(_HEAD, {"chain": bucket}).one_or_none()
    if head is not None:
        return head.size, head.hash
    # Two may begin a chain at once: the second waits, and finds the first one's.
    begun = insert_or(connection.dialect.name, audit_chain).on_conflict_do_nothing()
    connection.execute(begun, {"bucket": bucket, "size": 0, "hash": genesis(bucket)})
    head = connection.execute(_HEAD, {"chain": bucket}).one()
    return head.size, head.hash


def read_chain(connection: Connection, bucket: int, after: int = 0) -> Iterator[AuditRow]:
    """The rows of a chain behind a number, in order, a page at a time."""
    while True:
        rows = read_page(connection, bucket, after, PAGE)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].seq


def read_page(connection: Connection, bucket: int, after: int, limit: int) -> tuple[AuditRow, ...]:
    """Some rows of a chain behind a number, in order."""
    rows = connection.execute(
        select(audit_row)
        .where(audit_row.c.bucket == bucket, audit_row.c.seq > after)
        .order_by(audit_row.c.seq)
        .limit(limit)
    )
    return tuple(_to_row(row) for row in rows)


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which rows somebody looks for; what is None is not asked for.

    Args:
        since, until: from this moment on, and before that one. actor: "role:identifier", or the identifier alone.
        action: its name, or the part of it before a dot. subject: "kind:identifier", or the identifier alone.
        ending: of the subject.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    ending: str = ""

    def fits(self, event: AuditEvent) -> bool:
        """Whether an event is asked for."""
        return (
            (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
            and (self.action is None or event.action == self.action or event.action.startswith(f"{self.action}."))
            and _is_of(self.actor, event.actor)
            and _is_of(self.subject, event.subject)
            and event.subject.endswith(self.ending)
        )


def _is_of(asked: str | None, found: str) -> bool:
    return asked is None or asked in (found, found.partition(":")[2])


def search_page(
    connection: Connection, bucket: int, query: AuditQuery, after: int, limit: int = PAGE
) -> tuple[AuditRow, ...]:
    """Some rows of a chain behind a number that may be asked for, in order; what `fits` says of them counts."""
    wanted = select(audit_row).where(audit_row.c.bucket == bucket, audit_row.c.seq > after)
    if query.since is not None:
        wanted = wanted.where(audit_row.c.at >= query.since)
    if query.until is not None:
        wanted = wanted.where(audit_row.c.at < query.until)
    # Less exact than `fits`, for SQLite's LIKE knows no capitals; it keeps the rest in the database.
    for column, asked in ((audit_row.c.actor, query.actor), (audit_row.c.subject, query.subject or query.ending)):
        if asked:
            wanted = wanted.where(column.endswith(asked, autoescape=True))
    if query.action is not None:
        wanted = wanted.where(audit_row.c.action.startswith(query.action, autoescape=True))
    return tuple(_to_row(row) for row in connection.execute(wanted.order_by(audit_row.c.seq).limit(limit)))


def read_heads(connection: Connection) -> dict[int, tuple[int, bytes]]:
    """The head of each chain by its number: how many rows, and the hash of the last."""
    rows = connection.execute(select(audit_chain.c.bucket, audit_chain.c.size, audit_chain.c.hash))
    return {row.bucket: (row.size, row.hash) for row in rows}


def read_buckets(connection: Connection) -> tuple[int, ...]:
    """The chains that have rows."""
    return tuple(connection.execute(select(audit_row.c.bucket).distinct().order_by(audit_row.c.bucket)).scalars())


def _to_row(row: Row[tuple[object, ...]]) -> AuditRow:
    event = AuditEvent(row.at, row.actor, row.action, row.subject, row.detail)
    return AuditRow(row.bucket, row.seq, row.previous, event, row.hash)
