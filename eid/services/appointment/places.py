"""What happens at a site: which times are offered, and who gets which place.

The code proposes a place, the primary key of `appointment_place` decides: whoever was slower is told so by the
database, and tries the places that are left.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from eid.enrolment.appointment import APPOINTMENT, BOOKERS, AppointmentState
from eid.enrolment.roles import Actor
from eid.enrolment.site import CELL, Site, cells_of, count_free, fits, free_places, starts_on, usable_places
from eid.enrolment.wall_time import WallTime, wall_time_at
from eid.errors import EnrolmentError, Refusal
from eid.services.appointment.desk import SYSTEM, Desk, facts_of, step_appointment
from eid.services.lifecycle import begin
from eid.store.applications import StoredApplication
from eid.store.appointment_tables import appointment as table
from eid.store.appointments import (
    Appointment,
    find_closures,
    find_live,
    find_site,
    find_taken,
    free_cells,
    list_due_holds,
    site_key,
    store_appointment,
    take_cells,
)
from eid.store.outbox import Work
from eid.store.types import new_id_like

SWEEP: Final = 100  # holds ended at once
HELD: Final = AppointmentState.HELD


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who wants a place: his application, and the category that officers have found him to be of."""

    application: StoredApplication
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A time at which somebody can come. slot: as the site's clock shows it; free: how many places."""

    site: str
    slot: WallTime
    starts_at: datetime
    ends_at: datetime
    free: int


def open_site(desk: Desk, connection: Connection, code: str, now: datetime) -> Site:
    """A site that stays as it is until the transaction ends, its overdue holds ended."""
    site = find_site(connection, code).site
    # A place whose time to decide is over is free, whether or not a worker has been by.
    for due in list_due_holds(connection, now, SWEEP, code):
        step_appointment(connection, due, "expire", facts_of(due, desk.rules, now), SYSTEM, now)
    return site


def list_offers(
    desk: Desk, connection: Connection, site: Site, visitor: Visitor, first: date, last: date, now: datetime
) -> Iterator[Offer]:
    """The free times of some days."""
    minutes = minutes_at(desk, site, visitor.application.service)
    closed = find_closures(connection, site.code, first, last)
    taken = find_taken(connection, site.code, first, last)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        priority = comes_first(desk, visitor, day)
        for starts in () if day in closed else starts_on(site, day, minutes):
            groups = usable_places(site, priority=priority, released=_released(desk, starts, now))
            free = count_free(taken, cells_of(starts, minutes, site.zone), groups)
            if free and _within_horizon(desk, starts, now):
                slot = wall_time_at(starts, site.zone)
                yield Offer(site.code, slot, starts, starts + timedelta(minutes=minutes), free)


def minutes_at(desk: Desk, site: Site, service: str) -> int:
    """How long a service takes at a site.

    Raises:
        EnrolmentError: GUARD, the site does not offer it.
    """
    if service not in site.services:
        raise EnrolmentError(Refusal.GUARD, "the site does not offer this service", guard="service-offered")
    return desk.rules.find_service(service).minutes


def comes_first(desk: Desk, visitor: Visitor, day: date) -> bool:
    """Whether somebody is of a category that comes first on a day; the rest of it was looked at by an officer."""
    category = desk.rules.known_category(visitor.category)
    return category is not None and category.admits(day)


def require_offered(
    desk: Desk, connection: Connection, site: Site, slot: WallTime, minutes: int, now: datetime
) -> None:
    """Refuse a time that no offer of this moment has.

    Raises:
        EnrolmentError: GUARD time-offered.
    """
    starts = slot.moment(site.zone)
    offered = (
        wall_time_at(starts, site.zone) == slot
        and _within_horizon(desk, starts, now)
        and slot.day not in find_closures(connection, site.code, slot.day, slot.day)
        and starts in starts_on(site, slot.day, minutes)
    )
    if not offered:
        raise EnrolmentError(Refusal.GUARD, "this time is not offered", guard="time-offered")


def hold_place(
    desk: Desk, connection: Connection, site: Site, visitor: Visitor, slot: WallTime, actor: Actor, now: datetime
) -> Appointment:
    """A new hold, or the one that this application has there already; one for another time is ended."""
    minutes = minutes_at(desk, site, visitor.application.service)
    require_offered(desk, connection, site, slot, minutes, now)
    for _ in range(site.places + 1):  # each time lost is a place that somebody else has now
        kept = _kept_already(desk, connection, visitor, site, slot, actor, now)
        if kept is not None:
            return kept
        made = _try_place(desk, connection, site, visitor, slot, minutes, actor, now)
        if made is not None:
            return made
    raise _no_place()


def walk_in_place(
    desk: Desk, connection: Connection, site: Site, visitor: Visitor, actor: Actor, now: datetime
) -> Appointment:
    """A hold of the next place that is free today, whichever the grid of offers has.

    Raises:
        EnrolmentError: GUARD place-free, there is none.
    """
    minutes = minutes_at(desk, site, visitor.application.service)
    first = _next_cell(now)
    today = wall_time_at(now, site.zone).day
    closed = find_closures(connection, site.code, today, today)
    for number in range(timedelta(days=1) // CELL):
        slot = wall_time_at(first + number * CELL, site.zone)
        if slot.day != today:
            break
        if fits(site, closed, slot, minutes, 1):
            made = _try_place(desk, connection, site, visitor, slot, minutes, actor, now, walk_in=True)
            if made is not None:
                return made
    raise _no_place()


def move_to(
    desk: Desk,
    connection: Connection,
    site: Site,
    found: Appointment,
    slot: WallTime,
    event: str,
    actor: Actor,
    now: datetime,
    work: tuple[Work, ...],
) -> Appointment:
    """Let an appointment take another time in the place of its own.

    Raises:
        EnrolmentError: GUARD place-free; the caller's transaction must then end, or try another time.
    """
    free_cells(connection, found)
    starts = slot.moment(site.zone)
    for _ in range(site.places + 1):
        place = _choose_place(
            desk, connection, site, slot, found.minutes, found.application_id, now, priority=found.category is not None
        )
        if place is None:
            break
        if take_cells(connection, found, place, cells_of(starts, found.minutes, site.zone)):
            ends = starts + timedelta(minutes=found.minutes)
            values = {"slot": str(slot), "place": place, "starts_at": starts, "ends_at": ends}
            told: dict[str, str | int] = {"slot": str(slot), "place": place, "before": found.slot}
            facts = facts_of(found, desk.rules, now)
            return step_appointment(connection, found, event, facts, actor, now, detail=told, values=values, work=work)
    raise _no_place()


def _within_horizon(desk: Desk, starts: datetime, now: datetime) -> bool:
    lead, horizon = timedelta(minutes=desk.rules.lead_minutes), timedelta(days=desk.rules.horizon_days)
    return now + lead <= starts <= now + horizon


def _released(desk: Desk, starts: datetime, now: datetime) -> bool:
    return starts <= now + timedelta(hours=desk.rules.release_hours)


def _no_place() -> EnrolmentError:
    return EnrolmentError(Refusal.GUARD, "no place is left at that time", guard="place-free")


def _next_cell(now: datetime) -> datetime:
    """The beginning of the cell after this moment, or the moment itself where one begins."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + -(-(now - day) // CELL) * CELL


def _kept_already(
    desk: Desk, connection: Connection, visitor: Visitor, site: Site, slot: WallTime, actor: Actor, now: datetime
) -> Appointment | None:
    found = find_live(connection, site.code, visitor.application.id)
    if found is None or (found.state == HELD and found.slot == str(slot)):
        return found
    if found.state != HELD:
        raise EnrolmentError(Refusal.WRONG_STATE, "there is an appointment at this site: reschedule it")
    step_appointment(connection, found, "release", facts_of(found, desk.rules, now), actor, now)
    return None


def _try_place(
    desk: Desk,
    connection: Connection,
    site: Site,
    visitor: Visitor,
    slot: WallTime,
    minutes: int,
    actor: Actor,
    now: datetime,
    *,
    walk_in: bool = False,
) -> Appointment | None:
    """A hold of a place that looks free; None where somebody else was quicker.

    Raises:
        EnrolmentError: GUARD place-free, none looks free.
    """
    priority = walk_in or comes_first(desk, visitor, slot.day)
    place = _choose_place(desk, connection, site, slot, minutes, visitor.application.id, now, priority=priority)
    if place is None:
        if walk_in:
            return None
        raise _no_place()
    new = _new_hold(desk, site, visitor, slot, minutes, place, visitor.category if priority else None, now)
    if not store_appointment(connection, new, cells_of(new.starts_at, minutes, site.zone)):
        return None
    told: dict[str, str | int] = {
        "site": new.site,
        "application": str(new.application_id),
        "slot": new.slot,
        "place": new.place,
    }
    begin(connection, APPOINTMENT, table, new.id, actor.tag(actor.require(BOOKERS)), now, detail=told)
    return new


def _choose_place(
    desk: Desk,
    connection: Connection,
    site: Site,
    slot: WallTime,
    minutes: int,
    application_id: uuid.UUID,
    now: datetime,
    *,
    priority: bool,
) -> int | None:
    starts = slot.moment(site.zone)
    taken = find_taken(connection, site.code, slot.day, slot.day)
    groups = usable_places(site, priority=priority, released=_released(desk, starts, now))
    free = free_places(taken, cells_of(starts, minutes, site.zone), groups)
    return free[application_id.int % len(free)] if free else None  # who ask at once do not all try the same one


def _new_hold(
    desk: Desk,
    site: Site,
    visitor: Visitor,
    slot: WallTime,
    minutes: int,
    place: int,
    category: str | None,
    now: datetime,
) -> Appointment:
    starts = slot.moment(site.zone)
    return Appointment(
        id=new_id_like(site_key(site.code), now, desk.random),
        site=site.code,
        application_id=visitor.application.id,
        service=visitor.application.service,
        minutes=minutes,
        category=category,
        slot=str(slot),
        place=place,
        starts_at=starts,
        ends_at=starts + timedelta(minutes=minutes),
        expires_at=now + timedelta(minutes=desk.rules.hold_minutes),
        state=HELD.value,
        version=1,
        created_at=now,
        updated_at=now,
    )
