"""Reports as plain text, for a terminal or a log."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from eid.locale import FALLBACK, assurance_text, text
from eid.locale.details import detail_text
from eid.rendering.step_figures import StepFigures
from eid.verification.policy_lint import UNSAFE
from eid.verification.report import Verdict, VerificationReport

# Characters that move the cursor, change colours, end a line or turn the direction of what follows.
_ISOLATED: Final = re.compile("\u2066([^\u2066\u2069]*)\u2069")
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
    """The text with U+FFFD for each character that a terminal would obey instead of showing.

    What is set into a text of the other direction keeps its marks (UAX 9, 2.4.2): a pair of them turns nothing outside.
    """
    return "".join(
        f"\u2066{_replace_unsafe(part)}\u2069" if place % 2 else _replace_unsafe(part)
        for place, part in enumerate(_ISOLATED.split(text))
    )


def _replace_unsafe(text: str) -> str:
    return "".join("\ufffd" if unicodedata.category(letter) in _UNSAFE else letter for letter in text)


def count_columns(text: str) -> int:
    """Columns that a terminal needs: two for wide characters, none for marks, of direction too (UAX 11)."""
    return sum(map(_count_letter, text))


def _count_letter(letter: str) -> int:
    if unicodedata.combining(letter) or letter in "\u2066\u2069":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - count_columns(cell))
    return space + cell if right else cell + space


def render_report(report: VerificationReport, language: str = FALLBACK) -> str:
    """Verdict, policy with what it leaves open, one line for each check, and what each reason means."""
    rows = (
        (
            item.id,
            item.outcome.value,
            "" if item.reason is None else item.reason.value,
            detail_text(language, item.detail)[0],
        )
        for item in report.checks
    )
    time = report.reference_time.isoformat().replace("+00:00", "Z")
    return (
        f"{report.verdict.value}  policy {report.policy}, judged at {time} ({report.reference_source})\n"
        f"{_render_assurance(report, language)}{_render_hazards(report, language)}\n"
        f"{render_table(rows, ('check', 'outcome', 'reason', 'detail'))}{_render_reasons(report, language)}"
    )


def _render_assurance(report: VerificationReport, language: str) -> str:
    """What the policy's TOTAL_PASSED says; nothing under another verdict, where it would not be true."""
    if report.verdict is not Verdict.TOTAL_PASSED:
        return ""
    return f"{assurance_text(language, report.policy, report.assurance)[0]}\n"


def _render_hazards(report: VerificationReport, language: str) -> str:
    """What makes the policy unsafe, a sentence each, and by name what else it leaves open."""
    unsafe = [item for item in report.hazards if item in UNSAFE]
    others = [item.value for item in report.hazards if item not in UNSAFE]
    lines = [
        f"{text(language, 'page', 'unsafe').upper()} ({item}): {text(language, 'hazard', item)}" for item in unsafe
    ]
    lines += [f"{text(language, 'page', 'limits')}: {', '.join(others)}"] if others else []
    return "".join(f"{line}\n" for line in lines)


def _render_reasons(report: VerificationReport, language: str) -> str:
    """What each reason that was given means, once."""
    given = dict.fromkeys(item.reason for item in report.checks if item.reason is not None)
    lines = [f"{reason}: {text(language, 'reason', reason)}" for reason in given]
    return "\n".join(["", "", *lines]) if lines else ""


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
