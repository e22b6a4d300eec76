"""Rows of what other systems hold here: records under identifiers of their own, and buffers beside them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.store.audit import bucket_of
from eid.store.osia_tables import osia_buffer
from eid.store.osia_tables import osia_record as table


@dataclass(frozen=True, slots=True)
class Record:
    """What another system holds here.

    Args:
        kind: one of `eid.store.osia_tables.RECORD_KINDS`. subject: the application or card that it is about.
        sealed: the body.
    """

    id: uuid.UUID
    kind: str
    state: str
    version: int
    subject: uuid.UUID | None
    owner: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Buffer:
    """An image that was sent by itself, for a record. blob: the name under which it lies."""

    id: uuid.UUID
    record_id: uuid.UUID
    media_type: str
    blob: str
    created_at: datetime


_RECORD: Final = Record.__slots__
_BUFFER: Final = Buffer.__slots__


def insert_record(connection: Connection, record: Record) -> bool:
    """Keep a record; False where there is one under its identifier."""
    values = {name: getattr(record, name) for name in _RECORD}
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(bucket=bucket_of(record.id), **values))
    except IntegrityError:
        return False
    return True


def load_record(connection: Connection, record_id: uuid.UUID) -> Record | None:
    """The record, or None."""
    query = select(*(table.c[name] for name in _RECORD)).where(*_is(record_id))
    row = connection.execute(query).one_or_none()
    return None if row is None else Record(*row)


def is_search(connection: Connection, name: str) -> bool:
    """Whether an identifier in the biometric system is a search's probe, which lies there while it is looked for."""
    try:
        record = load_record(connection, uuid.UUID(name))
    except ValueError:
        return False
    return record is not None and record.kind == "TASK"


def replace_record(connection: Connection, record: Record) -> bool:
    """Write state, subject and body anew; False where somebody else was quicker. version: the one that was read."""
    changed = connection.execute(
        update(table)
        .where(*_is(record.id), table.c.version == record.version)
        .values(
            state=record.state,
            subject=record.subject,
            sealed=record.sealed,
            updated_at=record.updated_at,
            version=record.version + 1,
        )
    )
    return changed.rowcount == 1


def delete_record(connection: Connection, record_id: uuid.UUID) -> None:
    """Drop a record and its buffers' rows."""
    bucket = bucket_of(record_id)
    connection.execute(delete(osia_buffer).where(osia_buffer.c.bucket == bucket, osia_buffer.c.record_id == record_id))
    connection.execute(delete(table).where(*_is(record_id)))


def list_records(
    connection: Connection, kind: str, limit: int, offset: int = 0, state: str | None = None
) -> tuple[Record, ...]:
    """Records of a kind, in a state or in any, the newest first."""
    query = select(*(table.c[name] for name in _RECORD)).where(table.c.kind == kind)
    if state is not None:
        query = query.where(table.c.state == state)
    rows = connection.execute(query.order_by(table.c.created_at.desc(), table.c.id.desc()).offset(offset).limit(limit))
    return tuple(Record(*row) for row in rows)


def records_about(connection: Connection, subjects: Iterable[uuid.UUID]) -> tuple[Record, ...]:
    """Records about applications or cards, the oldest first."""
    query = select(*(table.c[name] for name in _RECORD)).where(table.c.subject.in_(tuple(subjects)))
    return tuple(Record(*row) for row in connection.execute(query.order_by(table.c.created_at, table.c.id)))


def abandoned_records(
    connection: Connection, kind: str, state: str | None, before: datetime, limit: int
) -> tuple[Record, ...]:
    """Records of a kind, in a state or in any, that nobody has changed since a moment; the oldest first."""
    query = select(*(table.c[name] for name in _RECORD)).where(table.c.kind == kind, table.c.updated_at < before)
    if state is not None:
        query = query.where(table.c.state == state)
    return tuple(
        Record(*row) for row in connection.execute(query.order_by(table.c.created_at, table.c.id).limit(limit))
    )


def insert_buffer(connection: Connection, buffer: Buffer) -> None:
    """Keep a buffer."""
    values = {name: getattr(buffer, name) for name in _BUFFER}
    connection.execute(insert(osia_buffer).values(bucket=bucket_of(buffer.id), **values))


def buffers_of(connection: Connection, record_id: uuid.UUID) -> tuple[Buffer, ...]:
    """The buffers of a record, oldest first."""
    query = select(*(osia_buffer.c[name] for name in _BUFFER)).where(
        osia_buffer.c.bucket == bucket_of(record_id), osia_buffer.c.record_id == record_id
    )
    return tuple(Buffer(*row) for row in connection.execute(query.order_by(osia_buffer.c.created_at, osia_buffer.c.id)))


def _is(record_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return (table.c.bucket == bucket_of(record_id), table.c.id == record_id)
