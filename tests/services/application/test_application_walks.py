"""Random walks of applications and time, on both databases: whatever the order, row, log, work and register agree."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from eid.audit.chain import Chain
from eid.enrolment.application import APPLICATION, ApplicationState
from eid.errors import EnrolmentError, RecordError
from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import ServiceKeys
from eid.services.application import acts, documents, fees, lapses, review, views
from eid.store.applications import load_application
from eid.store.audit import bucket_of, read_chain
from eid.store.database import in_transaction
from eid.store.outbox import waiting
from eid.store.persons import holder_of_number, load_person
from eid.store.types import new_id
from tests.builders.applicants import (
    ADMINISTRATOR,
    APPLICANT,
    NOW,
    VALIDATOR,
    applicant_record,
    begin_application,
    paper,
)
from tests.builders.sweep import examples

WHICH = st.integers(0, 2)
PERSONS = count(1, 2)
REASONS = st.sampled_from(("first", "expiry", "production-defect", "name-change"))
ENDED = {"WITHDRAWN", "LAPSED", "CANCELLED"}


class Applications(RuleBasedStateMachine):
    """Up to three applications of two persons, an applicant, an officer, an administrator, and the clock."""

    engine: Engine
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.blobs = BlobStore(str(self.folder), ServiceKeys(bytes(32)))
        self.now = NOW
        self.ids: list[UUID] = []
        first = next(PERSONS)  # nobody of another walk, who may be registered
        self.numbers = (f"ZZ{first}", f"ZZ{first + 1}")

    def act(self, function: Any, number: int, *arguments: Any, **named: Any) -> None:
        try:
            function(self.engine, self.ids[number % len(self.ids)], *arguments, **named)
        except (EnrolmentError, RecordError):
            pass

    @initialize(reason=REASONS)
    def first(self, reason: str) -> None:
        self.begin(reason, 0)

    @precondition(lambda self: len(self.ids) < 3)
    @rule(reason=REASONS, person=st.integers(0, 1))
    def begin(self, reason: str, person: int) -> None:
        record = applicant_record(personal_number=self.numbers[person])
        self.ids.append(begin_application(self.engine, self.now, reason=reason, record=record).id)

    @rule(which=WHICH)
    def send_papers_and_stamp(self, which: int) -> None:
        def send(engine: Any, application: Any) -> None:
            def bind(connection: Any) -> Any:
                return fees.bind_stamp(connection, application, new_id(self.now), APPLICANT, self.now)

            for code in views.requirements(engine, application, APPLICANT, self.now).papers:
                upload = paper(code, issued_on=self.now.date())
                documents.attach(engine, self.blobs, application, upload, APPLICANT, self.now)
            in_transaction(engine, bind)

        self.act(send, which)

    @rule(which=WHICH)
    def bring_to_review(self, which: int) -> None:
        self.send_papers_and_stamp(which)
        self.act(acts.submit, which, APPLICANT, self.now)
        self.act(acts.take_up, which, VALIDATOR, self.now)

    @rule(which=WHICH, event=st.sampled_from(("submit", "supply", "appeal", "withdraw")))
    def applicant(self, which: int, event: str) -> None:
        self.act(getattr(acts, event), which, APPLICANT, self.now)

    @rule(which=WHICH, again=st.booleans())
    def officer(self, which: int, again: bool) -> None:
        self.act(acts.take_up, which, VALIDATOR, self.now)
        if again:
            self.act(acts.request_information, which, ("photograph",), VALIDATOR, self.now)

    @rule(which=WHICH, code=st.sampled_from(("duplicate", "not-entitled")))
    def refuse(self, which: int, code: str) -> None:
        self.act(acts.reject, which, code, VALIDATOR, self.now)

    @rule(which=WHICH)
    def find_in_order(self, which: int) -> None:
        self.act(review.validate, which, VALIDATOR, self.now)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        self.act(acts.cancel, which, ADMINISTRATOR, self.now)

    @rule(days=st.sampled_from((1, 20, 40)))
    def pass_time(self, days: int) -> None:
        self.now += timedelta(days=days)
        lapses.end_overdue(self.engine, self.now)

    @invariant()
    def everything_agrees(self) -> None:
        with self.engine.connect() as connection:
            buckets = sorted({bucket_of(identifier) for identifier in self.ids})
            events = [row.event for bucket in buckets for row in self._checked(connection, bucket)]
            work = waiting(connection, 100_000)
            for identifier in self.ids:
                row = load_application(connection, identifier)
                assert row is not None
                mine = [event for event in events if event.subject == f"application:{identifier}"]
                self._log_tells_the_row(row, mine)
                self._rules_hold(connection, row, mine, work)

    def _checked(self, connection: Any, bucket: int) -> list[Any]:
        chain, rows = Chain(bucket), list(read_chain(connection, bucket))
        for row in rows:
            chain.accept(row)
        return rows

    def _log_tells_the_row(self, row: Any, events: list[Any]) -> None:
        versions = [event.detail["version"] for event in events if "version" in event.detail]
        assert versions == list(range(1, row.version + 1))
        states = [event.detail["to"] for event in events if "to" in event.detail]
        assert states[-1] == row.state
        assert states[0] == "DRAFT"
        for event, before, after in zip(
            [event for event in events if "from" in event.detail], states[:-1], states[1:], strict=True
        ):
            name = event.action.removeprefix("application.")
            assert name in APPLICATION.events(ApplicationState(before))
            assert (event.detail["from"], event.detail["to"]) == (before, after)

    def _rules_hold(self, connection: Any, row: Any, events: list[Any], work: Any) -> None:
        done = Counter(event.action for event in events)
        assert done["application.request-information"] == row.information_requests <= 1
        assert (row.due_at is not None) == (row.state in ("DRAFT", "INFORMATION_REQUESTED")) or row.state == "REJECTED"
        assert row.due_at is None or row.due_at >= self.now
        if row.state == "VALIDATED":
            person = load_person(connection, row.person_id)
            assert person is not None
            assert person.state == "VALID"
            assert person.personal_number is not None
            assert holder_of_number(connection, person.personal_number) == person.id
            assert row.fee == 0 or row.stamp_id is not None
        mine = [item.payload for item in work if item.payload.get("application") == str(row.id)]
        released = [item["stamp"] for item in mine if "stamp" in item]
        if row.state in ENDED and row.stamp_id is not None:
            assert released == [str(row.stamp_id)]
        elif row.state != "REJECTED":
            assert released == []


@pytest.mark.sweep
def test_no_walk_of_applications_breaks_a_rule(shared_database: Engine, tmp_path: Path) -> None:
    machine = type("ApplicationsOf", (Applications,), {"engine": shared_database, "folder": tmp_path})
    bounds = settings(
        max_examples=examples(9), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=bounds)
