"""Sites: made, changed, closed for a day. Appointments that cannot be kept are moved or cancelled."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.appointment import AppointmentState
from eid.enrolment.roles import Actor, Role
from eid.enrolment.site import Site, fits, local_day, starts_on
from eid.enrolment.wall_time import WallTime, wall_time_at
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.services.appointment.desk import (
    DISPLACE,
    SYSTEM,
    Desk,
    facts_of,
    settle_later,
    step_appointment,
    tell_applicant,
)
from eid.services.appointment.places import move_to
from eid.services.appointment.settling import settle
from eid.store.appointments import (
    Appointment,
    find_appointment,
    find_closures,
    find_site,
    forget_closure,
    list_appointments,
    list_sites,
    site_bucket,
    site_key,
    store_closure,
    store_site,
)
from eid.store.audit import append_event
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue
from eid.store.types import new_id_like

FAR: Final = timedelta(days=800)  # behind any appointment
S: Final = AppointmentState


@dataclass(frozen=True, slots=True)
class Displaced:
    """What became of appointments that could not be kept."""

    moved: int
    cancelled: int


def put_site(desk: Desk, site: Site, actor: Actor, now: datetime) -> Displaced:
    """Make a site, or change one; appointments that do not fit any more are moved or cancelled.

    Raises:
        RecordError: the rules know no such service. EnrolmentError: FORBIDDEN.
    """
    role = actor.require(frozenset((Role.ADMINISTRATOR,)))
    for service in site.services:
        desk.rules.find_service(service)

    def work(connection: Connection) -> None:
        version = store_site(connection, site, now)
        _tell(desk, connection, site.code, "site.put", actor.tag(role), now, {"version": version})

    in_transaction(desk.engine, work)
    return displace(desk, site.code, now)


def close_day(desk: Desk, code: str, day: date, reason: str, actor: Actor, now: datetime) -> Displaced:
    """Close a site on a day of its calendar; whoever was to come then is moved to a day soon after, or cancelled.

    Args:
        reason: a code of the office's own ("holiday", "strike").

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: no such site. RecordError: the day is over, or the reason is no code.
    """
    role = actor.require(frozenset((Role.ADMINISTRATOR,)))
    if not (reason.isascii() and reason.replace("-", "").isalnum() and len(reason) <= 32):
        raise RecordError("a reason is a code of letters, digits and hyphens")

    def work(connection: Connection) -> None:
        site = find_site(connection, code, change=True).site
        if day < wall_time_at(now, site.zone).day:
            raise RecordError("that day is over")
        if day not in find_closures(connection, code, day, day):
            store_closure(connection, code, day, reason, now)
            told = {"day": str(day), "reason": reason}
            _tell(desk, connection, code, "site.close-day", actor.tag(role), now, told)

    in_transaction(desk.engine, work)
    return displace(desk, code, now)


def open_day(desk: Desk, code: str, day: date, actor: Actor, now: datetime) -> bool:
    """Take a closure back; whether there was one. Who was moved stays where he is.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: no such site.
    """
    role = actor.require(frozenset((Role.ADMINISTRATOR,)))

    def work(connection: Connection) -> bool:
        find_site(connection, code, change=True)
        opened = forget_closure(connection, code, day)
        if opened:
            _tell(desk, connection, code, "site.open-day", actor.tag(role), now, {"day": str(day)})
        return opened

    return in_transaction(desk.engine, work)


def show_site(desk: Desk, code: str, now: datetime) -> tuple[Site, dict[date, str]]:
    """A site, and the days from today on, by its calendar, on which it is closed.

    Raises:
        NotStoredError: there is none.
    """

    def work(connection: Connection) -> tuple[Site, dict[date, str]]:
        site = find_site(connection, code).site
        today = local_day(now, site.zone)
        return site, dict(find_closures(connection, code, today, today + FAR))

    return in_transaction(desk.engine, work)


def show_sites(desk: Desk) -> tuple[Site, ...]:
    """All sites by code."""
    return tuple(stored.site for stored in in_transaction(desk.engine, list_sites))


def displace(desk: Desk, code: str, now: datetime) -> Displaced:
    """Move or cancel what cannot be kept at a site as it is now; each appointment in a transaction of its own.

    Nobody books there what does not fit, because booking holds the site's row. So this ends, and may be repeated.
    """
    counts = {"moved": 0, "cancelled": 0}
    for found in in_transaction(desk.engine, lambda connection: _misfits(connection, code, now)):
        outcome = in_transaction(desk.engine, partial(_displace, desk, appointment_id=found.id, now=now))
        if outcome is not None:
            settle(desk, found.id, SYSTEM, now)
            counts[outcome] += 1
    return Displaced(**counts)


def _misfits(connection: Connection, code: str, now: datetime) -> tuple[Appointment, ...]:
    site = find_site(connection, code).site
    closed = _closures(connection, site, now)
    found = list_appointments(connection, code, now, live=True)
    return tuple(item for item in found if item.state != S.CHECKED_IN and not _keeps(site, closed, item))


def _closures(connection: Connection, site: Site, now: datetime) -> set[date]:
    today = wall_time_at(now, site.zone).day
    return set(find_closures(connection, site.code, today, today + FAR))


def _keeps(site: Site, closed: set[date], found: Appointment) -> bool:
    """Whether it can be kept, at the moment that is written down for it."""
    slot = found.wall_time
    return slot.moment(site.zone) == found.starts_at and fits(site, closed, slot, found.minutes, found.place)


def _displace(desk: Desk, connection: Connection, *, appointment_id: uuid.UUID, now: datetime) -> str | None:
    """What became of it, where people must be told: "moved" or "cancelled"."""
    found = find_appointment(connection, appointment_id)
    site = find_site(connection, found.site).site
    closed = _closures(connection, site, now)
    if found.state not in (S.HELD, S.BOOKED) or _keeps(site, closed, found):
        return None
    if found.state == S.HELD:
        step_appointment(connection, found, "release", facts_of(found, desk.rules, now), SYSTEM, now)
        return None
    return _move_or_cancel(desk, connection, site, closed, found, now)


def _move_or_cancel(
    desk: Desk, connection: Connection, site: Site, closed: set[date], found: Appointment, now: datetime
) -> str | None:
    slot, settling = found.wall_time, settle_later(desk, found.id, SYSTEM, now)
    if fits(site, closed, slot, found.minutes, found.place):  # the zone's rules have changed, not what people were told
        starts = slot.moment(site.zone)
        values = {"starts_at": starts, "ends_at": starts + timedelta(minutes=found.minutes)}
        step_appointment(connection, found, "displace", facts_of(found, desk.rules, now), SYSTEM, now, values=values)
        return None
    for slot in _alternatives(desk, site, closed, found, now):
        told = (settling, tell_applicant(desk, found, "appointment-moved", now, slot=slot))
        try:
            with connection.begin_nested():
                move_to(desk, connection, site, found, slot, "displace", SYSTEM, now, told)
        except EnrolmentError as refused:
            if refused.refusal is not Refusal.GUARD:
                raise
        else:
            return "moved"
    told = (settling, tell_applicant(desk, found, "appointment-cancelled", now))
    step_appointment(connection, found, "cancel", facts_of(found, desk.rules, now), SYSTEM, now, work=told)
    return "cancelled"


def _alternatives(desk: Desk, site: Site, closed: set[date], found: Appointment, now: datetime) -> Iterator[WallTime]:
    """The days after, one by one, on each of them the times nearest to the hour that was agreed first."""
    agreed = found.wall_time
    earliest = now + timedelta(minutes=desk.rules.lead_minutes)
    for number in range(desk.rules.displace_days + 1):
        day = agreed.day + timedelta(days=number)
        if day not in closed:
            starts = (moment for moment in starts_on(site, day, found.minutes) if moment >= earliest)
            slots = [wall_time_at(moment, site.zone) for moment in starts]
            yield from sorted(slots, key=lambda slot: (abs(slot.minute - agreed.minute), slot))


def _tell(
    desk: Desk, connection: Connection, code: str, action: str, tag: str, now: datetime, detail: Mapping[str, str | int]
) -> None:
    append_event(connection, site_bucket(code), AuditEvent(now, tag, action, f"site:{code}", detail))
    enqueue(connection, Work(new_id_like(site_key(code), now, desk.random), DISPLACE, {"site": code}, now))
