"""The conformance suite on every shipped profile, sound and with one octet of DG2 altered.

Not the software of others, but too long a run for every change; it shows that what others read keeps to the book.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eid.card import VirtualCard
from eid.conformance import ConformanceReport, Outcome, SuitePlan, run_suite
from eid.profile.loader import load_profile, shipped_profiles
from eid.protocols.exchange import drive
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.transport.loopback import LoopbackConnection
from reader_tools.conformance import specimen_passwords
from tests.conformance.specimens import content, memory_of
from tests.interop.conftest import Control, Ledger

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def examine(card: VirtualCard, specimen: SpecimenCard, **wishes: object) -> ConformanceReport:
    plan = SuitePlan(specimen_passwords(specimen), specimen.profile.name, **wishes)  # type: ignore[arg-type]  # by name, as the caller has them
    return drive(run_suite(plan, NOW), LoopbackConnection(card))


@pytest.mark.parametrize(
    "name", [name for name in shipped_profiles() if load_profile(name).profile.application.data_groups]
)
def test_a_shipped_profile_conforms(name: str, ledger: Ledger) -> None:
    specimen = issue_specimen(name, NOW)
    report = examine(specimen.copy().card, specimen)
    lost = [item.case.id for item in report.results if item.outcome in (Outcome.FAIL, Outcome.ERROR)]
    assert lost == (["PACE_03"] if specimen.profile.access.has_own_curves_only else [])  # TR-03110-3 A.2.1.3
    memory = memory_of(specimen)
    content(memory, "DG2")[-20] ^= 0x01
    altered = examine(VirtualCard(memory), specimen, units=frozenset(("LDS",)))
    assert [item.case.id for item in altered.failures] == ["LDS_09"]
    passed, other = report.count(Outcome.PASS), report.count(Outcome.NOT_APPLICABLE)
    ledger(
        "our cards",
        "eid conformance",
        f"{name}: {passed} pass, {len(lost)} fail, {other} not applicable",
        None,
        *Control,
    )
