"""Whatever people, officers, closed days and dying processes do: nobody sits on anybody's place.

Random acts on two sites and three applications, on both databases. After each of them: no place of a site is given
twice at any moment, none beyond its capacity, none on a closed day; an application says it is booked where exactly one
appointment is its own. An act that the rules refuse changes nothing of this.
"""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, select

from eid.enrolment.appointment import LIVE
from eid.enrolment.site import cells_of, decode_site
from eid.enrolment.wall_time import decode_wall_time
from eid.errors import EnrolmentError
from eid.services.application.acts import withdraw
from eid.services.appointment import appointments, sites
from eid.services.appointment.settling import release_application, settle, sweep
from eid.store.applications import load_application
from eid.store.appointment_tables import appointment, appointment_place
from eid.store.appointments import Appointment, find_closures, find_site
from tests.builders.booking import ADMIN, AGENT, LOADED, NOW, RABAT, applicant, build_desk, make_application, officer
from tests.builders.sweep import examples

NUMBERS: Final = count()
DAYS: Final = ("2026-11-23", "2026-11-24")
SLOTS: Final = tuple(f"{day}T09:{minute:02}" for day in DAYS for minute in (0, 15, 30, 45))
PEOPLE: Final = (0, 1, 2)
EXAMPLES: Final = int(os.environ.get("EID_TEST_BOOKING_EXAMPLES", examples(9)))  # more of them by hand, or by night
STEPS: Final = 20


class Booking(RuleBasedStateMachine):
    engine: Engine

    @initialize(places=st.integers(1, 2))
    def open(self, places: int) -> None:
        number = next(NUMBERS)  # the database is that of all runs, the sites and applications are this one's
        self.now = NOW
        self.codes = (f"one-{number}", f"two-{number}")
        self.definitions = [{**RABAT, "code": code, "places": places} for code in self.codes]
        self.desk = build_desk(self.engine, *self.definitions)
        self.rules = LOADED.rules.appointments
        self.applications = [make_application(self.engine, who) for who in PEOPLE]
        self.made: list[uuid.UUID] = []
        self.rush(places)

    def rush(self, places: int) -> None:
        """More people want one time than there are places; then they think better of it."""
        for who in PEOPLE:
            self.hold(who, 1, SLOTS[-1])
        assert len(self.made) == places
        for item in self.made:
            appointments.cancel(self.desk, item, AGENT, self.now)

    @rule(who=st.sampled_from(PEOPLE), where=st.integers(0, 1), slot=st.sampled_from(SLOTS))
    def hold(self, who: int, where: int, slot: str) -> None:
        with suppress(EnrolmentError):
            wanted = decode_wall_time(slot)
            found = appointments.hold(
                self.desk, self.applications[who], self.codes[where], wanted, applicant(who), self.now
            )
            self.made.append(found.id)

    @rule(data=st.data(), dies=st.booleans())
    def book(self, data: st.DataObject, dies: bool) -> None:
        chosen = self.choose(data)
        if chosen is None:
            return
        with suppress(EnrolmentError), pytest.MonkeyPatch.context() as patch:
            if dies:
                patch.setattr("eid.services.appointment.appointments.settle", lambda *_, **__: None)
            appointments.book(self.desk, chosen, AGENT, self.now)
        if dies:  # the worker makes up for it, now or at any later settling
            settle(self.desk, chosen, AGENT, self.now)

    @rule(data=st.data(), slot=st.sampled_from(SLOTS), where=st.integers(0, 1))
    def reschedule(self, data: st.DataObject, slot: str, where: int) -> None:
        chosen = self.choose(data)
        if chosen is not None:
            with suppress(EnrolmentError):
                wanted = decode_wall_time(slot)
                found = appointments.reschedule(self.desk, chosen, wanted, AGENT, self.now, code=self.codes[where])
                self.made.append(found.id)

    @rule(data=st.data(), act=st.sampled_from((appointments.cancel, settle)))
    def cancel_or_settle_late(self, data: st.DataObject, act: Any) -> None:
        chosen = self.choose(data)
        if chosen is not None:
            with suppress(EnrolmentError):
                act(self.desk, chosen, AGENT, self.now)

    @rule(data=st.data(), where=st.integers(0, 1))
    def check_in(self, data: st.DataObject, where: int) -> None:
        chosen = self.choose(data)
        if chosen is not None:
            with suppress(EnrolmentError):
                appointments.check_in(self.desk, chosen, officer(self.codes[where]), self.now)

    @rule(who=st.sampled_from(PEOPLE), where=st.integers(0, 1))
    def walk_in(self, who: int, where: int) -> None:
        code = self.codes[where]
        with suppress(EnrolmentError):
            found = appointments.admit_walk_in(self.desk, self.applications[who], code, "ill", officer(code), self.now)
            self.made.append(found.id)

    @rule(who=st.sampled_from(PEOPLE))
    def withdraw(self, who: int) -> None:
        with suppress(EnrolmentError):
            withdraw(self.engine, self.applications[who], applicant(who), self.now)
            release_application(self.desk, self.applications[who], self.now)
            assert not [
                row for row in self.rows() if row.application_id == self.applications[who] and row.state in LIVE
            ]

    @rule(where=st.integers(0, 1), day=st.sampled_from(DAYS), closed=st.booleans())
    def close_or_open(self, where: int, day: str, closed: bool) -> None:
        when = datetime.fromisoformat(day).date()
        if self.now.date() <= when:
            if closed:
                sites.close_day(self.desk, self.codes[where], when, "strike", ADMIN, self.now)
            else:
                sites.open_day(self.desk, self.codes[where], when, ADMIN, self.now)

    @rule(where=st.integers(0, 1), places=st.integers(1, 2), until=st.sampled_from(("09:30", "10:00")))
    def change_site(self, where: int, places: int, until: str) -> None:
        hours = [{"days": ["mon", "tue"], "from": "09:00", "until": until}]
        changed = decode_site({**self.definitions[where], "places": places, "hours": hours})
        sites.put_site(self.desk, changed, ADMIN, self.now)

    @rule(minutes=st.sampled_from((5, 15, 600, 1200)))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        sweep(self.desk, self.now)

    def choose(self, data: st.DataObject) -> uuid.UUID | None:
        return data.draw(st.sampled_from(self.made)) if self.made else None

    @invariant()
    def nobody_sits_on_anybodys_place(self) -> None:
        by_place: defaultdict[tuple[str, int], list[Appointment]] = defaultdict(list)
        rows, last = self.rows(), NOW.date() + timedelta(days=9)
        with self.engine.connect() as connection:
            kept = {code: find_site(connection, code).site for code in self.codes}
            closed = {code: find_closures(connection, code, NOW.date(), last) for code in self.codes}
            taken = self.taken(connection)
        for found in rows:
            site, live = kept[found.site], found.state in LIVE
            cells = cells_of(found.starts_at, found.minutes, site.zone) if live else ()
            assert taken[found.id] == {(str(cell), found.place) for cell in cells}
            if live:
                by_place[found.site, found.place].append(found)
            if live and found.state != "CHECKED_IN" and found.starts_at > self.now:
                assert found.place <= site.places
                assert found.wall_time.day not in closed[found.site]
        for together in by_place.values():
            ordered = sorted(together, key=lambda item: item.starts_at)
            assert all(before.ends_at <= after.starts_at for before, after in pairwise(ordered))

    @invariant()
    def an_application_has_the_appointment_that_it_says(self) -> None:
        attended = [found for found in self.rows() if found.state in ("BOOKED", "CHECKED_IN")]
        with self.engine.connect() as connection:
            applications = [load_application(connection, identifier) for identifier in self.applications]
        for application in applications:
            assert application is not None
            own = [(found.id, found.state, found.site) for found in attended if found.application_id == application.id]
            told = (application.appointment_id, application.state, application.appointment_site)
            assert own == ([told] if application.state in ("BOOKED", "CHECKED_IN") else [])

    def taken(self, connection: Connection) -> defaultdict[uuid.UUID, set[tuple[str, int]]]:
        table = appointment_place
        found: defaultdict[uuid.UUID, set[tuple[str, int]]] = defaultdict(set)
        columns = (table.c.appointment_id, table.c.slot, table.c.place)
        for identifier, slot, place in connection.execute(select(*columns).where(table.c.site.in_(self.codes))):
            found[identifier].add((slot, place))
        return found

    def rows(self) -> list[Appointment]:
        columns = [appointment.c[name] for name in Appointment.__dataclass_fields__]
        with self.engine.connect() as connection:
            found = connection.execute(select(*columns).where(appointment.c.site.in_(self.codes))).mappings()
            return [Appointment(**row) for row in found]


@pytest.mark.sweep
@pytest.mark.both_databases
def test_random_bookings(any_database: Engine) -> None:
    machine = type("BookingThere", (Booking,), {"engine": any_database})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )
