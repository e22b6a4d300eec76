"""PACE with domain parameters that the chip writes out: taken where they are a known group's, refused otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from eid.card import VirtualCard
from eid.codec import der
from eid.codec.apdu import decode_command
from eid.codec.oid import EC_PUBLIC_KEY
from eid.codec.spki import EcParameters
from eid.crypto.curves import CURVES, Curve
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.public_key import explicit_parameters
from eid.errors import LocalProtocolError, PeerProtocolError, WrongPasswordError
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection import InspectionPlan, inspect
from eid.inspection.access import choose_pace
from eid.lds.card_access import CardAccess, decode_card_access
from eid.lds.security_infos import (
    ID_PACE_DH_GM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    PACEDomainParameterInfo,
    PACEInfo,
    find_pace_infos,
)
from eid.profile.card_image import PasswordId
from eid.protocols.chip_authentication.public_key import DH_KEY_AGREEMENT, DH_PUBLIC_NUMBER
from eid.protocols.exchange import drive
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Password, describe_refused_parameters, find_parameters
from eid.protocols.pace.terminal import run_pace
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.transport.loopback import LoopbackConnection
from tests.builders.foreign_curves import FRP256V1, MADE_UP, OWN, card_access, written_out

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CAN = Password(PasswordId.CAN, b"123456")
BRAINPOOL = next(curve for curve in CURVES if curve.name == "brainpoolP256r1")
MODP = DH_GROUPS[2]


def modp(oid: str, *numbers: int) -> bytes:
    return der.encode_sequence(der.encode_oid(oid), der.encode_sequence(*map(der.encode_integer, numbers)))


def announced(mechanism: str, domain_parameter: bytes, number: int | None = OWN) -> PACEInfo:
    """What a terminal makes of an EF.CardAccess that writes these parameters out."""
    infos = (PACEInfo(f"{mechanism}.2", 2, number), PACEDomainParameterInfo(mechanism, domain_parameter, number))
    (info,) = decode_card_access(CardAccess(infos).encode()).pace_infos
    return info


@dataclass
class Link:
    """The card's half of PACE on a bench."""

    card: PaceCard
    atr: bytes = b""

    def transmit(self, raw: bytes) -> bytes:
        command = decode_command(raw)
        return (
            self.card.set_at(command) if command.ins == 0x22 else self.card.general_authenticate(command)[0]
        ).encode()

    def reset(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


def run(info: PACEInfo) -> None:
    link = Link(PaceCard((info,), lambda _: CAN.value))
    assert drive(run_pace(info, CAN), link).secure_messaging.is_alive


@pytest.mark.parametrize("number", [OWN, 255, None])
@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_known_curve_is_recognised_by_its_values(curve: Curve, number: int | None) -> None:
    found = find_parameters(announced(ID_PACE_ECDH_GM, written_out(explicit_parameters(curve)), number))
    assert found is not None
    assert found.group.name == curve.name


def test_the_protocol_runs_on_it() -> None:
    run(announced(ID_PACE_ECDH_GM, written_out(explicit_parameters(BRAINPOOL))))
    run(announced(ID_PACE_DH_GM, modp(DH_PUBLIC_NUMBER, MODP.p, MODP.g, MODP.q)))
    run(announced(ID_PACE_DH_GM, modp(DH_KEY_AGREEMENT, MODP.p, MODP.g)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda known: replace(known, b=known.b + 1),
        lambda known: replace(known, a=known.a - 1),
        lambda known: replace(known, p=known.p + 2),
        lambda known: replace(known, n=known.n - 2),
        lambda known: replace(known, h=2),
    ],
    ids=["b", "a", "p", "n", "h"],
)
def test_another_curve_is_never_used_as_given(spoil: Callable[[EcParameters], EcParameters]) -> None:
    """It may be weak by intent: what EF.CardAccess says is nobody's word yet."""
    info = announced(ID_PACE_ECDH_GM, written_out(spoil(explicit_parameters(BRAINPOOL))))
    assert find_parameters(info) is None
    with pytest.raises(LocalProtocolError, match="not supported"):
        next(run_pace(info, CAN))


def test_another_generator_is_another_group() -> None:
    known = explicit_parameters(BRAINPOOL)
    point = known.generator
    moved = replace(known, generator=b"\x04" + point[1:33] + (BRAINPOOL.p - BRAINPOOL.gy).to_bytes(32, "big"))
    assert find_parameters(announced(ID_PACE_ECDH_GM, written_out(moved))) is None


@pytest.mark.parametrize(
    "numbers", [(MODP.p, MODP.g + 1, MODP.q), (MODP.p + 2, MODP.g, MODP.q), (MODP.p, MODP.g, MODP.q + 2), (23, 5, 11)]
)
def test_another_modp_group_is_never_used_as_given(numbers: tuple[int, ...]) -> None:
    assert find_parameters(announced(ID_PACE_DH_GM, modp(DH_PUBLIC_NUMBER, *numbers))) is None


def test_a_standardised_identifier_is_never_overruled() -> None:
    p384 = next(curve for curve in CURVES if curve.name == "P-384")
    infos = (
        PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13),
        PACEDomainParameterInfo(ID_PACE_ECDH_GM, written_out(explicit_parameters(p384)), 13),
    )
    (info,) = find_pace_infos(infos)
    assert info == infos[0]
    found = find_parameters(replace(info, domain_parameter=infos[1].domain_parameter))
    assert found is not None
    assert found.group.name == "brainpoolP256r1"


def test_what_does_not_belong_together_stays_apart() -> None:
    raw = written_out(explicit_parameters(BRAINPOOL))
    info = PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, OWN)
    for others in (
        (),
        (PACEDomainParameterInfo(ID_PACE_ECDH_GM, raw, OWN + 1),),
        (PACEDomainParameterInfo(ID_PACE_DH_GM, raw, OWN),),
        (PACEDomainParameterInfo(ID_PACE_ECDH_GM, raw, OWN),) * 2,
    ):
        (found,) = find_pace_infos((info, *others))
        assert found == info
        assert find_parameters(found) is None
    for mechanism, junk in (
        (ID_PACE_DH_GM, raw),
        (ID_PACE_ECDH_GM, modp(DH_PUBLIC_NUMBER, 23, 5, 11)),
        (ID_PACE_DH_GM, b""),
    ):
        assert find_parameters(PACEInfo(f"{mechanism}.2", 2, OWN, junk)) is None


def test_an_inspection_opens_such_a_chip() -> None:
    specimen = issue_specimen("eu-td1-id-card", NOW)
    card = VirtualCard.from_state(specimen.card.state())
    memory = card._card.memory
    announce = announced(ID_PACE_ECDH_GM, written_out(explicit_parameters(BRAINPOOL)))
    assert announce.domain_parameter is not None
    stated = PACEDomainParameterInfo(ID_PACE_ECDH_GM, announce.domain_parameter, OWN)
    memory.master.files[0x011C].content = bytearray(CardAccess((announce, stated)).encode())
    plan = InspectionPlan(Password(PasswordId.CAN, specimen.can.encode()))
    with pytest.raises(PeerProtocolError):  # the card itself was not told of its own parameters
        drive(inspect(plan, NOW), LoopbackConnection(VirtualCard.from_state(unknown(card))))
    memory.pace = (announce,)
    card.reset()
    evidence = drive(inspect(plan, NOW), LoopbackConnection(card))
    assert evidence.content("DG1") == specimen.files["DG1"]
    transcript = evidence.transcript(ProtocolName.PACE)
    assert transcript is not None
    assert transcript.outcome is ProtocolOutcome.SUCCEEDED
    assert transcript.parameters["curve"] == "brainpoolP256r1"


def foreign_card(parameters: EcParameters) -> tuple[SpecimenCard, VirtualCard]:
    """A specimen whose chip runs PACE over these parameters and writes them out; revived from its own state."""
    specimen = issue_specimen("icao-td3-passport", NOW)
    card = VirtualCard.from_state(specimen.card.state())
    announcement = card_access(parameters)
    memory = card._card.memory
    memory.master.files[0x011C].content = bytearray(announcement.encode())
    memory.pace = announcement.pace_infos
    return specimen, VirtualCard.from_state(card.state())


def test_a_curve_of_its_own_is_refused_by_default_and_the_evidence_says_why() -> None:
    specimen, card = foreign_card(MADE_UP)
    link = LoopbackConnection(card)
    plan = InspectionPlan(mrz_of(specimen))
    with pytest.raises(PeerProtocolError, match=r"no access protocol.*written out, of no known group"):
        drive(inspect(plan, NOW), link)
    evidence = drive(inspect(replace(plan, allow_bac=True), NOW), link)
    transcript = evidence.transcript(ProtocolName.PACE)
    assert transcript is not None
    assert transcript.outcome is ProtocolOutcome.NOT_SUPPORTED
    assert transcript.parameters["domain_parameters"] == "written out, of no known group"


@pytest.mark.parametrize("curve", [MADE_UP, FRP256V1], ids=["made up", "FRP256v1"])
def test_a_curve_of_its_own_opens_the_chip_where_the_plan_takes_it(curve: EcParameters) -> None:
    specimen, card = foreign_card(curve)
    plan = InspectionPlan(mrz_of(specimen), foreign_curves=True)
    evidence = drive(inspect(plan, NOW), LoopbackConnection(card))
    assert evidence.content("DG1") == specimen.files["DG1"]
    transcript = evidence.transcript(ProtocolName.PACE)
    assert transcript is not None
    assert transcript.outcome is ProtocolOutcome.SUCCEEDED
    assert transcript.parameters["curve"].startswith("explicit-256-")
    assert transcript.parameters["domain_parameters"] == "written out, of no known curve, validated"
    with pytest.raises(WrongPasswordError):
        drive(
            inspect(replace(plan, access_password=replace(mrz_of(specimen), value=b"SPM00001<0850214035")), NOW),
            LoopbackConnection(card),
        )


def test_an_unsound_curve_is_refused_all_the_same() -> None:
    specimen, _ = foreign_card(MADE_UP)
    weak = replace(MADE_UP, n=MADE_UP.p)
    plan = InspectionPlan(mrz_of(specimen), allow_bac=True, foreign_curves=True)
    evidence = drive(inspect(plan, NOW), LoopbackConnection(foreign_card(weak)[1]))
    transcript = evidence.transcript(ProtocolName.PACE)
    assert transcript is not None
    assert transcript.outcome is ProtocolOutcome.NOT_SUPPORTED
    assert "anomalous" in transcript.parameters["domain_parameters"]


@pytest.mark.parametrize("arc", [1, 2, 3, 4])
@pytest.mark.parametrize("mechanism", [ID_PACE_ECDH_GM, ID_PACE_ECDH_IM])
def test_mappings_over_a_curve_of_its_own(mechanism: str, arc: int) -> None:
    (info,) = card_access(MADE_UP, mechanism, arc).pace_infos
    link = Link(PaceCard((info,), lambda _: CAN.value))
    assert drive(run_pace(info, CAN, foreign_curves=True), link).secure_messaging.is_alive


def test_what_is_not_taken_with_the_switch_either() -> None:
    """Chip-authentication mapping, whose key would have to be read on the same curve; prime fields; junk."""
    cam = PACEInfo(f"{ID_PACE_ECDH_CAM}.2", 2, OWN, written_out(MADE_UP))
    field = announced(ID_PACE_DH_GM, modp(DH_PUBLIC_NUMBER, MODP.p, MODP.g + 1, MODP.q))
    named = announced(ID_PACE_ECDH_GM, der.encode_sequence(der.encode_oid(EC_PUBLIC_KEY), der.encode_oid("1.2.3")))
    junk = PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, OWN, b"")
    for info in (cam, field, named, junk):
        assert find_parameters(info, foreign_curves=True) is None
        assert describe_refused_parameters(info, foreign_curves=True)
        assert describe_refused_parameters(info, foreign_curves=False) == "written out, of no known group"
    assert describe_refused_parameters(PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 99), foreign_curves=True) is None


def test_a_known_group_goes_before_a_better_suite_on_a_curve_of_its_own() -> None:
    own = replace(card_access(MADE_UP).pace_infos[0], protocol=f"{ID_PACE_ECDH_GM}.4")
    weak = PACEInfo(f"{ID_PACE_ECDH_GM}.1", 2, 13)
    for infos in ((own, weak), (weak, own)):
        chosen = choose_pace(infos, foreign_curves=True)
        assert chosen is not None
        assert chosen.info == weak


def mrz_of(specimen: SpecimenCard) -> Password:
    return Password(PasswordId.MRZ, specimen.mrz_information.encode())


def unknown(card: VirtualCard) -> bytes:
    """The card, with parameters in EF.CardAccess that nobody knows."""
    copy = VirtualCard.from_state(card.state())
    spoilt = replace(explicit_parameters(BRAINPOOL), b=BRAINPOOL.b + 1)
    infos = (
        PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, OWN),
        PACEDomainParameterInfo(ID_PACE_ECDH_GM, written_out(spoilt), OWN),
    )
    copy._card.memory.master.files[0x011C].content = bytearray(CardAccess(infos).encode())
    return copy.state()
