"""Fixtures for programs of others, and the table that `make interop` prints at its end.

A test tells `ledger` what it has proven; a module whose tests tell nothing has one row of its own.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from eid.transport.pcscd import PcscHost
from eid.transport.reactive_card import ReactiveCard
from tests.builders.issuance import Issued, issue
from tests.interop.judging import Judge

HERE = Path(__file__).parent
ROW = "interop"
RESULTS = {"passed": "proven", "failed": "FAILED", "skipped": "SKIPPED"}

Ledger = Callable[..., None]
InReader = Callable[[ReactiveCard], AbstractContextManager[str]]


class Row(NamedTuple):
    """A line of the table."""

    who: str
    against: str
    proven: str
    apdus: str
    result: str


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    return Judge(tmp_path, capsys)


@pytest.fixture
def ledger(record_property: Callable[[str, object], None]) -> Ledger:
    """``ledger(who, against, proven, apdus)``: one line of the table, true if the test passes."""

    def tell(who: str, against: str, proven: str, apdus: int | None = None) -> None:
        record_property(ROW, [who, against, proven, "-" if apdus is None else str(apdus)])

    return tell


@pytest.fixture
def in_reader(pcsc_daemon: PcscHost) -> InReader:
    """``with in_reader(card) as name``: the card lies in a reader of that name."""

    @contextmanager
    def insert(card: ReactiveCard) -> Iterator[str]:
        slot = pcsc_daemon.readers[0]
        slot.insert(card)
        try:
            yield slot.name
        finally:
            slot.remove()

    return insert


@pytest.fixture(scope="session")
def issued() -> Callable[[str], Issued]:
    """``issued("ma-cnie")``: a card of that profile, personalised once per process."""
    return cache(issue)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = list(_rows(terminalreporter.stats))
    if not rows:
        return
    header = Row("who", "against", "proven", "APDUs", "result")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    terminalreporter.section("software that others wrote")
    for row in (header, Row(*("-" * width for width in widths)), *rows):
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def _rows(stats: dict[str, list[object]]) -> Iterator[Row]:
    reports = [
        report
        for kind in RESULTS
        for report in stats.get(kind, [])
        if isinstance(report, pytest.TestReport) and HERE in _path(report).parents
    ]
    silent: dict[Path, Counter[str]] = defaultdict(Counter)
    for report in sorted(reports, key=lambda report: report.nodeid):
        told = [value for name, value in report.user_properties if name == ROW]
        if not told:
            silent[_path(report)][report.outcome] += 1
        for value in told:
            assert isinstance(value, list)
            yield Row._make((*value, RESULTS[report.outcome]))
    for path, outcomes in silent.items():
        result = ", ".join(f"{count} {RESULTS[outcome]}" for outcome, count in outcomes.items())
        yield Row(path.parent.name, "", _first_sentence(path), "-", result)


def _path(report: pytest.TestReport) -> Path:
    return HERE.parents[1] / report.nodeid.partition("::")[0]


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
    return text.partition("\n\n")[0].replace("\n", " ")
