"""The life of a payment, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eid.enrolment.payment import EVENTS, PAYMENT, Money, Outcome, PaymentFacts, PaymentState
from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, Refusal

PAGE = (Path(__file__).parents[2] / "docs" / "payments.md").read_text("utf-8")
PROVIDER = Actor("psp", frozenset((Role.PAYMENT_PROVIDER,)))
PRICE = Money(75, "MAD")
WHOLE = PaymentFacts(PRICE, PRICE)


def test_the_page_shows_the_table_and_every_outcome() -> None:
    assert f"```mermaid\n{PAYMENT.diagram()}```" in PAGE
    assert all(f"`{outcome}`" in PAGE for outcome in Outcome)


@pytest.mark.parametrize("state", [item for item in PaymentState if item not in ("SETTLED", "REFUND_DUE", "REFUNDED")])
def test_money_that_comes_in_settles_whatever_was_before(state: PaymentState) -> None:
    assert PAYMENT.step(state, "settle", WHOLE, PROVIDER)[0].target is PaymentState.SETTLED


@pytest.mark.parametrize("stated", [Money(74, "MAD"), Money(75, "EUR"), None])
def test_another_amount_settles_and_refunds_nothing(stated: Money | None) -> None:
    for state, event in ((PaymentState.OPEN, "settle"), (PaymentState.REFUND_DUE, "refund")):
        with pytest.raises(EnrolmentError) as refused:
            PAYMENT.step(state, event, PaymentFacts(PRICE, stated), PROVIDER)
        assert (refused.value.refusal, refused.value.guard) == (Refusal.GUARD, "whole-amount")


def test_nobody_but_the_provider_says_that_money_came_in() -> None:
    for role in Role:
        if role is not Role.PAYMENT_PROVIDER:
            with pytest.raises(EnrolmentError, match="FORBIDDEN"):
                PAYMENT.step(PaymentState.OPEN, "settle", WHOLE, Actor("x", frozenset((role,))))


def test_every_outcome_but_pending_is_an_event() -> None:
    assert set(EVENTS) == set(Outcome) - {Outcome.PENDING}
    assert {row.event for row in PAYMENT.transitions} == {*EVENTS.values(), "owe"}
