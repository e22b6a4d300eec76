"""Profiles may ask for any mapping and group; the card that comes of it opens by it."""

from __future__ import annotations

import pytest

from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.transport.loopback import LoopbackConnection
from tests.builders.issuance import CAN, NOW, issue


def profile_with(mapping: str, cipher: str, parameters: str) -> CardProfile:
    told = load_profile("eu-td1-id-card").profile.model_dump(mode="json")
    told["access"]["pace"] = [{"mapping": mapping, "cipher": cipher, "parameters": parameters}]
    if mapping == "CAM":
        told["application"]["keys"][0]["curve"] = parameters
    return CardProfile.model_validate(told)


@pytest.mark.parametrize(
    ("mapping", "cipher", "parameters"),
    [
        ("IM", "AES_256", "P-521"),
        ("IM", "TDES_112", "brainpoolP256r1"),
        ("CAM", "AES_128", "brainpoolP256r1"),
        ("GM", "TDES_112", "MODP-2048-256"),
        ("IM", "AES_128", "MODP-1024-160"),
        ("GM", "AES_256", "brainpoolP320r1"),
    ],
)
def test_card_opens_by_it(mapping: str, cipher: str, parameters: str) -> None:
    profile = profile_with(mapping, cipher, parameters)
    issued = issue(profile)
    plan = InspectionPlan(Password(PasswordId.CAN, CAN.encode()), challenge=bytes(8), max_response=65000)
    evidence = drive(inspect(plan, NOW), LoopbackConnection(issued.card))
    pace = evidence.transcript(ProtocolName.PACE)
    assert pace is not None
    assert pace.outcome is ProtocolOutcome.SUCCEEDED
    assert pace.parameters["curve"] == parameters


@pytest.mark.parametrize(
    ("mapping", "cipher", "parameters", "why"),
    [
        ("IM", "AES_128", "P-224", "not possible on P-224"),
        ("CAM", "TDES_112", "P-256", "needs a curve and AES"),
        ("CAM", "AES_128", "MODP-1024-160", "needs a curve and AES"),
        ("GM", "AES_128", "MODP-4096", "no standardised domain parameter"),
    ],
)
def test_impossible_ones_are_refused(mapping: str, cipher: str, parameters: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        profile_with(mapping, cipher, parameters)


def test_chip_authentication_mapping_needs_its_key() -> None:
    told = profile_with("CAM", "AES_128", "brainpoolP256r1").model_dump(mode="json")
    told["application"]["keys"][0]["curve"] = "P-256"
    with pytest.raises(ValueError, match="key on the same curve"):
        CardProfile.model_validate(told)
