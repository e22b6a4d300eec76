"""The self-contained HTML page of a conformance run: what was tested, by which clause, and what the card did."""

from __future__ import annotations

from typing import Final

from eid.conformance.case import Outcome
from eid.conformance.report import CaseResult, ConformanceReport
from eid.conformance.units import UNITS
from eid.rendering.page import render_template

_TITLES: Final = {unit.name: f"{unit.title} ({unit.name})" for unit in UNITS}


def render_conformance_page(report: ConformanceReport) -> str:
    """The page as one HTML document that needs no other file and no network."""
    units: dict[str, list[CaseResult]] = {}
    for result in report.results:
        units.setdefault(_TITLES.get(result.unit, result.unit), []).append(result)
    counts = {outcome.value: report.count(outcome) for outcome in Outcome}
    return render_template("conformance.html", report=report, units=units, counts=counts)
