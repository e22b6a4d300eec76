"""Fixtures for programs of others, and the tables that `make interop` prints at its end.

A test tells `ledger`, or says by the marker `proves`, what it has proven, and as which control: that what is right
works, that what is wrong is refused, that what was tampered with is noticed. A module whose tests tell nothing has a
row of its own. The last table has one row for each of the others; with CI=true a row without one of its controls fails
the run.
"""

from __future__ import annotations

import ast
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum, unique
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
APDUS = "apdus"
LONGEST = ("test_killed_workers.py",)
RESULTS = {"passed": "proven", "failed": "FAILED", "skipped": "SKIPPED"}

Ledger = Callable[..., None]
InReader = Callable[[ReactiveCard], AbstractContextManager[str]]


@unique
class Control(StrEnum):
    """What a case is for; every row has all three."""

    WORKS = "works"
    REFUSED = "wrong refused"
    NOTICED = "tampering noticed"


class Case(NamedTuple):
    """What one test told."""

    who: str
    against: str
    proven: str
    controls: list[str]
    apdus: int | None
    result: str


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    return Judge(tmp_path, capsys)


@pytest.fixture
def ledger(record_property: Callable[[str, object], None]) -> Ledger:
    """``ledger(who, against, proven, apdus, *controls)``: a case of the tables, true if the test passes.

    Cases that differ in the number of APDUs only share a line.
    """

    def tell(who: str, against: str, proven: str, apdus: int | None, *controls: Control) -> None:
        record_property(ROW, [who, against, proven, _names(controls), apdus])

    return tell


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that in the end no process waits for the other."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_itemcollected(item: pytest.Item) -> None:
    """The marker `proves` is a line of the tables; the test may add its APDUs by `record_property(APDUS, count)`."""
    for marker in item.iter_markers("proves"):
        who, against, what, *controls = marker.args
        item.user_properties.append((ROW, [who, against, what, _names(controls), None]))


def _names(controls: Sequence[str]) -> list[str]:
    """Plain strings: pytest-xdist carries nothing else from one process to the other."""
    return [Control(control).value for control in controls or [Control.WORKS]]


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
    cases = list(_cases(terminalreporter.stats))
    if not cases:
        return
    terminalreporter.section("software that others wrote")
    for line in (*_table(DETAILS, _details(cases)), "", *_table(SUMMARY, _summary(cases))):
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI, a row without one of its controls fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or hasattr(session.config, "workerinput") or reporter is None:
        return
    if any(LACKING in row for row in _summary(list(_cases(reporter.stats)))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


DETAILS = ("who", "against", "proven", "control", "cases", "APDUs", "result")
SUMMARY = ("who", "cases", *Control, "APDUs of a case", "result")
LACKING = "NONE"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [header, [], *rows]
    widths = [max(len(line[column]) for line in lines if line) for column in range(len(header))]
    for line in lines:
        cells = line or ["-" * width for width in widths]
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _details(cases: list[Case]) -> Iterator[tuple[str, ...]]:
    alike: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        alike[case.who, case.against, case.proven, ", ".join(case.controls), case.result].append(case)
    for (who, against, proven, controls, result), group in alike.items():
        yield who, against, proven, controls, str(len(group)), _range(group), result


def _summary(cases: list[Case]) -> Iterator[tuple[str, ...]]:
    by_who: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_who[case.who].append(case)
    for who, group in by_who.items():
        controls = Counter(control for case in group if case.result == RESULTS["passed"] for control in case.controls)
        results = Counter(case.result for case in group)
        told = ", ".join(f"{count} {result}" for result, count in results.items())
        absent = LACKING if any(case.against for case in group) else "-"  # a module that tells nothing has no columns
        yield who, str(len(group)), *(str(controls[control] or absent) for control in Control), _range(group), told


def _range(group: list[Case]) -> str:
    counts = sorted({case.apdus for case in group if case.apdus is not None})
    return "-" if not counts else str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _cases(stats: dict[str, list[object]]) -> Iterator[Case]:
    reports = [
        report
        for kind in RESULTS
        for report in stats.get(kind, [])
        if isinstance(report, pytest.TestReport) and HERE in _path(report).parents
    ]
    for report in sorted(reports, key=lambda report: report.nodeid):
        told = [value for name, value in report.user_properties if name == ROW]
        apdus = max((value for name, value in report.user_properties if name == APDUS), default=None)
        for *words, count in told:
            yield Case(*words, count if apdus is None else apdus, RESULTS[report.outcome])
        if not told:
            path = _path(report)
            yield Case(path.parent.name, "", _first_sentence(path), [Control.WORKS], None, RESULTS[report.outcome])


def _path(report: pytest.TestReport) -> Path:
    return HERE.parents[1] / report.nodeid.partition("::")[0]


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
    return text.partition("\n\n")[0].replace("\n", " ")
