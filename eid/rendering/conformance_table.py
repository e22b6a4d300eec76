"""A conformance run on a terminal."""

from __future__ import annotations

from eid.conformance.case import Outcome
from eid.conformance.report import ConformanceReport
from eid.rendering.terminal import render_table


def render_conformance(report: ConformanceReport, *, everything: bool = False) -> str:
    """How many cases had which outcome, and a line for each that was not passed, or for every one."""
    counts = ", ".join(f"{report.count(outcome)} {outcome.value}" for outcome in Outcome)
    lost = (Outcome.FAIL, Outcome.ERROR)
    rows = [
        (result.case.id, result.outcome.value, result.case.title, result.case.clause, result.observed)
        for result in report.results
        if everything or result.outcome in lost
    ]
    table = render_table(rows, ("case", "outcome", "what", "clause", "observed"))
    counts += "; with --foreign-curves: a sound curve of the chip's own counts" if report.foreign_curves else ""
    return f"{table}\n\n{counts}" if rows else counts
