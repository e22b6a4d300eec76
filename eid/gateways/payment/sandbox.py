"""A provider to try payments against: what it has been asked for, what becomes of it, and what it tells of that.

It holds everything in memory. How the next payments end is a plan: their outcome, after how long, how often it is told,
in which order; and what is said to a refund. The outcome `manual` waits for a person; `silent` settles and tells
nobody; `wrong-amount` tells of another amount than was asked for.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum, unique
from typing import Final
from zoneinfo import ZoneInfo

from eid.enrolment.payment import Channel, Money, Outcome
from eid.enrolment.payment_statement import StatementLine
from eid.errors import LifecycleError, NotStoredError, RecordError
from eid.gateways.payment.callback import Callback, encode_callback
from eid.gateways.payment.statement import encode_statement

MAX_DELAY: Final = 3600.0  # seconds
MAX_DUPLICATES: Final = 20
MAX_PAYMENTS: Final = 100_000


@unique
class Ending(StrEnum):
    """How a payment ends."""

    MANUAL = "manual"
    SETTLED = "settled"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SILENT = "silent"
    WRONG_AMOUNT = "wrong-amount"


_OUTCOMES: Final = {
    Ending.SETTLED: Outcome.SETTLED,
    Ending.SILENT: Outcome.SETTLED,
    Ending.WRONG_AMOUNT: Outcome.SETTLED,
    Ending.DECLINED: Outcome.DECLINED,
    Ending.EXPIRED: Outcome.EXPIRED,
    Ending.CANCELLED: Outcome.CANCELLED,
}


_REFUNDS: Final = (Outcome.REFUNDED, Outcome.PENDING, Outcome.DECLINED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a payment.

    Args:
        delay: seconds before it ends. duplicates: how often the same is told again. out_of_order: that it is pending is
            told after its end. refund: what is answered to one that is asked for while this is the plan: REFUNDED,
            PENDING (a callback tells of it after the delay) or DECLINED.
    """

    ending: Ending = Ending.MANUAL
    delay: float = 0.0
    duplicates: int = 0
    out_of_order: bool = False
    refund: Outcome = Outcome.REFUNDED

    def __post_init__(self) -> None:
        if self.refund not in _REFUNDS:
            raise RecordError("a refund is refunded, pending or declined")
        if not 0 <= self.delay <= MAX_DELAY or not 0 <= self.duplicates <= MAX_DUPLICATES:
            raise RecordError(f"a delay has up to {MAX_DELAY:g} seconds, an event up to {MAX_DUPLICATES} duplicates")


@dataclass(slots=True)
class SandboxPayment:
    """A payment as the provider has it."""

    reference: uuid.UUID
    channel: Channel
    money: Money
    number: str
    code: str
    plan: Plan
    outcome: Outcome = Outcome.PENDING
    paid: Money | None = None
    settled_at: datetime | None = None
    refunded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """An event to be told after some seconds. body: the callback's octets, the same each time it is told."""

    channel: Channel
    body: bytes = field(repr=False)
    delay: float


class SandboxProvider:
    """The provider's books. tell: what carries its events to whoever they are for.

    Args:
        zone: of its days. clock: answers the moment, UTC.
    """

    def __init__(
        self,
        tell: Callable[[Telling], None],
        zone: str = "UTC",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.plan = Plan()
        self._tell = tell
        self._zone = ZoneInfo(zone)
        self._clock = clock
        self._lock = threading.RLock()
        self._payments: dict[tuple[Channel, uuid.UUID], SandboxPayment] = {}

    def request(self, channel: Channel, reference: uuid.UUID, money: Money) -> SandboxPayment:
        """Expect a payment; the same again is the same payment.

        Raises:
            LifecycleError: it was asked for with another amount.
        """
        with self._lock:
            known = self._payments.get((channel, reference))
            if known is not None:
                if known.money != money:
                    raise LifecycleError("this payment was asked for with another amount")
                return known
            if len(self._payments) >= MAX_PAYMENTS:
                raise LifecycleError(f"a sandbox holds {MAX_PAYMENTS} payments")
            code = f"{secrets.randbelow(10**9):09}"
            made = SandboxPayment(reference, channel, money, f"SBX-{secrets.token_hex(8)}", code, self.plan)
            self._payments[channel, reference] = made
        if made.plan.ending is not Ending.MANUAL:
            self.end(channel, reference, made.plan)
        return made

    def find(self, channel: Channel, reference: uuid.UUID) -> SandboxPayment:
        """A payment.

        Raises:
            NotStoredError: there is none.
        """
        with self._lock:
            found = self._payments.get((channel, reference))
        if found is None:
            raise NotStoredError("the sandbox has no such payment")
        return found

    def find_by_number(self, number: str) -> SandboxPayment:
        """A payment by the provider's own number or by its code.

        Raises:
            NotStoredError: there is none.
        """
        with self._lock:
            found = next((item for item in self._payments.values() if number in (item.number, item.code)), None)
        if found is None:
            raise NotStoredError("the sandbox has no such payment")
        return found

    def end(self, channel: Channel, reference: uuid.UUID, plan: Plan) -> None:
        """Let a payment end, or settle one late that had ended otherwise, and tell of it.

        Raises:
            NotStoredError: there is none. LifecycleError: money came in already.
        """
        with self._lock:
            found = self.find(channel, reference)
            outcome = _OUTCOMES.get(plan.ending)
            if outcome is None or found.settled_at is not None:
                raise LifecycleError("this payment has ended, or is to wait")
            now = self._clock()
            found.outcome = outcome
            if outcome is Outcome.SETTLED:
                wrong = plan.ending is Ending.WRONG_AMOUNT
                found.paid = replace(found.money, amount=found.money.amount + 1) if wrong else found.money
                found.settled_at = now
            money = found.paid or found.money
            told = self._describe(found, outcome, money, now)
            pending = self._describe(found, Outcome.PENDING, found.money, now)
        if plan.ending is Ending.SILENT:
            return
        events = [told] * (1 + plan.duplicates)
        for body in [*events, pending] if plan.out_of_order else events:
            self._tell(Telling(channel, body, plan.delay))

    def refund(self, channel: Channel, reference: uuid.UUID, money: Money) -> Outcome:
        """Return a payment, once however often it is asked, or as the plan says; the answer.

        Raises:
            NotStoredError: there is none. LifecycleError: no money came in, or another amount is asked for.
        """
        with self._lock:
            found = self.find(channel, reference)
            if found.settled_at is None or found.paid != money:
                raise LifecycleError("there is no such money to return")
            if found.refunded_at is not None:
                return Outcome.REFUNDED
            plan, now = self.plan, self._clock()
            if plan.refund is Outcome.DECLINED:
                return Outcome.DECLINED
            found.outcome, found.refunded_at = Outcome.REFUNDED, now
            told = self._describe(found, Outcome.REFUNDED, money, now)
        if plan.refund is Outcome.PENDING:
            for _ in range(1 + plan.duplicates):
                self._tell(Telling(channel, told, plan.delay))
        return plan.refund

    def statement(self, channel: Channel, day: date) -> bytes:
        """Every movement of a day, as CSV."""
        lines: list[StatementLine] = []
        with self._lock:
            for item in self._payments.values():
                if item.channel is channel and item.paid is not None:
                    lines += self._lines(item, item.paid)
        return encode_statement(line for line in lines if line.at.astimezone(self._zone).date() == day)

    def _lines(self, item: SandboxPayment, paid: Money) -> list[StatementLine]:
        lines = []
        if item.settled_at is not None:
            lines.append(StatementLine(item.reference, item.number, "payment", paid, item.settled_at))
        if item.refunded_at is not None:
            lines.append(StatementLine(item.reference, item.number, "refund", paid, item.refunded_at))
        return lines

    def _describe(self, item: SandboxPayment, outcome: Outcome, money: Money, now: datetime) -> bytes:
        event = f"evt-{secrets.token_hex(12)}"
        return encode_callback(Callback(event, item.reference, item.number, outcome, money, now))
