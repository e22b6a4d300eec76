"""A stamp spent at a counter for a file of another system: once, for one case, whoever asks how often."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, String, cast, select

from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.services.application.drafts import NewApplication, create_application
from eid.services.payment.payments import refund_stamp
from eid.services.stamp.counter import CounterCase, Spending, name_case, spend_at_counter
from eid.services.stamp.spending import Due, release_forsaken, reserve_stamp
from eid.services.stamp.stamps import TRIES_AN_HOUR, TooManyTriesError, block_stamp, open_message
from eid.store.audit import bucket_of, read_chain
from eid.store.stamp_tables import stamp as table
from eid.store.types import new_id
from tests.builders.applicants import applicant_record
from tests.builders.stamps import CASHIER, CHIEF, NOW, ORDER, Till, build_till

PASSPORT = replace(ORDER, service="passport")
CASE = CounterCase("passport", 500, "P-2026-000123")


def officer(site: str = "paris-1") -> Actor:
    return Actor(f"officer-{uuid.uuid4()}", frozenset((Role.ENROLMENT_OFFICER,)), site)


@pytest.fixture
def till(shared_database: Engine) -> Till:
    return build_till(shared_database)


@pytest.fixture
def case() -> CounterCase:
    return replace(CASE, reference=f"P-{uuid.uuid4()}")


def spend(till: Till, case: CounterCase, typed: str, actor: Actor | None = None) -> Spending:
    return spend_at_counter(till.office, case, typed, actor or officer(), till.now)


def refusal(till: Till, case: CounterCase, typed: str, actor: Actor | None = None) -> tuple[Refusal, str | None]:
    with pytest.raises(EnrolmentError) as refused:
        spend(till, case, typed, actor)
    return refused.value.refusal, refused.value.guard


def test_spent_once_and_answered_the_same_from_then_on(till: Till, case: CounterCase) -> None:
    stamp = till.buy(PASSPORT)
    digits = till.digits(stamp)
    first = spend(till, case, digits.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    till.later(minutes=5)
    assert spend(till, case, " ".join(digits)) == first  # by another officer of the same site
    assert (first.stamp_id, first.service, first.amount, first.last_four) == (stamp.id, "passport", 500, digits[-4:])
    found = till.show(stamp)
    assert (found.state, found.sealed_digits, open_message(till.office, stamp.id)) == ("CONSUMED", None, None)
    assert refusal(till, replace(case, reference="another"), digits) == (Refusal.GUARD, "usable")
    assert refusal(till, case, digits, officer("madrid-1")) == (Refusal.GUARD, "usable")
    with pytest.raises(EnrolmentError):
        refund_stamp(till.desk, stamp.id, CASHIER, till.now, "unused")
    till.later(hours=1)
    release_forsaken(till.office, till.now)
    assert till.show(stamp).state == "CONSUMED"


def test_the_audit_log_has_it_and_nobody_has_the_reference(till: Till, case: CounterCase) -> None:
    stamp, clerk = till.buy(PASSPORT), officer()
    digits = till.digits(stamp)
    spent = spend(till, case, digits, clerk)
    with till.engine.connect() as connection:
        events = [row.event for row in read_chain(connection, bucket_of(stamp.id))]
        (told,) = [item for item in events if (item.action, item.subject) == ("stamp.spend", f"stamp:{stamp.id}")]
        columns = [cast(column, String) for column in table.c if column.name not in ("tag", "sealed_phone")]
        row = connection.execute(select(*columns).where(table.c.id == stamp.id)).one()
    assert (told.actor, told.detail["case"]) == (f"enrolment-officer:{clerk.id}", str(spent.case))
    assert told.detail["site"] == "paris-1"
    for secret in (digits, case.reference):
        assert secret not in f"{told} {row} {case!r} {spent!r}"


def test_what_is_refused_looks_all_the_same_and_stays_as_it_was(till: Till, case: CounterCase) -> None:
    blocked, entered = till.buy(PASSPORT), till.buy(PASSPORT)
    digits = [till.digits(item) for item in (blocked, entered)]
    block_stamp(till.office, blocked.id, CHIEF, till.now, "overheard")
    reserve_stamp(till.office, new_id(NOW), Due("passport", 500, "MAD"), digits[1], till.me, till.now)
    told = {refusal(till, case, typed) for typed in (*digits, "0123456789012345")}
    assert told == {(Refusal.GUARD, "usable")}
    assert [till.show(item).state for item in (blocked, entered)] == ["BLOCKED", "RESERVED"]


def test_the_stamp_of_another_service_buys_no_card(till: Till) -> None:
    """A card for the price of an extract from the criminal record."""
    for service in ("passport", "criminal-record"):
        new = NewApplication("first", applicant_record(), service=service)
        with pytest.raises(RecordError, match="no such service"):
            create_application(till.engine, new, till.me, NOW, rules="morocco")


def test_another_service_or_amount_does_not_fit_and_stays_good(till: Till, case: CounterCase) -> None:
    stamp = till.buy(PASSPORT)
    digits = till.digits(stamp)
    for other in (replace(case, amount=300), replace(case, service="criminal-record")):
        assert refusal(till, other, digits) == (Refusal.GUARD, "fits")
    assert refusal(till, replace(case, service="card"), digits) == (Refusal.GUARD, "at-counter")
    assert till.show(stamp).state == "ISSUED"


def test_a_case_is_paid_by_one_stamp(till: Till, case: CounterCase) -> None:
    first, second = till.buy(PASSPORT), till.buy(PASSPORT)
    digits = till.digits(second)
    spend(till, case, till.digits(first))
    assert refusal(till, case, digits) == (Refusal.GUARD, "case-paid")
    assert till.show(second).state == "ISSUED"


def test_who_may(till: Till, case: CounterCase) -> None:
    digits = till.digits(till.buy(PASSPORT))
    for role in set(Role) - {Role.ENROLMENT_OFFICER, Role.RELYING_PARTY}:
        who = Actor("somebody", frozenset((role,)), "paris-1")
        assert refusal(till, case, digits, who) == (Refusal.FORBIDDEN, None)
    partner = Actor("passport-office", frozenset((Role.RELYING_PARTY,)))
    assert spend(till, case, digits, partner).case == name_case(till.office, case, partner)
    assert name_case(till.office, case, partner) != name_case(till.office, case, replace(partner, id="another"))


def test_wrong_digits_are_counted_and_right_ones_are_not(till: Till, case: CounterCase) -> None:
    digits, clerk = till.digits(till.buy(PASSPORT)), officer()
    for typed in ("12", "x" * 16):
        with pytest.raises(RecordError):
            spend(till, case, typed, clerk)
    with pytest.raises(RecordError):
        spend(till, replace(case, reference="somebody's name"), digits, clerk)
    for _ in range(3):
        spend(till, case, digits, clerk)
    for _ in range(TRIES_AN_HOUR - 2):
        assert refusal(till, case, "0" * 16, clerk)[1] == "case-paid"
    with pytest.raises(TooManyTriesError):
        spend(till, case, digits, clerk)
    till.now += timedelta(hours=1)
    assert spend(till, case, digits, clerk).last_four == digits[-4:]


def test_of_many_cases_at_once_one_gets_it(till: Till, case: CounterCase) -> None:
    digits = till.digits(till.buy(PASSPORT))
    told: list[object] = []

    def take(number: int) -> None:
        try:
            told.append(spend(till, replace(case, reference=f"{case.reference}.{number % 3}"), digits).case)
        except EnrolmentError as refused:
            told.append(refused.guard)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cases = [item for item in told if item != "usable"]
    assert (len(told), len(cases), len(set(cases))) == (6, 2, 1)


def test_of_many_stamps_at_once_a_case_takes_one(till: Till, case: CounterCase) -> None:
    stamps = [till.buy(PASSPORT) for _ in range(4)]
    typed, start = [till.digits(item) for item in stamps], threading.Barrier(len(stamps))
    told: list[str] = []

    def take(digits: str) -> None:
        start.wait()
        try:
            told.append(spend(till, case, digits).last_four)
        except EnrolmentError as refused:
            told.append(str(refused.guard))

    threads = [threading.Thread(target=take, args=(digits,)) for digits in typed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("case-paid") == len(stamps) - 1
    assert sorted(till.show(item).state for item in stamps) == ["CONSUMED", "ISSUED", "ISSUED", "ISSUED"]


def test_a_reason_is_a_code_for_it_stands_in_the_audit_log(till: Till) -> None:
    stamp = till.buy(PASSPORT)
    for reason in ("", "Mrs SPECIMEN called", "a" * 33):
        with pytest.raises(RecordError):
            block_stamp(till.office, stamp.id, CHIEF, till.now, reason)
        with pytest.raises(RecordError):
            refund_stamp(till.desk, stamp.id, CASHIER, till.now, reason)
    assert till.show(stamp).state == "ISSUED"
