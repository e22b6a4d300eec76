"""The self-contained HTML page of a conformance run: what was tested, by which clause, and what the card did."""

from __future__ import annotations

from eid.conformance.case import Outcome
from eid.conformance.report import CaseResult, ConformanceReport
from eid.rendering.page import render_template


def render_conformance_page(report: ConformanceReport) -> str:
    """The page as one HTML document that needs no other file and no network."""
    units: dict[str, list[CaseResult]] = {}
    for result in report.results:
        units.setdefault(result.unit, []).append(result)
    counts = {outcome.value: report.count(outcome) for outcome in Outcome}
    return render_template("conformance.html", report=report, units=units, counts=counts)
