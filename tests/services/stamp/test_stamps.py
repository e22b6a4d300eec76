"""Stamps on both databases: ordered, issued, sent again, blocked, expired, looked up; nothing of them shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, insert, select, text

from eid.enrolment.payment import Outcome
from eid.enrolment.stamp import StampState
from eid.errors import EnrolmentError, NotStoredError, RecordError, Refusal
from eid.services.stamp import stamps
from eid.services.stamp.stamps import (
    MAX_MESSAGES,
    TRIES_AN_HOUR,
    TooManyTriesError,
    block_stamp,
    cancel_order,
    expire_orders,
    list_stamps,
    list_unsent,
    look_up,
    open_message,
    order_stamp,
    resend_digits,
    show_stamp,
    unblock_stamp,
)
from eid.store.audit import bucket_of, read_chain
from eid.store.database import in_transaction
from eid.store.payments import payments_of
from eid.store.stamp_tables import stamp as table
from eid.store.stamps import note_message
from tests.builders.stamps import AGENT, BUYER, CASHIER, CHIEF, ORDER, OTHER, PHONE, Till, build_till


@pytest.fixture
def till(shared_database: Engine) -> Till:
    return build_till(shared_database)


@pytest.fixture
def lone_till(any_database: Engine) -> Till:
    return build_till(any_database)


@pytest.mark.both_databases
def test_a_stamp_is_ordered_paid_issued_and_its_digits_are_to_be_sent(till: Till) -> None:
    ordered = till.order()
    assert (ordered.state, ordered.amount, ordered.currency, ordered.fee_version) == (
        "ORDERED",
        75,
        "MAD",
        "2020-08-01",
    )
    assert ordered.pay_before == till.now + timedelta(days=1)
    payment = till.request(ordered)
    assert till.works("sms.stamp") == []
    assert till.tell(payment) == "applied"
    issued = till.show(ordered)
    digits = till.digits(issued)
    assert (issued.state, issued.paid_at, issued.last_four) == ("ISSUED", till.now, digits[-4:])
    assert issued.tag is not None
    assert issued.tag[-1] == bucket_of(issued.id)
    (message,) = till.works("sms.stamp")
    assert message.payload == {"stamp": str(issued.id)}
    assert open_message(till.office, issued.id).phone == PHONE
    with till.engine.connect() as connection:
        actions = [row.event.action for row in read_chain(connection, bucket_of(issued.id))]
    assert actions == ["stamp.create", "payment.create", "payment.settle", "stamp.pay", "stamp.issue"]


def test_neither_digits_nor_telephone_stand_in_the_database_or_in_a_representation(till: Till) -> None:
    issued = till.buy()
    digits = till.digits(issued)
    with till.engine.connect() as connection:
        for name in ("stamp", "payment", "outbox", "audit_row"):
            shown = str(connection.execute(text(f"SELECT * FROM {name}")).all())
            assert digits not in shown
            assert PHONE not in shown
    assert digits not in repr((issued, open_message(till.office, issued.id), till.office))
    assert PHONE not in repr((ORDER, open_message(till.office, issued.id)))


def test_the_fee_goes_by_service_age_and_day(till: Till) -> None:
    assert till.order(replace(ORDER, born=date(2020, 1, 1))).amount == 50
    assert till.order(replace(ORDER, service="passport")).amount == 500
    assert till.order(replace(ORDER, service="criminal-record")).amount == 30


@pytest.mark.parametrize(
    "change",
    [
        {"service": "moon"},
        {"born": date(2030, 1, 1)},
        {"phone": "0600000001"},
        {"phone": "+212600000001x"},
        {"phone": "+15145557298"},
        {"phone": "+0145557298", "abroad": True},
        {"language": "de"},
    ],
)
def test_what_cannot_be_ordered(till: Till, change: dict) -> None:
    with pytest.raises(RecordError) as refused:
        till.order(replace(ORDER, **change))
    assert not any(str(value) in str(refused.value) for value in change.values())
    assert till.states() == []


def test_clients_of_consulates_have_telephones_of_other_countries(till: Till) -> None:
    issued = till.buy(replace(ORDER, phone="+15145557298", abroad=True))
    message = open_message(till.office, issued.id)
    assert message is not None
    assert message.phone == "+15145557298"


def test_who_may_order_and_see(till: Till) -> None:
    with pytest.raises(EnrolmentError) as refused:
        order_stamp(till.office, ORDER, AGENT, till.now)
    assert refused.value.refusal is Refusal.FORBIDDEN
    mine = till.order()
    assert mine in list_stamps(till.office, BUYER)
    assert mine not in list_stamps(till.office, OTHER)
    for who in (BUYER, CASHIER, AGENT, CHIEF):
        assert show_stamp(till.office, mine.id, who) == mine
    for act in (
        show_stamp,
        lambda *given: cancel_order(*given, till.now),
        lambda *given: resend_digits(*given, till.now),
    ):
        with pytest.raises(NotStoredError):
            act(till.office, mine.id, OTHER)


@pytest.mark.both_databases
def test_orders_that_are_not_paid_in_time_expire_with_their_payments(lone_till: Till) -> None:
    till = lone_till
    early, late = till.order(), till.order()
    payment = till.request(early)
    till.later(hours=24)
    fresh = till.order()
    assert expire_orders(till.office, till.now) == 2
    assert expire_orders(till.office, till.now) == 0
    assert [till.show(item).state for item in (early, late, fresh)] == ["EXPIRED", "EXPIRED", "ORDERED"]
    with till.engine.connect() as connection:
        assert [item.state for item in payments_of(connection, early.id)] == ["EXPIRED"]
    assert till.tell(payment, Outcome.DECLINED) == "unchanged"


def test_an_order_is_given_up_before_it_is_paid_and_not_after(till: Till) -> None:
    ordered = till.order()
    assert cancel_order(till.office, ordered.id, BUYER, till.now).state == "CANCELLED"
    with pytest.raises(EnrolmentError, match="WRONG_STATE"):
        cancel_order(till.office, till.buy().id, BUYER, till.now)


def test_the_same_digits_are_sent_again_unchanged_and_not_too_often(till: Till) -> None:
    issued = till.buy()
    digits = till.digits(issued)
    with pytest.raises(EnrolmentError, match="moment ago"):
        resend_digits(till.office, issued.id, BUYER, till.now)
    for number in range(2, MAX_MESSAGES + 1):
        till.later(minutes=1)
        again = resend_digits(till.office, issued.id, AGENT, till.now)
        assert (again.messages, again.state, again.version) == (number, "ISSUED", issued.version)
    assert till.digits(issued) == digits
    assert len(till.works("sms.stamp")) == MAX_MESSAGES
    till.later(hours=1)
    with pytest.raises(EnrolmentError, match="too often"):
        resend_digits(till.office, issued.id, AGENT, till.now)
    with pytest.raises(EnrolmentError, match="no message"):
        resend_digits(till.office, till.order().id, BUYER, till.now)


def test_paid_and_no_message_is_a_queue_until_the_message_is_sent(lone_till: Till) -> None:
    till = lone_till
    first, second = till.buy(), till.buy()
    assert list_unsent(till.office, AGENT, till.now, timedelta(minutes=5)) == ()
    till.later(minutes=5)
    assert {item.id for item in list_unsent(till.office, AGENT, till.now, timedelta(minutes=5))} == {
        first.id,
        second.id,
    }
    in_transaction(till.engine, lambda connection: note_message(connection, first.id, sent_at=till.now))
    assert [item.id for item in list_unsent(till.office, CASHIER, till.now, timedelta(minutes=5))] == [second.id]
    with pytest.raises(EnrolmentError, match="operators"):
        list_unsent(till.office, BUYER, till.now, timedelta())


def test_a_blocked_stamp_looks_like_none_until_it_is_unblocked(till: Till) -> None:
    issued = till.buy()
    digits = till.digits(issued)
    value = look_up(till.office, digits, BUYER, till.now)
    assert (value.service, value.amount, value.currency) == ("card", 75, "MAD")
    block_stamp(till.office, issued.id, AGENT, till.now, "overheard")
    assert look_up(till.office, digits, BUYER, till.now) is None
    assert look_up(till.office, "0" * 16, BUYER, till.now) is None
    assert open_message(till.office, issued.id) is None
    with pytest.raises(EnrolmentError, match="FORBIDDEN"):
        unblock_stamp(till.office, issued.id, AGENT, till.now, "known")
    assert unblock_stamp(till.office, issued.id, CHIEF, till.now, "known").state == "ISSUED"
    assert look_up(till.office, " ".join(digits), BUYER, till.now) == value


def test_looking_up_is_limited_by_caller_and_hour(lone_till: Till) -> None:
    till = lone_till
    digits = till.digits(till.buy())
    for _ in range(TRIES_AN_HOUR):
        assert look_up(till.office, "1" * 16, OTHER, till.now) is None
    with pytest.raises(TooManyTriesError):
        look_up(till.office, digits, OTHER, till.now)
    assert look_up(till.office, digits, BUYER, till.now) is not None
    till.later(hours=1)
    assert look_up(till.office, digits, OTHER, till.now) is not None
    till.later(hours=30)
    assert look_up(till.office, digits, OTHER, till.now) is not None


@pytest.mark.both_databases
def test_the_database_refuses_the_same_digits_twice(till: Till) -> None:
    first, second = till.buy(), till.order()
    row = {"tag": first.tag, "bucket": bucket_of(first.id)}
    with pytest.raises(Exception, match="contradicts"):
        in_transaction(
            till.engine,
            lambda connection: connection.execute(
                insert(table).from_select(
                    [column.name for column in table.c],
                    select(*(row_value(column, row, second) for column in table.c)).where(table.c.id == second.id),
                )
            ),
        )


def row_value(column, row, second):
    from sqlalchemy import literal

    if column.name == "id":
        return literal(stamps.new_id(second.ordered_at), column.type)
    return literal(row[column.name], column.type) if column.name in row else column


def test_every_state_of_the_table_is_one_of_the_life_cycle() -> None:
    from eid.enrolment.payment import PAYMENT, PaymentState
    from eid.store.stamp_tables import CALLBACK_RESULTS, PAYMENT_STATES, STAMP_STATES

    assert set(STAMP_STATES) == set(StampState)
    assert set(PAYMENT_STATES) == set(PaymentState) == set(PAYMENT.states)
    from eid.services.payment.payments import Result

    assert set(CALLBACK_RESULTS) == set(Result)
