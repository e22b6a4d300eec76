"""Rows of callers whom the call centre has asked who they are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from eid.store.audit import bucket_of
from eid.store.office_tables import caller_check as table


@dataclass(frozen=True, slots=True)
class CallerCheck:
    """One try to prove who is calling; a passed one is the call itself.

    Args:
        id: in the bucket of the person. agent: who asked.
    """

    id: uuid.UUID
    person_id: uuid.UUID
    agent: str
    passed: bool
    at: datetime
    expires_at: datetime


def insert_check(connection: Connection, check: CallerCheck) -> None:
    """Keep a try."""
    values = {name: getattr(check, name) for name in CallerCheck.__dataclass_fields__}
    connection.execute(insert(table).values(bucket=bucket_of(check.id), **values))


def load_check(connection: Connection, check_id: uuid.UUID) -> CallerCheck | None:
    """The try with this identifier, or None."""
    columns = [table.c[name] for name in CallerCheck.__dataclass_fields__]
    query = select(*columns).where(table.c.bucket == bucket_of(check_id), table.c.id == check_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else CallerCheck(*row)


def count_failed(connection: Connection, person_id: uuid.UUID, since: datetime) -> int:
    """How many tries about a person have failed since a moment."""
    query = select(func.count()).where(
        table.c.bucket == bucket_of(person_id),
        table.c.person_id == person_id,
        table.c.at > since,
        table.c.passed.is_(False),
    )
    return connection.execute(query).scalar_one()
