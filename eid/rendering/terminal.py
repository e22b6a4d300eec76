"""Reports as plain text, for a terminal or a log."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from eid.rendering.page import StepFigures
from eid.verification.report import VerificationReport

# Characters that move the cursor, change colours, end a line or turn the direction of what follows.
_UNSAFE: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def render_table(rows: Iterable[tuple[str, ...]], header: tuple[str, ...], numeric: Collection[int] = ()) -> str:
    """A table in columns as wide as their widest cell; `numeric` columns are set to the right.

    What cells say may come from anybody: characters that a terminal obeys are replaced by U+FFFD.
    """
    lines = [tuple(map(make_printable, row)) for row in (header, *rows)]
    widths = [max(count_columns(row[column]) for row in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            _pad(cell, width, right=column in numeric)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in lines
    )


def make_printable(text: str) -> str:
    """The text with U+FFFD for each character that a terminal would obey instead of showing."""
    return "".join("\ufffd" if unicodedata.category(letter) in _UNSAFE else letter for letter in text)


def count_columns(text: str) -> int:
    """Columns that a terminal needs: two for wide characters, none for marks that stand over another (UAX 11)."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - count_columns(cell))
    return space + cell if right else cell + space


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


def render_steps(steps: Iterable[StepFigures], total: StepFigures | None = None) -> str:
    """One line for each step on the card, and the total; without one their sum."""
    figures = list(steps)
    last = total or StepFigures(
        "total",
        sum(item.apdus for item in figures),
        sum(item.octets_sent for item in figures),
        sum(item.octets_received for item in figures),
        sum(item.seconds for item in figures),
    )
    rows = (
        (item.step, str(item.apdus), str(item.octets_sent), str(item.octets_received), f"{item.seconds * 1000:.1f}")
        for item in [*figures, last]
    )
    return render_table(rows, ("step", "APDUs", "sent", "received", "ms"), (1, 2, 3, 4))
