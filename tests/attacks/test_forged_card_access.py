"""EF.CardAccess, which nobody signs, was altered: weaker PACE is run, or PACE over a group of somebody's own making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from eid.codec.spki import EcParameters
from eid.crypto.curves import curve_by_name
from eid.crypto.public_key import explicit_parameters
from eid.errors import Reason
from eid.evidence import Evidence, ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.inspection import InspectionPlan, inspect
from eid.lds.card_access import CardAccess
from eid.lds.dg14 import DG14, decode_dg14
from eid.lds.security_infos import ID_PACE_DH_GM, ID_PACE_ECDH_CAM, ID_PACE_ECDH_GM, PACEInfo, SecurityInfo
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.specimen import issue_specimen
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, Verdict
from eid.verification.verify import verify
from tests.builders.document import NOW, Document, failed, judge, outcome
from tests.builders.foreign_curves import FRP256V1, MADE_UP, OWN, card_access

GM = PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13)  # what DG14 of the document announces
WEAK = PACEInfo(f"{ID_PACE_ECDH_GM}.1", 2, 13)
CAM = PACEInfo(f"{ID_PACE_ECDH_CAM}.2", 2, 13)


def evidence(
    document: Document, used: PACEInfo | Mapping[str, str], announced: CardAccess | None, **kept: bool
) -> Evidence:
    """What a station gathers that has run PACE so, and has read this EF.CardAccess."""
    said = used if isinstance(used, Mapping) else {"oid": used.protocol, "parameter_id": str(used.parameter_id)}
    ran = ProtocolTranscript(ProtocolName.PACE, ProtocolOutcome.SUCCEEDED, dict(said))
    found = document.evidence(
        transcripts=(ran, document.chip_transcript(), document.active_transcript()),
        without=[] if kept.get("with_dg14", True) else ["DG14"],
    )
    if announced is None:
        return found
    return replace(found, files=(*found.files, ReadFile("EF.CardAccess", announced.encode())))


def own(parameters: EcParameters) -> tuple[PACEInfo, CardAccess]:
    announced = card_access(parameters)
    return announced.pace_infos[0], announced


def stating(document: Document, infos: tuple[SecurityInfo, ...]) -> Document:
    """The document, whose DG14 states these besides."""
    known = decode_dg14(document.files["DG14"]).security_infos
    return document.resigned(DG14=DG14((*known, *infos)).encode())


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`strict`, but for curves of the chip's own."""
    strict = (files("eid.verification") / "policies" / "strict.toml").read_text("utf-8")
    place: Path = tmp_path_factory.mktemp("policy") / "own.toml"
    place.write_text(strict.replace("refuse_downgrade", "foreign_curves = true\nrefuse_downgrade", 1), "utf-8")
    return str(place)


def test_a_stronger_protocol_is_hidden(document: Document) -> None:
    document = stating(document, (CAM,))
    altered = evidence(document, GM, CardAccess((GM,)))
    assert failed(judge(document, altered)) == {"access": Reason.DOWNGRADED}
    assert failed(judge(document, altered, "border")) == {}
    genuine = evidence(document, GM, CardAccess((GM, CAM)))
    assert failed(judge(document, genuine)) == {}


@pytest.mark.parametrize("announced", [CardAccess((GM, WEAK)), None])
def test_a_weaker_protocol_is_offered(document: Document, announced: CardAccess | None) -> None:
    """The chip has to play along, or it would not succeed; DG14 tells that its issuer did not mean it."""
    assert failed(judge(document, evidence(document, WEAK, announced))) == {"access": Reason.DOWNGRADED}


def test_what_nobody_signed_for_is_not_compared(document: Document) -> None:
    """Documents in circulation leave PACE out of DG14; then there is nothing to hold EF.CardAccess against."""
    bare = tuple(info for info in decode_dg14(document.files["DG14"]).security_infos if not isinstance(info, PACEInfo))
    silent = document.resigned(DG14=DG14(bare).encode())
    assert failed(judge(silent, evidence(silent, WEAK, CardAccess((WEAK,))))) == {}


@pytest.mark.parametrize("policy", ["strict", "border", "passive"])
@pytest.mark.parametrize("parameters", [MADE_UP, replace(FRP256V1, n=FRP256V1.p)], ids=["sound", "anomalous"])
def test_a_curve_that_no_standard_names(document: Document, parameters: EcParameters, policy: str) -> None:
    info, announced = own(parameters)
    report = judge(stating(document, announced.security_infos), evidence(document, info, announced), policy)
    assert report.verdict is Verdict.TOTAL_FAILED
    assert outcome(report, "access.parameters") == (Outcome.FAILED, Reason.UNVERIFIED_PARAMETERS)


def test_a_policy_may_take_a_curve_that_the_issuer_signed_for(document: Document, lenient: str) -> None:
    info, announced = own(FRP256V1)
    signed = stating(document, announced.security_infos)
    told = CardAccess((GM, *announced.security_infos))
    report = judge(signed, evidence(signed, info, told), lenient)
    assert outcome(report, "access.parameters") == (Outcome.PASSED, None)
    assert report.verdict is Verdict.TOTAL_PASSED


def test_another_curve_than_he_signed_for(document: Document, lenient: str) -> None:
    """The same identifier, other values."""
    signed = stating(document, own(FRP256V1)[1].security_infos)
    info, announced = own(MADE_UP)
    report = judge(signed, evidence(signed, info, CardAccess((GM, *announced.security_infos))), lenient)
    assert failed(report) == {"access.parameters": Reason.UNVERIFIED_PARAMETERS}


def test_an_unsound_curve_that_he_signed_for(document: Document, lenient: str) -> None:
    info, announced = own(replace(FRP256V1, n=FRP256V1.p))
    signed = stating(document, announced.security_infos)
    report = judge(signed, evidence(signed, info, CardAccess((GM, *announced.security_infos))), lenient)
    assert failed(report) == {"access.parameters": Reason.UNVERIFIED_PARAMETERS}


def test_nothing_that_he_signed_is_there(document: Document, lenient: str) -> None:
    info, announced = own(FRP256V1)
    report = judge(document, evidence(document, info, announced, with_dg14=False), lenient)
    assert outcome(report, "access.parameters") == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)


def test_known_groups_by_number_and_by_value(document: Document) -> None:
    curve = curve_by_name("brainpoolP256r1")
    assert curve is not None
    info, announced = own(explicit_parameters(curve))
    for used, told, said in (
        (GM, CardAccess((GM,)), "brainpoolP256r1, by its standardised identifier"),
        (PACEInfo(f"{ID_PACE_DH_GM}.2", 2, 2), None, "MODP-2048-256, by its standardised identifier"),
        (info, announced, "brainpoolP256r1, known by the values that the chip writes out"),
    ):
        found = judge(document, evidence(document, used, told), "border").check("access.parameters")
        assert found is not None
        assert (found.outcome, found.detail) == (Outcome.PASSED, said)


@pytest.mark.parametrize(
    "used",
    [
        {},
        {"oid": GM.protocol},
        {"oid": GM.protocol, "parameter_id": "None"},
        {"oid": GM.protocol, "parameter_id": str(OWN)},
        {"oid": GM.protocol, "parameter_id": "٣٢"},
    ],
)
def test_what_the_evidence_does_not_tell(document: Document, used: dict[str, str]) -> None:
    for announced in (None, CardAccess((GM,))):
        report = judge(document, evidence(document, used, announced), "border")
        assert outcome(report, "access.parameters") == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)


@pytest.mark.parametrize("used", [PACEInfo(GM.protocol, 2, 31), PACEInfo("1.2.3", 2, 13), PACEInfo("", 2, 13)])
def test_what_is_not_spoken_here(document: Document, used: PACEInfo) -> None:
    found = outcome(judge(document, evidence(document, used, None), "border"), "access.parameters")
    assert found == (Outcome.INDETERMINATE, Reason.ALGORITHM_UNSUPPORTED)


def test_without_pace_there_is_nothing_to_judge(document: Document) -> None:
    report = judge(document, document.evidence(transcripts=(document.active_transcript(),)))
    assert report.check("access.parameters") is None


def test_a_chip_with_nothing_else_and_a_terminal_that_took_it() -> None:
    """From the profile to the verdict: what `--foreign-curves` gathers passes under no shipped policy."""
    specimen = issue_specimen("own-curve", NOW)
    password = Password(PasswordId.CAN, specimen.can.encode())
    gathered = drive(inspect(InspectionPlan(password, foreign_curves=True), NOW), specimen.connect())
    assert gathered.content("DG2") == specimen.files["DG2"]
    reports = {
        name: verify(gathered, specimen.trust, replace(load_policy("border"), foreign_curves=name == "own"), time=NOW)
        for name in ("own", "border")
    }
    assert reports["own"].verdict is Verdict.TOTAL_PASSED
    assert failed(reports["border"]) == {"access.parameters": Reason.UNVERIFIED_PARAMETERS}
