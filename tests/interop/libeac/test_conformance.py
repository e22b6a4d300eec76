"""Our conformance suite on a card whose PACE and secure messaging are libeac's, sound and with one thing wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eid.conformance import ConformanceReport, Outcome, SuitePlan, run_suite
from eid.lds.card_access import decode_card_access
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.specimen import SpecimenCard, issue_specimen
from tests.interop.conftest import Control, Ledger
from tests.interop.libeac.chip import LibeacChip
from tests.interop.libeac.openpace import PACE_CAN, Library

CAN = b"123456"
CONTROLS = (Control.WORKS, Control.REFUSED)  # PACE_13 is the wrong password
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def specimen() -> SpecimenCard:
    return issue_specimen("tw-passport-2024", NOW)


def chip(library: Library, specimen: SpecimenCard, *, checks_mac: bool = True) -> LibeacChip:
    info = decode_card_access(specimen.files["EF.CardAccess"]).pace_infos[0]
    assert info.parameter_id is not None
    return LibeacChip(library, specimen.files, info.protocol, info.parameter_id, {PACE_CAN: CAN}, checks_mac)


def examine(card: LibeacChip, **wishes: object) -> ConformanceReport:
    plan = SuitePlan((Password(PasswordId.CAN, CAN),), "libeac", **wishes)  # type: ignore[arg-type]  # by name, as the caller has them
    return drive(run_suite(plan, NOW), card)


def test_a_card_of_libeac_passes(library: Library, specimen: SpecimenCard, ledger: Ledger) -> None:
    card = chip(library, specimen)
    report = examine(card)
    failures = {result.case.id: result.observed for result in report.results if result.outcome is Outcome.FAIL}
    assert failures == {}
    assert report.passed
    assert report.count(Outcome.PASS) >= 100
    ledger(
        "libeac", "eid conformance", f"{report.count(Outcome.PASS)} cases pass, none fails", card.commands, *CONTROLS
    )


def test_what_is_wrong_with_it_is_found(library: Library, specimen: SpecimenCard, ledger: Ledger) -> None:
    report = examine(chip(library, specimen, checks_mac=False), units=frozenset(("SM_05", "SM_01")))
    assert [result.case.id for result in report.failures] == ["SM_05"]
    ledger("libeac", "eid conformance", "a card that does not check MACs fails", None, Control.NOTICED)
