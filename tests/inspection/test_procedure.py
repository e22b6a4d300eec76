"""Whole inspections: of every kind of chip, and of chips and links that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest

from eid.codec.algorithm import AlgorithmIdentifier
from eid.codec.apdu import ResponseAPDU
from eid.codec.der import encode_null
from eid.codec.spki import encode_spki
from eid.codec.tlv import encode_tlv
from eid.crypto.curves import curve_by_name
from eid.crypto.group import EcGroup
from eid.crypto.public_key import encode_public_key
from eid.errors import (
    AuthenticationError,
    CardRemovedError,
    LocalProtocolError,
    NoAccessError,
    StatusWordError,
    WrongPasswordError,
)
from eid.evidence import Evidence, Origin, ProtocolName, ProtocolOutcome
from eid.evidence.codec import decode_evidence, encode_evidence
from eid.inspection import InspectionPlan, inspect
from eid.inspection.session import Session
from eid.lds.card_access import CardAccess
from eid.lds.com import EfCom
from eid.lds.dg14 import DG14, decode_dg14
from eid.lds.dg15 import DG15
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    ID_PK_DH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    SecurityInfo,
)
from eid.profile.card_image import PasswordId
from eid.protocols.active_authentication.card import ActiveAuthenticationCard
from eid.protocols.active_authentication.core import verify_active_authentication
from eid.protocols.bac.card import BacCard
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.chip_authentication.core import StaticKey
from eid.protocols.exchange import Checkpoint, drive
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Password
from tests.builders.chip import Chip
from tests.builders.document import CHALLENGE, MRZ, Document, build_document
from tests.builders.rsa_keys import rsa_private_key

NOW = datetime(2026, 6, 1, 14, 30, 5, 999, tzinfo=timezone(timedelta(hours=1)))
CAN = Password(PasswordId.CAN, b"123456")
MRZ_PASSWORD = Password(PasswordId.MRZ, MRZ.information.encode())
AES_128 = PACEInfo(ID_PACE_ECDH_GM + ".2", 2, 13)
TDES = PACEInfo(ID_PACE_ECDH_GM + ".1", 2, 13)
UNKNOWN_KEY = encode_spki(AlgorithmIdentifier("1.2.3", encode_null()), b"\x00")
SUCCEEDED, FAILED = ProtocolOutcome.SUCCEEDED, ProtocolOutcome.FAILED
REFUSED, NOT_SUPPORTED = ProtocolOutcome.REFUSED, ProtocolOutcome.NOT_SUPPORTED
NOT_ATTEMPTED = ProtocolOutcome.NOT_ATTEMPTED


@cache
def document() -> Document:
    return build_document()


def chip_key(doc: Document) -> StaticKey:
    curve = curve_by_name("brainpoolP256r1")
    assert curve is not None
    group = EcGroup(curve)
    return StaticKey(group, group.key(doc.chip_key.private_numbers().private_value))


def passwords(identifier: PasswordId) -> bytes | None:
    return {PasswordId.CAN: CAN.value, PasswordId.MRZ: MRZ_PASSWORD.value}.get(identifier)


def build_chip(doc: Document | None = None, infos: tuple[SecurityInfo, ...] = (AES_128,), **switches: Any) -> Chip:
    doc = doc or document()
    files = {"EF.COM": EfCom((0x61, 0x75, 0x6B, 0x6E, 0x6F)).encode(), **doc.files}
    if infos:
        files["EF.CardAccess"] = CardAccess(infos).encode()
    defaults: dict[str, Any] = {
        "pace": PaceCard([info for info in infos if isinstance(info, PACEInfo)], passwords) if infos else None,
        "bac": BacCard(MRZ.information),
        "chip_authentication": ChipAuthenticationCard({1: chip_key(doc)}),
        "active_authentication": ActiveAuthenticationCard(doc.active_key),
    }
    return Chip(files, **defaults | switches)


def run(chip: Chip, **wishes: Any) -> Evidence:
    plan = InspectionPlan(**{"access_password": CAN, "challenge": CHALLENGE} | wishes)
    evidence = drive(inspect(plan, NOW), chip)
    assert decode_evidence(encode_evidence(evidence)) == evidence
    return evidence


def outcomes(evidence: Evidence) -> dict[ProtocolName, ProtocolOutcome]:
    return {item.protocol: item.outcome for item in evidence.transcripts}


def test_everything() -> None:
    doc, chip = document(), build_chip()
    evidence = run(chip, reader="Desk 1", policy="all", origin=Origin.RELAY)
    assert {file.name: file.content for file in evidence.files} == chip.files
    assert [file.name for file in evidence.files[:3]] == ["EF.CardAccess", "EF.SOD", "EF.COM"]
    assert outcomes(evidence) == dict.fromkeys(
        (ProtocolName.PACE, ProtocolName.CHIP_AUTHENTICATION, ProtocolName.ACTIVE_AUTHENTICATION), SUCCEEDED
    )
    assert (evidence.reader, evidence.policy, evidence.origin) == ("Desk 1", "all", Origin.RELAY)
    assert evidence.gathered_at == datetime(2026, 6, 1, 13, 30, 5, tzinfo=UTC)
    assert evidence.challenge == CHALLENGE
    signed = evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert signed is not None
    assert signed.messages["challenge"] == CHALLENGE
    spki = encode_public_key(doc.active_key.public_key())
    assert verify_active_authentication(spki, None, CHALLENGE, signed.messages["signature"]) == "sha256"
    pace = evidence.transcript(ProtocolName.PACE)
    assert pace is not None
    assert pace.parameters == {
        "oid": AES_128.protocol,
        "parameter_id": "13",
        "password": "CAN",
        "curve": "brainpoolP256r1",
    }
    agreed = evidence.transcript(ProtocolName.CHIP_AUTHENTICATION)
    assert agreed is not None
    assert agreed.messages["chip_public_key"] == encode_public_key(doc.chip_key.public_key(), explicit=True)
    assert agreed.parameters["key_id"] == "1"
    assert "123456" not in repr(evidence)


def test_steps_are_marked() -> None:
    seen: list[tuple[str, str]] = []

    class Sink:
        def record(self, checkpoint: Checkpoint) -> None:
            if checkpoint.phase in ("begin", "end"):
                seen.append((checkpoint.step, checkpoint.phase))

    drive(inspect(InspectionPlan(CAN, challenge=CHALLENGE), NOW), build_chip(), Sink())
    names = ["read EF.CardAccess", "open chip", "read EF.SOD", "read EF.COM"]
    names += ["read DG1", "read DG2", "read DG11", "read DG13", "read DG14", "read DG15"]
    names += ["Chip Authentication", "Active Authentication"]
    assert seen == [(name, phase) for name in names for phase in ("begin", "end")]


def test_everything_after_access_is_protected() -> None:
    chip = build_chip()
    run(chip)
    plain = [command.ins for command in chip.commands if command.cla & 0x0C != 0x0C]
    assert plain == [0xB0, 0x22, 0x86, 0x86, 0x86, 0x86]
    assert all(command.le is None for command in chip.commands if command.ins in (0xA4, 0x22) and not command.cla & 12)


@pytest.mark.parametrize("max_response", [64, 256, 4096, 65000])
def test_responses_fit_the_wire(max_response: int) -> None:
    chip = build_chip()
    evidence = run(chip, max_response=max_response, chip_authentication=False, active_authentication=False)
    assert evidence.content("EF.SOD") == chip.files["EF.SOD"]
    protected = [len(r.data) for c, r in zip(chip.commands, chip.responses, strict=True) if c.cla & 0x0C]
    assert max(protected) <= max_response


def test_extended_length_needs_fewer_commands() -> None:
    short, extended = build_chip(), build_chip()
    run(short)
    run(extended, max_response=65000)
    assert len(extended.commands) < len(short.commands)


def test_only_what_is_asked_for() -> None:
    evidence = run(build_chip(), data_groups=("DG1",), chip_authentication=False, active_authentication=False)
    assert [file.name for file in evidence.files] == ["EF.CardAccess", "EF.SOD", "EF.COM", "DG1"]
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is NOT_ATTEMPTED
    assert outcomes(evidence)[ProtocolName.ACTIVE_AUTHENTICATION] is NOT_ATTEMPTED
    evidence = run(build_chip(), data_groups=("DG1",))
    assert [file.name for file in evidence.files[3:]] == ["DG1", "DG14", "DG15"]


def test_station_draws_a_challenge_where_nobody_asked() -> None:
    evidence = run(build_chip(), challenge=None)
    assert evidence.challenge is None
    signed = evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert signed is not None
    assert len(signed.messages["challenge"]) == 8


# Access


def test_mrz_opens_pace_too() -> None:
    evidence = run(build_chip(), access_password=MRZ_PASSWORD)
    assert outcomes(evidence)[ProtocolName.PACE] is SUCCEEDED


def test_aes_is_preferred_and_ambiguity_is_named() -> None:
    infos = (PACEInfo(ID_PACE_ECDH_IM + ".4", 2, 13), TDES, AES_128, replace(AES_128, parameter_id=12))
    chip = build_chip(infos=infos)
    pace = run(chip).transcript(ProtocolName.PACE)
    assert pace is not None
    assert (pace.parameters["oid"], pace.parameters["curve"]) == (AES_128.protocol, "P-256")  # the SET is sorted
    set_at = next(command for command in chip.commands if command.ins == 0x22)
    assert set_at.data.endswith(bytes.fromhex("84010C"))


def test_bac_only_chip() -> None:
    chip = build_chip(infos=())
    evidence = run(chip, access_password=MRZ_PASSWORD, allow_bac=True)
    assert outcomes(evidence)[ProtocolName.BAC] is SUCCEEDED
    assert outcomes(evidence)[ProtocolName.PACE] is NOT_SUPPORTED
    card_access = evidence.files[0]
    assert (card_access.name, card_access.content, card_access.sw) == ("EF.CardAccess", None, 0x6A82)
    assert evidence.content("DG1") == chip.files["DG1"]
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is SUCCEEDED


@pytest.mark.parametrize(
    ("wishes", "why", "needs"),
    [
        ({"access_password": MRZ_PASSWORD}, "announces no PACE, and BAC is not allowed", ("BAC",)),
        ({"access_password": CAN, "allow_bac": True}, "BAC takes the MRZ alone", ("MRZ",)),
        ({"access_password": CAN}, "BAC is not allowed", ("BAC", "MRZ")),
    ],
)
def test_bac_only_where_allowed_and_possible(wishes: dict[str, Any], why: str, needs: tuple[str, ...]) -> None:
    with pytest.raises(NoAccessError, match=f"no access protocol that the inspection plan allows.*{why}") as refused:
        run(build_chip(infos=()), **wishes)
    assert refused.value.needs == needs


def test_unspoken_pace_stands_in_the_transcripts() -> None:
    chip = build_chip(infos=(PACEInfo(ID_PACE_ECDH_IM + ".4", 2, 10),))  # P-224 allows no such mapping
    pace = run(chip, access_password=MRZ_PASSWORD, allow_bac=True).transcript(ProtocolName.PACE)
    assert pace is not None
    assert (pace.outcome, pace.parameters) == (NOT_SUPPORTED, {"announced": ID_PACE_ECDH_IM + ".4"})


def test_undecodable_card_access_is_kept() -> None:
    chip = build_chip(infos=())
    chip.files["EF.CardAccess"] = bytes.fromhex("310430020500")
    evidence = run(chip, access_password=MRZ_PASSWORD, allow_bac=True)
    assert evidence.files[0].content == bytes.fromhex("310430020500")


def test_pace_failure_never_becomes_bac_silently() -> None:
    wishes: dict[str, Any] = {"access_password": MRZ_PASSWORD, "allow_bac": True}
    with pytest.raises(StatusWordError):
        run(build_chip(pace_refusal=0x6985), **wishes)
    evidence = run(build_chip(pace_refusal=0x6985), **wishes, bac_after_pace_failure=True)
    assert outcomes(evidence)[ProtocolName.PACE] is REFUSED
    assert outcomes(evidence)[ProtocolName.BAC] is SUCCEEDED


@pytest.mark.parametrize("after_failure", [False, True])
def test_wrong_password_is_the_end(after_failure: bool) -> None:
    wrong = Password(PasswordId.MRZ, MRZ_PASSWORD.value[:-1] + b"0")
    chip = build_chip()
    with pytest.raises(WrongPasswordError):
        run(chip, access_password=wrong, allow_bac=True, bac_after_pace_failure=after_failure)
    assert chip.commands[-1].ins == 0x86


def test_no_such_application() -> None:
    with pytest.raises(StatusWordError, match="SELECT application"):
        run(build_chip(), aid=bytes.fromhex("E80704007F00070302"))


# Files


@pytest.mark.parametrize("sw", [0x6982, 0x6A82])
def test_refused_file_is_evidence(sw: int) -> None:
    evidence = run(build_chip(refused={"DG2": sw}))
    refused = next(file for file in evidence.files if file.name == "DG2")
    assert (refused.content, refused.sw) == (None, sw)
    assert evidence.content("DG11") is not None
    assert outcomes(evidence)[ProtocolName.ACTIVE_AUTHENTICATION] is SUCCEEDED


@pytest.mark.parametrize("sod", [None, bytes.fromhex("77023000")])
def test_without_a_usable_sod_ef_com_lists_the_groups(sod: bytes | None) -> None:
    chip = build_chip(refused={} if sod else {"EF.SOD": 0x6A82})
    if sod:
        chip.files["EF.SOD"] = sod
    evidence = run(chip)
    assert evidence.content("EF.SOD") == sod
    assert evidence.content("DG1") is not None


def test_without_any_list() -> None:
    chip = build_chip(refused={"EF.SOD": 0x6A82})
    chip.files["EF.COM"] = bytes.fromhex("6000")
    assert [file.name for file in run(chip).files] == ["EF.CardAccess", "EF.SOD", "EF.COM"]
    chip = build_chip(refused={"EF.SOD": 0x6A82, "EF.COM": 0x6A82})
    assert len(run(chip).files) == 3


def test_sensitive_groups_come_last() -> None:
    doc = document().resigned(DG3=encode_tlv(0x63, b"x"), DG4=encode_tlv(0x76, b"x"))
    evidence = run(build_chip(doc, refused={"DG3": 0x6982, "DG4": 0x6982}))
    assert [file.name for file in evidence.files[3:]] == ["DG1", "DG2", "DG11", "DG13", "DG14", "DG15", "DG3", "DG4"]


# The chip


def test_clone_without_the_right_keys_is_gathered_not_judged() -> None:
    """A copy of all files: Chip Authentication breaks the session, Active Authentication is run in a new one."""
    other = build_document()
    chip = build_chip(
        chip_authentication=ChipAuthenticationCard({1: chip_key(other)}),
        active_authentication=ActiveAuthenticationCard(other.active_key),
    )
    evidence = run(chip)
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is FAILED
    assert outcomes(evidence)[ProtocolName.ACTIVE_AUTHENTICATION] is SUCCEEDED
    assert chip.resets == 1


def test_clone_of_a_bac_chip() -> None:
    chip = build_chip(infos=(), chip_authentication=ChipAuthenticationCard({1: chip_key(build_document())}))
    evidence = run(chip, access_password=MRZ_PASSWORD, allow_bac=True)
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is FAILED
    assert outcomes(evidence)[ProtocolName.ACTIVE_AUTHENTICATION] is SUCCEEDED


def test_chip_that_refuses_both() -> None:
    evidence = run(build_chip(chip_authentication=None, active_authentication=None))
    for protocol in (ProtocolName.CHIP_AUTHENTICATION, ProtocolName.ACTIVE_AUTHENTICATION):
        transcript = evidence.transcript(protocol)
        assert transcript is not None
        assert (transcript.outcome, transcript.parameters["sw"]) == (REFUSED, "6D00")


def test_chip_that_announces_neither() -> None:
    doc = document()
    plain = replace(doc, files={name: raw for name, raw in doc.files.items() if name not in ("DG14", "DG15")})
    evidence = run(build_chip(plain.resigned()))
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is NOT_SUPPORTED
    assert outcomes(evidence)[ProtocolName.ACTIVE_AUTHENTICATION] is NOT_SUPPORTED


@pytest.mark.parametrize(
    ("infos", "outcome"),
    [
        ((AES_128,), NOT_SUPPORTED),
        ((ChipAuthenticationPublicKeyInfo(ID_PK_DH, UNKNOWN_KEY),), NOT_ATTEMPTED),
    ],
)
def test_dg14_without_a_key_for_us(infos: tuple[SecurityInfo, ...], outcome: ProtocolOutcome) -> None:
    evidence = run(build_chip(document().resigned(DG14=DG14(infos).encode())))
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is outcome


def test_malformed_dg14_and_dg15() -> None:
    evidence = run(build_chip(document().resigned(DG14=encode_tlv(0x6E, b"\x31"), DG15=encode_tlv(0x6F, b"\x30"))))
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is FAILED
    signed = evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert signed is not None
    assert (signed.outcome, signed.parameters) == (SUCCEEDED, {"key": "unknown"})


def test_empty_signature() -> None:
    evidence = run(build_chip(hook=lambda command: ResponseAPDU() if command.ins == 0x88 else None))
    assert outcomes(evidence)[ProtocolName.ACTIVE_AUTHENTICATION] is FAILED


def test_refused_confirmation_still_shows_the_keys() -> None:
    """Any protected answer does: here the file that is selected for it is refused."""
    evidence = run(build_chip(refused={"EF.COM": 0x6A82}))
    assert outcomes(evidence)[ProtocolName.CHIP_AUTHENTICATION] is SUCCEEDED


@pytest.mark.parametrize("bits", [1024, 2048, 3072])
def test_long_rsa_signature_asks_for_extended_length(bits: int) -> None:
    key = rsa_private_key(bits)
    spki = encode_public_key(key.public_key())
    chip = build_chip(
        document().resigned(DG15=DG15(spki).encode()), active_authentication=ActiveAuthenticationCard(key, "sha256")
    )
    signed = run(chip).transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert signed is not None
    assert verify_active_authentication(spki, None, CHALLENGE, signed.messages["signature"]) == "sha256"
    assert chip.commands[-1].is_extended is (bits > 1024)


def test_3des_key_agreement_template() -> None:
    infos = decode_dg14(document().files["DG14"]).security_infos
    changed = tuple(
        replace(info, protocol=ID_CA_ECDH + ".1") if isinstance(info, ChipAuthenticationInfo) else info
        for info in infos
    )
    chip = build_chip(document().resigned(DG14=DG14(changed).encode()))
    assert outcomes(run(chip))[ProtocolName.CHIP_AUTHENTICATION] is SUCCEEDED
    assert chip.session is not None
    assert chip.session.suite.name == "TDES_112"


# The link


class Broken:
    """A link that does something at the n-th command."""

    def __init__(self, chip: Chip, number: int, act: Callable[[Chip, bytes], bytes]) -> None:
        self._chip, self._number, self._act, self.count = chip, number, act, 0

    @property
    def atr(self) -> bytes:
        return self._chip.atr

    def reset(self) -> bytes:
        return self._chip.reset()

    def close(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        self.count += 1
        return self._act(self._chip, command) if self.count == self._number else self._chip.transmit(command)


def removed(chip: Chip, command: bytes) -> bytes:
    raise CardRemovedError("the card left the reader")


def naked(chip: Chip, command: bytes) -> bytes:
    chip.transmit(command)
    return b"\x61\x02\x5f\x1f\x90\x00"


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 10, 12, 15, 20])
def test_lost_card_is_a_typed_error(number: int) -> None:
    with pytest.raises(CardRemovedError):
        drive(inspect(InspectionPlan(CAN, challenge=CHALLENGE), NOW), Broken(build_chip(), number, removed))


@pytest.mark.parametrize("number", [8, 9, 10, 12])
def test_naked_data_ends_the_inspection(number: int) -> None:
    with pytest.raises(AuthenticationError):
        drive(inspect(InspectionPlan(CAN, challenge=CHALLENGE), NOW), Broken(build_chip(), number, naked))


# Plans


@pytest.mark.parametrize(
    "wishes",
    [
        {"challenge": bytes(7)},
        {"max_response": 63},
        {"max_response": 65537},
        {"data_groups": ("DG17",)},
        {"data_groups": ("EF.SOD",)},
    ],
)
def test_impossible_plans(wishes: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        InspectionPlan(CAN, **wishes)


def test_nothing_to_resume() -> None:
    session = Session(InspectionPlan(CAN), lambda length: bytes(length))
    with pytest.raises(LocalProtocolError):
        drive(session.resume(), build_chip())
