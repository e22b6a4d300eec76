"""A provider's statement of a day beside our payments: where the two differ."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, Literal

from eid.enrolment.payment import Money, PaymentState

Kind = Literal["payment", "refund"]
CAME_IN: Final = frozenset((PaymentState.SETTLED, PaymentState.REFUND_DUE, PaymentState.REFUNDED))


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A movement of money as the provider has it. reference: our payment's; provider_reference: his own."""

    reference: uuid.UUID
    provider_reference: str
    kind: Kind
    money: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """A payment as we have it."""

    id: uuid.UUID
    state: PaymentState
    money: Money


@unique
class Difference(StrEnum):
    """How statement and register differ."""

    UNKNOWN_HERE = "UNKNOWN_HERE"  # he has it, we never asked for it
    NOT_SETTLED_HERE = "NOT_SETTLED_HERE"  # money came in and no callback told us
    NOT_AT_PROVIDER = "NOT_AT_PROVIDER"  # we hold it settled on that day, he does not
    AMOUNT = "AMOUNT"
    CHARGED_TWICE = "CHARGED_TWICE"
    REFUND_NOT_HERE = "REFUND_NOT_HERE"  # he returned money, we hold it as not returned
    REFUND_NOT_AT_PROVIDER = "REFUND_NOT_AT_PROVIDER"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference; ours and theirs: what each side has, in a few words."""

    difference: Difference
    reference: uuid.UUID
    ours: str
    theirs: str


def compare_statement(
    known: Mapping[uuid.UUID, KnownPayment],
    lines: Sequence[StatementLine],
    settled: Iterable[uuid.UUID],
    refunded: Iterable[uuid.UUID],
) -> tuple[Finding, ...]:
    """Every difference between a day's statement and the register.

    Args:
        known: our payments, at least all that the lines name. settled, refunded: those of them that we hold as settled
            and as refunded on that day.
    """
    found = [finding for line in lines for finding in _judge(line, known.get(line.reference))]
    counted = Counter((line.kind, line.reference) for line in lines)
    found += [
        Finding(Difference.CHARGED_TWICE, reference, "once", f"{count} times")
        for (kind, reference), count in counted.items()
        if kind == "payment" and count > 1
    ]
    found += _absent(settled, "payment", counted, Difference.NOT_AT_PROVIDER)
    found += _absent(refunded, "refund", counted, Difference.REFUND_NOT_AT_PROVIDER)
    unique_findings = dict.fromkeys(found)
    return tuple(sorted(unique_findings, key=lambda item: (item.difference, item.reference.int)))


def _judge(line: StatementLine, ours: KnownPayment | None) -> Iterator[Finding]:
    theirs = f"{line.kind} {line.money}"
    if ours is None:
        yield Finding(Difference.UNKNOWN_HERE, line.reference, "nothing", theirs)
        return
    if ours.money != line.money:
        yield Finding(Difference.AMOUNT, line.reference, str(ours.money), theirs)
    if line.kind == "payment" and ours.state not in CAME_IN:
        yield Finding(Difference.NOT_SETTLED_HERE, line.reference, ours.state.value, theirs)
    if line.kind == "refund" and ours.state is not PaymentState.REFUNDED:
        yield Finding(Difference.REFUND_NOT_HERE, line.reference, ours.state.value, theirs)


def _absent(
    ours: Iterable[uuid.UUID], kind: Kind, counted: Counter[tuple[Kind, uuid.UUID]], difference: Difference
) -> list[Finding]:
    return [Finding(difference, item, kind, "nothing") for item in ours if (kind, item) not in counted]
