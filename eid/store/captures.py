"""What was captured of persons, the keys that officers sign it with, searches for duplicates, and open questions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, func, insert, or_, select, update

from eid.store.application_tables import application as application_table
from eid.store.audit import bucket_of
from eid.store.production_tables import capture, captured_item, duplicate_search, hold, officer_key
from eid.store.types import new_id_like


@dataclass(frozen=True, slots=True)
class OfficerKey:
    """A key that an officer signs captures with. public_key: SubjectPublicKeyInfo, DER; until: None while it counts."""

    key_id: bytes
    officer: str
    public_key: bytes = field(repr=False)
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class StoredCapture:
    """A capture. record: as the officer signed it; findings: of its quality."""

    id: uuid.UUID
    application_id: uuid.UUID
    attempt: int
    officer: str
    site: str
    captured_at: datetime
    received_at: datetime
    record: bytes = field(repr=False)
    findings: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Search:
    """A search for others like the person of a capture."""

    id: uuid.UUID
    application_id: uuid.UUID
    capture_id: uuid.UUID
    state: str
    task: str | None
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """An open question about a file. candidate: identifier of the person that it may be, "" for other questions."""

    id: uuid.UUID
    application_id: uuid.UUID
    code: str
    candidate: str
    score: float | None
    state: str
    placed_at: datetime
    reason: str | None


def insert_officer_key(connection: Connection, key: OfficerKey, noted_by: str) -> None:
    """Keep a key."""
    connection.execute(
        insert(officer_key).values(
            key_id=key.key_id,
            officer=key.officer,
            public_key=key.public_key,
            noted_by=noted_by,
            since=key.since,
            until=key.until,
        )
    )


def end_officer_key(connection: Connection, key_id: bytes, now: datetime) -> bool:
    """End a key that counts; whether there was one."""
    changed = connection.execute(
        update(officer_key).where(officer_key.c.key_id == key_id, officer_key.c.until.is_(None)).values(until=now)
    )
    return changed.rowcount == 1


def find_officer_key(connection: Connection, key_id: bytes) -> OfficerKey | None:
    """The key, or None."""
    columns = [officer_key.c[name] for name in OfficerKey.__slots__]
    row = connection.execute(select(*columns).where(officer_key.c.key_id == key_id)).one_or_none()
    return None if row is None else OfficerKey(*row)


def insert_capture(connection: Connection, kept: StoredCapture, blobs: Mapping[str, str]) -> None:
    """Keep a capture, and the names of the blobs that its items are in."""
    bucket = bucket_of(kept.application_id)
    connection.execute(insert(capture).values(bucket=bucket, **{name: getattr(kept, name) for name in _CAPTURE}))
    rows = [{"bucket": bucket, "capture_id": kept.id, "name": name, "blob": blob} for name, blob in blobs.items()]
    if rows:
        connection.execute(insert(captured_item), rows)


def count_captures(connection: Connection, application: uuid.UUID) -> int:
    """How often the person of an application was captured."""
    query = select(func.count()).select_from(capture)
    found = connection.execute(_of_application(query, capture, application)).scalar_one()
    return int(found)


def last_capture(connection: Connection, application: uuid.UUID) -> StoredCapture | None:
    """The newest capture of an application, or None."""
    query = _of_application(select(*(capture.c[name] for name in _CAPTURE)), capture, application)
    row = connection.execute(query.order_by(capture.c.attempt.desc()).limit(1)).one_or_none()
    return None if row is None else StoredCapture(*row)


def list_captures(connection: Connection, application: uuid.UUID) -> tuple[StoredCapture, ...]:
    """All captures of an application, the newest last."""
    query = _of_application(select(*(capture.c[name] for name in _CAPTURE)), capture, application)
    return tuple(StoredCapture(*row) for row in connection.execute(query.order_by(capture.c.attempt)))


def captured_blobs(connection: Connection, stored: StoredCapture) -> dict[str, str]:
    """Names of the blobs, by the names of the items; those that were erased are not there."""
    rows = connection.execute(
        select(captured_item.c.name, captured_item.c.blob).where(
            captured_item.c.bucket == bucket_of(stored.application_id), captured_item.c.capture_id == stored.id
        )
    )
    return {row.name: row.blob for row in rows}


def open_search(connection: Connection, stored: StoredCapture, now: datetime) -> Search:
    """The search for a capture, begun where there was none."""
    known = _find_search(connection, stored.application_id, duplicate_search.c.capture_id == stored.id)
    if known is not None:
        return known
    search = Search(new_id_like(stored.application_id, now), stored.application_id, stored.id, "WAITING", None, now)
    values = {name: getattr(search, name) for name in Search.__slots__}
    connection.execute(insert(duplicate_search).values(bucket=bucket_of(search.id), **values))
    return search


def find_search(connection: Connection, search_id: uuid.UUID) -> Search | None:
    """The search, or None."""
    return _find_search(connection, search_id, duplicate_search.c.id == search_id)


def note_task(connection: Connection, search: Search, task: str) -> None:
    """Remember under which identifier the answer will come."""
    _update_search(connection, search, task=task)


def note_asked(connection: Connection, search: Search, now: datetime) -> bool:
    """Note that an answer is asked for again; False where it has come."""
    return _update_search(connection, search, asked_at=now)


def answer_search(connection: Connection, search: Search, now: datetime) -> bool:
    """Mark a search as answered; False where it was before."""
    return _update_search(connection, search, state="ANSWERED", answered_at=now)


def list_late_searches(connection: Connection, before: datetime, limit: int = 100) -> tuple[Search, ...]:
    """Searches to be answered later, asked for before a moment and not answered; who was asked longest ago first."""
    rows = connection.execute(
        select(*_SEARCH_COLUMNS)
        .where(duplicate_search.c.state == "WAITING", duplicate_search.c.asked_at < before)
        .where(duplicate_search.c.task.is_not(None))
        .order_by(duplicate_search.c.asked_at)
        .limit(limit)
    )
    return tuple(Search(*row) for row in rows)


def place_hold(
    connection: Connection,
    application: uuid.UUID,
    code: str,
    candidate: str,
    score: float | None,
    placed_by: str,
    now: datetime,
) -> bool:
    """Place a hold; False where there is that very one, open or settled."""
    where = (hold.c.code == code, hold.c.candidate == candidate)
    if connection.execute(_of_application(select(hold.c.id), hold, application).where(*where)).first() is not None:
        return False
    connection.execute(
        insert(hold).values(
            bucket=bucket_of(application),
            id=new_id_like(application, now),
            application_id=application,
            code=code,
            candidate=candidate,
            score=score,
            state="OPEN",
            placed_at=now,
            placed_by=placed_by,
        )
    )
    return True


def settle_hold(connection: Connection, found: Hold, state: str, reason: str, settled_by: str, now: datetime) -> bool:
    """Settle an open hold; False where somebody did before."""
    changed = connection.execute(
        update(hold)
        .where(hold.c.bucket == bucket_of(found.id), hold.c.id == found.id, hold.c.state == "OPEN")
        .values(state=state, reason=reason, settled_by=settled_by, settled_at=now)
    )
    return changed.rowcount == 1


def find_hold(connection: Connection, hold_id: uuid.UUID) -> Hold | None:
    """The hold, or None."""
    query = select(*_HOLD_COLUMNS).where(hold.c.bucket == bucket_of(hold_id), hold.c.id == hold_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Hold(*row)


def holds_of(connection: Connection, application: uuid.UUID) -> tuple[Hold, ...]:
    """All holds of an application, oldest first."""
    query = _of_application(select(*_HOLD_COLUMNS), hold, application).order_by(hold.c.placed_at, hold.c.id)
    return tuple(Hold(*row) for row in connection.execute(query))


def open_holds(connection: Connection, limit: int = 100, *, site: str | None = None) -> tuple[Hold, ...]:
    """The queue of open questions, oldest first; site: of this office's files alone."""
    query = select(*_HOLD_COLUMNS).where(hold.c.state == "OPEN").order_by(hold.c.placed_at, hold.c.id).limit(limit)
    if site is not None:
        same = (application_table.c.bucket == hold.c.bucket, application_table.c.id == hold.c.application_id)
        theirs = or_(application_table.c.site == site, application_table.c.appointment_site == site)
        query = query.where(exists(select(application_table.c.id).where(*same, theirs)))
    return tuple(Hold(*row) for row in connection.execute(query))


def blocking_codes(connection: Connection, application: uuid.UUID) -> frozenset[str]:
    """Codes of what keeps a file from going on: open questions, and suspicions that were confirmed."""
    return frozenset(item.code for item in holds_of(connection, application) if item.state != "CLEARED")


_CAPTURE = StoredCapture.__slots__
_SEARCH_COLUMNS = tuple(duplicate_search.c[name] for name in Search.__slots__)
_HOLD_COLUMNS = tuple(hold.c[name] for name in Hold.__slots__)


def _of_application(query: Any, table: Any, application: uuid.UUID) -> Any:
    return query.where(table.c.bucket == bucket_of(application), table.c.application_id == application)


def _find_search(connection: Connection, relative: uuid.UUID, which: Any) -> Search | None:
    query = select(*_SEARCH_COLUMNS).where(duplicate_search.c.bucket == bucket_of(relative), which)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Search(**row)


def _update_search(connection: Connection, search: Search, **values: Any) -> bool:
    changed = connection.execute(
        update(duplicate_search)
        .where(duplicate_search.c.bucket == bucket_of(search.id), duplicate_search.c.id == search.id)
        .where(duplicate_search.c.state == "WAITING")
        .values(**values)
    )
    return changed.rowcount == 1
