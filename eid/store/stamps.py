"""Stamps in the database: found by identifier or by the keyed hash of their digits."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.audit.chain import BUCKETS
from eid.errors import NotStoredError
from eid.store.audit import bucket_of
from eid.store.stamp_tables import stamp as table
from eid.store.stamp_tables import stamp_try

KEPT_TRIES: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StoredStamp:
    """A stamp's row. Moments are UTC.

    Args:
        amount: whole units of `currency`. fee_version: the day from which that fee is in force. ordered_by: who may
            see it. sealed_phone, sealed_digits: for sending the digits; the latter None before they are drawn and after
            the stamp's end. messages: how often they were to be sent. application_id: whom it is reserved for; where it
            was spent at a counter, the name of the case there. reserved_at: when that was.
    """

    id: uuid.UUID
    state: str
    version: int
    service: str
    amount: int
    currency: str
    fee_version: str
    ordered_by: str
    language: str
    sealed_phone: bytes = field(repr=False)
    ordered_at: datetime
    pay_before: datetime
    paid_at: datetime | None = None
    tag: bytes | None = field(default=None, repr=False)
    last_four: str | None = None
    sealed_digits: bytes | None = field(default=None, repr=False)
    message_asked_at: datetime | None = None
    messages: int = 0
    message_sent_at: datetime | None = None
    application_id: uuid.UUID | None = None
    reserved_at: datetime | None = None


_COLUMNS: Final = tuple(table.c[name] for name in StoredStamp.__dataclass_fields__)
_FIND: Final = select(*_COLUMNS).where(table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))
_LOCK: Final = _FIND.with_for_update()


def bucket_of_tag(tag: bytes) -> int:
    """The bucket of the stamp with this keyed hash: its last octet."""
    return tag[-1] % BUCKETS


def insert_stamp(connection: Connection, new: StoredStamp) -> None:
    """Keep a new stamp."""
    values = {column.name: getattr(new, column.name) for column in _COLUMNS}
    connection.execute(insert(table).values(bucket=bucket_of(new.id), **values))


def find_stamp(connection: Connection, stamp_id: uuid.UUID, *, lock: bool = False) -> StoredStamp:
    """The stamp with this identifier; locked until the transaction ends where that is asked for.

    Raises:
        NotStoredError: there is none.
    """
    which = {"of_bucket": bucket_of(stamp_id), "of_id": stamp_id}
    row = connection.execute(_LOCK if lock else _FIND, which).one_or_none()
    if row is None:
        raise NotStoredError("there is no such stamp")
    return _to_stamp(row)


def find_by_tag(connection: Connection, tag: bytes) -> StoredStamp | None:
    """The stamp whose digits have this keyed hash, locked until the transaction ends."""
    query = select(*_COLUMNS).where(table.c.bucket == bucket_of_tag(tag), table.c.tag == tag).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else _to_stamp(row)


def is_known_tag(connection: Connection, tag: bytes) -> bool:
    """Whether some stamp has these digits."""
    query = select(table.c.id).where(table.c.bucket == bucket_of_tag(tag), table.c.tag == tag)
    return connection.execute(query).one_or_none() is not None


def stamps_of(connection: Connection, ordered_by: str, limit: int = 100) -> tuple[StoredStamp, ...]:
    """The stamps that somebody has ordered, the newest first."""
    query = select(*_COLUMNS).where(table.c.ordered_by == ordered_by).order_by(table.c.ordered_at.desc()).limit(limit)
    return tuple(map(_to_stamp, connection.execute(query)))


def stamps_for(connection: Connection, application_id: uuid.UUID) -> tuple[StoredStamp, ...]:
    """The stamps that are reserved, or were consumed, for an application."""
    query = select(*_COLUMNS).where(table.c.application_id == application_id)
    return tuple(map(_to_stamp, connection.execute(query)))


def unpaid_stamps(connection: Connection, now: datetime, limit: int) -> tuple[uuid.UUID, ...]:
    """Orders whose time to pay is over."""
    query = select(table.c.id).where(table.c.state == "ORDERED", table.c.pay_before <= now).limit(limit)
    return tuple(connection.execute(query).scalars())


def unsent_stamps(connection: Connection, asked_before: datetime, limit: int) -> tuple[StoredStamp, ...]:
    """Paid stamps whose digits have not reached their buyer, the oldest first: an operator's queue."""
    query = (
        select(*_COLUMNS)
        .where(table.c.state.in_(("PAID", "ISSUED")), table.c.message_sent_at.is_(None))
        .where(func.coalesce(table.c.message_asked_at, table.c.paid_at) <= asked_before)
        .order_by(table.c.paid_at)
        .limit(limit)
    )
    return tuple(map(_to_stamp, connection.execute(query)))


def reserved_stamps(connection: Connection, before: datetime, limit: int) -> tuple[StoredStamp, ...]:
    """Stamps that have been reserved since before a moment."""
    query = select(*_COLUMNS).where(table.c.state == "RESERVED", table.c.reserved_at < before).limit(limit)
    return tuple(map(_to_stamp, connection.execute(query)))


def note_reservation(connection: Connection, stamp_id: uuid.UUID, now: datetime) -> None:
    """Note that a stamp, which is reserved already, was reserved for the same application again."""
    where = (table.c.bucket == bucket_of(stamp_id), table.c.id == stamp_id, table.c.state == "RESERVED")
    connection.execute(update(table).where(*where).values(reserved_at=now))


def note_message(
    connection: Connection, stamp_id: uuid.UUID, *, asked_at: datetime | None = None, sent_at: datetime | None = None
) -> None:
    """Note that the digits are to be sent once more, or that they were sent; no change of state."""
    values: dict[str, object] = {}
    if asked_at is not None:
        values |= {"message_asked_at": asked_at, "messages": table.c.messages + 1}
    if sent_at is not None:
        values["message_sent_at"] = sent_at
    where = (table.c.bucket == bucket_of(stamp_id), table.c.id == stamp_id)
    connection.execute(update(table).where(*where).values(values))


def count_try(connection: Connection, caller: str, now: datetime) -> int:
    """Count a try of somebody's in this hour; how many there are with it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    mine = (stamp_try.c.caller == caller, stamp_try.c.hour == hour)
    add = update(stamp_try).where(*mine).values(tries=stamp_try.c.tries + 1)
    if connection.execute(add).rowcount == 0:
        connection.execute(delete(stamp_try).where(stamp_try.c.caller == caller, stamp_try.c.hour < now - KEPT_TRIES))
        try:
            with connection.begin_nested():  # two may try first at once
                connection.execute(insert(stamp_try).values(caller=caller, hour=hour, tries=1))
        except IntegrityError:
            connection.execute(add)
    return int(connection.execute(select(stamp_try.c.tries).where(*mine)).scalar_one())


def forgive_try(connection: Connection, caller: str, now: datetime) -> None:
    """Take back a try that was none: the digits were right."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    mine = (stamp_try.c.caller == caller, stamp_try.c.hour == hour, stamp_try.c.tries > 0)
    connection.execute(update(stamp_try).where(*mine).values(tries=stamp_try.c.tries - 1))


def _to_stamp(row: Row[tuple[object, ...]]) -> StoredStamp:
    return StoredStamp(**row._mapping)  # the columns are the fields
