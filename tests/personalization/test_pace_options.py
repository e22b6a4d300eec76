"""Profiles may ask for any mapping and group; the card that comes of it opens by it."""

from __future__ import annotations

from typing import Any

import pytest

from eid.codec.spki import EcParameters
from eid.crypto.curves import curve_by_name
from eid.crypto.public_key import explicit_parameters
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.lds.card_access import decode_card_access
from eid.lds.dg14 import decode_dg14
from eid.lds.security_infos import PACEDomainParameterInfo, find_pace_infos
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.transport.loopback import LoopbackConnection
from tests.builders.foreign_curves import FRP256V1, MADE_UP
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
        ("CAM", "TDES_112", "P-256", "needs a known curve and AES"),
        ("CAM", "AES_128", "MODP-1024-160", "needs a known curve and AES"),
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


def written(parameters: EcParameters, **changed: object) -> dict[str, Any]:
    """A curve as a profile writes it."""
    numbers = {name: f"{getattr(parameters, name):X}" for name in ("p", "a", "b", "n")}
    return {**numbers, "generator": parameters.generator.hex(), **changed}


def profile_of(*pace: dict[str, object]) -> CardProfile:
    told = load_profile("eu-td1-id-card").profile.model_dump(mode="json")
    told["access"]["pace"] = list(pace)
    return CardProfile.model_validate(told)


def test_curves_of_the_chips_own_beside_a_known_one() -> None:
    """Each set is written out once, however many protocols use it, in EF.CardAccess and in DG14."""
    profile = profile_of(
        {"mapping": "GM", "cipher": "AES_128", "curve": written(FRP256V1)},
        {"mapping": "GM", "cipher": "AES_256", "curve": written(FRP256V1)},
        {"mapping": "IM", "cipher": "AES_192", "curve": written(MADE_UP, parameter_id=255)},
        {"mapping": "GM", "cipher": "TDES_112", "parameters": "P-256"},
    )
    assert not profile.access.has_own_curves_only
    assert CardProfile.model_validate(profile.model_dump(mode="json")) == profile
    issued = issue(profile)
    stated = {
        file.name: file.content for file in (*issued.data.image.master_files, *issued.data.image.applications[0].files)
    }
    announced, signed = decode_card_access(stated["EF.CardAccess"]), decode_dg14(stated["DG14"])
    assert sum(isinstance(info, PACEDomainParameterInfo) for info in announced.security_infos) == 2
    assert set(announced.security_infos) <= set(signed.security_infos)
    assert set(announced.pace_infos) == set(issued.data.image.pace) == set(find_pace_infos(signed.security_infos))
    plan = InspectionPlan(Password(PasswordId.CAN, CAN.encode()), foreign_curves=True)
    pace = drive(inspect(plan, NOW), LoopbackConnection(issued.card)).transcript(ProtocolName.PACE)
    assert pace is not None
    assert pace.parameters["curve"] == "P-256"


BRAINPOOL = curve_by_name("brainpoolP256r1")


@pytest.mark.parametrize(
    ("pace", "why"),
    [
        ({"curve": written(FRP256V1), "parameters": "P-256"}, "one of them"),
        ({}, "one of them"),
        ({"curve": written(FRP256V1), "mapping": "CAM"}, "needs a known curve"),
        ({"curve": written(FRP256V1, parameter_id=31)}, "greater than 31"),
        ({"curve": written(FRP256V1, parameter_id=256)}, "less than or equal to 255"),
        ({"curve": written(FRP256V1, b=5)}, "hexadecimal string"),
        ({"curve": written(FRP256V1, b="0x05")}, "hexadecimal string"),
        ({"curve": written(FRP256V1, b="5")}, "the base point"),
        ({"curve": written(FRP256V1, a="0", b="0")}, "singular"),
        ({"curve": written(FRP256V1, n=f"{FRP256V1.p:X}")}, "anomalous"),
        ({"curve": written(FRP256V1, n=f"{FRP256V1.n + 2:X}")}, "not prime"),
        ({"curve": written(FRP256V1, p="17", n="13")}, "too small"),
        (
            {"curve": written(explicit_parameters(BRAINPOOL)) if BRAINPOOL else {}},
            "brainpoolP256r1, which is to be named",
        ),
    ],
)
def test_curves_that_are_refused(pace: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        profile_of({"mapping": "GM", "cipher": "AES_128", **pace})


def test_two_curves_have_two_names() -> None:
    with pytest.raises(ValueError, match="share a parameter_id"):
        profile_of({"cipher": "AES_128", "curve": written(FRP256V1)}, {"cipher": "AES_192", "curve": written(MADE_UP)})


def test_the_shipped_one() -> None:
    profile = load_profile("own-curve").profile
    (pace,) = profile.access.pace
    assert profile.access.has_own_curves_only
    assert pace.curve is not None
    assert pace.curve.parameters == FRP256V1
