"""Signed status lists as they were published: the newest is served, earlier ones answer for their time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from eid.store.card_tables import status_publication as table


@dataclass(frozen=True, slots=True)
class Publication:
    """A signed list. form: "JWT" or "CWT". ttl: seconds. digest: SHA-256 of the token, 32 octets."""

    uri: str
    form: str
    issued_at: datetime
    expires_at: datetime
    ttl: int
    digest: bytes
    token: bytes = field(repr=False)


def keep_publication(
    connection: Connection, uri: str, form: str, issued_at: datetime, expires_at: datetime, ttl: int, token: bytes
) -> Publication:
    """Keep a signed list.

    Raises (out of `in_transaction`):
        StoreError: one of the same second is kept already.
    """
    found = Publication(uri, form, issued_at, expires_at, ttl, hashlib.sha256(token).digest(), token)
    values = {name: getattr(found, name) for name in Publication.__dataclass_fields__}
    connection.execute(insert(table).values(**values))
    return found


def load_publication(connection: Connection, uri: str, form: str, at: datetime | None = None) -> Publication | None:
    """The newest publication of a list; or the newest of those issued by `at`, which must be valid then."""
    columns = tuple(table.c[name] for name in Publication.__dataclass_fields__)
    query = select(*columns).where(table.c.uri == uri, table.c.form == form)
    if at is not None:
        query = query.where(table.c.issued_at <= at)
    row = connection.execute(query.order_by(table.c.issued_at.desc()).limit(1)).one_or_none()
    if row is None or (at is not None and row.expires_at <= at):
        return None
    return Publication(*row)


def newest_issue(connection: Connection, uri: str, form: str) -> tuple[datetime, timedelta] | None:
    """When the newest publication of a list was issued, and how long a copy of it is kept (ttl)."""
    query = select(table.c.issued_at, table.c.ttl).where(table.c.uri == uri, table.c.form == form)
    row = connection.execute(query.order_by(table.c.issued_at.desc()).limit(1)).one_or_none()
    return None if row is None else (row.issued_at, timedelta(seconds=row.ttl))


def forget_publications(connection: Connection, uri: str, before: datetime) -> None:
    """Drop the publications of a list that expired before a moment."""
    connection.execute(delete(table).where(table.c.uri == uri, table.c.expires_at < before))
