"""PACE: Doc 9303-11 G.1 octet by octet on both ends, the BSI worked example, all curves and suites, every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.codec.tlv import encode_tlv
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import Curve, curve_by_id
from eid.crypto.group import EcGroup, GroupKey
from eid.errors import (
    AuthenticationError,
    CommandRefused,
    DecodeError,
    EidError,
    LocalProtocolError,
    PasswordBlockedError,
    PeerProtocolError,
    StatusWordError,
    WrongPasswordError,
)
from eid.lds.security_infos import (
    ID_PACE_DH_GM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    PACEInfo,
    decode_security_infos,
)
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace import core, messages
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Nonce, Password
from eid.protocols.pace.messages import SetAuthenticationTemplate, Step
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging
from tests.builders.chip import Chip
from tests.builders.exchanges import injected, play
from tests.builders.sweep import examples

VECTORS = Path(__file__).parents[1] / "vectors"
G1 = json.loads((VECTORS / "icao9303-11-G1-pace-gm-ecdh.json").read_text())
BSI = {kind: json.loads((VECTORS / f"tr03110-eac-worked-example-{kind}.json").read_text()) for kind in ("ecdh", "dh")}
APDUS = [bytes.fromhex(item["apdu"]) for item in G1["apdus"]]
MRZ = Password(PasswordId.MRZ, b"T22000129364081251010318")
CAN = Password(PasswordId.CAN, b"123456")
INFO = PACEInfo(ID_PACE_ECDH_GM + ".2", 2, 13)
DH_INFO = PACEInfo(ID_PACE_DH_GM + ".2", 2, 0)
CURVE_IDS = [12, 13, 15, 16, 17, 18]


def curve(number: int = 13) -> Curve:
    found = curve_by_id(number)
    assert found is not None
    return found


def scalar(name: str) -> int:
    return int(G1[name], 16)


def passwords(identifier: PasswordId) -> bytes | None:
    return {PasswordId.MRZ: MRZ.value, PasswordId.CAN: CAN.value}.get(identifier)


def chip(*infos: PACEInfo) -> Chip:
    return Chip({}, pace=PaceCard(infos or (INFO,), passwords))


def vector_terminal_random() -> Callable[[int], bytes]:
    return injected(scalar("map_terminal_private"), scalar("ka_terminal_private"))


# Published values


def test_pace_info_of_the_vector() -> None:
    assert decode_security_infos(bytes.fromhex("3114" + G1["pace_info"])) == (INFO,)


def test_terminal_runs_g1() -> None:
    result, sent = play(run_pace(INFO, MRZ, vector_terminal_random()), APDUS[1::2])
    assert sent == APDUS[0::2]
    assert result.secure_messaging._ks_enc.hex().upper() == G1["ks_enc"]
    assert result.secure_messaging._ks_mac.hex().upper() == G1["ks_mac"]
    assert (result.info, result.group, result.password) == (INFO, "brainpoolP256r1", PasswordId.MRZ)


def test_card_runs_g1() -> None:
    nonce = bytes.fromhex(G1["nonce_s"])
    random = injected(nonce, scalar("map_chip_private"), scalar("ka_chip_private"))
    card = PaceCard([INFO], passwords, random)
    assert card.set_at(decode_command(APDUS[0])).encode() == APDUS[1]
    for sent, expected in zip(APDUS[2::2], APDUS[3::2], strict=True):
        response, result = card.general_authenticate(decode_command(sent))
        assert response.encode() == expected
    assert result is not None
    assert result.secure_messaging._ks_enc.hex().upper() == G1["ks_enc"]
    assert card.password is None


def test_k_pi_of_the_vector() -> None:
    assert core.derive_nonce_key(CipherSuite.AES_128, MRZ).hex().upper() == G1["password"]["k_pi"]


@pytest.mark.parametrize(("kind", "info"), [("ecdh", INFO), ("dh", DH_INFO)])
def test_bsi_worked_example(kind: str, info: PACEInfo) -> None:
    """Generic mapping, session keys and tokens, from both ends; the first protected command and its answer."""
    b = {name: bytes.fromhex(value) for name, value in BSI[kind].items() if name != "source"}
    parameters = core.require_parameters(info)

    group = parameters.group

    def key(name: str) -> GroupKey:
        return group.key(int.from_bytes(b[name], "big"))

    def point(name: str) -> bytes:
        return b[name].lstrip(b"\0")  # a number has no leading zeros; a point begins with 04

    nonce = Nonce(b["nonce"])
    for own, peer in (("map_pcd_priv_key", "map_picc_pub_key"), ("map_picc_priv_key", "map_pcd_pub_key")):
        assert core.map_generator(group, nonce, key(own), point(peer)) == point("map_generator")
    ends = (("pcd_priv_key", "pcd_pub_key", "picc_pub_key"), ("picc_priv_key", "picc_pub_key", "pcd_pub_key"))
    for own, public, peer in ends:
        assert key(own).multiply(point("map_generator")) == point(public)
        keys = core.derive_session_keys(CipherSuite.AES_128, key(own), point(public), point(peer))
        assert (keys.ks_enc, keys.ks_mac) == (b["k_enc"], b["k_mac"])
    assert core.compute_token(parameters, keys, point("picc_pub_key")) == b["authentication_token_pcd"]
    assert core.compute_token(parameters, keys, point("pcd_pub_key")) == b["authentication_token_picc"]
    terminal, card = (SecureMessaging(CipherSuite.AES_128, b["k_enc"], b["k_mac"]) for _ in range(2))
    set_dst = CommandAPDU(0x00, 0x22, 0x81, 0xB6, b["d1"])
    sent = terminal.protect_command(set_dst)
    assert b["e1"] in sent.data
    assert card.unprotect_command(sent) == set_dst
    answer = card.protect_response(ResponseAPDU())
    assert answer.data == b["ad1"] + b"\x8e\x08" + b["a1"]
    assert terminal.unprotect_response(answer) == ResponseAPDU()


@pytest.mark.parametrize(("kind", "info"), [("ecdh", INFO), ("dh", DH_INFO)])
def test_bsi_card_access_is_understood(kind: str, info: PACEInfo) -> None:
    raw = bytes.fromhex(BSI[kind]["ef_cardaccess"])
    assert [item for item in decode_security_infos(raw) if isinstance(item, PACEInfo)] == [info]


# Pairs


@pytest.mark.parametrize("number", CURVE_IDS)
@pytest.mark.parametrize("arc", [1, 2, 3, 4])
def test_pair_on_all_curves_and_suites(number: int, arc: int) -> None:
    info = PACEInfo(f"{ID_PACE_ECDH_GM}.{arc}", 2, number)
    card = chip(info)
    result = drive(run_pace(info, CAN), card)
    assert result.secure_messaging.suite.key_length == {1: 16, 2: 16, 3: 24, 4: 32}[arc]
    assert card.session is not None
    assert card.session._ks_mac == result.secure_messaging._ks_mac


def test_wrong_password() -> None:
    with pytest.raises(WrongPasswordError, match="the CAN is not the one of this card"):
        drive(run_pace(INFO, replace(CAN, value=b"654321")), chip())
    with pytest.raises(WrongPasswordError, match="the MRZ"):
        drive(run_pace(INFO, replace(MRZ, value=b"T22000129364081251010319")), chip())


def test_password_that_the_card_lacks() -> None:
    with pytest.raises(StatusWordError) as caught:
        drive(run_pace(INFO, Password(PasswordId.PIN, b"12345")), chip())
    assert caught.value.sw == 0x6A88


def test_ambiguous_parameters_need_tag_84() -> None:
    infos = (INFO, replace(INFO, parameter_id=16))
    for info in infos:
        assert (
            drive(run_pace(info, CAN, name_parameters=True), chip(*infos)).group
            == core.require_parameters(info).group.name
        )
        with pytest.raises(StatusWordError) as caught:
            drive(run_pace(info, CAN), chip(*infos))
        assert caught.value.sw == 0x6A88


def test_tag_84_on_the_wire() -> None:
    command = messages.encode_set_at(SetAuthenticationTemplate(INFO.protocol, PasswordId.CAN, 13))
    assert command.encode().hex().upper() == "0022C1A412800A04007F0007020204020283010284010D"
    assert command.le is None


@pytest.mark.parametrize(
    "info",
    [
        PACEInfo(ID_PACE_ECDH_IM + ".2", 2, 10),  # P-224: its prime is 1 modulo 4
        PACEInfo(ID_PACE_ECDH_CAM + ".1", 2, 13),  # chip-authentication mapping knows AES only
        PACEInfo(ID_PACE_DH_GM + ".2", 2, 13),
        PACEInfo(ID_PACE_ECDH_GM + ".2", 2, 0),
        PACEInfo(ID_PACE_ECDH_GM + ".9", 2, 13),
        PACEInfo(ID_PACE_ECDH_GM + ".2", 1, 13),
        PACEInfo(ID_PACE_ECDH_GM + ".2", 2, 99),
        PACEInfo(ID_PACE_ECDH_GM + ".2", 2, None),
    ],
)
def test_what_is_not_spoken(info: PACEInfo) -> None:
    assert core.find_parameters(info) is None
    with pytest.raises(LocalProtocolError):
        play(run_pace(info, CAN), [])
    with pytest.raises(CommandRefused) as caught:
        PaceCard([info], passwords).set_at(messages.encode_set_at(SetAuthenticationTemplate(info.protocol, 2)))
    assert caught.value.sw == 0x6A81


# The terminal against a card that lies


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(
    ("sw", "error"),
    [
        (0x6983, PasswordBlockedError),
        (0x6300, WrongPasswordError),
        (0x6A80, StatusWordError),
        (0x6984, StatusWordError),
    ],
)
def test_refusal_at_each_step(step: int, sw: int, error: type[EidError]) -> None:
    replies = [*APDUS[1::2][:step], sw.to_bytes(2, "big")]
    with pytest.raises(error):
        play(run_pace(INFO, MRZ, vector_terminal_random()), replies)


def test_tries_left() -> None:
    with pytest.raises(WrongPasswordError) as caught:
        play(run_pace(INFO, MRZ, vector_terminal_random()), [*APDUS[1::2][:4], b"\x63\xc2"])
    assert caught.value.tries_left == 2
    with pytest.raises(PasswordBlockedError, match="the MRZ of this card is blocked"):
        play(run_pace(INFO, MRZ), [b"\x63\xc0"])
    replies = [b"\x63\xc1", *APDUS[3::2]]
    assert play(run_pace(INFO, MRZ, vector_terminal_random()), replies)[0].secure_messaging.is_alive


def lie(step: int, data: bytes) -> list[bytes]:
    return [*APDUS[1::2][:step], data + b"\x90\x00"]


def point_answer(tag: int, raw: bytes) -> bytes:
    return encode_tlv(0x7C, encode_tlv(tag, raw))


OFF_CURVE = b"\x04" + bytes(63) + b"\x01"


@pytest.mark.parametrize(
    ("step", "data"),
    [
        pytest.param(1, b"", id="nothing"),
        pytest.param(1, bytes.fromhex("7C00"), id="no nonce"),
        pytest.param(1, bytes.fromhex("7C028000"), id="empty nonce"),
        pytest.param(1, bytes.fromhex("7C03800101"), id="odd nonce"),
        pytest.param(1, encode_tlv(0x7C, encode_tlv(0x80, bytes(80))), id="huge nonce"),
        pytest.param(1, bytes.fromhex("7C04800081 00"), id="two objects"),
        pytest.param(2, point_answer(0x82, b"\x00"), id="mapping key at infinity"),
        pytest.param(2, point_answer(0x82, OFF_CURVE), id="mapping key off the curve"),
        pytest.param(2, APDUS[4][5:-1].replace(b"\x81\x41", b"\x82\x41"), id="own mapping key sent back"),
        pytest.param(3, point_answer(0x84, OFF_CURVE), id="ephemeral key off the curve"),
        pytest.param(3, APDUS[6][5:-1].replace(b"\x83\x41", b"\x84\x41"), id="own ephemeral key sent back"),
        pytest.param(4, bytes.fromhex("7C00"), id="no token"),
    ],
)
def test_terminal_refuses_lies(step: int, data: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        play(run_pace(INFO, MRZ, vector_terminal_random()), lie(step, data))


@pytest.mark.parametrize("token", [bytes(8), b"", b"\x3a", bytes.fromhex("3ABB9674BCE93C09"), bytes(16)])
def test_terminal_refuses_a_wrong_token(token: bytes) -> None:
    with pytest.raises(AuthenticationError) as caught:
        play(run_pace(INFO, MRZ, vector_terminal_random()), lie(4, point_answer(0x86, token)))
    assert not isinstance(caught.value, WrongPasswordError)


def test_certification_authority_references_are_passed_over() -> None:
    last = encode_tlv(0x7C, APDUS[-1][2:-2] + encode_tlv(0x87, b"DETESTCVCA00001"))
    replies = [*APDUS[1:-2:2], last + b"\x90\x00"]
    assert play(run_pace(INFO, MRZ, vector_terminal_random()), replies)[0].secure_messaging.is_alive


def test_zero_nonce_is_refused() -> None:
    group = EcGroup(curve())
    with pytest.raises(PeerProtocolError):
        core.map_generator(group, Nonce(bytes(16)), group.generate(), group.generate().public)


def test_empty_password() -> None:
    with pytest.raises(LocalProtocolError):
        play(run_pace(INFO, Password(PasswordId.CAN, b"")), [])


def test_password_is_not_shown() -> None:
    assert "123456" not in repr(CAN)


# The card against a terminal that lies


def started() -> PaceCard:
    card = PaceCard([INFO], passwords)
    card.set_at(messages.encode_set_at(SetAuthenticationTemplate(INFO.protocol, PasswordId.CAN)))
    return card


def refusal(card: PaceCard, command: CommandAPDU) -> int:
    with pytest.raises(CommandRefused) as caught:
        card.set_at(command) if command.ins == 0x22 else card.general_authenticate(command)
    assert card.password is None
    return caught.value.sw


@pytest.mark.parametrize(
    ("data", "sw"),
    [
        ("", 0x6A80),
        ("800A04007F00070202040202", 0x6A80),  # no password
        ("830102", 0x6A80),  # no protocol
        ("800A04007F0007020204020283020102", 0x6A80),  # password reference of two octets
        ("800A04007F0007020204020283010284020102", 0x6A80),
        ("800A04007F00070202040202830102830102", 0x6A80),
        ("800A04007F000702020402028301028500", 0x6A80),
        ("800A04007F00070202040203830102", 0x6A80),  # another protocol
        ("800A04007F00070202040202830109", 0x6A88),
        ("800A04007F00070202040202830103", 0x6A88),  # PIN: this card has none
        ("800A04007F00070202040202830102840110", 0x6A88),
    ],
)
def test_card_refuses_set_at(data: str, sw: int) -> None:
    command = CommandAPDU(0x00, 0x22, 0xC1, 0xA4, bytes.fromhex(data))
    assert refusal(PaceCard([INFO], passwords), command) == sw


def test_blocked_password_is_the_owners_word() -> None:
    def blocked(_: PasswordId) -> bytes | None:
        raise CommandRefused(0x6983)

    command = messages.encode_set_at(SetAuthenticationTemplate(INFO.protocol, PasswordId.CAN))
    assert refusal(PaceCard([INFO], blocked), command) == 0x6983
    with pytest.raises(PasswordBlockedError):
        drive(run_pace(INFO, CAN), Chip({}, pace=PaceCard([INFO], blocked)))


def test_card_demands_order() -> None:
    first = messages.encode_general_authenticate(Step.NONCE)
    assert refusal(PaceCard([INFO], passwords), first) == 0x6985
    assert refusal(started(), messages.encode_general_authenticate(Step.MAPPING, bytes(65))) == 0x6A80
    assert refusal(started(), replace(first, p2=1)) == 0x6A86
    assert refusal(started(), replace(first, cla=0x00)) == 0x6883
    assert refusal(started(), replace(first, data=b"\x7c\x01\x00")) == 0x6A80


def test_card_forgets_after_a_fault_and_on_reset() -> None:
    card = started()
    card.general_authenticate(messages.encode_general_authenticate(Step.NONCE))
    card.reset()
    assert refusal(card, messages.encode_general_authenticate(Step.MAPPING, bytes(65))) == 0x6985


@pytest.mark.parametrize("point", [b"\x00", OFF_CURVE, b"\x02" + bytes(32), b""])
def test_card_refuses_points_off_the_curve(point: bytes) -> None:
    card = started()
    card.general_authenticate(messages.encode_general_authenticate(Step.NONCE))
    assert refusal(card, messages.encode_general_authenticate(Step.MAPPING, point)) == 0x6A80


def test_card_refuses_its_own_ephemeral_key() -> None:
    random = injected(bytes.fromhex(G1["nonce_s"]), scalar("map_chip_private"), scalar("ka_chip_private"))
    card = PaceCard([INFO], passwords, random)
    card.set_at(decode_command(APDUS[0]))
    for sent in APDUS[2:6:2]:
        card.general_authenticate(decode_command(sent))
    own = b"\x04" + bytes.fromhex(G1["ka_chip_public"])
    assert refusal(card, messages.encode_general_authenticate(Step.KEY_AGREEMENT, own)) == 0x6A80


def test_card_refuses_a_wrong_token_and_says_when_it_counts() -> None:
    card = started()
    terminal = run_pace(INFO, CAN)
    command = next(terminal)
    card.set_at(command)
    command = terminal.send(ResponseAPDU())
    for _ in range(3):
        assert not card.awaits_token
        response, _ = card.general_authenticate(command)
        command = terminal.send(response)
    assert card.awaits_token
    assert card.password is PasswordId.CAN
    assert refusal(card, messages.encode_general_authenticate(Step.TOKEN, bytes(8))) == 0x6300


def test_steps_have_their_tags() -> None:
    assert [step.command_tag for step in Step] == [None, 0x81, 0x83, 0x85]
    assert [step.response_tag for step in Step] == [0x80, 0x82, 0x84, 0x86]


@settings(max_examples=examples(80), deadline=None)
@given(data=st.binary(max_size=60), step=st.sampled_from(Step))
def test_decoders_raise_decode_error_only(data: bytes, step: Step) -> None:
    for decode in (
        lambda: messages.decode_set_at(data),
        lambda: messages.decode_general_authenticate(step, data),
        lambda: messages.decode_answer(step, data),
    ):
        try:
            decode()
        except DecodeError:
            pass


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from((0x00, 0x10)), st.binary(max_size=80)), max_size=6))
def test_card_survives_anything(commands: list[tuple[bool, int, bytes]]) -> None:
    card = started()
    for set_at, cla, data in commands:
        command = CommandAPDU(cla, 0x22 if set_at else 0x86, 0, 0, data, le=256)
        try:
            card.set_at(command) if set_at else card.general_authenticate(command)
        except CommandRefused:
            pass


@settings(max_examples=examples(80), deadline=None)
@given(step=st.integers(0, 4), data=st.binary(max_size=90), sw=st.sampled_from((0x9000, 0x6282, 0x63C3, 0x6A80)))
def test_terminal_survives_anything(step: int, data: bytes, sw: int) -> None:
    replies = [*APDUS[1::2][:step], data + sw.to_bytes(2, "big"), b"\x6f\x00"]
    with pytest.raises(EidError):
        play(run_pace(INFO, MRZ, vector_terminal_random()), replies)
