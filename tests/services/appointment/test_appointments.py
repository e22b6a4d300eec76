"""Appointments from offer to visit, on both databases: who gets a place, and what the application says of it."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from eid.audit.chain import Chain
from eid.enrolment.roles import Actor, Role
from eid.enrolment.site import cells_of, decode_site
from eid.enrolment.wall_time import WallTime, decode_wall_time
from eid.errors import EnrolmentError, NotStoredError, RecordError, Refusal, StoreError
from eid.gateways.messages import SpooledMessages
from eid.keystore.service_keys import ServiceKeys
from eid.services.application.acts import cancel as end_by_authority
from eid.services.application.acts import reject, withdraw
from eid.services.appointment import appointments, settling
from eid.services.appointment.appointments import (
    Offer,
    admit_walk_in,
    book,
    cancel,
    check_in,
    hold,
    list_day,
    offer_times,
    reschedule,
    serve,
    show,
)
from eid.services.appointment.desk import SYSTEM, Desk
from eid.services.appointment.settling import release_application, settle, sweep
from eid.services.appointment.sites import Displaced, close_day, open_day, put_site, show_site, show_sites
from eid.services.durable.handlers import HANDLERS, TIMERS
from eid.services.durable.work import Outcome, Workshop, perform
from eid.services.settings import Settings
from eid.store.applications import require_application
from eid.store.appointment_tables import appointment, appointment_place
from eid.store.appointments import Appointment, find_appointment, find_held, store_appointment, take_cells
from eid.store.audit import read_buckets, read_chain
from eid.store.outbox import waiting
from eid.store.types import new_id_like
from tests.builders.booking import (
    ADMIN,
    AGENT,
    LOADED,
    NOW,
    PARIS,
    RABAT,
    applicant,
    build_desk,
    make_application,
    officer,
)

MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)
NINE = decode_wall_time("2026-11-23T09:00")
NINE_TOMORROW = decode_wall_time("2026-11-24T09:00")
ME = applicant()
ADJUDICATOR = Actor("adjudicator-1", frozenset((Role.ADJUDICATOR,)))


@pytest.fixture
def desk(any_database: Engine) -> Desk:
    return build_desk(any_database, RABAT, PARIS)


def state_of(desk: Desk, application: uuid.UUID) -> tuple[str, uuid.UUID | None, str | None]:
    with desk.engine.connect() as connection:
        found = require_application(connection, application)
        return found.state, found.appointment_id, found.appointment_site


def reload(desk: Desk, made: Appointment) -> Appointment:
    with desk.engine.connect() as connection:
        return find_appointment(connection, made.id)


def told(desk: Desk) -> Counter[str]:
    """What people are to be told, and the work that settles."""
    with desk.engine.connect() as connection:
        return Counter(work.payload.get("template", work.kind) for work in waiting(connection, 1000))


def cells(desk: Desk) -> int:
    with desk.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(appointment_place)).scalar_one()


def offers(desk: Desk, application: uuid.UUID, code: str = "rabat-agdal", **how: Any) -> tuple[Offer, ...]:
    return offer_times(desk, application, code, MONDAY, 1, ME, NOW, **how)


def booked(
    desk: Desk, number: int = 1, slot: str = "2026-11-25T09:00", code: str = "rabat-agdal", **how: Any
) -> Appointment:
    application = make_application(desk.engine, number, **how)
    made = hold(desk, application, code, decode_wall_time(slot), applicant(number), NOW)
    return book(desk, made.id, applicant(number), NOW)


@contextmanager
def refused(refusal: Refusal, guard: str | None = None) -> Iterator[None]:
    with pytest.raises(EnrolmentError) as caught:
        yield
    assert (caught.value.refusal, caught.value.guard) == (refusal, guard)


def audit_is_sound(engine: Engine) -> bool:
    with engine.connect() as connection:
        for bucket in read_buckets(connection):
            chain = Chain(bucket)
            for row in read_chain(connection, bucket):
                chain.accept(row)
    return True


@pytest.mark.both_databases
def test_from_offer_to_visit(desk: Desk) -> None:
    application = make_application(desk.engine)
    found = offers(desk, application)
    assert [(str(item.slot), item.free) for item in found] == [
        (f"2026-11-23T09:{minute:02}", 2) for minute in (0, 15, 30, 45)
    ]
    made = hold(desk, application, "rabat-agdal", found[0].slot, ME, NOW)
    assert (made.state, made.expires_at) == ("HELD", NOW + timedelta(minutes=15))
    assert offers(desk, application)[0].free == 1
    assert state_of(desk, application) == ("VALIDATED", None, None)
    assert book(desk, made.id, ME, NOW).state == "BOOKED"
    assert state_of(desk, application) == ("BOOKED", made.id, "rabat-agdal")
    assert told(desk) == {"appointment-booked": 1, "appointment.displace": 2}
    at_nine = made.starts_at
    with refused(Refusal.GUARD, "day-of-visit"):
        check_in(desk, made.id, officer(), at_nine - timedelta(minutes=61))
    with refused(Refusal.GUARD, "same-site"):
        check_in(desk, made.id, officer("paris"), at_nine)
    with refused(Refusal.FORBIDDEN):
        check_in(desk, made.id, ME, at_nine)
    assert check_in(desk, made.id, officer(), at_nine).state == "CHECKED_IN"
    assert check_in(desk, made.id, officer(), at_nine).state == "CHECKED_IN"  # asked again
    assert state_of(desk, application) == ("CHECKED_IN", made.id, "rabat-agdal")
    assert serve(desk, made.id, officer(), at_nine).state == "SERVED"
    assert cells(desk) == 0
    assert audit_is_sound(desk.engine)


def test_no_offer_before_staff_have_validated(desk: Desk) -> None:
    for state in ("DRAFT", "SUBMITTED", "UNDER_REVIEW", "INFORMATION_REQUESTED", "REJECTED", "WITHDRAWN", "CAPTURED"):
        application = make_application(desk.engine, state=state)
        with refused(Refusal.WRONG_STATE):
            offers(desk, application)
        with refused(Refusal.WRONG_STATE):
            hold(desk, application, "rabat-agdal", NINE, ME, NOW)
        with refused(Refusal.WRONG_STATE):
            admit_walk_in(desk, application, "rabat-agdal", "ill", officer(), NOW)
    assert cells(desk) == 0


def test_who_may_book_for_whom(desk: Desk) -> None:
    application = make_application(desk.engine, 1)
    with pytest.raises(NotStoredError):
        offer_times(desk, application, "rabat-agdal", MONDAY, 1, applicant(2), NOW)
    with pytest.raises(NotStoredError):
        hold(desk, application, "rabat-agdal", NINE, applicant(2), NOW)
    with refused(Refusal.FORBIDDEN):
        hold(desk, application, "rabat-agdal", NINE, Actor("v", frozenset((Role.VALIDATING_OFFICER,))), NOW)
    made = hold(desk, application, "rabat-agdal", NINE, AGENT, NOW)
    for act in (book, cancel):
        with pytest.raises(NotStoredError):
            act(desk, made.id, applicant(2), NOW)
    with pytest.raises(NotStoredError):
        show(desk, made.id, applicant(2))
    assert show(desk, made.id, ME) == made
    with pytest.raises(NotStoredError):
        show(desk, uuid.uuid4(), ME)
    with pytest.raises(NotStoredError):
        hold(desk, uuid.uuid4(), "rabat-agdal", NINE, ME, NOW)
    with pytest.raises(NotStoredError):
        hold(desk, application, "nowhere", NINE, ME, NOW)


def test_any_post_serves_any_registrant(desk: Desk) -> None:
    application = make_application(desk.engine, site="rabat-agdal")
    made = hold(desk, application, "paris", NINE, ME, NOW)
    assert made.starts_at.hour == 8  # Paris is an hour ahead as well, in winter
    book(desk, made.id, ME, NOW)
    assert state_of(desk, application) == ("BOOKED", made.id, "paris")
    check_in(desk, made.id, officer("paris"), made.starts_at)
    assert state_of(desk, application)[0] == "CHECKED_IN"


def test_times_that_are_not_offered(desk: Desk) -> None:
    application = make_application(desk.engine)
    for slot in ("2026-11-23T09:05", "2026-11-23T10:00", "2026-11-22T09:00", "2027-03-01T09:00", "2026-11-23T09:00~"):
        with refused(Refusal.GUARD, "time-offered"):
            hold(desk, application, "rabat-agdal", decode_wall_time(slot), ME, NOW)
    put_site(desk, decode_site({**PARIS, "code": "passports", "services": ["passport"]}), ADMIN, NOW)
    with refused(Refusal.GUARD, "service-offered"):
        hold(desk, application, "passports", NINE, ME, NOW)


@pytest.mark.both_databases
def test_a_full_time_refuses_and_a_hold_that_is_over_frees(desk: Desk) -> None:
    applications = [make_application(desk.engine, number) for number in range(1, 4)]
    for number in (1, 2):
        hold(desk, applications[number - 1], "rabat-agdal", NINE, applicant(number), NOW)
    with refused(Refusal.GUARD, "place-free"):
        hold(desk, applications[2], "rabat-agdal", NINE, applicant(3), NOW)
    later = NOW + timedelta(minutes=15)
    made = hold(desk, applications[2], "rabat-agdal", NINE, applicant(3), later)
    assert made.state == "HELD"
    assert cells(desk) == 3  # both others have expired, though no worker has been by
    assert audit_is_sound(desk.engine)


def test_a_hold_asked_for_again_is_the_same_and_another_one_replaces_it(desk: Desk) -> None:
    application = make_application(desk.engine)
    first = hold(desk, application, "rabat-agdal", NINE, ME, NOW)
    assert hold(desk, application, "rabat-agdal", NINE, ME, NOW) == first
    second = hold(desk, application, "rabat-agdal", decode_wall_time("2026-11-23T09:15"), ME, NOW)
    third = hold(desk, application, "paris", NINE, ME, NOW)
    assert [reload(desk, item).state for item in (first, second, third)] == ["CANCELLED", "CANCELLED", "HELD"]
    assert cells(desk) == 3
    with refused(Refusal.WRONG_STATE):
        book(desk, second.id, ME, NOW)


def test_a_booking_after_the_time_to_decide(desk: Desk) -> None:
    application = make_application(desk.engine)
    made = hold(desk, application, "rabat-agdal", NINE, ME, NOW)
    with refused(Refusal.GUARD, "hold-in-time"):
        book(desk, made.id, ME, NOW + timedelta(minutes=15))
    assert sweep(desk, NOW + timedelta(minutes=15)).expired == 1
    assert sweep(desk, NOW + timedelta(minutes=15)).expired == 0
    assert (reload(desk, made).state, cells(desk)) == ("EXPIRED", 0)


def test_a_hold_that_cannot_end_keeps_no_other_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, other = (hold(desk, make_application(desk.engine), "rabat-agdal", NINE, ME, NOW) for _ in range(2))
    late, step = NOW + timedelta(minutes=15), settling.step_appointment

    def refuse(connection: Connection, found: Appointment, *rest: Any, **more: Any) -> None:
        if found.id == stuck.id:
            raise StoreError("damaged")
        step(connection, found, *rest, **more)

    monkeypatch.setattr(settling, "step_appointment", refuse)
    assert sweep(desk, late).expired == 1
    assert [reload(desk, item).state for item in (stuck, other)] == ["HELD", "EXPIRED"]
    with pytest.raises(StoreError):
        sweep(desk, late)
    monkeypatch.undo()
    assert sweep(desk, late).expired == 1


def test_a_booking_asked_for_again_is_the_same(desk: Desk) -> None:
    made = booked(desk)
    assert book(desk, made.id, ME, NOW) == made
    with refused(Refusal.WRONG_STATE):
        hold(desk, made.application_id, "rabat-agdal", NINE_TOMORROW, ME, NOW)


@pytest.mark.both_databases
def test_a_process_that_dies_between_site_and_application_is_made_up_for(desk: Desk, monkeypatch: Any) -> None:
    application = make_application(desk.engine)
    made = hold(desk, application, "rabat-agdal", NINE, ME, NOW)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("eid.services.appointment.appointments.settle", die)
        with pytest.raises(KeyboardInterrupt):
            book(desk, made.id, ME, NOW)
    assert (reload(desk, made).state, state_of(desk, application)[0]) == ("BOOKED", "VALIDATED")
    assert told(desk)["appointment.settle"] == 1
    for _ in range(3):  # the worker, once or more often
        settle(desk, made.id, ME, NOW)
    assert state_of(desk, application) == ("BOOKED", made.id, "rabat-agdal")


def test_the_work_of_a_booking_that_comes_after_the_arrival_leaves_it_to_the_officers(
    desk: Desk, monkeypatch: Any
) -> None:
    made = booked(desk)
    with monkeypatch.context() as patch:
        patch.setattr("eid.services.appointment.appointments.settle", lambda *_, **__: True)
        check_in(desk, made.id, officer(), made.starts_at)
    assert settle(desk, made.id, ME, made.starts_at)
    assert state_of(desk, made.application_id)[0] == "BOOKED"
    assert settle(desk, made.id, officer(), made.starts_at)
    assert state_of(desk, made.application_id)[0] == "CHECKED_IN"


def test_a_booking_of_an_application_that_was_withdrawn_meanwhile_is_given_back(desk: Desk, monkeypatch: Any) -> None:
    application = make_application(desk.engine)
    made = hold(desk, application, "rabat-agdal", NINE, ME, NOW)
    real = settle

    def withdraw_first(*arguments: Any, **named: Any) -> bool:
        withdraw(desk.engine, application, ME, NOW)
        return real(*arguments, **named)

    monkeypatch.setattr("eid.services.appointment.appointments.settle", withdraw_first)
    with refused(Refusal.WRONG_STATE):
        book(desk, made.id, ME, NOW)
    assert (reload(desk, made).state, cells(desk)) == ("CANCELLED", 0)


def test_rescheduling_at_the_same_site(desk: Desk) -> None:
    made = booked(desk)
    later = decode_wall_time("2026-11-26T09:30")
    moved = reschedule(desk, made.id, later, ME, NOW)
    assert (moved.id, moved.slot, moved.state) == (made.id, "2026-11-26T09:30", "BOOKED")
    assert reschedule(desk, made.id, later, ME, NOW) == moved  # asked again
    assert cells(desk) == 3
    assert told(desk)["appointment-moved"] == 1
    with refused(Refusal.GUARD, "change-in-time"):
        reschedule(desk, made.id, NINE_TOMORROW, ME, moved.starts_at - timedelta(hours=23))
    late = moved.starts_at - timedelta(hours=23)
    agents = reschedule(desk, made.id, decode_wall_time("2026-11-27T09:00"), AGENT, late)
    assert agents.slot == "2026-11-27T09:00"


def test_rescheduling_to_a_full_time_changes_nothing(desk: Desk) -> None:
    made = booked(desk, 1)
    for number in (2, 3):
        booked(desk, number, "2026-11-24T09:00")
    with refused(Refusal.GUARD, "place-free"):
        reschedule(desk, made.id, NINE_TOMORROW, ME, NOW)
    assert reload(desk, made) == made
    assert cells(desk) == 9


def test_rescheduling_to_another_site(desk: Desk) -> None:
    made = booked(desk)
    moved = reschedule(desk, made.id, NINE_TOMORROW, ME, NOW, code="paris")
    assert (moved.site, moved.state) == ("paris", "BOOKED")
    assert reload(desk, made).state == "CANCELLED"
    assert state_of(desk, made.application_id) == ("BOOKED", moved.id, "paris")
    settle(desk, made.id, ME, NOW)  # late, and again: the one that was replaced does not come back
    assert state_of(desk, made.application_id) == ("BOOKED", moved.id, "paris")
    with refused(Refusal.GUARD, "change-in-time"):  # nor can a cancellation that comes too late be made this way
        hold(desk, made.application_id, "rabat-agdal", NINE_TOMORROW, ME, moved.starts_at - timedelta(hours=23))


def test_cancelling(desk: Desk) -> None:
    made = booked(desk)
    with refused(Refusal.GUARD, "change-in-time"):
        cancel(desk, made.id, ME, made.starts_at - timedelta(hours=1))
    assert cancel(desk, made.id, ME, NOW).state == "CANCELLED"
    assert cancel(desk, made.id, ME, NOW).state == "CANCELLED"  # asked again
    assert state_of(desk, made.application_id) == ("VALIDATED", None, None)
    assert cells(desk) == 0
    held = hold(desk, made.application_id, "rabat-agdal", NINE, ME, NOW)
    assert cancel(desk, held.id, ME, NOW).state == "CANCELLED"
    assert told(desk)["appointment-cancelled"] == 1  # of the hold nobody need be told


def test_nobody_comes(desk: Desk) -> None:
    made = booked(desk)
    assert sweep(desk, made.ends_at + timedelta(minutes=60)).missed == 0
    assert sweep(desk, made.ends_at + timedelta(minutes=61)).missed == 1
    assert (reload(desk, made).state, cells(desk)) == ("NO_SHOW", 0)
    assert state_of(desk, made.application_id) == ("VALIDATED", None, None)
    assert told(desk)["appointment-missed"] == 1
    with refused(Refusal.WRONG_STATE):
        check_in(desk, made.id, officer(), made.starts_at)


def test_an_application_that_ends_gives_its_places_back(desk: Desk) -> None:
    made = booked(desk)
    withdraw(desk.engine, made.application_id, ME, NOW)
    release_application(desk, made.application_id, NOW)
    release_application(desk, made.application_id, NOW)
    assert (reload(desk, made).state, cells(desk)) == ("CANCELLED", 0)
    assert state_of(desk, made.application_id)[0] == "WITHDRAWN"


@pytest.mark.parametrize("end", ["withdraw", "reject", "cancel"])
def test_what_is_held_is_free_at_once_where_the_application_ends(desk: Desk, end: str, tmp_path: Path) -> None:
    """The work stands in the transaction that ends it; what the worker does with it is done once."""
    application = make_application(desk.engine)
    held = hold(desk, application, "rabat-agdal", NINE, ME, NOW)
    acts = {
        "withdraw": lambda: withdraw(desk.engine, application, ME, NOW),
        "reject": lambda: reject(desk.engine, application, "not-entitled", ADJUDICATOR, NOW),
        "cancel": lambda: end_by_authority(desk.engine, application, ADMIN, NOW),
    }
    acts[end]()
    assert (reload(desk, held).state, cells(desk)) == ("HELD", 3)
    spool = SpooledMessages(tmp_path)
    workshop = Workshop(desk.engine, Settings(), LOADED.rules, ServiceKeys(bytes(32)), lambda: NOW, spool, spool)
    do_all(workshop, "appointment.release")
    assert (reload(desk, held).state, cells(desk)) == ("CANCELLED", 0)
    with desk.engine.connect() as connection:
        assert find_held(connection, application) is None


def test_nothing_is_held_for_an_application_that_ends_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is withdrawn after the place was taken, and before the application remembers it."""
    application, take = make_application(desk.engine), appointments.hold_place

    def late(*given: Any) -> Appointment:
        made = take(*given)
        ended.append(application)
        return made

    ended: list[uuid.UUID] = []
    monkeypatch.setattr(appointments, "hold_place", late)
    remember = appointments.require_application

    def require(connection: Any, identifier: uuid.UUID, *, change: bool = False) -> Any:
        found = remember(connection, identifier, change=change)
        return replace(found, state="WITHDRAWN") if ended and change else found

    monkeypatch.setattr(appointments, "require_application", require)
    with refused(Refusal.WRONG_STATE):
        hold(desk, application, "rabat-agdal", NINE, ME, NOW)
    assert cells(desk) == 0


def test_places_kept_for_those_who_come_first(desk: Desk) -> None:
    put_site(desk, decode_site({**RABAT, "priority_places": 1}), ADMIN, NOW)
    far, near = decode_wall_time("2026-11-25T09:00"), NINE
    people = [make_application(desk.engine, number) for number in range(5)]

    def want(number: int, slot: WallTime) -> Appointment:
        return hold(desk, people[number], "rabat-agdal", slot, applicant(number), NOW)

    assert want(0, far).place == 1
    with refused(Refusal.GUARD, "place-free"):
        want(1, far)
    people[4] = make_application(desk.engine, 4, category="forgotten")  # which the rules have no more
    with refused(Refusal.GUARD, "place-free"):
        want(4, far)
    people[1] = make_application(desk.engine, 1, category="ill")  # as an officer has found it
    first = want(1, far)
    assert (first.place, first.category) == (2, "ill")
    assert {want(2, near).place, want(3, near).place} == {1, 2}  # so near they are everybody's


def test_walk_ins(desk: Desk) -> None:
    before_nine = datetime.fromisoformat("2026-11-23T08:58:30+01:00").astimezone(UTC)
    full = datetime.fromisoformat("2026-11-23T09:46+01:00").astimezone(UTC)
    one, two = make_application(desk.engine, 1), make_application(desk.engine, 2, reason="loss")
    made = admit_walk_in(desk, one, "rabat-agdal", "expired-card", officer(), before_nine)
    assert (made.state, made.slot) == ("CHECKED_IN", "2026-11-23T09:00")
    assert state_of(desk, one) == ("CHECKED_IN", made.id, "rabat-agdal")
    with refused(Refusal.GUARD, "walk-in"):
        admit_walk_in(desk, two, "rabat-agdal", "expired-card", officer(), before_nine)
    with refused(Refusal.GUARD, "same-site"):
        admit_walk_in(desk, two, "paris", "ill", officer("rabat-agdal"), before_nine)
    with refused(Refusal.FORBIDDEN):
        admit_walk_in(desk, two, "rabat-agdal", "ill", applicant(2), before_nine)
    with refused(Refusal.GUARD, "place-free"):  # a quarter of an hour does not fit in any more
        admit_walk_in(desk, two, "rabat-agdal", "ill", officer(), full)
    assert cells(desk) == 3
    at_once = replace(desk, rules=desk.rules.model_copy(update={"lead_minutes": 0}))
    seen = hold(at_once, two, "rabat-agdal", decode_wall_time("2026-11-23T09:15"), applicant(2), before_nine)
    made = admit_walk_in(desk, two, "rabat-agdal", "ill", officer(), before_nine)
    assert (made.state, reload(desk, seen).state) == ("CHECKED_IN", "CANCELLED")


def test_a_day_that_is_closed_moves_everybody_or_tells_that_it_is_off(desk: Desk) -> None:
    agreed = [booked(desk, number, "2026-11-25T09:15") for number in (1, 2)]
    at_half_past, third = decode_wall_time("2026-11-25T09:30"), make_application(desk.engine, 3)
    held = hold(desk, third, "rabat-agdal", at_half_past, applicant(3), NOW)
    booked(desk, 4, "2026-11-26T09:15")
    with refused(Refusal.FORBIDDEN):
        close_day(desk, "rabat-agdal", date(2026, 11, 25), "strike", officer(), NOW)
    closed = close_day(desk, "rabat-agdal", date(2026, 11, 25), "strike", ADMIN, NOW)
    assert (closed.moved, closed.cancelled) == (2, 0)
    assert {reload(desk, item).slot for item in agreed} == {"2026-11-26T09:15", "2026-11-26T09:00"}  # the nearest
    assert reload(desk, held).state == "CANCELLED"
    assert told(desk)["appointment-moved"] == 2
    assert close_day(desk, "rabat-agdal", date(2026, 11, 25), "strike", ADMIN, NOW).moved == 0  # asked again
    with refused(Refusal.GUARD, "time-offered"):
        hold(desk, third, "rabat-agdal", at_half_past, applicant(3), NOW)
    assert show_site(desk, "rabat-agdal", NOW)[1] == {date(2026, 11, 25): "strike"}
    assert open_day(desk, "rabat-agdal", date(2026, 11, 25), ADMIN, NOW)
    assert not open_day(desk, "rabat-agdal", date(2026, 11, 25), ADMIN, NOW)
    assert [site.code for site in show_sites(desk)] == ["paris", "rabat-agdal"]
    with pytest.raises(RecordError, match="over"):
        close_day(desk, "rabat-agdal", date(2026, 11, 21), "strike", ADMIN, NOW)
    with pytest.raises(RecordError, match="code"):
        close_day(desk, "rabat-agdal", MONDAY, "Mr. X is ill", ADMIN, NOW)
    assert audit_is_sound(desk.engine)


def test_a_site_that_changes_keeps_whom_it_can(desk: Desk) -> None:
    early, late = booked(desk, 1, "2026-11-25T09:00"), booked(desk, 2, "2026-11-25T09:45")
    shorter = {**RABAT, "hours": [{"days": ["wed"], "from": "09:00", "until": "09:30"}], "places": 1}
    moved = put_site(desk, decode_site(shorter), ADMIN, NOW)
    assert moved.moved + moved.cancelled >= 1
    assert reload(desk, late).slot in ("2026-11-25T09:15", "2026-11-25T09:00")
    nothing = {**RABAT, "hours": [{"days": ["sun"], "from": "09:00", "until": "09:05"}]}
    gone = put_site(desk, decode_site(nothing), ADMIN, NOW)
    assert (gone.moved, gone.cancelled) == (0, 2)
    assert [reload(desk, item).state for item in (early, late)] == ["CANCELLED", "CANCELLED"]
    assert state_of(desk, early.application_id) == ("VALIDATED", None, None)
    with pytest.raises(RecordError, match="service"):
        put_site(desk, decode_site({**RABAT, "services": ["haircut"]}), ADMIN, NOW)


def test_a_zone_that_changes_keeps_what_people_were_told(desk: Desk) -> None:
    """As when a decree moves the summer time: the clock on the wall still shows nine, the moment is another one."""
    made = booked(desk)
    put_site(desk, decode_site({**RABAT, "time_zone": "Africa/Dakar"}), ADMIN, NOW)
    after = reload(desk, made)
    assert (after.slot, after.place, after.state) == (made.slot, made.place, "BOOKED")
    assert after.starts_at == made.starts_at + timedelta(hours=1)
    assert told(desk)["appointment-moved"] == 0


def test_the_list_of_a_day(desk: Desk) -> None:
    made = booked(desk, 1, "2026-11-24T09:15")
    assert [item.id for item in list_day(desk, "rabat-agdal", TUESDAY, officer())] == [made.id]
    assert list_day(desk, "rabat-agdal", MONDAY, officer()) == ()
    with refused(Refusal.FORBIDDEN):
        list_day(desk, "rabat-agdal", TUESDAY, officer("paris"))
    with refused(Refusal.FORBIDDEN):
        list_day(desk, "rabat-agdal", TUESDAY, ME)


@pytest.mark.both_databases
def test_the_databases_constraint_is_the_guard(desk: Desk) -> None:
    made = hold(desk, make_application(desk.engine), "rabat-agdal", NINE, ME, NOW)
    with desk.engine.begin() as connection:
        row = connection.execute(select(appointment_place)).mappings().first()
        assert row is not None
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(insert(appointment_place).values(dict(row)))
        whole = connection.execute(select(appointment).where(appointment.c.id == made.id)).mappings().one()
        with pytest.raises(IntegrityError), connection.begin_nested():  # a second live one of the application
            connection.execute(insert(appointment).values({**whole, "id": uuid.uuid4()}))


@pytest.mark.both_databases
def test_who_was_quicker_is_told_in_silence(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither log nor standard error: a list of statements, which psycopg sends as a pipeline, would warn there."""
    made = hold(desk, make_application(desk.engine), "rabat-agdal", NINE, ME, NOW)
    with desk.engine.begin() as connection:
        quick = find_appointment(connection, made.id)
        cells = cells_of(quick.starts_at, quick.minutes, ZoneInfo("Africa/Casablanca"))
        assert len(cells) > 1
        slow = replace(quick, id=new_id_like(quick.id, NOW), application_id=uuid.uuid4())
        for _ in range(5):  # a pipeline warns at every other time or so
            assert not store_appointment(connection, slow, cells)
            assert not take_cells(connection, slow, slow.place, cells)
        assert store_appointment(connection, replace(slow, place=3 - quick.place), cells)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.both_databases
def test_more_people_than_places_at_once(any_database: Engine) -> None:
    """24 people in eight threads after six places; `benchmarks/load_booking.py` has 200 after 50, in processes."""
    desk = build_desk(any_database, {**RABAT, "hours": [{"days": ["mon"], "from": "09:00", "until": "09:45"}]})
    waiting_people = [(number, make_application(any_database, number)) for number in range(24)]
    outcomes: Counter[str] = Counter()

    def want(number: int, application: uuid.UUID) -> None:
        while found := offer_times(desk, application, "rabat-agdal", MONDAY, 1, applicant(number), NOW):
            try:
                made = hold(desk, application, "rabat-agdal", found[0].slot, applicant(number), NOW)
            except EnrolmentError as error:
                outcomes[str(error.guard)] += 1
                continue
            book(desk, made.id, applicant(number), NOW)
            outcomes["booked"] += 1
            return
        outcomes["full"] += 1

    def serve_some(share: int) -> None:
        for number, application in waiting_people[share::8]:
            want(number, application)

    threads = [threading.Thread(target=serve_some, args=(share,)) for share in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes["booked"], outcomes["full"]) == (6, 18)
    assert set(outcomes) <= {"booked", "full", "place-free"}
    with any_database.connect() as connection:
        rows = connection.execute(select(appointment_place.c.slot, appointment_place.c.place)).all()
    assert len(rows) == len(set(rows)) == 18  # three cells each
    assert audit_is_sound(any_database)


def test_system_never_books(desk: Desk) -> None:
    with refused(Refusal.FORBIDDEN):
        hold(desk, make_application(desk.engine), "rabat-agdal", NINE, SYSTEM, NOW)


def test_the_worker_does_what_was_left(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A booking, a closed day and a withdrawal whose processes died, from the outbox; and what time ends."""
    clock = [NOW]
    spool = SpooledMessages(tmp_path)
    keys = ServiceKeys(bytes(range(32)))
    workshop = Workshop(desk.engine, Settings(), LOADED.rules, keys, lambda: clock[0], spool, spool)
    with monkeypatch.context() as patch:
        patch.setattr("eid.services.appointment.appointments.settle", lambda *_, **__: True)
        made, other = booked(desk, 1), booked(desk, 2)
        patch.setattr("eid.services.appointment.sites.displace", lambda *_: Displaced(0, 0))
        close_day(desk, "rabat-agdal", date(2026, 11, 25), "strike", ADMIN, NOW)
    assert state_of(desk, made.application_id)[0] == "VALIDATED"
    for kind in ("appointment.settle", "appointment.displace"):
        do_all(workshop, kind)
    assert state_of(desk, made.application_id) == ("BOOKED", made.id, "rabat-agdal")
    assert reload(desk, made).slot == "2026-11-26T09:00"
    withdraw(desk.engine, other.application_id, applicant(2), NOW)
    do_all(workshop, "appointment.release")
    assert reload(desk, other).state == "CANCELLED"
    clock[0] = NOW + timedelta(days=9)
    TIMERS["appointments"].run(workshop)
    assert reload(desk, made).state == "NO_SHOW"
    assert state_of(desk, made.application_id)[0] == "VALIDATED"


def test_nobody_is_told_of_a_place_that_he_has_no_more(desk: Desk, tmp_path: Path) -> None:
    """The gateway was away: each message says what was so at its event, and only where that still is so."""
    spool = SpooledMessages(tmp_path / "spool")
    workshop = Workshop(desk.engine, Settings(), LOADED.rules, ServiceKeys(bytes(32)), lambda: NOW, spool, spool)
    moved, kept, given_back = (
        booked(desk, number, f"2026-11-25T09:{15 * number}", phone=f"+21260000000{number}") for number in (1, 2, 3)
    )
    reschedule(desk, moved.id, decode_wall_time("2026-11-26T09:00"), applicant(1), NOW)
    reschedule(desk, moved.id, decode_wall_time("2026-11-27T09:00"), applicant(1), NOW)
    cancel(desk, given_back.id, applicant(3), NOW)
    do_all(workshop, "notify")
    texts = {json.loads(path.read_text())["text"] for path in spool.directory.iterdir()}
    said = sorted(match[0] for text in texts for match in re.finditer(r"2026-11-\d\d \d\d:\d\d", text))
    assert said == [f"{slot.replace('T', ' ')}" for slot in (kept.slot, given_back.slot, "2026-11-27T09:00")]


def do_all(workshop: Workshop, kind: str) -> None:
    """Every piece of work of a kind, twice, as a worker may."""
    with workshop.engine.connect() as connection:
        found = [work for work in waiting(connection, 1000) if work.kind == kind]
    assert found
    for work in [*found, *found]:
        assert perform(workshop, HANDLERS, work, 0) is Outcome.DONE
