"""Stamps in the database: found by identifier or by the keyed hash of their digits."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert

from eid.audit.chain import BUCKETS
from eid.errors import NotStoredError
from eid.store.application_tables import application
from eid.store.audit import bucket_of
from eid.store.stamp_tables import stamp as table
from eid.store.stamp_tables import stamp_try
from eid.store.upsert import insert_or

_TRY_KEY: Final = (stamp_try.c.caller, stamp_try.c.hour)
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
_INSERT: Final = insert(table)
_HAS_TAG: Final = (table.c.bucket == bindparam("of_bucket"), table.c.tag == bindparam("of_tag"))
_FIND_BY_TAG: Final = select(*_COLUMNS).where(*_HAS_TAG).with_for_update()
_KNOW_TAG: Final = select(table.c.id).where(*_HAS_TAG)
_TRIES_OF: Final = (stamp_try.c.caller == bindparam("of_caller"), stamp_try.c.hour == bindparam("of_hour"))
_FORGIVE: Final = update(stamp_try).where(*_TRIES_OF, stamp_try.c.tries > 0).values(tries=stamp_try.c.tries - 1)
_FORGET_TRIES: Final = delete(stamp_try).where(
    stamp_try.c.caller == bindparam("of_caller"), stamp_try.c.hour < bindparam("before")
)
_CHANGE: Final = update(table).where(table.c.bucket == bindparam("of_bucket"), table.c.id == bindparam("of_id"))


def bucket_of_tag(tag: bytes) -> int:
    """The bucket of the stamp with this keyed hash: its last octet."""
    return tag[-1] % BUCKETS


def insert_stamp(connection: Connection, new: StoredStamp) -> None:
    """Keep a new stamp."""
    values = {column.name: getattr(new, column.name) for column in _COLUMNS}
    connection.execute(_INSERT, {"bucket": bucket_of(new.id), **values})


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
    row = connection.execute(_FIND_BY_TAG, {"of_bucket": bucket_of_tag(tag), "of_tag": tag}).one_or_none()
    return None if row is None else _to_stamp(row)


def is_known_tag(connection: Connection, tag: bytes) -> bool:
    """Whether some stamp has these digits."""
    return connection.execute(_KNOW_TAG, {"of_bucket": bucket_of_tag(tag), "of_tag": tag}).one_or_none() is not None


def stamps_of(connection: Connection, ordered_by: str, limit: int = 100) -> tuple[StoredStamp, ...]:
    """The stamps that somebody has ordered, the newest first."""
    query = select(*_COLUMNS).where(table.c.ordered_by == ordered_by).order_by(table.c.ordered_at.desc()).limit(limit)
    return tuple(map(_to_stamp, connection.execute(query)))


def is_lost(connection: Connection, stamp_id: uuid.UUID, application_id: uuid.UUID) -> bool:
    """Whether a stamp that was reserved for an application is so no more: somebody has blocked it."""
    theirs = table.c.state.not_in(("RESERVED", "CONSUMED")) | table.c.application_id.is_distinct_from(application_id)
    query = select(table.c.id).where(table.c.bucket == bucket_of(stamp_id), table.c.id == stamp_id, theirs)
    return connection.execute(query).one_or_none() is not None


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


def forsaken_stamps(connection: Connection, before: datetime, limit: int) -> tuple[StoredStamp, ...]:
    """Stamps that have been reserved since before a moment for an application which they are not bound to."""
    bound = select(application.c.id).where(
        application.c.stamp_id == table.c.id, application.c.id == table.c.application_id
    )
    old = (table.c.state == "RESERVED", table.c.reserved_at < before, table.c.application_id.is_not(None))
    query = select(*_COLUMNS).where(*old, ~exists(bound))
    return tuple(map(_to_stamp, connection.execute(query.limit(limit))))


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
    connection.execute(_CHANGE.values(values), {"of_bucket": bucket_of(stamp_id), "of_id": stamp_id})


def count_try(connection: Connection, caller: str, now: datetime) -> int:
    """Count a try of somebody's in this hour; how many there are with it."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    first = {"caller": caller, "hour": hour, "tries": 1}
    tries = connection.execute(_count_one(connection.dialect.name), first).scalar_one()
    if tries == 1:
        connection.execute(_FORGET_TRIES, {"of_caller": caller, "before": now - KEPT_TRIES})
    return tries


def forgive_try(connection: Connection, caller: str, now: datetime) -> None:
    """Take back a try that was none: the digits were right."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    connection.execute(_FORGIVE, {"of_caller": caller, "of_hour": hour})


@cache
def _count_one(dialect: str) -> ReturningInsert[int]:
    """The first try of an hour, or one more; whichever, of two at once both count."""
    one = insert_or(dialect, stamp_try)
    more = one.on_conflict_do_update(index_elements=_TRY_KEY, set_={"tries": stamp_try.c.tries + 1})
    return more.returning(stamp_try.c.tries)


def _to_stamp(row: Row[tuple[object, ...]]) -> StoredStamp:
    return StoredStamp(**row._mapping)  # the columns are the fields
