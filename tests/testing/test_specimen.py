"""Specimen cards in process: any moment of issue, genuine to their own authority and to no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eid.errors import ProfileError
from eid.inspection import InspectionPlan, inspect
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.authority import make_signer
from eid.testing.specimen import issue_specimen
from eid.verification.policy import load_policy
from eid.verification.report import Verdict
from eid.verification.verify import verify


def test_a_specimen_is_genuine_to_its_own_authority_only() -> None:
    now = datetime(2026, 6, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    specimen, other = issue_specimen("eu-td1-id-card", now), issue_specimen("eu-td1-id-card", now)
    password = Password(PasswordId.CAN, specimen.can.encode())
    evidence = drive(inspect(InspectionPlan(password), now), specimen.connect())
    at = now.replace(microsecond=0)
    assert verify(evidence, specimen.trust, load_policy("border"), time=at).verdict is Verdict.TOTAL_PASSED
    assert verify(evidence, other.trust, load_policy("border"), time=at).verdict is not Verdict.TOTAL_PASSED


def test_what_cannot_be_made_is_told() -> None:
    with pytest.raises(ProfileError, match="brainpoolP320r1"):
        make_signer("csca", "brainpoolP320r1", "sha384")
    table = load_profile("eu-td1-id-card").profile.model_dump(mode="json")
    table["document"]["document_number"]["pattern"] = "NEVER"
    profile = type(load_profile("eu-td1-id-card").profile).model_validate(table)
    with pytest.raises(ProfileError, match="no specimen document number"):
        issue_specimen(profile, datetime(2026, 6, 1, tzinfo=UTC))
