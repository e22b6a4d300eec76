"""Payments on both databases: one callback or ten, in any order, early or late, change what they should, once."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from eid.enrolment.payment import Channel, Money, Outcome
from eid.errors import (
    AlreadyDoneError,
    AuthenticationError,
    DecodeError,
    EnrolmentError,
    NotStoredError,
    Refusal,
)
from eid.gateways.payment.signature import sign_message
from eid.services.payment.payments import (
    PaymentDesk,
    PaymentRequest,
    ask_provider,
    receive,
    refund_stamp,
    request_payment,
    return_money,
    show_payment,
)
from eid.services.stamp.stamps import cancel_order, expire_orders
from eid.store.audit import bucket_of, read_chain
from tests.builders.stamps import BUYER, CASHIER, CHIEF, OTHER, SECRET, Till, build_till


@pytest.fixture
def till(shared_database: Engine) -> Till:
    return build_till(shared_database)


def state(till: Till, payment) -> str:
    return show_payment(till.desk, payment.id, CHIEF).state


@pytest.mark.parametrize("channel", list(Channel))
def test_every_way_to_pay_issues_a_stamp(till: Till, channel: Channel) -> None:
    who = CASHIER if channel is Channel.COUNTER_TERMINAL else BUYER
    ordered = till.order(actor=who)
    payment = till.request(ordered, channel, who)
    (asked,) = till.desk.channels[channel].asked
    assert (asked.reference, asked.money, asked.expires_at) == (payment.id, Money(75, "MAD"), ordered.pay_before)
    assert payment.provider_reference == f"PSP-{payment.id.hex[:8]}"
    assert till.tell(payment) == "applied"
    assert (till.show(ordered).state, state(till, payment)) == ("ISSUED", "SETTLED")


def test_the_same_event_changes_nothing_twice(till: Till) -> None:
    ordered = till.order()
    payment = till.request(ordered)
    body = till.write(payment)
    assert [till.send(payment, body) for _ in range(4)] == ["applied"] * 4
    assert till.tell(payment) == "unchanged"  # another event of the same
    assert len(till.works("sms.stamp")) == 1
    digits = till.digits(ordered)
    assert [till.tell(payment, outcome) for outcome in (Outcome.PENDING, Outcome.DECLINED, Outcome.CANCELLED)] == [
        "unchanged"
    ] * 3
    assert till.digits(ordered) == digits
    with till.engine.connect() as connection:
        actions = [row.event.action for row in read_chain(connection, bucket_of(ordered.id))]
    assert actions.count("payment.settle") == actions.count("stamp.issue") == 1


def test_another_event_under_a_known_number_is_refused(till: Till) -> None:
    payment = till.request(till.order())
    till.tell(payment, event_id="evt-x")
    with pytest.raises(AlreadyDoneError):
        till.tell(payment, Outcome.DECLINED, event_id="evt-x")


def test_many_tell_the_same_at_once(till: Till) -> None:
    payment = till.request(till.order())
    bodies = [till.write(payment, event_id=f"evt-{number % 2}") for number in range(6)]
    bodies[2:] = [bodies[0], bodies[1]] * 2
    told: list[str] = []
    threads = [threading.Thread(target=lambda body=body: told.append(till.send(payment, body))) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(told)) == ["applied", "unchanged"]
    assert len(told) == 6
    assert len(till.works("sms.stamp")) == 1
    assert till.states() == ["ISSUED"]


def test_a_declined_payment_leaves_the_order_to_be_paid_otherwise(till: Till) -> None:
    ordered = till.order()
    first = till.request(ordered, Channel.ONLINE_CARD)
    assert till.tell(first, Outcome.DECLINED) == "applied"
    second = till.request(ordered, Channel.MOBILE_WALLET)
    assert second.id != first.id
    assert till.tell(second) == "applied"
    assert till.show(ordered).state == "ISSUED"


def test_the_same_way_again_is_the_same_payment(till: Till) -> None:
    ordered = till.order()
    assert till.request(ordered).id == till.request(ordered).id
    assert len(till.desk.channels[Channel.BANK_BRANCH].asked) == 2


@pytest.mark.parametrize("ended", ["expired", "cancelled", "declined"])
def test_money_that_comes_late_is_owed_back_or_pays_what_still_waits(till: Till, ended: str) -> None:
    ordered = till.order()
    payment = till.request(ordered)
    if ended == "expired":
        till.later(days=2)
        expire_orders(till.office, till.now)
    elif ended == "cancelled":
        cancel_order(till.office, ordered.id, BUYER, till.now)
    else:
        till.tell(payment, Outcome.DECLINED)
    assert till.tell(payment) == "applied"
    if ended == "declined":
        assert (till.show(ordered).state, state(till, payment)) == ("ISSUED", "SETTLED")
    else:
        assert (till.show(ordered).state, state(till, payment)) == (ended.upper(), "REFUND_DUE")
        (work,) = till.works("payment.refund")
        assert work.payload == {"payment": str(payment.id)}
        assert till.works("sms.stamp") == []


def test_a_stamp_that_is_paid_twice_is_issued_once_and_the_rest_owed(till: Till) -> None:
    ordered = till.order()
    first, second = till.request(ordered, Channel.ONLINE_CARD), till.request(ordered, Channel.BANK_BRANCH)
    assert [till.tell(first), till.tell(second)] == ["applied", "applied"]
    assert (state(till, first), state(till, second)) == ("SETTLED", "REFUND_DUE")
    assert len(till.works("sms.stamp")) == 1


@pytest.mark.parametrize("money", [Money(74, "MAD"), Money(76, "MAD"), Money(75, "EUR"), Money(0, "MAD")])
def test_another_amount_is_refused_and_told_to_the_audit_log(till: Till, money: Money) -> None:
    payment = till.request(till.order())
    assert till.tell(payment, money=money) == "refused"
    assert (till.states(), state(till, payment)) == (["ORDERED"], "OPEN")
    with till.engine.connect() as connection:
        last = list(read_chain(connection, bucket_of(payment.id)))[-1].event
    assert (last.action, dict(last.detail)["amount"]) == ("payment.refuse-amount", money.amount)
    assert till.tell(payment) == "applied"


def test_a_refund_is_owed_asked_for_once_and_told(till: Till) -> None:
    bought = till.buy()
    payment = till.request_of(bought)
    with pytest.raises(EnrolmentError) as refused:
        refund_stamp(till.desk, bought.id, BUYER, till.now, "unused")
    assert refused.value.refusal is Refusal.FORBIDDEN
    refunded = refund_stamp(till.desk, bought.id, CASHIER, till.now, "unused")
    assert (refunded.state, refunded.sealed_digits, state(till, payment)) == ("REFUNDED", None, "REFUND_DUE")
    with pytest.raises(EnrolmentError, match="WRONG_STATE"):
        refund_stamp(till.desk, bought.id, CASHIER, till.now, "unused")
    assert return_money(till.desk, payment.id, till.now) == "applied"
    assert return_money(till.desk, payment.id, till.now) == "unchanged"
    assert till.desk.channels[Channel.BANK_BRANCH].refunds == [payment.id]
    assert state(till, payment) == "REFUNDED"


def test_a_refund_that_takes_its_time_is_told_by_a_callback(till: Till) -> None:
    bought = till.buy()
    payment = till.request_of(bought)
    till.desk.channels[Channel.BANK_BRANCH].answer = Outcome.PENDING
    refund_stamp(till.desk, bought.id, CASHIER, till.now, "unused")
    assert return_money(till.desk, payment.id, till.now) == "unchanged"
    assert till.tell(payment, Outcome.REFUNDED, money=Money(74, "MAD")) == "refused"
    assert till.tell(payment, Outcome.REFUNDED) == "applied"
    assert state(till, payment) == "REFUNDED"


def test_the_provider_is_asked_where_no_callback_came(till: Till) -> None:
    payment = till.request(till.order())
    channel = till.desk.channels[Channel.BANK_BRANCH]
    for knows, result in ((None, "unchanged"), (Outcome.PENDING, "unchanged"), (Outcome.SETTLED, "applied")):
        channel.knows = knows
        assert ask_provider(till.desk, payment.id, till.now) == result
    assert till.states() == ["ISSUED"]


def test_who_may_pay_and_what(till: Till) -> None:
    ordered = till.order()
    with pytest.raises(NotStoredError):
        till.request(ordered, actor=OTHER)
    with pytest.raises(EnrolmentError, match="FORBIDDEN"):
        till.request(ordered, Channel.COUNTER_TERMINAL)
    with pytest.raises(NotStoredError):
        show_payment(till.desk, till.request(ordered).id, OTHER)
    few = PaymentDesk(till.office, {})
    with pytest.raises(NotStoredError):
        request_payment(few, ordered.id, PaymentRequest("online-card"), BUYER, till.now)
    till.later(days=1)
    with pytest.raises(EnrolmentError, match="WRONG_STATE"):
        till.request(ordered)


def test_callbacks_that_are_not_the_providers(till: Till) -> None:
    payment = till.request(till.order())
    body = till.write(payment)
    good = sign_message(SECRET, body, till.now)
    old = sign_message(SECRET, body, till.now - timedelta(seconds=301))
    young = sign_message(SECRET, body, till.now + timedelta(seconds=301))
    foreign = sign_message(b"x" * 32, body, till.now)
    for header, octets in (
        (None, body), ("", body), (old, body), (young, body), (foreign, body), (good, body + b" "), (good + "0", body)
    ):  # fmt: skip
        with pytest.raises(AuthenticationError):
            receive(till.desk, payment.channel, header, octets, till.now)
    with pytest.raises(NotStoredError):  # signed for one way, told by another
        receive(till.desk, Channel.ONLINE_CARD.value, good, body, till.now)
    with pytest.raises(NotStoredError):
        till.tell(payment, reference=uuid.uuid4())
    with pytest.raises(DecodeError):
        receive(till.desk, payment.channel, sign_message(SECRET, b"{}", till.now), b"{}", till.now)
    assert till.states() == ["ORDERED"]
