"""Payments for stamps: the ways to pay, and the life of one payment as a table.

Whether money came in is the provider's to say, also late: a payment that was declined or given up here still settles
when he reports it. Money that no stamp is waiting for is owed back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from eid.enrolment.roles import Actor, Role
from eid.enrolment.transitions import Guard, Lifecycle, Transition


@unique
class Channel(StrEnum):
    """The ways to pay."""

    ONLINE_CARD = "online-card"
    BANK_BRANCH = "bank-branch"
    PAYMENT_PROVIDER = "payment-provider"  # an agency of a payment service provider, in cash
    COUNTER_TERMINAL = "counter-terminal"  # at a consulate
    MOBILE_WALLET = "mobile-wallet"  # pushed to a telephone by its number


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole units of a currency (ISO 4217), as the rules state fees."""

    amount: int
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@unique
class PaymentState(StrEnum):
    """Where a payment stands."""

    OPEN = "OPEN"
    SETTLED = "SETTLED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REFUND_DUE = "REFUND_DUE"
    REFUNDED = "REFUNDED"


@unique
class Outcome(StrEnum):
    """What a provider tells of a payment."""

    PENDING = "pending"
    SETTLED = "settled"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


EVENTS: Final[dict[Outcome, str]] = {
    Outcome.SETTLED: "settle",
    Outcome.DECLINED: "decline",
    Outcome.EXPIRED: "expire",
    Outcome.CANCELLED: "cancel",
    Outcome.REFUNDED: "refund",
}
"""The event that an outcome makes; PENDING makes none."""


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What the guards look at: what was asked for, and what the provider says was paid or returned."""

    asked: Money | None = None
    stated: Money | None = None


def _whole(facts: PaymentFacts, _: Actor) -> str | None:
    agreed = facts.asked is not None and facts.asked == facts.stated
    return None if agreed else "the amount is not the one that was asked for"


WHOLE: Final = Guard("whole-amount", _whole)


def _row(
    event: str,
    sources: tuple[PaymentState, ...],
    target: PaymentState,
    roles: tuple[Role, ...],
    *guards: Guard[PaymentFacts],
) -> Transition[PaymentState, PaymentFacts]:
    return Transition(event, frozenset(sources), target, frozenset(roles), guards)


_S = PaymentState
PAYMENT: Final = Lifecycle(
    "payment",
    _S.OPEN,
    (
        _row(
            "settle",
            (_S.OPEN, _S.DECLINED, _S.EXPIRED, _S.CANCELLED),
            _S.SETTLED,
            (Role.PAYMENT_PROVIDER,),
            WHOLE,
        ),
        _row("decline", (_S.OPEN,), _S.DECLINED, (Role.PAYMENT_PROVIDER,)),
        _row("expire", (_S.OPEN,), _S.EXPIRED, (Role.PAYMENT_PROVIDER, Role.SYSTEM)),
        _row("cancel", (_S.OPEN,), _S.CANCELLED, (Role.PAYMENT_PROVIDER, Role.SYSTEM)),
        _row("owe", (_S.SETTLED,), _S.REFUND_DUE, (Role.CASHIER, Role.ADMINISTRATOR, Role.SYSTEM)),
        _row("refund", (_S.REFUND_DUE,), _S.REFUNDED, (Role.PAYMENT_PROVIDER, Role.SYSTEM), WHOLE),
    ),
)
"""All that may happen to a payment."""
