"""From profile to operational card and back: every shipped profile is built, written with APDUs, read and verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.card.memory import LifeCycle
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.profile.card_image import PasswordId
from eid.profile.loader import shipped_profiles
from eid.profile.schema import TERMINAL_RULES
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.transport.loopback import LoopbackConnection
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, Verdict
from eid.verification.verify import verify
from tests.builders.issuance import NOW, issue

CHALLENGE = bytes(range(8))


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_profile_issues_a_card_that_verifies(name: str) -> None:
    issued = issue(name)
    own_curve = issued.profile.access.has_own_curves_only
    policy = replace(load_policy("border"), foreign_curves=own_curve)
    assert issued.card.life_cycle is LifeCycle.OPERATIONAL
    protected = {
        name
        for name in issued.profile.application.data_groups
        if issued.profile.application.rule(name) in TERMINAL_RULES
    }
    for password in issued.data.image.passwords:
        if password.id is PasswordId.PUK:  # it opens nothing
            continue
        plan = InspectionPlan(
            Password(PasswordId(password.id), password.value),
            challenge=CHALLENGE,
            allow_bac=not issued.profile.access.pace,
            max_response=issued.profile.chip.max_response_data,
            foreign_curves=own_curve,
        )
        evidence = drive(inspect(plan, NOW), LoopbackConnection(issued.card))
        report = verify(evidence, issued.authority.trust, policy, time=NOW, expected_challenge=CHALLENGE)
        assert report.verdict is Verdict.TOTAL_PASSED, report.checks
        for file in issued.data.image.applications[0].files:
            if file.name != "EF.CVCA":
                assert evidence.content(file.name) == (None if file.name in protected else file.content)
        expected = Outcome.PASSED if "DG15" in issued.profile.application.data_groups else Outcome.NOT_SUPPORTED
        found = report.check("chip.aa")
        assert found is not None
        assert found.outcome is expected
