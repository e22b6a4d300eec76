"""The search for duplicates and what it leaves open: with a system that answers at once, and one that calls back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, EnrolmentError, NotStoredError, RecordError, Refusal
from eid.gateways.abis import Candidate
from eid.gateways.abis.sandbox import SandboxAbis
from eid.services.application import acts, adjudication, approval
from eid.services.application.adjudication import accept_candidates, begin_search, settle_hold
from eid.services.application.enrolment import SEARCH
from eid.store.applications import StoredApplication
from eid.store.captures import Search, list_late_searches
from eid.store.osia_records import Record, insert_record
from eid.store.outbox import waiting
from eid.store.types import new_id
from tests.builders.applicants import ADMINISTRATOR, APPLICANT, VALIDATOR, applicant_record
from tests.builders.counter import ADJUDICATOR, APPROVER, CLOCK, OFFICER, SITE, Counter, build_counter, take

OTHER = applicant_record(personal_number="ZZ777777")
HOUR = timedelta(hours=1)


@pytest.fixture
def counter(any_database: Engine, tmp_path: Path) -> Counter:
    return build_counter(any_database, tmp_path)


def captured(counter: Counter) -> StoredApplication:
    return counter.capture(counter.present())


def late(counter: Counter) -> list[Search]:
    with counter.engine.connect() as connection:
        return list(list_late_searches(connection, CLOCK + timedelta(days=1)))


def test_somebody_new_goes_on_by_himself_and_somebody_known_is_held(counter: Counter) -> None:
    first = counter.search(counter.capture(counter.present(), take("same")))
    assert first.state == "AWAITING_APPROVAL"
    assert counter.search(first) == first  # again: nothing
    second = counter.search(counter.capture(counter.present(record=OTHER), take("same")))
    assert second.state == "IN_ADJUDICATION"
    (hold,) = adjudication.list_holds(counter.engine, ADJUDICATOR)
    assert adjudication.list_holds(counter.engine, replace(ADJUDICATOR, site=SITE)) == (hold,)
    assert adjudication.list_holds(counter.engine, replace(ADJUDICATOR, site="elsewhere")) == ()
    assert (hold.code, hold.candidate, hold.state) == ("duplicate", str(first.person_id), "OPEN")
    assert hold.score == pytest.approx(3000)
    with pytest.raises(EnrolmentError, match="duplicate"):
        adjudication.clear(counter.engine, second.id, ADJUDICATOR, CLOCK)
    for actor, reason, refusal in (
        (APPROVER, "twin", Refusal.FORBIDDEN),
        (Actor(APPLICANT.id, frozenset((Role.ADJUDICATOR,))), "twin", Refusal.FORBIDDEN),
    ):
        with pytest.raises(EnrolmentError) as refused:
            settle_hold(counter.engine, hold.id, reason, actor, CLOCK)
        assert refused.value.refusal is refusal
    with pytest.raises(RecordError):
        settle_hold(counter.engine, hold.id, "because", ADJUDICATOR, CLOCK)
    assert settle_hold(counter.engine, hold.id, "twin", ADJUDICATOR, CLOCK).state == "CLEARED"
    with pytest.raises(EnrolmentError, match="settled before"):
        settle_hold(counter.engine, hold.id, "same-person", ADJUDICATOR, CLOCK)
    assert adjudication.list_holds(counter.engine, ADJUDICATOR) == ()
    assert adjudication.clear(counter.engine, second.id, ADJUDICATOR, CLOCK).state == "AWAITING_APPROVAL"
    (told,) = adjudication.holds_of(counter.engine, second.id, APPROVER)
    assert (told.state, told.reason) == ("CLEARED", "twin")
    with pytest.raises(EnrolmentError):
        adjudication.holds_of(counter.engine, second.id, VALIDATOR)


@pytest.mark.both_databases
def test_a_search_of_another_system_is_nobody(counter: Counter) -> None:
    """While a system's search runs its probe lies in the gallery, and is like somebody."""
    application = captured(counter)
    counter.abis = SandboxAbis(later=True)
    counter.search(application)
    (search,) = late(counter)
    probe = new_id(CLOCK)
    task = Record(probe, "TASK", "WAITING", 1, None, "system-1", b"", CLOCK, CLOCK)
    with counter.engine.begin() as connection:
        insert_record(connection, task)
    found = (Candidate(str(application.person_id), 1, 3000.0), Candidate(str(probe), 2, 3000.0))
    assert accept_candidates(counter.engine, search.id, found, CLOCK, search.task)
    assert adjudication.list_holds(counter.engine, ADJUDICATOR) == ()
    assert counter.reload(application).state == "AWAITING_APPROVAL"


def test_a_late_answer_counts_once_and_only_under_its_task(counter: Counter) -> None:
    counter.abis = SandboxAbis(later=True)
    application = counter.search(captured(counter))
    assert application.state == "IN_ADJUDICATION"
    (search,) = late(counter)
    assert search.task is not None
    with pytest.raises(EnrolmentError, match="not answered"):
        adjudication.clear(counter.engine, application.id, ADJUDICATOR, CLOCK)
    own = Candidate(str(application.person_id), 1, 3000.0)
    with pytest.raises(NotStoredError):
        accept_candidates(counter.engine, search.id, (own,), CLOCK, "another task")
    with pytest.raises(NotStoredError):
        accept_candidates(counter.engine, new_id(CLOCK), (own,), CLOCK)
    stranger = replace(own, person="0198-somebody")
    assert accept_candidates(counter.engine, search.id, (own, stranger), CLOCK, search.task)
    assert not accept_candidates(counter.engine, search.id, (own,), CLOCK, search.task)  # a copy, or a lie: too late
    (hold,) = adjudication.holds_of(counter.engine, application.id, ADJUDICATOR)
    assert (hold.candidate, hold.state) == ("0198-somebody", "OPEN")
    settle_hold(counter.engine, hold.id, "same-person", ADJUDICATOR, CLOCK)
    with pytest.raises(EnrolmentError, match="duplicate"):  # a confirmed suspicion is no way to approval
        adjudication.clear(counter.engine, application.id, ADJUDICATOR, CLOCK)
    assert late(counter) == []


def waiting_searches(counter: Counter) -> int:
    with counter.engine.connect() as connection:
        return sum(item.kind == SEARCH for item in waiting(connection))


@pytest.mark.both_databases
def test_an_answer_that_does_not_come_is_asked_for_again(counter: Counter) -> None:
    counter.abis = SandboxAbis(later=True)
    application, before = counter.search(captured(counter)), waiting_searches(counter)
    (search,) = late(counter)
    assert [adjudication.chase_searches(counter.engine, CLOCK + HOUR) for _ in range(2)] == [1, 0]
    assert waiting_searches(counter) == before + 1
    counter.search(application)
    assert [item.task for item in late(counter)] == [search.task]
    counter.abis.tasks.clear()  # it was restarted: who asks for that task hears nothing for ever
    counter.search(application)
    (anew,) = late(counter)
    assert (anew.id, anew.task in (None, search.task)) == (search.id, False)
    own = Candidate(str(application.person_id), 1, 3000.0)
    assert accept_candidates(counter.engine, search.id, (own,), CLOCK, anew.task)
    assert counter.reload(application).state == "AWAITING_APPROVAL"


def test_an_answer_that_nobody_needs_is_not_asked_for(counter: Counter) -> None:
    counter.abis = SandboxAbis(later=True)
    application, before = counter.search(captured(counter)), waiting_searches(counter)
    acts.cancel(counter.engine, application.id, ADMINISTRATOR, CLOCK)
    assert [adjudication.chase_searches(counter.engine, CLOCK + HOUR) for _ in range(2)] == [1, 0]
    assert (waiting_searches(counter), late(counter)) == (before, [])


def test_without_a_system_an_adjudicator_compares(counter: Counter) -> None:
    application = captured(counter)
    with pytest.raises(NotStoredError):
        begin_search(counter.engine, None, counter.blobs, new_id(CLOCK), CLOCK)
    for _ in range(2):
        begin_search(counter.engine, None, counter.blobs, application.id, CLOCK)
    (hold,) = adjudication.list_holds(counter.engine, ADJUDICATOR)
    assert (hold.code, hold.score) == ("not-searched", None)
    settle_hold(counter.engine, hold.id, "compared-by-hand", ADJUDICATOR, CLOCK)
    assert adjudication.clear(counter.engine, application.id, ADJUDICATOR, CLOCK).state == "AWAITING_APPROVAL"
    adjudication.place_hold(counter.engine, application.id, "document-doubt", APPROVER, CLOCK)
    with pytest.raises(AlreadyDoneError):
        adjudication.place_hold(counter.engine, application.id, "document-doubt", APPROVER, CLOCK)
    with pytest.raises(RecordError):
        adjudication.place_hold(counter.engine, application.id, "mood", APPROVER, CLOCK)
    with pytest.raises(EnrolmentError, match="document-doubt"):
        counter.approve(application)


def test_who_comes_again_must_be_like_himself(counter: Counter) -> None:
    first = counter.search(captured(counter))
    assert isinstance(counter.abis, SandboxAbis)
    with pytest.raises(EnrolmentError):
        approval.return_to_capture(counter.till.office, first.id, replace(APPROVER, id=OFFICER.id), CLOCK)
    back = approval.return_to_capture(counter.till.office, first.id, APPROVER, CLOCK)
    again = counter.search(counter.capture(back, take("somebody else")))
    assert again.state == "AWAITING_APPROVAL"  # the same application captured anew says nothing of its own past
    renewal = counter.present(reason="address-change")
    assert renewal.person_id == first.person_id
    held = counter.search(counter.capture(renewal, take("a third one")))
    (hold,) = adjudication.holds_of(counter.engine, held.id, ADJUDICATOR)
    assert (held.state, hold.code, hold.candidate) == ("IN_ADJUDICATION", "other-person", "")
    known = len(counter.abis.encounters)
    adjudication.forget_encounters(counter.engine, counter.abis, held.id)
    adjudication.forget_encounters(counter.engine, counter.abis, held.id)
    assert len(counter.abis.encounters) == known - 1
