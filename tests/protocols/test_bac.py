"""Basic Access Control: Doc 9303-11 Appendix D octet by octet on both ends, and every refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, decode_command
from eid.errors import (
    AuthenticationError,
    CommandRefused,
    DecodeError,
    EidError,
    LocalProtocolError,
    PeerProtocolError,
    StatusWordError,
    WrongPasswordError,
)
from eid.lds.files import EF_COM
from eid.mrz.check_digit import compute_check_digit
from eid.mrz.mrz import decode_mrz
from eid.protocols.bac import core
from eid.protocols.bac.card import BacCard
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Exchange, drive, through
from eid.protocols.files import read_file
from tests.builders.chip import Chip
from tests.builders.exchanges import injected, play
from tests.builders.sweep import examples

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "icao9303-11-D-bac.json").read_text())
AUTHENTICATION = {name: bytes.fromhex(value) for name, value in VECTOR["authentication"].items()}
MRZ = VECTOR["mrz_information"][1]["mrz_information"]


def test_document_keys() -> None:
    keys = core.derive_document_keys(MRZ)
    assert keys.k_enc.hex().upper() == VECTOR["kdf"]["kenc"]
    assert keys.k_mac.hex().upper() == VECTOR["kdf"]["kmac"]
    assert keys.k_enc.hex() not in repr(keys)


@pytest.mark.parametrize("sample", VECTOR["mrz_information"], ids=lambda s: s["format"])
def test_mrz_information(sample: dict[str, Any]) -> None:
    lines = list(sample["mrz"])
    if sample["document_number"] == "L898902C<":  # the example's last check digit is not that of its own dates
        covered = lines[0][5:30] + lines[1][:7] + lines[1][8:15] + lines[1][18:29]
        if sample["format"] == "TD2":
            covered = lines[1][:10] + lines[1][13:20] + lines[1][21:35]
        lines[1] = lines[1][:-1] + compute_check_digit(covered)
    assert decode_mrz("\n".join(lines)).information == sample["mrz_information"]


def test_terminal_sends_and_understands_appendix_d() -> None:
    a = AUTHENTICATION

    def steps() -> Exchange[bytes]:
        session = yield from run_bac(MRZ, injected(a["rnd_ifd"], a["k_ifd"]))
        return (yield from through(session, read_file(EF_COM, by_sfi=False)))

    protected = VECTOR["secure_messaging"]["exchanges"]
    replies = [a["rnd_ic"] + b"\x90\x00", a["external_authenticate_rapdu"]]
    replies += [bytes.fromhex(exchange["protected_rapdu"]) for exchange in protected]
    content, sent = play(steps(), replies)
    assert sent[:2] == [a["get_challenge_capdu"], a["external_authenticate_capdu"]]
    assert [command.hex().upper() for command in sent[2:]] == [exchange["protected_capdu"] for exchange in protected]
    assert content.hex().upper() == VECTOR["secure_messaging"]["ef_com"]


def test_card_answers_appendix_d() -> None:
    a = AUTHENTICATION
    bac = BacCard(MRZ, injected(a["rnd_ic"], a["k_ic"]))
    chip = Chip({"EF.COM": bytes.fromhex(VECTOR["secure_messaging"]["ef_com"])}, bac=bac)
    chip._application = True
    assert chip.transmit(a["get_challenge_capdu"]) == a["rnd_ic"] + b"\x90\x00"
    assert chip.transmit(a["external_authenticate_capdu"]) == a["external_authenticate_rapdu"]
    for exchange in VECTOR["secure_messaging"]["exchanges"]:
        assert chip.transmit(bytes.fromhex(exchange["protected_capdu"])).hex().upper() == exchange["protected_rapdu"]


def chip_with(mrz: str) -> Chip:
    return Chip({}, bac=BacCard(mrz))


def test_pair() -> None:
    session = drive(run_bac(MRZ), chip_with(MRZ))
    assert session.is_alive


@pytest.mark.parametrize("wrong", ["L898902C<369080619406237", "X898902C<369080619406236"])
def test_wrong_mrz(wrong: str) -> None:
    with pytest.raises(WrongPasswordError, match="the MRZ is not the one of this card") as caught:
        drive(run_bac(wrong), chip_with(MRZ))
    assert caught.value.tries_left is None
    assert wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("sw", "error", "tries"),
    [
        (0x6300, WrongPasswordError, None),
        (0x63C2, WrongPasswordError, 2),
        (0x6982, WrongPasswordError, None),
        (0x6988, WrongPasswordError, None),
        (0x6A81, StatusWordError, None),
    ],
)
def test_refusals_of_the_card(sw: int, error: type[EidError], tries: int | None) -> None:
    with pytest.raises(error) as caught:
        play(run_bac(MRZ), [bytes(8) + b"\x90\x00", sw.to_bytes(2, "big")])
    if isinstance(caught.value, WrongPasswordError):
        assert caught.value.tries_left == tries


def test_challenge_of_wrong_length() -> None:
    with pytest.raises(PeerProtocolError):
        play(run_bac(MRZ), [bytes(7) + b"\x90\x00"])


@pytest.mark.parametrize("answer", [b"", bytes(39), bytes(41)])
def test_token_of_wrong_length(answer: bytes) -> None:
    with pytest.raises(PeerProtocolError):
        play(run_bac(MRZ), [bytes(8) + b"\x90\x00", answer + b"\x90\x00"])


def test_token_with_wrong_mac() -> None:
    a = AUTHENTICATION
    answer = bytearray(a["external_authenticate_rapdu"])
    answer[0] ^= 1
    with pytest.raises(AuthenticationError):
        play(run_bac(MRZ, injected(a["rnd_ifd"], a["k_ifd"])), [a["rnd_ic"] + b"\x90\x00", bytes(answer)])


@pytest.mark.parametrize("which", ["rnd_ic", "rnd_ifd"])
def test_token_for_other_nonces(which: str) -> None:
    """A card that knows the keys, but answers for another run."""
    a = AUTHENTICATION
    nonces = {"rnd_ic": a["rnd_ic"], "rnd_ifd": a["rnd_ifd"]} | {which: bytes(8)}
    token = core.Token(nonces["rnd_ic"], nonces["rnd_ifd"], a["k_ic"])
    answer = core.encode_token(core.derive_document_keys(MRZ), token)
    with pytest.raises(AuthenticationError):
        play(run_bac(MRZ, injected(a["rnd_ifd"], a["k_ifd"])), [a["rnd_ic"] + b"\x90\x00", answer + b"\x90\x00"])


@pytest.mark.parametrize("mrz", ["", "L898902C<3é"])
def test_impossible_mrz(mrz: str) -> None:
    with pytest.raises(LocalProtocolError):
        BacCard(mrz)


def refused(card: BacCard, command: CommandAPDU) -> int:
    with pytest.raises(CommandRefused) as caught:
        card.get_challenge(command) if command.ins == 0x84 else card.external_authenticate(command)
    return caught.value.sw


def test_card_refusals() -> None:
    a = AUTHENTICATION
    external = decode_command(a["external_authenticate_capdu"])
    card = BacCard(MRZ, injected(a["rnd_ic"], a["rnd_ic"], bytes(8), a["rnd_ic"]))
    assert refused(card, external) == 0x6985  # no challenge yet
    assert refused(card, CommandAPDU(0, 0x84, 1, 0, le=8)) == 0x6A86
    assert refused(card, CommandAPDU(0, 0x84, 0, 0, le=16)) == 0x6700
    assert refused(card, CommandAPDU(0, 0x84, 0, 0, b"x", le=8)) == 0x6700
    challenge = decode_command(a["get_challenge_capdu"])
    card.get_challenge(challenge)
    assert refused(card, CommandAPDU(0, 0x82, 0, 0, bytes(39))) == 0x6700
    assert refused(card, external) == 0x6985  # the challenge served once
    card.get_challenge(challenge)
    assert refused(card, CommandAPDU(0, 0x82, 0, 1, bytes(40))) == 0x6A86
    card.get_challenge(challenge)
    assert refused(card, external) == 0x6300  # right keys, token for another challenge
    card.get_challenge(challenge)
    card.reset()
    assert refused(card, external) == 0x6985


def test_decode_token_checks_its_length() -> None:
    with pytest.raises(DecodeError):
        core.decode_token(core.derive_document_keys(MRZ), bytes(24))


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from((0x84, 0x82)), st.integers(0, 255), st.binary(max_size=60)), max_size=6))
def test_card_survives_anything(commands: list[tuple[int, int, bytes]]) -> None:
    card = BacCard(MRZ)
    for ins, p2, data in commands:
        command = CommandAPDU(0, ins, 0, p2, data, le=8)
        try:
            card.get_challenge(command) if ins == 0x84 else card.external_authenticate(command)
        except CommandRefused:
            pass


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.binary(min_size=2, max_size=60), max_size=3))
def test_terminal_survives_anything(replies: list[bytes]) -> None:
    with pytest.raises(EidError):
        play(run_bac(MRZ), [*replies[:1], *replies[1:2], b"\x6f\x00", b"\x6f\x00"], exhaust=False)
