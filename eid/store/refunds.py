"""Requests to give money back, beside the stamps that it was paid for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from eid.errors import NotStoredError
from eid.store.audit import bucket_of
from eid.store.stamp_tables import refund_request as table


@dataclass(frozen=True, slots=True)
class StoredRefund:
    """A request. subject: the stamp, or the payment that the provider does not return. asked_at: first."""

    id: uuid.UUID
    state: str
    version: int
    stamp_id: uuid.UUID
    subject: uuid.UUID
    cause: str
    asked_at: datetime


_COLUMNS: Final = tuple(table.c[name] for name in StoredRefund.__dataclass_fields__)


def insert_refund(connection: Connection, new: StoredRefund) -> None:
    """Keep a new request."""
    values = {name: getattr(new, name) for name in StoredRefund.__dataclass_fields__}
    connection.execute(insert(table).values(bucket=bucket_of(new.id), **values))


def load_refund(connection: Connection, refund_id: uuid.UUID) -> StoredRefund:
    """The request.

    Raises:
        NotStoredError: there is none.
    """
    query = select(*_COLUMNS).where(table.c.bucket == bucket_of(refund_id), table.c.id == refund_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotStoredError("there is no such request")
    return StoredRefund(*row)


def refund_about(connection: Connection, subject: uuid.UUID) -> StoredRefund | None:
    """The request about a stamp or a payment, or None."""
    query = select(*_COLUMNS).where(table.c.bucket == bucket_of(subject), table.c.subject == subject)
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredRefund(*row)


def open_refunds(connection: Connection, limit: int) -> tuple[StoredRefund, ...]:
    """Requests that nobody has decided, oldest first."""
    query = select(*_COLUMNS).where(table.c.state == "ASKED").order_by(table.c.asked_at, table.c.id).limit(limit)
    return tuple(StoredRefund(*row) for row in connection.execute(query))
