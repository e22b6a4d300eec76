"""Reports as plain text, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from eid.rendering.page import StepFigures
from eid.verification.report import VerificationReport


def render_table(rows: Iterable[tuple[str, ...]], header: tuple[str, ...], numeric: Collection[int] = ()) -> str:
    """A table in columns as wide as their widest cell; `numeric` columns are set to the right."""
    lines = [header, *rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in lines
    )


def render_report(report: VerificationReport) -> str:
    """Verdict, policy and one line for each check."""
    rows = (
        (item.id, item.outcome.value, "" if item.reason is None else item.reason.value, item.detail)
        for item in report.checks
    )
    time = report.reference_time.isoformat().replace("+00:00", "Z")
    return (
        f"{report.verdict.value}  policy {report.policy}, judged at {time} ({report.reference_source})\n"
        f"{report.assurance}\n\n{render_table(rows, ('check', 'outcome', 'reason', 'detail'))}"
    )


def render_steps(steps: Iterable[StepFigures]) -> str:
    """One line for each step on the card, and their sum."""
    figures = list(steps)
    total = StepFigures(
        "total",
        sum(item.apdus for item in figures),
        sum(item.octets_sent for item in figures),
        sum(item.octets_received for item in figures),
        sum(item.seconds for item in figures),
    )
    rows = (
        (item.step, str(item.apdus), str(item.octets_sent), str(item.octets_received), f"{item.seconds * 1000:.1f}")
        for item in [*figures, total]
    )
    return render_table(rows, ("step", "APDUs", "sent", "received", "ms"), (1, 2, 3, 4))
