"""Each defect is found by the cases that are meant for it and by no other; a sound card is found fault with by none."""

from __future__ import annotations

import pytest

from eid.card import VirtualCard
from eid.conformance import CASES, ConformanceReport, Outcome, SuitePlan, run_suite
from eid.protocols.exchange import drive
from eid.transport.loopback import LoopbackConnection
from tests.builders.sweep import places
from tests.conformance.defects import (
    DEFECTS,
    Defect,
    runs_pace_in_master_file_only,
    sound_with_atr_info,
    sound_with_dg3,
)
from tests.conformance.specimens import NOW, passwords, specimen


def examine(card: VirtualCard, kind: str, **wishes: object) -> ConformanceReport:
    plan = SuitePlan(passwords(specimen(kind)), card=kind, **wishes)
    return drive(run_suite(plan, NOW), LoopbackConnection(card))


def not_passed(report: ConformanceReport) -> dict[str, str]:
    lost = (Outcome.FAIL, Outcome.ERROR)
    return {result.case.id: result.observed for result in report.results if result.outcome in lost}


@pytest.mark.parametrize("kind", ["bac", "pace", "cam", "rsa"])
def test_a_sound_card_passes(kind: str) -> None:
    report = examine(specimen(kind).copy().card, kind, destructive=True)
    assert not_passed(report) == {}
    assert report.passed
    assert report.count(Outcome.PASS) >= 90


@pytest.mark.parametrize("build", [sound_with_dg3, sound_with_atr_info])
def test_a_sound_card_with_more_passes(build) -> None:
    assert not_passed(examine(build(specimen("bac")), "bac")) == {}


@pytest.mark.sweep
@pytest.mark.parametrize("defect", places(DEFECTS, 3), ids=lambda defect: defect.name.replace(" ", "-"))
def test_a_defect_is_found_by_its_case(defect: Defect) -> None:
    with defect.around():
        report = examine(defect.build(specimen(defect.kind)), defect.kind, destructive=defect.destructive)
    found = not_passed(report)
    assert set(found) == set(defect.found_by), found
    assert not report.passed


def test_there_are_enough_defects_and_cases() -> None:
    assert len(DEFECTS) >= 60
    assert len(CASES) >= 150
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case for defect in DEFECTS for case in defect.found_by} <= {case.id for case in CASES}
    assert len({defect.found_by[0] for defect in DEFECTS}) >= 55


def test_pace_in_the_master_file_only_is_sound() -> None:
    report = examine(runs_pace_in_master_file_only(specimen("pace")), "pace", units=frozenset(("PACE_33",)))
    assert not_passed(report) == {}
    assert "opens in the master file" in next(item.observed for item in report.results if item.case.id == "PACE_33")
