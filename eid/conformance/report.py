"""What came of a run, as a value and as JSON (docs/formats/conformance-report.schema.json)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eid.conformance.case import Case, Outcome

FORMAT: Final = "eid-conformance-report"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: its unit's name, the case, its outcome and what was observed, without personal data or secrets."""

    unit: str
    case: Case
    outcome: Outcome
    observed: str


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """One run.

    Args:
        at: when, with a time zone. card: what the card was called. atr: its answer to reset.
        entries: the ways in that were tried, in words.
        foreign_curves: whether PACE over a curve of the chip's own was taken, because the operator said so.
    """

    at: datetime
    card: str
    atr: bytes
    entries: tuple[str, ...]
    results: tuple[CaseResult, ...]
    foreign_curves: bool = False

    def count(self, outcome: Outcome) -> int:
        """How many cases had this outcome."""
        return Counter(result.outcome for result in self.results)[outcome]

    @property
    def passed(self) -> bool:
        """Whether something was found out, nothing failed, and the card was not lost."""
        return self.count(Outcome.PASS) > 0 and not self.failures and not self.count(Outcome.ERROR)

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """The cases that the card does not pass."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAIL)


def report_to_json(report: ConformanceReport) -> dict[str, Any]:
    """The report as the JSON object that its schema describes."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "at": report.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "card": report.card,
        "atr": report.atr.hex().upper(),
        "entries": list(report.entries),
        "foreign_curves": report.foreign_curves,
        "passed": report.passed,
        "counts": {outcome.value: report.count(outcome) for outcome in Outcome},
        "cases": [_case_to_json(result) for result in report.results],
    }


def _case_to_json(result: CaseResult) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "unit": result.unit,
        "title": case.title,
        "clause": case.clause,
        "expected": case.expected,
        "outcome": result.outcome.value,
        "observed": result.observed,
        "destructive": case.destructive,
    }
