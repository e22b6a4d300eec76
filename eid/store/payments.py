"""Payments, what providers told of them, and reconciliations, in the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from eid.errors import NotStoredError
from eid.store.audit import bucket_of
from eid.store.stamp_tables import payment as table
from eid.store.stamp_tables import payment_callback, reconciliation

PAGE: Final = 500  # identifiers in one question


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A payment's row. Moments are UTC; those of settling and refunding are the provider's."""

    id: uuid.UUID
    state: str
    version: int
    stamp_id: uuid.UUID
    channel: str
    amount: int
    currency: str
    requested_by: str
    created_at: datetime
    provider_reference: str | None = None
    settled_at: datetime | None = None
    refunded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownCallback:
    """What a provider told before: SHA-256 of its body, and what it changed."""

    digest: bytes
    result: str


@dataclass(frozen=True, slots=True)
class StoredReconciliation:
    """A day's statement beside the register. digest: SHA-256 of the statement; findings: JSON."""

    id: uuid.UUID
    channel: str
    day: date
    digest: bytes = field(repr=False)
    movements: int
    findings: Any = field(repr=False)
    made_by: str
    made_at: datetime


_COLUMNS: Final = tuple(table.c[name] for name in StoredPayment.__dataclass_fields__)
_IS: Final = (table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))
_INSERT: Final = insert(table)
_FIND: Final = select(*_COLUMNS).where(*_IS)
_NOTE_REFERENCE: Final = update(table).where(*_IS)
_OF_STAMP: Final = (
    select(*_COLUMNS)
    .where(table.c.bucket == bindparam("of_bucket"), table.c.stamp_id == bindparam("of_stamp"))
    .order_by(table.c.id)
)
_FIND_CALLBACK: Final = select(payment_callback.c.digest, payment_callback.c.result).where(
    payment_callback.c.bucket == bindparam("of_bucket"),
    payment_callback.c.channel == bindparam("of_channel"),
    payment_callback.c.event_id == bindparam("of_event"),
)
_KEEP_CALLBACK: Final = insert(payment_callback)
_RECORD: Final = tuple(reconciliation.c[name] for name in StoredReconciliation.__dataclass_fields__)


def insert_payment(connection: Connection, new: StoredPayment) -> None:
    """Keep a new payment, which lies with its stamp."""
    values = {column.name: getattr(new, column.name) for column in _COLUMNS}
    connection.execute(_INSERT, {"bucket": bucket_of(new.id), **values})


def find_payment(connection: Connection, payment_id: uuid.UUID) -> StoredPayment:
    """The payment with this identifier.

    Raises:
        NotStoredError: there is none.
    """
    row = connection.execute(_FIND, {"of_bucket": bucket_of(payment_id), "of_id": payment_id}).one_or_none()
    if row is None:
        raise NotStoredError("there is no such payment")
    return _to_payment(row)


def payments_of(connection: Connection, stamp_id: uuid.UUID) -> tuple[StoredPayment, ...]:
    """Every payment for a stamp, in the order of their making."""
    which = {"of_bucket": bucket_of(stamp_id), "of_stamp": stamp_id}
    return tuple(map(_to_payment, connection.execute(_OF_STAMP, which)))


def find_payments(connection: Connection, identifiers: Iterable[uuid.UUID]) -> tuple[StoredPayment, ...]:
    """Those of the identifiers that are payments of ours."""
    wanted = tuple(dict.fromkeys(identifiers))
    found: list[StoredPayment] = []
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        query = select(*_COLUMNS).where(table.c.bucket.in_({bucket_of(item) for item in page}), table.c.id.in_(page))
        found += map(_to_payment, connection.execute(query))
    return tuple(found)


def settled_between(connection: Connection, channel: str, start: datetime, end: datetime) -> tuple[StoredPayment, ...]:
    """The payments of a channel that settled from one moment until before another."""
    where = (table.c.channel == channel, table.c.settled_at >= start, table.c.settled_at < end)
    return tuple(map(_to_payment, connection.execute(select(*_COLUMNS).where(*where))))


def refunded_between(connection: Connection, channel: str, start: datetime, end: datetime) -> tuple[StoredPayment, ...]:
    """The payments of a channel that were returned from one moment until before another."""
    where = (table.c.channel == channel, table.c.refunded_at >= start, table.c.refunded_at < end)
    return tuple(map(_to_payment, connection.execute(select(*_COLUMNS).where(*where))))


def note_provider_reference(connection: Connection, payment_id: uuid.UUID, reference: str) -> None:
    """Note under which number the provider has a payment."""
    which = {"of_bucket": bucket_of(payment_id), "of_id": payment_id}
    connection.execute(_NOTE_REFERENCE, {"provider_reference": reference, **which})


def find_callback(connection: Connection, payment_id: uuid.UUID, channel: str, event_id: str) -> KnownCallback | None:
    """What a provider told under this event's number before."""
    which = {"of_bucket": bucket_of(payment_id), "of_channel": channel, "of_event": event_id}
    row = connection.execute(_FIND_CALLBACK, which).one_or_none()
    return None if row is None else KnownCallback(row.digest, row.result)


def keep_callback(
    connection: Connection, payment_id: uuid.UUID, channel: str, event_id: str, known: KnownCallback, now: datetime
) -> None:
    """Keep what a provider told, in the transaction of what it changed."""
    values = {
        "bucket": bucket_of(payment_id),
        "channel": channel,
        "event_id": event_id,
        "payment_id": payment_id,
        "digest": known.digest,
        "result": known.result,
        "received_at": now,
    }
    connection.execute(_KEEP_CALLBACK, values)


def insert_reconciliation(connection: Connection, new: StoredReconciliation) -> None:
    """Keep a report."""
    connection.execute(insert(reconciliation).values({column.name: getattr(new, column.name) for column in _RECORD}))


def find_reconciliation(connection: Connection, report_id: uuid.UUID) -> StoredReconciliation:
    """The report with this identifier.

    Raises:
        NotStoredError: there is none.
    """
    row = connection.execute(select(*_RECORD).where(reconciliation.c.id == report_id)).one_or_none()
    if row is None:
        raise NotStoredError("there is no such reconciliation")
    return StoredReconciliation(**row._mapping)


def newest_reconciliations(connection: Connection, limit: int = 100) -> tuple[StoredReconciliation, ...]:
    """The newest reports, the newest first."""
    rows = connection.execute(select(*_RECORD).order_by(reconciliation.c.made_at.desc()).limit(limit))
    return tuple(StoredReconciliation(**row._mapping) for row in rows)


def _to_payment(row: Row[tuple[object, ...]]) -> StoredPayment:
    return StoredPayment(**row._mapping)  # the columns are the fields
