"""Bring applications into line with what happened at a site; end what time has ended.

The site is ahead, the application follows: `settle` may be called for an appointment at any time and any number of
times, and leaves the application as the appointment's present state wants it. An appointment that is not the one its
application has chosen is given back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from eid.enrolment.application import ApplicationState
from eid.enrolment.appointment import ENDED, AppointmentState
from eid.enrolment.roles import Actor, Role
from eid.errors import EidError
from eid.services.appointment.desk import (
    SYSTEM,
    Desk,
    facts_of,
    settle_later,
    step_application,
    step_appointment,
    tell_applicant,
)
from eid.store.applications import StoredApplication, require_application
from eid.store.appointments import (
    Appointment,
    find_appointment,
    find_held,
    forget_held,
    list_due_holds,
    list_missed,
)
from eid.store.database import in_transaction
from eid.store.outbox import Work, forget

BATCH: Final = 200
A: Final = ApplicationState
S: Final = AppointmentState
ADMITTERS: Final = frozenset((Role.ENROLMENT_OFFICER,))


@dataclass(frozen=True, slots=True)
class Swept:
    """What time has ended: holds, and appointments to which nobody came."""

    expired: int
    missed: int


def settle(
    desk: Desk, appointment_id: uuid.UUID, actor: Actor, now: datetime, *, instead_of: Work | None = None
) -> bool:
    """Bring the application of an appointment into line with it; False where it counts for none and was given back.

    Args:
        instead_of: the work of doing so, which nobody needs to do any more.
    """

    def work(connection: Connection) -> uuid.UUID | None:
        return _follow(connection, appointment_id, actor, now)

    surplus = in_transaction(desk.engine, work)
    if surplus is not None:
        give_up(desk, surplus, now)
    if instead_of is not None:
        in_transaction(desk.engine, lambda connection: forget(connection, instead_of), alone=True)
    return surplus != appointment_id


def give_up(desk: Desk, appointment_id: uuid.UUID, now: datetime) -> None:
    """End an appointment that counts for no application, where it has not ended by itself."""

    def work(connection: Connection) -> None:
        found = find_appointment(connection, appointment_id)
        event = {S.HELD: "release", S.BOOKED: "cancel"}.get(AppointmentState(found.state))
        if event is not None:
            step_appointment(connection, found, event, facts_of(found, desk.rules, now), SYSTEM, now)

    in_transaction(desk.engine, work)


def release_application(desk: Desk, application_id: uuid.UUID, now: datetime) -> None:
    """Give back what an application holds and has booked, because it needs no appointment any more."""

    def look(connection: Connection) -> tuple[uuid.UUID | None, uuid.UUID | None]:
        application = require_application(connection, application_id)
        return find_held(connection, application_id), application.appointment_id

    for chosen in in_transaction(desk.engine, look):
        if chosen is not None:
            give_up(desk, chosen, now)
            settle(desk, chosen, SYSTEM, now)


def sweep(desk: Desk, now: datetime) -> Swept:
    """End holds whose time is over and tell appointments to which nobody came; safe to run anywhere, at any time."""
    before = now - timedelta(minutes=desk.rules.grace_minutes)

    due = in_transaction(desk.engine, lambda connection: list_due_holds(connection, now, BATCH))
    missed = in_transaction(desk.engine, lambda connection: list_missed(connection, before, BATCH))
    return Swept(_each(desk, due, _expire, now), _each(desk, missed, _miss, now))


def actor_of(stated: Mapping[str, Any]) -> Actor:
    """Who caused a work, out of its payload."""
    return Actor(stated["id"], frozenset(Role(role) for role in stated["roles"]), stated["site"])


def _each(
    desk: Desk, found: Iterable[Appointment], end: Callable[[Desk, Appointment, datetime], bool], now: datetime
) -> int:
    """End each in a transaction of its own, so that one that cannot end keeps no other waiting; how many that were.

    Raises:
        EidError: of the first that cannot, where there was no other.
    """
    ended, failures = 0, list[EidError]()
    for one in found:
        try:
            ended += end(desk, one, now)
        except EidError as failure:
            failures.append(failure)
    if failures and not ended:
        raise failures[0]
    return ended


def _expire(desk: Desk, seen: Appointment, now: datetime) -> bool:
    def work(connection: Connection) -> bool:
        found = find_appointment(connection, seen.id)
        if found.state != S.HELD or found.expires_at is None or found.expires_at > now:
            return False
        step_appointment(connection, found, "expire", facts_of(found, desk.rules, now), SYSTEM, now)
        return True

    return in_transaction(desk.engine, work)


def _miss(desk: Desk, seen: Appointment, now: datetime) -> bool:
    def work(connection: Connection) -> bool:
        found = find_appointment(connection, seen.id)
        facts = facts_of(found, desk.rules, now)
        if found.state != S.BOOKED or not facts.missed:
            return False
        told = (settle_later(desk, found.id, SYSTEM, now), tell_applicant(desk, found, "appointment-missed", now))
        step_appointment(connection, found, "miss", facts, SYSTEM, now, work=told)
        return True

    done = in_transaction(desk.engine, work)
    if done:
        settle(desk, seen.id, SYSTEM, now)
    return done


def _follow(connection: Connection, appointment_id: uuid.UUID, actor: Actor, now: datetime) -> uuid.UUID | None:
    """The application's step, if one is due; an appointment that counts for none any more is answered."""
    found = find_appointment(connection, appointment_id)
    application = require_application(connection, found.application_id, change=True)
    state = AppointmentState(found.state)
    if state is S.BOOKED:
        return _follow_booking(connection, found, application, actor, now)
    if state is S.CHECKED_IN:
        return _follow_arrival(connection, found, application, actor, now)
    if state in ENDED:
        _follow_end(connection, found, application, now)
    return None


def _follow_booking(
    connection: Connection, found: Appointment, application: StoredApplication, actor: Actor, now: datetime
) -> uuid.UUID | None:
    booked = application.appointment_id
    chosen = found.id in (booked, find_held(connection, application.id))
    if not chosen or application.state not in (A.VALIDATED, A.BOOKED):
        return found.id
    if application.state == A.BOOKED and booked == found.id:
        return None
    event, by = ("book", actor) if application.state == A.VALIDATED else ("rebook", SYSTEM)
    step_application(connection, application, event, by, now, found)
    forget_held(connection, application.id)
    return booked


def _follow_arrival(
    connection: Connection, found: Appointment, application: StoredApplication, actor: Actor, now: datetime
) -> uuid.UUID | None:
    event = {A.BOOKED.value: "check-in", A.VALIDATED.value: "admit"}.get(application.state)
    if event is None or actor.acting_as(ADMITTERS) is None:  # what a booker has caused comes late; the officer's act
        return None  # has caused work of its own
    step_application(connection, application, event, actor, now, found)
    forget_held(connection, application.id)
    return None if application.appointment_id == found.id else application.appointment_id


def _follow_end(connection: Connection, found: Appointment, application: StoredApplication, now: datetime) -> None:
    if application.state == A.BOOKED and application.appointment_id == found.id:
        step_application(connection, application, "unbook", SYSTEM, now, None)
    if find_held(connection, application.id) == found.id:
        forget_held(connection, application.id)
