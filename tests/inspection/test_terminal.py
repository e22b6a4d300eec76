"""Fingers and irises by right: Terminal Authentication in an inspection, over a specimen card in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from eid.card import VirtualCard
from eid.card.faults import FaultyCard, parse_faults
from eid.card.memory import TransparentFile
from eid.card.state import decode_state
from eid.codec.apdu import CommandAPDU, decode_command
from eid.codec.cv import Role
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import SessionLostError
from eid.evidence import Evidence, ProtocolName, ProtocolOutcome, ProtocolTranscript
from eid.evidence.codec import decode_evidence, encode_evidence
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.lds.atr_info import build_atr_info
from eid.lds.cvca import decode_ef_cvca
from eid.lds.files import EF_ATR_INFO, EF_CVCA
from eid.personalization.build import CardData, build_card
from eid.profile.card_image import AccessCondition, KeyPurpose, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import SpecimenCard, issue_data, make_chip_keys, specimen_for, specimen_secrets
from eid.transport.loopback import LoopbackConnection
from tests.builders.exchanges import Link
from tests.builders.inspected import CHALLENGE, NOW, Station, can_of, gather, specimen
from tests.builders.terminals import BEGIN, CVCA, DV, TERMINAL, TerminalPki, build_terminal_pki, ec_signer, rsa_signer

PROFILE = "eu-passport-eac"
TA = ProtocolName.TERMINAL_AUTHENTICATION


@pytest.fixture(scope="module")
def authority() -> SpecimenAuthority:
    return SpecimenAuthority(load_profile(PROFILE).profile, NOW)


def data_of(authority: SpecimenAuthority, *trust_points: bytes) -> CardData:
    profile = authority.profile
    private, public = make_chip_keys(profile)
    return build_card(
        specimen_for(profile, NOW),
        profile,
        can=specimen_secrets(profile),
        public_keys=public,
        sign=authority.sign,
        private_keys=private,
        trust_points=trust_points,
        trust_date=BEGIN,
    )


@pytest.fixture
def trusting(authority: SpecimenAuthority) -> Callable[[TerminalPki], SpecimenCard]:
    def build(pki: TerminalPki) -> SpecimenCard:
        return issue_data(authority.profile, authority, data_of(authority, pki.cvca_certificate()))

    return build


def plan_for(card: SpecimenCard, credentials: TerminalCredentials | None, **wishes: object) -> InspectionPlan:
    return InspectionPlan(can_of(card), challenge=CHALLENGE, terminal=credentials, max_response=65000, **wishes)


def ran(evidence: Evidence) -> ProtocolTranscript:
    found = evidence.transcript(TA)
    assert found is not None
    return found


def statuses(evidence: Evidence) -> dict[str, int]:
    return {item.name: item.sw for item in evidence.files}


@pytest.mark.parametrize("by_bac", [False, True], ids=["PACE", "BAC"])
def test_the_fingers_open_to_who_has_the_right(trusting, by_bac: bool) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    plan = plan_for(card, pki.credentials())
    if by_bac:
        card = issue_data(card.profile, card.authority, without_pace(card, pki))
        mrz = Password(PasswordId.MRZ, card.mrz_information.encode())
        plan = replace(plan, access_password=mrz, allow_bac=True)
    evidence = gather(card, plan)
    assert ran(evidence).outcome is ProtocolOutcome.SUCCEEDED
    assert ran(evidence).parameters == {"terminal": TERMINAL}
    assert evidence.content("DG3") == card.files["DG3"]
    assert decode_evidence(encode_evidence(evidence)) == evidence
    report = Station(card.trust).judge(evidence)
    assert report.check("sod.dg_hashes.dg3").outcome == "PASSED"
    used = ProtocolName.BAC if by_bac else ProtocolName.PACE
    assert evidence.transcript(used).outcome is ProtocolOutcome.SUCCEEDED


def test_long_certificates_go_as_chains_where_the_chip_says_so(trusting) -> None:
    """An RSA chain to a chip without extended length, whose EF.ATR/INFO announces chaining; each link is protected."""
    signer = rsa_signer("all of the chain", SignatureAlgorithm("rsa-pss", "sha256", 32))
    pki = TerminalPki(signer, signer, signer)
    card = trusting(pki)
    memory = decode_state(card.card.state())
    memory.chip = replace(memory.chip, extended_length=False, max_command_data=255, max_response_data=256)
    raw = bytearray(build_atr_info(bytes.fromhex("000080")).encode())
    always, never = AccessCondition.ALWAYS, AccessCondition.NEVER
    memory.master.files[EF_ATR_INFO.fid] = TransparentFile(EF_ATR_INFO.fid, EF_ATR_INFO.sfi, raw, always, never)
    sent: list[CommandAPDU] = []

    def watch(way: str, _number: int, raw: bytes) -> None:
        if way == "command":
            sent.append(decode_command(raw))

    plan = replace(plan_for(card, pki.credentials()), max_response=256, announced_lengths=True)
    evidence = drive(inspect(plan, NOW), Link(LoopbackConnection(VirtualCard(memory)), watch))
    assert ran(evidence).outcome is ProtocolOutcome.SUCCEEDED
    assert evidence.content("DG3") == card.files["DG3"]
    assert not any(command.is_extended for command in sent)
    links = [command.ins for command in sent if command.cla == 0x1C]
    assert (links.count(0x2A) >= 4, links.count(0x82)) == (True, 1), "two certificates and the signature"


def read_with(card: SpecimenCard, pki: TerminalPki, faults: str = "") -> tuple[Evidence, list[CommandAPDU]]:
    """In short pieces, so that DG3 takes several; with the commands that went out."""
    sent: list[CommandAPDU] = []

    def watch(way: str, _number: int, raw: bytes) -> None:
        if way == "command":
            sent.append(decode_command(raw))

    plan = replace(plan_for(card, pki.credentials()), max_response=256)
    faulty = FaultyCard(card.copy().card, parse_faults(faults) if faults else ())
    return drive(inspect(plan, NOW), Link(LoopbackConnection(faulty), watch)), sent


def begin_of_fingers(sent: list[CommandAPDU]) -> int:
    """Number of the command that first asks for DG3; it comes after the signature of Terminal Authentication."""
    signed = max(number for number, command in enumerate(sent, 1) if command.ins == 0x82)
    return next(n for n, command in enumerate(sent, 1) if n > signed and (command.ins, command.p1) == (0xB0, 0x83))


@pytest.mark.parametrize("later", [0, 1, 3])
@pytest.mark.parametrize("fault", ["reset", "drop"])
def test_fingers_go_on_after_a_loss_once_both_sides_are_proven_again(trusting, fault, later) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    undisturbed, sent = read_with(card, pki)
    at = begin_of_fingers(sent) + later
    assert sent[at - 1].ins == 0xB0, "DG3 is read in pieces"
    evidence, again = read_with(card, pki, f"{fault}@{at}")
    assert evidence.content("DG3") == card.files["DG3"] == undisturbed.content("DG3")
    assert [item.protocol for item in evidence.transcripts] == [item.protocol for item in undisturbed.transcripts]
    for ins, p1 in ((0x22, 0xC1), (0x22, 0x41), (0x82, 0x00)):  # PACE, Chip and Terminal Authentication
        assert sum((command.ins, command.p1) == (ins, p1) for command in again) == 2
    assert Station(card.trust).judge(evidence).check("sod.dg_hashes.dg3").outcome == "PASSED"


def test_another_chip_after_the_loss_is_not_gone_on_with(trusting) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    _, sent = read_with(card, pki)

    memory = decode_state(card.card.state())
    for directory in memory.applications.values():
        kept = {name: key for name, key in directory.keys.items() if key.purpose is not KeyPurpose.CHIP_AUTHENTICATION}
        directory.keys = kept
    other = VirtualCard(memory)

    class Swapped(LoopbackConnection):
        def reset(self) -> bytes:
            self._card = other
            return super().reset()

    plan = replace(plan_for(card, pki.credentials()), max_response=256)
    faulty = FaultyCard(card.copy().card, parse_faults(f"reset@{begin_of_fingers(sent) + 1}"))
    with pytest.raises(SessionLostError):
        drive(inspect(plan, NOW), Swapped(faulty))


def without_pace(card: SpecimenCard, pki: TerminalPki) -> CardData:
    """The same product as it was before PACE: the terminal learns the trust points in EF.CVCA."""
    table = card.profile.model_dump(mode="json")
    table["access"]["pace"] = []
    authority = replace_profile(card.authority, CardProfile.model_validate(table))
    return data_of(authority, pki.cvca_certificate())


def replace_profile(authority: SpecimenAuthority, profile: CardProfile) -> SpecimenAuthority:
    changed = object.__new__(SpecimenAuthority)
    changed.__dict__.update({**authority.__dict__, "profile": profile})
    return changed


def test_without_a_terminal_they_are_told_as_closed(trusting) -> None:
    card = trusting(build_terminal_pki())
    evidence = gather(card)
    assert evidence.transcript(TA) is None
    assert statuses(evidence)["DG3"] == 0x6982
    assert evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION).outcome is ProtocolOutcome.SUCCEEDED
    assert Station(card.trust).judge(evidence).verdict == "TOTAL_PASSED"


@pytest.mark.parametrize(("rights", "sw"), [(1, 0x9000), (3, 0x9000), (2, 0x6982), (0, 0x6982)])
def test_only_by_the_right_to_fingers(trusting, rights: int, sw: int) -> None:
    pki = replace(build_terminal_pki(), terminal_rights=bytes((rights,)))
    evidence = gather(card := trusting(pki), plan_for(card, pki.credentials()))
    assert ran(evidence).outcome is ProtocolOutcome.SUCCEEDED
    assert statuses(evidence)["DG3"] == sw


def test_a_document_verifier_without_the_right_gives_none(trusting) -> None:
    pki = replace(build_terminal_pki(), dv_rights=b"\x02")
    evidence = gather(card := trusting(pki), plan_for(card, pki.credentials()))
    assert statuses(evidence)["DG3"] == 0x6982


def test_a_chain_to_somebody_else_is_not_even_presented(trusting) -> None:
    foreign = replace(build_terminal_pki(), cvca=ec_signer("foreign"))
    chain = (foreign.certify(foreign.cvca, "XXCVCASPEC00001", foreign.dv, DV, Role.DOMESTIC_DV, b"\x03"),)
    credentials = TerminalCredentials((*chain, foreign.terminal_certificate()), foreign.terminal)
    evidence = gather(card := trusting(build_terminal_pki()), plan_for(card, credentials))
    assert ran(evidence).outcome is ProtocolOutcome.NOT_ATTEMPTED
    assert ran(evidence).parameters["trust_points"] == CVCA
    assert statuses(evidence)["DG3"] == 0x6982


def refused(evidence: Evidence) -> tuple[str, str]:
    transcript = ran(evidence)
    assert transcript.outcome is ProtocolOutcome.REFUSED
    assert statuses(evidence)["DG3"] == 0x6982
    # the session lives on, and the chip has signed the challenge in it
    assert evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION).outcome is ProtocolOutcome.SUCCEEDED
    return transcript.parameters["refused"], transcript.parameters.get("certificate", "")


def test_a_refused_chain_is_not_a_wrong_signature(trusting) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    impostor = replace(pki, dv=ec_signer("impostor"))
    chain = TerminalCredentials((pki.dv_certificate(), impostor.terminal_certificate()), pki.terminal)
    assert refused(gather(card, plan_for(card, chain))) == ("chain", f"certificate of {TERMINAL} by {DV}")
    thief = TerminalCredentials(pki.chain(), ec_signer("thief"))
    assert refused(gather(card, plan_for(card, thief))) == ("signature", "")


def test_a_certificate_that_ended_before_the_cards_date(trusting) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    old = replace(pki, begin=BEGIN.replace(year=2024), end=BEGIN.replace(year=2025))
    assert refused(gather(card, plan_for(card, old.credentials())))[0] == "chain"


def test_an_issuer_that_has_no_terminal_authentication() -> None:
    card = specimen("ma-cnie")
    evidence = gather(card, plan_for(card, build_terminal_pki().credentials()))
    assert ran(evidence).outcome is ProtocolOutcome.NOT_SUPPORTED


def test_chip_authentication_comes_first(trusting) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    evidence = gather(card, plan_for(card, pki.credentials(), chip_authentication=False))
    assert ran(evidence).outcome is ProtocolOutcome.NOT_ATTEMPTED
    assert "Chip Authentication" in ran(evidence).parameters["reason"]


def test_the_order_is_that_of_tr_03110(trusting) -> None:
    """PACE, what everybody may read, Chip Authentication, Terminal Authentication, the fingers (TR-03110-1 2.4)."""
    pki = build_terminal_pki()
    card = trusting(pki)
    steps: list[str] = []

    class Sink:
        def record(self, checkpoint) -> None:
            if checkpoint.phase == "begin":
                steps.append(checkpoint.step)

    drive(inspect(plan_for(card, pki.credentials()), NOW), card.connect(), Sink())
    wanted = ["open chip", "read DG2", "Chip Authentication", "Terminal Authentication", "read DG3"]
    assert [steps.index(name) for name in wanted] == sorted(steps.index(name) for name in wanted)


def test_chosen_groups_bring_what_the_protocols_need(trusting) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    evidence = gather(card, plan_for(card, pki.credentials(), data_groups=("DG3",)))
    assert evidence.content("DG3") == card.files["DG3"]
    assert evidence.content("DG2") is None


def test_the_card_follows_a_link_and_says_so_in_ef_cvca(trusting) -> None:
    """A terminal of the next CVCA brings the link certificate; the card trusts both then, the newer first."""
    pki = build_terminal_pki()
    card = trusting(pki)
    following = replace(pki, cvca=ec_signer("cvca-2"), dv=ec_signer("dv-2"))
    name = "UTCVCASPEC00002"
    dv = following.certify(following.cvca, name, following.dv, DV, Role.DOMESTIC_DV, b"\x03")
    chain = (pki.link_certificate(following.cvca), dv, following.terminal_certificate())
    evidence = gather(card, plan_for(card, TerminalCredentials(chain, following.terminal)))
    assert ran(evidence).outcome is ProtocolOutcome.SUCCEEDED
    stored = card.card._card.memory.applications[card.profile.application.aid].files[EF_CVCA.fid]
    assert decode_ef_cvca(bytes(stored.content)) == (name, CVCA)
    assert VirtualCard.from_state(card.card.state()).state() == card.card.state()
    # the old chain and the new one, without the link, both open it from now on
    for credentials in (pki.credentials(), TerminalCredentials(chain[1:], following.terminal)):
        assert ran(gather(card, plan_for(card, credentials))).outcome is ProtocolOutcome.SUCCEEDED


def test_a_right_does_not_outlive_the_session(trusting) -> None:
    pki = build_terminal_pki()
    card = trusting(pki)
    assert statuses(gather(card, plan_for(card, pki.credentials())))["DG3"] == 0x9000
    assert statuses(gather(card))["DG3"] == 0x6982


def test_an_ef_cvca_that_says_nothing_is_no_terminal_authentication(trusting) -> None:
    """After BAC nothing else tells whom the card trusts; and what the chip cannot say is not guessed."""
    pki = build_terminal_pki()
    made = trusting(pki)
    card = issue_data(made.profile, made.authority, without_pace(made, pki))
    file = card.card._card.memory.applications[card.profile.application.aid].files[EF_CVCA.fid]
    file.content[:] = bytes(len(file.content))
    mrz = Password(PasswordId.MRZ, card.mrz_information.encode())
    plan = replace(plan_for(card, pki.credentials()), access_password=mrz, allow_bac=True)
    evidence = gather(card, plan)
    assert ran(evidence).outcome is ProtocolOutcome.NOT_SUPPORTED
    assert statuses(evidence)["DG3"] == 0x6982
