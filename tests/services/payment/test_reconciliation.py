"""A provider's statement beside the register: what a lost callback explains is put right, all else reported."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from eid.enrolment.payment import Channel, Money, Outcome, PaymentState
from eid.enrolment.payment_statement import Difference, KnownPayment, StatementLine, compare_statement
from eid.errors import DecodeError, EnrolmentError, GatewayError, NotStoredError, RecordError
from eid.gateways.payment.statement import decode_statement, encode_statement
from eid.services.payment.payments import refund_stamp, return_money, show_payment
from eid.services.payment.reconciliation import list_reconciliations, reconcile, show_reconciliation
from tests.builders.stamps import BUYER, CASHIER, CHIEF, NOW, Till, build_till

DAY = NOW.date()
WAY = Channel.BANK_BRANCH.value
PRICE = Money(75, "MAD")


@pytest.fixture
def till(any_database: Engine) -> Till:
    return build_till(any_database)


def line(payment, kind: str = "payment", money: Money = PRICE, at: datetime = NOW) -> StatementLine:
    reference = payment if isinstance(payment, uuid.UUID) else payment.id
    return StatementLine(reference, "PSP-1", kind, money, at)


def run(till: Till, *lines: StatementLine, day: date = DAY):
    till.desk.channel(WAY).told = encode_statement(lines)
    return reconcile(till.desk, WAY, day, CASHIER, NOW + timedelta(days=1))


def shown(report) -> list[tuple[str, bool]]:
    return [(row["difference"], row["repaired"]) for row in report.findings["differences"]]


def test_a_day_on_which_all_agree(till: Till) -> None:
    bought = till.buy()
    report = run(till, line(till.request_of(bought)))
    assert (report.movements, report.findings["count"], shown(report)) == (1, 0, [])
    assert show_reconciliation(till.desk, report.id, CHIEF) == report
    assert list_reconciliations(till.desk, CHIEF) == (report,)


@pytest.mark.both_databases
def test_money_without_a_callback_is_settled_and_its_stamp_issued_once(till: Till) -> None:
    payment = till.request(till.order())
    first = run(till, line(payment))
    assert shown(first) == [("NOT_SETTLED_HERE", True)]
    assert till.states() == ["ISSUED"]
    assert len(till.works("sms.stamp")) == 1
    assert shown(run(till, line(payment))) == []
    assert till.tell(payment) == "unchanged"  # the callback, after all


def test_a_statement_brought_by_hand_makes_no_money(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, way = till.request(till.order()), till.desk.channel(WAY)
    forged = encode_statement((line(payment),))

    def bring() -> list[tuple[str, bool]]:
        return shown(reconcile(till.desk, WAY, DAY, CASHIER, NOW + timedelta(days=1), forged))

    for knows in (None, Outcome.PENDING, Outcome.DECLINED):
        way.knows = knows
        assert bring() == [("NOT_SETTLED_HERE", False)]

    def fail(_: uuid.UUID) -> None:
        raise GatewayError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr(way, "ask", fail)
        assert bring() == [("NOT_SETTLED_HERE", False)]
    assert till.states() == ["ORDERED"]
    way.knows = Outcome.SETTLED
    assert bring() == [("NOT_SETTLED_HERE", True)]
    assert till.states() == ["ISSUED"]


def test_every_difference_is_told(till: Till) -> None:
    settled, charged_twice, other_amount = till.buy(), till.buy(), till.request(till.order())
    gone = till.buy()
    back = till.request_of(gone)
    refund_stamp(till.desk, gone.id, CASHIER, till.now, "unused")
    return_money(till.desk, back.id, till.now)
    twice = till.request_of(charged_twice)
    stranger = uuid.uuid4()
    report = run(till, line(twice), line(twice), line(other_amount, money=Money(76, "MAD")), line(stranger), line(back))
    assert set(shown(report)) == {
        ("AMOUNT", False),
        ("CHARGED_TWICE", False),
        ("NOT_AT_PROVIDER", False),
        ("NOT_SETTLED_HERE", False),  # with another amount nothing is put right
        ("REFUND_NOT_AT_PROVIDER", False),
        ("UNKNOWN_HERE", False),
    }
    absent = next(row for row in report.findings["differences"] if row["difference"] == "NOT_AT_PROVIDER")
    assert absent["payment"] == str(till.request_of(settled).id)


def test_a_refund_without_a_callback_is_noted(till: Till) -> None:
    bought = till.buy()
    payment = till.request_of(bought)
    refund_stamp(till.desk, bought.id, CASHIER, till.now, "unused")
    assert shown(run(till, line(payment), line(payment, "refund"))) == [("REFUND_NOT_HERE", True)]
    assert show_payment(till.desk, payment.id, CHIEF).state == "REFUNDED"


def test_money_returned_of_a_stamp_that_was_not_refunded_is_for_people(till: Till) -> None:
    payment = till.request_of(till.buy())
    assert shown(run(till, line(payment), line(payment, "refund"))) == [("REFUND_NOT_HERE", False)]
    assert till.states() == ["ISSUED"]


def test_the_day_is_that_of_the_country(till: Till) -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # in Morocco it is the 23rd
    with pytest.raises(RecordError, match="another day"):
        run(till, line(uuid.uuid4(), at=late))
    with pytest.raises(RecordError, match="not over"):
        reconcile(till.desk, WAY, DAY, CASHIER, NOW, b"")


def test_who_may_and_what_is_malformed(till: Till) -> None:
    for act in (
        lambda: reconcile(till.desk, WAY, DAY, BUYER, NOW),
        lambda: list_reconciliations(till.desk, BUYER),
        lambda: show_reconciliation(till.desk, uuid.uuid4(), BUYER),
    ):
        with pytest.raises(EnrolmentError, match="FORBIDDEN"):
            act()
    with pytest.raises(NotStoredError):
        show_reconciliation(till.desk, uuid.uuid4(), CHIEF)
    with pytest.raises(DecodeError):
        reconcile(till.desk, WAY, DAY, CASHIER, NOW + timedelta(days=1), b"junk")
    assert reconcile(till.desk, WAY, DAY, CASHIER, NOW + timedelta(days=1)).movements == 0  # fetched


def test_comparison_is_the_same_in_any_order() -> None:
    ids = [uuid.uuid4() for _ in range(3)]
    known = {item: KnownPayment(item, PaymentState.OPEN, PRICE) for item in ids}
    lines = [line(item) for item in ids]
    found = compare_statement(known, lines, (), ())
    assert {item.difference for item in found} == {Difference.NOT_SETTLED_HERE}
    assert compare_statement(known, lines[::-1], (), ()) == found
    assert decode_statement(encode_statement(lines)) == tuple(lines)
    assert Outcome("settled") is Outcome.SETTLED
