"""A stamp is entered in an application, consumed once or released; of many who enter the same one, one gets it."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from eid.errors import EnrolmentError, NotStoredError, RecordError, Refusal
from eid.gateways.messages import SpooledMessages
from eid.services.application.drafts import NewApplication, create_application
from eid.services.application.steps import stamp_release
from eid.services.application.views import read_status, requirements
from eid.services.durable.work import Workshop
from eid.services.settings import Settings
from eid.services.stamp import spending
from eid.services.stamp import work as stamp_work
from eid.services.stamp.spending import (
    Due,
    consume_stamp,
    enter_stamp,
    release_forsaken,
    release_stamp,
    reserve_stamp,
    take_back,
)
from eid.services.stamp.stamps import CLERK, TRIES_AN_HOUR, StampOffice, TooManyTriesError, block_stamp, open_message
from eid.store.applications import StoredApplication
from eid.store.audit import bucket_of, read_chain
from eid.store.stamps import StoredStamp
from tests.builders.applicants import OTHER_APPLICANT, applicant_record
from tests.builders.stamps import CHIEF, NOW, ORDER, Till, build_till

DUE = Due("card", 75, "MAD")


@pytest.fixture
def till(shared_database: Engine) -> Till:
    return build_till(shared_database)


def apply(till: Till, **changes: object) -> StoredApplication:
    new = NewApplication("first", applicant_record(**changes))
    return create_application(till.engine, new, till.me, NOW, rules="morocco")


def bound(till: Till, application: StoredApplication) -> uuid.UUID | None:
    return read_status(till.engine, application.id, till.me).stamp_id


def test_entered_once_and_again_and_with_arabic_digits(till: Till) -> None:
    stamp, application = till.buy(), apply(till)
    digits = till.digits(stamp)
    arabic = digits.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    for typed in (arabic, digits, " ".join(digits)):
        found = enter_stamp(till.office, application.id, typed, till.me, till.now)
        assert (found.id, found.state, found.application_id) == (stamp.id, "RESERVED", application.id)
    assert bound(till, application) == stamp.id
    with till.engine.connect() as connection:
        events = [row.event for row in read_chain(connection, bucket_of(stamp.id))]
    (reserved,) = [item for item in events if item.action == "stamp.reserve"]
    assert reserved.detail["application"] == str(application.id)


def test_what_is_refused_looks_all_the_same(till: Till) -> None:
    application = apply(till)
    spent, blocked, taken = till.buy(), till.buy(), till.buy()
    digits = [till.digits(item) for item in (spent, blocked, taken)]
    reserve_stamp(till.office, other := uuid.uuid4(), DUE, digits[0], till.me, till.now)
    consume_stamp(till.office, spent.id, other, CLERK, till.now)
    block_stamp(till.office, blocked.id, CHIEF, till.now, "overheard")
    reserve_stamp(till.office, uuid.uuid4(), DUE, digits[2], till.me, till.now)
    told = set()
    for typed in (*digits, "0123456789012345"):
        with pytest.raises(EnrolmentError) as refused:
            enter_stamp(till.office, application.id, typed, till.me, till.now)
        told.add((str(refused.value), refused.value.guard))
    assert told == {("GUARD: this stamp cannot be used", "usable")}
    assert bound(till, application) is None


def test_another_service_or_amount_does_not_fit_and_stays_good(till: Till) -> None:
    passport = till.buy(replace(ORDER, service="passport"))
    application = apply(till)
    with pytest.raises(EnrolmentError, match="another service or amount"):
        enter_stamp(till.office, application.id, till.digits(passport), till.me, till.now)
    assert till.show(passport).state == "ISSUED"


def test_an_application_takes_one_stamp_and_the_other_stays_good(till: Till) -> None:
    first, second, application = till.buy(), till.buy(), apply(till)
    enter_stamp(till.office, application.id, till.digits(first), till.me, till.now)
    with pytest.raises(EnrolmentError, match="another stamp"):
        enter_stamp(till.office, application.id, till.digits(second), till.me, till.now)
    assert [till.show(item).state for item in (first, second)] == ["RESERVED", "ISSUED"]
    take_back(till.office, application.id, till.me, till.now)
    take_back(till.office, application.id, till.me, till.now)
    assert (till.show(first).state, bound(till, application)) == ("ISSUED", None)
    enter_stamp(till.office, application.id, till.digits(second), till.me, till.now)
    assert bound(till, application) == second.id


def test_a_stranger_enters_nothing_and_wrong_digits_are_counted(till: Till) -> None:
    application, stamp = apply(till), till.buy()
    with pytest.raises(NotStoredError):
        enter_stamp(till.office, application.id, till.digits(stamp), OTHER_APPLICANT, till.now)
    with pytest.raises(RecordError):
        enter_stamp(till.office, application.id, "12", till.me, till.now)
    for _ in range(TRIES_AN_HOUR - 1):
        with pytest.raises(EnrolmentError):
            enter_stamp(till.office, application.id, "0" * 16, till.me, till.now)
    with pytest.raises(TooManyTriesError):
        enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)
    till.later(hours=1)
    for _ in range(TRIES_AN_HOUR + 1):  # right digits cost no try
        enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)


def test_without_a_date_of_birth_the_fee_is_open(till: Till) -> None:
    application = apply(till, date_of_birth=None)
    with pytest.raises(EnrolmentError, match="date of birth"):
        enter_stamp(till.office, application.id, till.digits(till.buy()), till.me, till.now)


def test_consumed_once_and_then_never_again(till: Till) -> None:
    stamp, application = till.buy(), apply(till)
    enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)
    for _ in range(2):
        found = consume_stamp(till.office, stamp.id, application.id, CLERK, till.now)
        assert (found.state, found.sealed_digits) == ("CONSUMED", None)
    with pytest.raises(EnrolmentError):
        consume_stamp(till.office, stamp.id, uuid.uuid4(), CLERK, till.now)
    assert release_stamp(till.office, stamp.id, application.id, CLERK, till.now).state == "CONSUMED"
    assert open_message(till.office, stamp.id) is None


def test_a_stamp_is_consumed_for_its_own_application_alone(till: Till) -> None:
    stamp = till.buy()
    mine = uuid.uuid4()
    with pytest.raises(EnrolmentError, match="WRONG_STATE"):
        consume_stamp(till.office, stamp.id, mine, CLERK, till.now)
    reserve_stamp(till.office, mine, DUE, till.digits(stamp), till.me, till.now)
    with pytest.raises(EnrolmentError) as refused:
        consume_stamp(till.office, stamp.id, uuid.uuid4(), CLERK, till.now)
    assert (refused.value.refusal, refused.value.guard) == (Refusal.GUARD, "same-application")
    assert release_stamp(till.office, stamp.id, uuid.uuid4(), CLERK, till.now).state == "RESERVED"


def test_the_work_of_giving_back_may_be_done_twice(till: Till, tmp_path: Path) -> None:
    stamp, application = till.buy(), apply(till)
    enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)
    messages = SpooledMessages(tmp_path)
    office = till.office
    workshop = Workshop(
        till.engine, Settings(home=tmp_path), office.rules, office.keys, lambda: till.now, messages, messages
    )
    work = stamp_release(read_status(till.engine, application.id, till.me), till.now)
    for _ in range(2):
        stamp_work.release(workshop, work)
        assert till.show(stamp).state == "ISSUED"
    stamp_work.sweep(workshop)


def test_of_many_applications_that_enter_the_same_stamp_one_gets_it(till: Till) -> None:
    stamp = till.buy()
    digits, told = till.digits(stamp), []

    def enter(application_id: uuid.UUID) -> None:
        try:
            reserve_stamp(till.office, application_id, DUE, digits, till.me, till.now)
            told.append("reserved")
        except EnrolmentError as refused:
            told.append(str(refused.guard))

    threads = [threading.Thread(target=enter, args=(uuid.uuid4(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["reserved", *["usable"] * 5]


def test_what_a_process_that_died_left_reserved_is_released(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp, kept, application, other = till.buy(), till.buy(), apply(till), apply(till)
    enter_stamp(till.office, other.id, till.digits(kept), till.me, till.now)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(spending, "bind_stamp", die)
    with pytest.raises(KeyboardInterrupt):
        enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)
    monkeypatch.undo()
    assert till.show(stamp).state == "RESERVED"
    assert release_forsaken(till.office, till.now) == 0  # he may still be at it
    till.now += timedelta(minutes=16)
    assert release_forsaken(till.office, till.now) >= 1
    assert [till.show(item).state for item in (stamp, kept)] == ["ISSUED", "RESERVED"]


def test_the_many_that_are_bound_keep_no_forgotten_one_waiting(till: Till) -> None:
    kept = [till.buy() for _ in range(3)]
    for stamp in kept:
        enter_stamp(till.office, apply(till).id, till.digits(stamp), till.me, till.now)
    forgotten = till.buy()
    reserve_stamp(till.office, apply(till).id, DUE, till.digits(forgotten), till.me, till.now)
    till.later(minutes=16)
    while release_forsaken(till.office, till.now, limit=1):
        pass
    assert till.show(forgotten).state == "ISSUED"
    assert {till.show(stamp).state for stamp in kept} == {"RESERVED"}


def test_the_second_of_two_requests_does_not_free_what_the_first_has_bound(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp, application = till.buy(), apply(till)
    enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)

    def lose(*_: object, **__: object) -> None:
        raise EnrolmentError(Refusal.WRONG_STATE, "somebody was quicker")

    with monkeypatch.context() as patched:
        patched.setattr(spending, "bind_stamp", lose)
        with pytest.raises(EnrolmentError, match="quicker"):
            enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)
        fresh, other = till.buy(), apply(till)
        with pytest.raises(EnrolmentError, match="quicker"):
            enter_stamp(till.office, other.id, till.digits(fresh), till.me, till.now)
    assert (till.show(stamp).state, bound(till, application)) == ("RESERVED", stamp.id)
    assert (till.show(fresh).state, bound(till, other)) == ("ISSUED", None)


def test_many_requests_at_once_enter_one_stamp_in_one_application(till: Till) -> None:
    stamp, application = till.buy(), apply(till)
    digits = till.digits(stamp)

    def enter() -> None:
        enter_stamp(till.office, application.id, digits, till.me, till.now)

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = till.show(stamp)
    assert (found.state, found.application_id, bound(till, application)) == ("RESERVED", application.id, stamp.id)


def test_who_enters_it_again_in_time_keeps_it(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp, application = till.buy(), apply(till)
    reserve_stamp(till.office, application.id, DUE, till.digits(stamp), till.me, till.now)
    till.later(minutes=16)
    whole = spending.release_stamp

    def release(office: StampOffice, stamp_id: uuid.UUID, *rest: Any, **named: Any) -> StoredStamp:
        if stamp_id == stamp.id:  # after it was looked at, and before it is released
            enter_stamp(till.office, application.id, till.digits(stamp), till.me, till.now)
        return whole(office, stamp_id, *rest, **named)

    monkeypatch.setattr(spending, "release_stamp", release)
    release_forsaken(till.office, till.now)
    assert (till.show(stamp).state, bound(till, application)) == ("RESERVED", stamp.id)


def test_another_stamp_takes_the_place_of_one_that_was_blocked(till: Till) -> None:
    lost, other, application = till.buy(), till.buy(), apply(till)
    enter_stamp(till.office, application.id, till.digits(lost), till.me, till.now)
    block_stamp(till.office, lost.id, CHIEF, till.now, "overheard")
    enter_stamp(till.office, application.id, till.digits(other), till.me, till.now)
    assert (till.show(other).state, bound(till, application)) == ("RESERVED", other.id)
    assert till.show(lost).state == "BLOCKED"


def test_what_takes_the_place_of_a_blocked_stamp_is_of_the_fee_of_that_day(till: Till) -> None:
    """On his twelfth birthday the holder of the draft pays as a grown-up; his first stamp was overheard before."""
    application, child = apply(till, date_of_birth="2014-11-23"), replace(ORDER, born=date(2014, 11, 23))
    lost, cheap = till.buy(child), till.buy(child)
    enter_stamp(till.office, application.id, till.digits(lost), till.me, till.now)
    block_stamp(till.office, lost.id, CHIEF, till.now, "overheard")
    till.later(days=1)
    assert requirements(till.engine, application.id, till.me, till.now).fee == 75
    with pytest.raises(EnrolmentError, match="another service or amount"):
        enter_stamp(till.office, application.id, till.digits(cheap), till.me, till.now)
    whole = till.buy()
    enter_stamp(till.office, application.id, till.digits(whole), till.me, till.now)
    entered = read_status(till.engine, application.id, till.me)
    assert (entered.stamp_id, entered.fee, till.show(cheap).state) == (whole.id, 75, "ISSUED")
