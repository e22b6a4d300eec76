"""Rows of sites, appointments and places. A site's rows lie in its bucket, and so do the ids of its appointments."""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Insert, Row, Select, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.enrolment.site import Site, decode_site, encode_site
from eid.enrolment.wall_time import WallTime, decode_wall_time
from eid.errors import NotStoredError
from eid.store.appointment_tables import appointment, appointment_hold, appointment_place, site, site_closure
from eid.store.audit import bucket_of
from eid.store.upsert import Upsert, insert_or

_LIVE: Final = 1


@dataclass(frozen=True, slots=True)
class StoredSite:
    """A site, and the number of its definition."""

    site: Site
    version: int


@dataclass(frozen=True, slots=True)
class Appointment:
    """An appointment's row. slot: what people are told; starts_at, ends_at: computed from it; expires_at: of a hold."""

    id: uuid.UUID
    site: str
    application_id: uuid.UUID
    service: str
    minutes: int
    category: str | None
    slot: str
    place: int
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime | None
    state: str
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def wall_time(self) -> WallTime:
        """The slot as a value."""
        return decode_wall_time(self.slot)


_COLUMNS: Final = tuple(appointment.c[name] for name in Appointment.__dataclass_fields__)
_SITE: Final = select(site.c.definition, site.c.version).where(
    site.c.bucket == bindparam("of_bucket"), site.c.code == bindparam("of_code")
)
_SITE_KEPT: Final = _SITE.with_for_update(read=True)
_SITE_LOCKED: Final = _SITE.with_for_update()
_CLOSED: Final = (
    select(site_closure.c.day, site_closure.c.reason)
    .where(site_closure.c.bucket == bindparam("of_bucket"), site_closure.c.site == bindparam("of_code"))
    .where(site_closure.c.day.between(bindparam("first"), bindparam("last")))
    .order_by(site_closure.c.day)
)
_TAKEN: Final = (
    select(appointment_place.c.slot, appointment_place.c.place)
    .where(appointment_place.c.bucket == bindparam("of_bucket"), appointment_place.c.site == bindparam("of_code"))
    .where(appointment_place.c.slot >= bindparam("first"), appointment_place.c.slot < bindparam("end"))
)
_AT_SITE: Final = select(*_COLUMNS).where(
    appointment.c.bucket == bindparam("of_bucket"), appointment.c.site == bindparam("of_code")
)
_LIVE_THERE: Final = _AT_SITE.where(
    appointment.c.application_id == bindparam("of_application"), appointment.c.live == bindparam("living")
)
_IS_DUE: Final = (appointment.c.state == bindparam("held"), appointment.c.expires_at <= bindparam("until"))
_DUE: Final = (
    select(*_COLUMNS)
    .where(*_IS_DUE)
    .order_by(appointment.c.expires_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_DUE_THERE: Final = _DUE.where(
    appointment.c.bucket == bindparam("of_bucket"), appointment.c.site == bindparam("of_code")
)
_INSERT: Final = insert(appointment)
_FREE: Final = delete(appointment_place).where(
    appointment_place.c.bucket == bindparam("of_bucket"), appointment_place.c.appointment_id == bindparam("of_id")
)
_HELD_FOR: Final = (
    appointment_hold.c.bucket == bindparam("of_bucket"),
    appointment_hold.c.application_id == bindparam("of_application"),
)
_HELD: Final = select(appointment_hold.c.appointment_id).where(*_HELD_FOR)
_FORGET_HELD: Final = delete(appointment_hold).where(*_HELD_FOR)
_FIND: Final = select(*_COLUMNS).where(  # made once, as what each step of an appointment runs
    appointment.c.bucket == bindparam("of_bucket"), appointment.c.id == bindparam("of_id")
)


def site_key(code: str) -> uuid.UUID:
    """An identifier to which those of the site's family are alike: its last octet is drawn from the code's hash."""
    return uuid.UUID(bytes=hashlib.sha256(b"eid-site" + code.encode()).digest()[:16])


def site_bucket(code: str) -> int:
    """Where the rows of a site lie."""
    return bucket_of(site_key(code))


def find_site(connection: Connection, code: str, *, change: bool = False, keep: bool = True) -> StoredSite:
    """A site, held as it is until the transaction ends; `change` lets nobody else book there meanwhile.

    Args:
        keep: whether it is held; who only tells of it needs that not.

    Raises:
        NotStoredError: there is none of this code.
    """
    query = _SITE_LOCKED if change else _SITE_KEPT if keep else _SITE
    row = connection.execute(query, _of_site(code)).one_or_none()
    if row is None:
        raise NotStoredError("there is no such site")
    return StoredSite(decode_site(row.definition), row.version)


def list_sites(connection: Connection) -> tuple[StoredSite, ...]:
    """All sites by code."""
    rows = connection.execute(select(site.c.definition, site.c.version).order_by(site.c.code))
    return tuple(StoredSite(decode_site(row.definition), row.version) for row in rows)


def store_site(connection: Connection, new: Site, now: datetime) -> int:
    """Make a site or give it another definition; the number of the definition."""
    bucket = site_bucket(new.code)
    where = (site.c.bucket == bucket, site.c.code == new.code)
    version = connection.execute(select(site.c.version).where(*where).with_for_update()).scalar()
    values = {"definition": encode_site(new), "version": (version or 0) + 1, "updated_at": now}
    if version is None:
        connection.execute(insert(site).values(bucket=bucket, code=new.code, **values))
    else:
        connection.execute(update(site).where(*where).values(**values))
    return (version or 0) + 1


def find_closures(connection: Connection, code: str, first: date, last: date) -> Mapping[date, str]:
    """Days on which a site is closed, and why."""
    rows = connection.execute(_CLOSED, {**_of_site(code), "first": first, "last": last})
    return {row.day: row.reason for row in rows}


def store_closure(connection: Connection, code: str, day: date, reason: str, now: datetime) -> None:
    """Close a site on a day on which it is not closed yet."""
    values = {"bucket": site_bucket(code), "site": code, "day": day, "reason": reason, "closed_at": now}
    connection.execute(insert(site_closure).values(**values))


def forget_closure(connection: Connection, code: str, day: date) -> bool:
    """Open a site again on a day; whether it was closed."""
    where = (site_closure.c.bucket == site_bucket(code), site_closure.c.site == code, site_closure.c.day == day)
    return connection.execute(delete(site_closure).where(*where)).rowcount == 1


def find_appointment(connection: Connection, identifier: uuid.UUID) -> Appointment:
    """The appointment with this identifier.

    Raises:
        NotStoredError: there is none.
    """
    row = connection.execute(_FIND, {"of_bucket": bucket_of(identifier), "of_id": identifier}).one_or_none()
    if row is None:
        raise NotStoredError("there is no such appointment")
    return _to_appointment(row)


def find_live(connection: Connection, code: str, application_id: uuid.UUID) -> Appointment | None:
    """The appointment of an application that keeps a place at a site."""
    which = {**_of_site(code), "of_application": application_id, "living": _LIVE}
    row = connection.execute(_LIVE_THERE, which).one_or_none()
    return None if row is None else _to_appointment(row)


def list_appointments(
    connection: Connection, code: str, since: datetime, until: datetime | None = None, *, live: bool = False
) -> tuple[Appointment, ...]:
    """Appointments at a site that begin from a moment on and before another, in order."""
    query = _at_site(code).where(appointment.c.starts_at >= since)
    if until is not None:
        query = query.where(appointment.c.starts_at < until)
    if live:
        query = query.where(appointment.c.live == _LIVE)
    rows = connection.execute(query.order_by(appointment.c.starts_at, appointment.c.place, appointment.c.id))
    return tuple(_to_appointment(row) for row in rows)


def list_due_holds(
    connection: Connection, now: datetime, limit: int, code: str | None = None
) -> tuple[Appointment, ...]:
    """Places held longer than allowed; those that another transaction is at are passed over."""
    query, which = (_DUE, {}) if code is None else (_DUE_THERE, _of_site(code))
    rows = connection.execute(query, {**which, "held": "HELD", "until": now, "most": limit})
    return tuple(_to_appointment(row) for row in rows)


def list_missed(connection: Connection, ended_before: datetime, limit: int) -> tuple[Appointment, ...]:
    """Appointments to which nobody has come."""
    query = select(*_COLUMNS).where(appointment.c.state == "BOOKED", appointment.c.ends_at <= ended_before)
    rows = connection.execute(query.order_by(appointment.c.ends_at).limit(limit))
    return tuple(_to_appointment(row) for row in rows)


def find_taken(connection: Connection, code: str, first: date, last: date) -> Mapping[WallTime, set[int]]:
    """The places of a site that are taken in the cells of some days."""
    days = {"first": str(first), "end": str(last + timedelta(days=1))}
    rows = connection.execute(_TAKEN, {**_of_site(code), **days})
    taken: defaultdict[WallTime, set[int]] = defaultdict(set)
    for row in rows:
        taken[decode_wall_time(row.slot)].add(row.place)
    return taken


def store_appointment(connection: Connection, new: Appointment, cells: Iterable[WallTime]) -> bool:
    """Keep a new appointment and its place; False, and nothing kept, where somebody else was quicker.

    That is decided by the database's constraints: the place, or the application at this site, is taken.
    """
    try:
        with connection.begin_nested():
            values = {name: getattr(new, name) for name in Appointment.__dataclass_fields__}
            connection.execute(_INSERT, {"bucket": bucket_of(new.id), "live": _LIVE, **values})
            _take(connection, new.id, new.site, new.place, cells)
    except IntegrityError:
        return False
    return True


def take_cells(connection: Connection, of: Appointment, place: int, cells: Iterable[WallTime]) -> bool:
    """Take a place for an appointment; False, and nothing taken, where somebody else was quicker."""
    try:
        with connection.begin_nested():
            _take(connection, of.id, of.site, place, cells)
    except IntegrityError:
        return False
    return True


def free_cells(connection: Connection, of: Appointment) -> None:
    """Give back what an appointment has taken."""
    connection.execute(_FREE, {"of_bucket": bucket_of(of.id), "of_id": of.id})


def find_held(connection: Connection, application_id: uuid.UUID) -> uuid.UUID | None:
    """What has been held last for an application, and not booked."""
    found: uuid.UUID | None = connection.execute(_HELD, _held_for(application_id)).scalar()
    return found


def remember_held(connection: Connection, application_id: uuid.UUID, identifier: uuid.UUID, now: datetime) -> None:
    """Note what has been held last for an application."""
    values = {"bucket": bucket_of(application_id), "application_id": application_id}
    connection.execute(_remember(connection.dialect.name), {**values, "appointment_id": identifier, "held_at": now})


def forget_held(connection: Connection, application_id: uuid.UUID) -> None:
    """Nothing is held for an application any more."""
    connection.execute(_FORGET_HELD, _held_for(application_id))


@cache
def _remember(dialect: str) -> Upsert:
    """The first that is held for an application, or another one in its place."""
    new, kept = insert_or(dialect, appointment_hold), appointment_hold.c
    other = {"appointment_id": new.excluded.appointment_id, "held_at": new.excluded.held_at}
    return new.on_conflict_do_update(index_elements=[kept.bucket, kept.application_id], set_=other)


def _held_for(application_id: uuid.UUID) -> dict[str, Any]:
    return {"of_bucket": bucket_of(application_id), "of_application": application_id}


def _of_site(code: str) -> dict[str, Any]:
    return {"of_bucket": site_bucket(code), "of_code": code}


def _take(connection: Connection, identifier: uuid.UUID, code: str, place: int, cells: Iterable[WallTime]) -> None:
    same = {"bucket": bucket_of(identifier), "site": code, "place": place, "appointment_id": identifier}
    # In the order of time: two who take overlapping times never wait for each other. One statement and no list of them,
    # which the driver would send as a pipeline, and that cannot be ended in peace where somebody was quicker.
    slots = {f"slot_{at}": str(cell) for at, cell in enumerate(cells)}
    connection.execute(_take_of(len(slots)), {**same, **slots})


@cache
def _take_of(number: int) -> Insert:
    """Takes so many cells at once."""
    shared: dict[str, Any] = {name: bindparam(name) for name in ("bucket", "site", "place", "appointment_id")}
    return insert(appointment_place).values([{**shared, "slot": bindparam(f"slot_{at}")} for at in range(number)])


def _at_site(code: str) -> Select[Any]:
    return select(*_COLUMNS).where(appointment.c.bucket == site_bucket(code), appointment.c.site == code)


def _to_appointment(row: Row[Any]) -> Appointment:
    return Appointment(**row._mapping)
