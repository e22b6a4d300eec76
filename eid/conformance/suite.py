"""Running the cases: the only place where a failure becomes an outcome."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eid.conformance.case import Case, Outcome, Unit
from eid.conformance.report import CaseResult, ConformanceReport
from eid.conformance.subject import Subject
from eid.conformance.survey import survey
from eid.conformance.units import UNITS
from eid.errors import EidError, LocalProtocolError, TransportError
from eid.lds.files import LDS1_AID
from eid.protocols.exchange import Checkpoint, Exchange, Reset
from eid.protocols.pace.core import Password


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What is to be run.

    Args:
        passwords: all that are known of the card; each is tried. card: a name for the report.
        destructive: run also the cases that cost tries of a password, or harm a card that deviates.
        units: names of units, or numbers of cases, to run; all where it is empty.
        foreign_curves: take PACE over a curve of the chip's own, once it was validated; the report says so.
    """

    passwords: tuple[Password, ...]
    card: str = ""
    destructive: bool = False
    units: frozenset[str] = field(default=frozenset())
    aid: bytes = LDS1_AID
    foreign_curves: bool = False

    def wants(self, unit: Unit, case: Case) -> bool:
        """Whether a case was asked for."""
        return not self.units or unit.name in self.units or case.id in self.units


def run_suite(
    plan: SuitePlan, now: datetime, random: Callable[[int], bytes] = os.urandom
) -> Exchange[ConformanceReport]:
    """Run every case that was asked for; each is marked by two `Checkpoint` requests, phase "begin" and "end".

    Raises:
        WrongPasswordError, PasswordBlockedError: a password of the plan is not the card's; no case was run.
        TransportError: the card was lost before the first case.
    """
    yield Checkpoint("survey", "begin")
    subject = yield from survey(plan.aid, plan.passwords, random, foreign_curves=plan.foreign_curves)
    yield Checkpoint("survey", "end")
    results = []
    is_lost = False
    for unit in UNITS:
        for case in unit.cases:
            if not plan.wants(unit, case):
                continue
            if is_lost:
                results.append(CaseResult(unit.name, case, Outcome.ERROR, "the card was lost before"))
                continue
            yield Checkpoint(case.id, "begin")
            outcome, observed, is_lost = yield from _run(case, subject, plan.destructive)
            yield Checkpoint(case.id, "end", {"outcome": outcome})
            results.append(CaseResult(unit.name, case, outcome, observed))
    entries = tuple(str(entry) for entry in subject.entries)
    return ConformanceReport(now, plan.card, subject.atr, entries, tuple(results), plan.foreign_curves)


def _run(case: Case, subject: Subject, destructive: bool) -> Exchange[tuple[Outcome, str, bool]]:
    """Outcome, what was observed, and whether the card is lost."""
    if case.destructive and not destructive:
        return Outcome.NOT_APPLICABLE, "destructive cases were not asked for", False
    reason = case.applies(subject)
    if reason is not None:
        return Outcome.NOT_APPLICABLE, reason, False
    try:
        return Outcome.PASS, (yield from case.run(subject)), False
    except TransportError as failure:
        return Outcome.ERROR, str(failure), (yield from _is_lost())
    except LocalProtocolError as failure:
        return Outcome.ERROR, f"the case could not be run: {failure}", False
    except EidError as deviation:
        return Outcome.FAIL, str(deviation), False


def _is_lost() -> Exchange[bool]:
    try:
        yield Reset()
    except TransportError:
        return True
    return False
