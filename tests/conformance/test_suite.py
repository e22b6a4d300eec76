"""The run as a whole: what is asked for, what becomes of a lost card and of a wrong password, and what is reported."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eid.conformance import CASES, UNITS, Outcome, SuitePlan, run_suite
from eid.conformance.report import ConformanceReport, report_to_json
from eid.errors import CardRemovedError, TransportError, WrongPasswordError
from eid.inspection.pin import report_passwords
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Checkpoint, drive
from eid.protocols.pace.core import Password
from eid.rendering.conformance_page import render_conformance_page
from eid.rendering.conformance_table import render_conformance
from eid.testing.specimen import issue_specimen
from eid.transport.loopback import LoopbackConnection
from reader_tools.conformance import specimen_passwords
from tests.conformance.specimens import NOW, passwords, specimen

ROOT = Path(__file__).parents[2]
# One profile for each access protocol and mapping; all of them are run by `make interop`.
PROFILES = ["pt-passport", "us-passport-2021", "fr-passport-2017", "icao-td3-passport"]


class Sink:
    def __init__(self) -> None:
        self.seen: list[Checkpoint] = []

    def record(self, checkpoint: Checkpoint) -> None:
        self.seen.append(checkpoint)


class Lossy(LoopbackConnection):
    """The card is taken away at command number `at`, for good or until the next reset."""

    def __init__(self, card, at: int, comes_back: bool) -> None:
        super().__init__(card)
        self.left, self.comes_back = at, comes_back

    def transmit(self, command: bytes) -> bytes:
        self.left -= 1
        if self.left == 0 or (self.left < 0 and not self.comes_back):
            raise CardRemovedError("the card is gone")
        return super().transmit(command)

    def reset(self) -> bytes:
        if self.left <= 0 and not self.comes_back:
            raise CardRemovedError("the card is gone")
        return super().reset()


def plan(**wishes: object) -> SuitePlan:
    return SuitePlan(passwords(specimen("bac")), **wishes)


@pytest.mark.parametrize("name", PROFILES)
def test_shipped_profiles_conform(name: str) -> None:
    card = issue_specimen(name, NOW)
    known = specimen_passwords(card)
    report = drive(run_suite(SuitePlan(known, name), NOW), card.connect())
    assert [(result.case.id, result.observed) for result in report.failures] == []
    assert report.passed
    assert not any(password.value.decode() in json.dumps(report_to_json(report)) for password in known)


def test_a_curve_of_the_chips_own_is_tested_where_the_operator_says_so() -> None:
    """Without his leave the chip fails the one case that asks for a standardised set, and PACE is not run."""
    card = issue_specimen("own-curve", NOW)
    units = frozenset(("PACE_03", "PACE_04"))

    def examine(given: bool) -> ConformanceReport:
        chosen = SuitePlan(specimen_passwords(card), "own-curve", units=units, foreign_curves=given)
        return drive(run_suite(chosen, NOW), card.connect())

    without, report = examine(False), examine(True)
    assert [result.case.id for result in without.failures] == ["PACE_03"]
    assert "--foreign-curves" in without.failures[0].observed
    assert [(result.case.id, result.observed) for result in report.failures] == []
    observed = {result.case.id: (result.outcome, result.observed) for result in report.results}
    assert "sound, and taken by the operator's leave (--foreign-curves): explicit-256-" in observed["PACE_03"][1]
    assert observed["PACE_04"][0] is Outcome.PASS
    assert (without.foreign_curves, report_to_json(report)["foreign_curves"]) == (False, True)
    assert "--foreign-curves" in render_conformance(report)
    assert "--foreign-curves" in render_conformance_page(report)


@pytest.mark.parametrize("known", [PasswordId.PIN, PasswordId.PUK])
def test_no_try_is_spent_where_only_a_counted_password_is_known(known: PasswordId) -> None:
    card = issue_specimen("eid-application", NOW)
    given = tuple(password for password in specimen_passwords(card) if password.id is known)
    connection = card.connect()
    before = drive(report_passwords(), connection)
    report = drive(run_suite(SuitePlan(given), NOW), connection)
    assert [(result.case.id, result.observed) for result in report.failures] == []
    spared = {result.case.id: result.observed for result in report.results}
    assert "may cost a try" in spared["PACE_16"]
    assert drive(report_passwords(), connection) == before


def test_passwords_that_are_not_counted_are_used_first() -> None:
    card = issue_specimen("eid-application", NOW)
    given = tuple(reversed(specimen_passwords(card)))
    report = drive(run_suite(SuitePlan(given, units=frozenset(("PACE_16",))), NOW), card.connect())
    assert report.entries[0].endswith(", MRZ")
    assert report.passed


def test_only_what_is_asked_for_is_run() -> None:
    sink = Sink()
    chosen = plan(units=frozenset(("AA", "SM_04")))
    report = drive(run_suite(chosen, NOW), specimen("bac").copy().connect(), sink)
    ids = [result.case.id for result in report.results]
    assert ids == ["SM_04", *(f"AA_{number:02}" for number in range(1, 8))]
    assert [item.step for item in sink.seen if item.phase == "begin"] == [
        "survey",
        *(result.case.id for result in report.results),
    ]
    assert report.passed


def test_a_wrong_password_ends_the_run_before_the_first_case() -> None:
    wrong = (Password(PasswordId.MRZ, b"X898902C<369080619406236"),)
    sink = Sink()
    with pytest.raises(WrongPasswordError):
        drive(run_suite(SuitePlan(wrong), NOW), specimen("pace").copy().connect(), sink)
    assert [item.step for item in sink.seen if item.phase == "begin"] == ["survey"]


def test_a_card_that_is_lost() -> None:
    card = specimen("bac").copy().card
    with pytest.raises(TransportError):
        drive(run_suite(plan(), NOW), Lossy(card, 3, comes_back=False))
    report = drive(run_suite(plan(), NOW), Lossy(card, 300, comes_back=False))
    outcomes = [result.outcome for result in report.results]
    first = outcomes.index(Outcome.ERROR)
    assert set(outcomes[first:]) == {Outcome.ERROR}
    assert report.results[first + 1].observed == "the card was lost before"
    assert not report.passed


def test_a_card_that_comes_back_loses_one_case() -> None:
    report = drive(run_suite(plan(), NOW), Lossy(specimen("bac").copy().card, 300, comes_back=True))
    assert report.count(Outcome.ERROR) == 1
    assert not report.passed


def test_a_card_that_nothing_opens() -> None:
    report = drive(run_suite(SuitePlan((), "stranger"), NOW), specimen("bac").copy().connect())
    assert report.entries == ()
    assert report.count(Outcome.FAIL) == 0
    assert report.count(Outcome.NOT_APPLICABLE) > 120


def test_the_report_says_what_failed(tmp_path: Path) -> None:
    report = drive(run_suite(plan(card="<b>card", units=frozenset(("AA",))), NOW), specimen("bac").copy().connect())
    failed = replace(report.results[0], outcome=Outcome.FAIL, observed="5 < 6 & more")
    report = replace(report, results=(failed, *report.results[1:]))
    page = render_conformance_page(report)
    assert "&lt;b&gt;card" in page
    assert "5 &lt; 6 &amp; more" in page
    assert "not passed" in page
    assert "http" not in page.partition("<body>")[2]
    HTMLParser().feed(page)
    text = render_conformance(report)
    assert "AA_01  FAIL" in text
    assert "AA_02" not in text
    assert "AA_02" in render_conformance(report, everything=True)
    assert text.endswith("5 PASS, 1 FAIL, 1 NOT_APPLICABLE, 0 ERROR")


def test_the_documentation_lists_every_case() -> None:
    """docs/conformance.md is written by hand above, and from the table of cases below."""
    page = (ROOT / "docs/conformance.md").read_text("utf-8")
    for unit in UNITS:
        assert f"## {unit.name}: {unit.title}\n" in page
    rows = [line for line in page.splitlines() if line.startswith(tuple(f"| {unit.name}_" for unit in UNITS))]
    wanted = [
        f"| {case.id}{' *' if case.destructive else ''} | {case.title} | {case.expected} | {case.clause} |"
        for case in CASES
    ]
    assert rows == wanted


def test_every_case_cites_a_clause() -> None:
    assert all(case.clause and case.expected and case.title for case in CASES)
    assert all(case.id.rpartition("_")[0] == unit.name for unit in UNITS for case in unit.cases)


def test_a_specimen_keeps_no_factory_keys() -> None:
    card = issue_specimen("ma-cnie", NOW)
    chosen = SuitePlan(specimen_passwords(card), units=frozenset(("LIFE_18",)), destructive=True)
    (result,) = drive(run_suite(chosen, NOW), card.connect()).results
    assert result.outcome is Outcome.PASS
