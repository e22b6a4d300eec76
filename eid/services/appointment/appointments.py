"""Appointments: offered after validation, held while somebody decides, booked, changed, kept.

A place belongs to a site, an application to a citizen, and no transaction touches both. So each step is taken at the
site first, where the database's constraint decides who gets a place, together with the work of bringing the application
into line; `eid.services.appointment.settling` does that work at once, and a worker does where this process dies first.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from eid.enrolment.application import ApplicationState
from eid.enrolment.appointment import BOOKERS, AppointmentState
from eid.enrolment.person import decode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import age_on
from eid.enrolment.site import local_day
from eid.enrolment.wall_time import WallTime, require_day, wall_time_at
from eid.errors import EnrolmentError, Refusal
from eid.services.appointment.desk import (
    Desk,
    facts_of,
    is_applicant,
    require_own,
    settle_later,
    step_appointment,
    tell_applicant,
)
from eid.services.appointment.places import (
    Offer,
    Visitor,
    hold_place,
    list_offers,
    move_to,
    open_site,
    require_offered,
    walk_in_place,
)
from eid.services.appointment.settling import settle
from eid.store.applications import StoredApplication, require_application
from eid.store.appointments import (
    Appointment,
    find_appointment,
    find_held,
    find_live,
    find_site,
    list_appointments,
    remember_held,
)
from eid.store.database import in_transaction, reading
from eid.store.persons import load_person

BOOKABLE: Final = frozenset((ApplicationState.VALIDATED.value, ApplicationState.BOOKED.value))
MAX_DAYS: Final = 31  # looked at in one question for offers
HELD: Final = AppointmentState.HELD
BOOKED: Final = AppointmentState.BOOKED


def offer_times(
    desk: Desk,
    application_id: uuid.UUID,
    code: str,
    first: date | None,
    days: int,
    actor: Actor,
    now: datetime,
) -> tuple[Offer, ...]:
    """Times that are free at a site, for an application that has been validated; any site serves anybody.

    Args:
        first, days: which days of the site's calendar, from today where none is named, 31 at most. Kept places are
            among them where the validated application is of a category that comes first.

    Raises:
        EnrolmentError: the application is not that far, or the role may not ask. NotStoredError: no such application or
            site. RecordError: `require_day`.
    """
    actor.require(BOOKERS)

    def work(connection: Connection) -> tuple[Offer, ...]:
        visitor = _visitor(_bookable(connection, application_id, actor))
        site = open_site(desk, connection, code, now)
        start = local_day(now, site.zone) if first is None else require_day(first)
        last = start + timedelta(days=min(days, MAX_DAYS) - 1)
        return tuple(list_offers(desk, connection, site, visitor, start, last, now))

    return in_transaction(desk.engine, work)


def hold(desk: Desk, application_id: uuid.UUID, code: str, slot: WallTime, actor: Actor, now: datetime) -> Appointment:
    """Keep a place for a short time. Asked again for the same, the answer is the same; another hold takes its place.

    Raises:
        EnrolmentError: as `offer_times`; WRONG_STATE, there is an appointment at this site already, which can be
            rescheduled; GUARD place-free, no place is left at that time, or it is none that is offered.
    """
    actor.require(BOOKERS)

    with reading(desk.engine) as connection:
        found = _bookable(connection, application_id, actor)
        _require_changeable(desk, connection, found, actor, now)
        visitor, before = _visitor(found), find_held(connection, application_id)

    def take(connection: Connection) -> Appointment:
        return hold_place(desk, connection, open_site(desk, connection, code, now), visitor, slot, actor, now)

    made = in_transaction(desk.engine, take)

    def remember(connection: Connection) -> bool:
        """Unless it has ended meanwhile: whoever ends an application gives back what is held for it by then."""
        if require_application(connection, application_id, change=True).state not in BOOKABLE:
            return False
        remember_held(connection, application_id, made.id, now)
        return True

    if not in_transaction(desk.engine, remember):
        _give_back(desk, made.id, actor, now)
        raise EnrolmentError(Refusal.WRONG_STATE, "the application cannot be booked any more")
    if before is not None and before != made.id:
        _give_back(desk, before, actor, now)
    return made


def book(desk: Desk, appointment_id: uuid.UUID, actor: Actor, now: datetime) -> Appointment:
    """Make a held place an appointment; one that the application had elsewhere is given up.

    Raises:
        EnrolmentError: the time to decide is over, or the application is not to be booked any more.
    """
    settling = settle_later(desk, appointment_id, actor, now)

    def work(connection: Connection) -> Appointment:
        found = find_appointment(connection, appointment_id)
        application = require_application(connection, found.application_id)
        require_own(application, actor)
        if found.state == BOOKED:  # asked again
            return found
        _require_bookable(application)
        _require_changeable(desk, connection, application, actor, now)
        told = (settling, tell_applicant(desk, found, "appointment-booked", now))
        return step_appointment(
            connection,
            found,
            "book",
            facts_of(found, desk.rules, now),
            actor,
            now,
            values={"expires_at": None},
            work=told,
        )

    booked = in_transaction(desk.engine, work)
    if not settle(desk, booked.id, actor, now, instead_of=settling):
        raise EnrolmentError(Refusal.WRONG_STATE, "the application cannot be booked any more")
    return booked


def reschedule(
    desk: Desk, appointment_id: uuid.UUID, slot: WallTime, actor: Actor, now: datetime, *, code: str | None = None
) -> Appointment:
    """Move an appointment to another time, of the same site in one step, of another one by holding and booking there.

    Raises:
        EnrolmentError: as `hold`; GUARD change-in-time, it is too late for the applicant himself.
    """
    with reading(desk.engine) as connection:
        before = _mine(connection, appointment_id, actor)
    if code is not None and code != before.site:
        elsewhere = hold(desk, before.application_id, code, slot, actor, now)
        return book(desk, elsewhere.id, actor, now)

    settling = settle_later(desk, appointment_id, actor, now)

    def work(connection: Connection) -> Appointment:
        site = open_site(desk, connection, before.site, now)
        found = find_appointment(connection, appointment_id)
        if found.slot == str(slot) and found.state == BOOKED:  # asked again
            return found
        application = _bookable(connection, found.application_id, actor)
        _require_changeable(desk, connection, application, actor, now)
        require_offered(desk, connection, site, slot, found.minutes, now)
        told = (settling, tell_applicant(desk, found, "appointment-moved", now, slot=slot))
        return move_to(desk, connection, site, found, slot, "reschedule", actor, now, told)

    moved = in_transaction(desk.engine, work)
    settle(desk, moved.id, actor, now, instead_of=settling)
    return moved


def cancel(desk: Desk, appointment_id: uuid.UUID, actor: Actor, now: datetime) -> Appointment:
    """Give an appointment, or a held place, back; the application can be booked again.

    Raises:
        EnrolmentError: it is over, or it is too late for the applicant himself.
    """
    settling = settle_later(desk, appointment_id, actor, now)

    def work(connection: Connection) -> Appointment:
        found = _mine(connection, appointment_id, actor)
        if found.state == AppointmentState.CANCELLED:  # asked again
            return found
        if found.state == HELD:
            return step_appointment(connection, found, "release", facts_of(found, desk.rules, now), actor, now)
        told = (settling, tell_applicant(desk, found, "appointment-cancelled", now))
        return step_appointment(connection, found, "cancel", facts_of(found, desk.rules, now), actor, now, work=told)

    cancelled = in_transaction(desk.engine, work)
    settle(desk, cancelled.id, actor, now, instead_of=settling)
    return cancelled


def check_in(desk: Desk, appointment_id: uuid.UUID, actor: Actor, now: datetime) -> Appointment:
    """Somebody has come to his appointment.

    Raises:
        EnrolmentError: it is at another site, another time, or the application is not booked any more.
    """
    settling = settle_later(desk, appointment_id, actor, now)

    def work(connection: Connection) -> Appointment:
        found = find_appointment(connection, appointment_id)
        if found.state == AppointmentState.CHECKED_IN:  # asked again
            return found
        view = require_application(connection, found.application_id)
        if view.state != ApplicationState.BOOKED:
            raise EnrolmentError(Refusal.WRONG_STATE, f"the application is {view.state}")
        told = (settling,)
        return step_appointment(connection, found, "check-in", facts_of(found, desk.rules, now), actor, now, work=told)

    found = in_transaction(desk.engine, work)
    settle(desk, found.id, actor, now, instead_of=settling)
    return found


def serve(desk: Desk, appointment_id: uuid.UUID, actor: Actor, now: datetime) -> Appointment:
    """The one who was checked in has been seen; the rest of his time is free again.

    Raises:
        EnrolmentError: he was not checked in.
    """

    def work(connection: Connection) -> Appointment:
        found = find_appointment(connection, appointment_id)
        return step_appointment(connection, found, "serve", facts_of(found, desk.rules, now), actor, now)

    return in_transaction(desk.engine, work)


def admit_walk_in(
    desk: Desk, application_id: uuid.UUID, code: str, category: str, actor: Actor, now: datetime
) -> Appointment:
    """Somebody of a category that needs no appointment has come: he gets the next free place of today.

    Raises:
        EnrolmentError: the category does not apply today or to his application (GUARD walk-in); today is full (GUARD
            place-free); the application is not validated. RecordError: no such category.
    """
    actor.require(frozenset((Role.ENROLMENT_OFFICER,)))

    def work(connection: Connection) -> Appointment:
        view = require_application(connection, application_id)
        if view.state != ApplicationState.VALIDATED:
            raise EnrolmentError(Refusal.WRONG_STATE, f"the application is {view.state}")
        site = open_site(desk, connection, code, now)
        admitted = _is_admitted(connection, desk, view, category, wall_time_at(now, site.zone).day)
        held = find_live(connection, code, application_id)
        if held is not None:
            step_appointment(connection, held, "release", facts_of(held, desk.rules, now), actor, now)
        new = walk_in_place(desk, connection, site, Visitor(view, category), actor, now)
        facts = facts_of(new, desk.rules, now, walk_in=admitted)
        told = (settle_later(desk, new.id, actor, now),)
        return step_appointment(connection, new, "admit", facts, actor, now, values={"expires_at": None}, work=told)

    made = in_transaction(desk.engine, work)
    in_transaction(desk.engine, lambda connection: remember_held(connection, application_id, made.id, now), alone=True)
    settle(desk, made.id, actor, now)
    return made


def _visitor(application: StoredApplication) -> Visitor:
    """Who wants a place, of the category with which an officer has validated his application."""
    return Visitor(application, application.category)


def _is_admitted(connection: Connection, desk: Desk, application: StoredApplication, code: str, day: date) -> bool:
    """Whether a category lets somebody in without an appointment today; its papers are shown at the counter."""
    category = desk.rules.find_category(code)
    person = load_person(connection, application.person_id)
    born = None if person is None else decode_person(person.record).born
    age = None if born is None else age_on(born, day)
    return category.admits(day) and category.fits(application.reason, age)


def show(desk: Desk, appointment_id: uuid.UUID, actor: Actor) -> Appointment:
    """An appointment, to whom it concerns.

    Raises:
        NotStoredError: there is none, or it is not his.
    """
    actor.require(BOOKERS | {Role.ADMINISTRATOR})
    with reading(desk.engine) as connection:
        return _mine(connection, appointment_id, actor)


def list_day(desk: Desk, code: str, day: date, actor: Actor) -> tuple[Appointment, ...]:
    """The appointments of a site on a day of its calendar, for who works there.

    Raises:
        EnrolmentError: FORBIDDEN, he works elsewhere. RecordError: `require_day`.
    """
    require_day(day)
    role = actor.require(frozenset((Role.ENROLMENT_OFFICER, Role.ADMINISTRATOR, Role.CALL_CENTRE_AGENT)))
    if role is Role.ENROLMENT_OFFICER and actor.site != code:
        raise EnrolmentError(Refusal.FORBIDDEN, "these are another site's appointments")

    def work(connection: Connection) -> tuple[Appointment, ...]:
        zone = find_site(connection, code).site.zone
        since, until = (WallTime(moment, 0).moment(zone) for moment in (day, day + timedelta(days=1)))
        found = list_appointments(connection, code, since, until)
        return tuple(item for item in found if item.state not in ("EXPIRED", "CANCELLED"))

    return in_transaction(desk.engine, work)


def _bookable(connection: Connection, application_id: uuid.UUID, actor: Actor) -> StoredApplication:
    """No time is offered before staff have validated the application."""
    found = require_application(connection, application_id)
    require_own(found, actor)
    _require_bookable(found)
    return found


def _require_bookable(application: StoredApplication) -> None:
    if application.state not in BOOKABLE:
        raise EnrolmentError(Refusal.WRONG_STATE, f"no appointment for an application that is {application.state}")


def _mine(connection: Connection, appointment_id: uuid.UUID, actor: Actor) -> Appointment:
    found = find_appointment(connection, appointment_id)
    if is_applicant(actor):
        require_own(require_application(connection, found.application_id), actor)
    return found


def _require_changeable(
    desk: Desk, connection: Connection, application: StoredApplication, actor: Actor, now: datetime
) -> None:
    """Who has an appointment already cannot exchange it for another when it is too late to cancel it."""
    if application.appointment_id is None or not is_applicant(actor):
        return
    booked = find_appointment(connection, application.appointment_id)
    if not facts_of(booked, desk.rules, now).may_change:
        raise EnrolmentError(Refusal.GUARD, "it is too late to change it; the call centre can", guard="change-in-time")


def _give_back(desk: Desk, held_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """End a hold that another one has replaced, unless it has ended by itself."""

    def work(connection: Connection) -> None:
        found = find_appointment(connection, held_id)
        if found.state == HELD:
            step_appointment(connection, found, "release", facts_of(found, desk.rules, now), actor, now)

    in_transaction(desk.engine, work)
