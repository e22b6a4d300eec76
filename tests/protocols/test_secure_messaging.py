"""Secure messaging: Doc 9303-11 Appendix D on both ends, round trips, counters, and everything that ends a session."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command, decode_response
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.mac import compute_mac
from eid.errors import AuthenticationError, CommandRefused, EidError, LocalProtocolError, PeerProtocolError
from eid.protocols.secure_messaging import SecureMessaging
from tests.builders.sweep import examples

BAC = json.loads((Path(__file__).parents[1] / "vectors" / "icao9303-11-D-bac.json").read_text())["secure_messaging"]
SUITES = list(CipherSuite)
READ = CommandAPDU(0x00, 0xB0, 0x00, 0x00, le=16)


def vector_session() -> SecureMessaging:
    keys = (bytes.fromhex(BAC[name]) for name in ("ks_enc", "ks_mac", "ssc_before"))
    return SecureMessaging(CipherSuite.TDES_112, *keys)


def pair(suite: CipherSuite = CipherSuite.AES_128) -> tuple[SecureMessaging, SecureMessaging]:
    enc, mac = bytes(range(suite.key_length)), bytes(range(1, suite.key_length + 1))
    return SecureMessaging(suite, enc, mac), SecureMessaging(suite, enc, mac)


def test_appendix_d_terminal_side() -> None:
    session = vector_session()
    for exchange in BAC["exchanges"]:
        command = decode_command(bytes.fromhex(exchange["plain_capdu"]))
        assert session.protect_command(command).encode().hex().upper() == exchange["protected_capdu"]
        answer = session.unprotect_response(decode_response(bytes.fromhex(exchange["protected_rapdu"])))
        assert answer.encode().hex().upper() == exchange["plain_rapdu"]


def test_appendix_d_card_side() -> None:
    session = vector_session()
    for exchange in BAC["exchanges"]:
        command = session.unprotect_command(decode_command(bytes.fromhex(exchange["protected_capdu"])))
        assert command.encode().hex().upper() == exchange["plain_capdu"]
        response = session.protect_response(decode_response(bytes.fromhex(exchange["plain_rapdu"])))
        assert response.encode().hex().upper() == exchange["protected_rapdu"]


@pytest.mark.parametrize("suite", SUITES)
def test_a_command_without_objects_is_padded_once(suite: CipherSuite) -> None:
    """ISO/IEC 7816-4 10.2.3.1: RESET RETRY COUNTER of the PIN, as OpenSC's npa-tool sends it."""
    terminal, card = pair(suite)
    command = CommandAPDU(0x00, 0x2C, 0x03, 0x03)
    protected = terminal.protect_command(command)
    block, key = suite.block_size, bytes(range(1, suite.key_length + 1))
    covered = bytes(block - 1) + b"\x01" + bytes.fromhex("0C2C0303")
    padded = covered if suite is CipherSuite.TDES_112 else covered + b"\x80" + bytes(11)  # Retail MAC pads by itself
    assert protected.data == b"\x8e\x08" + compute_mac(suite, key, padded)
    assert card.unprotect_command(protected) == command


@settings(max_examples=examples(60), deadline=None)
@given(
    suite=st.sampled_from(SUITES),
    ins=st.sampled_from((0xB0, 0xB1, 0xD6, 0xD7)),
    data=st.binary(max_size=700),
    le=st.none() | st.integers(1, 65536),
    extended=st.booleans(),
    answer=st.binary(max_size=700),
    sw=st.sampled_from((0x9000, 0x6282, 0x6A82, 0x63C2)),
)
def test_round_trip(
    suite: CipherSuite, ins: int, data: bytes, le: int | None, extended: bool, answer: bytes, sw: int
) -> None:
    terminal, card = pair(suite)
    for _ in range(2):
        command = CommandAPDU(0x00, ins, 0x12, 0x34, data, le, extended)
        protected = decode_command(terminal.protect_command(command).encode())
        assert protected.cla == 0x0C
        plain = card.unprotect_command(protected)
        assert (plain.ins, plain.data, plain.le) == (ins, data, le)
        response = card.protect_response(ResponseAPDU(answer, sw))
        assert terminal.unprotect_response(decode_response(response.encode())) == ResponseAPDU(answer, sw)


def test_lengths_of_the_outer_command() -> None:
    terminal, _ = pair()
    short = terminal.protect_command(READ)
    assert not short.is_extended
    assert short.le == 256
    extended = terminal.protect_command(replace(READ, le=4096))
    assert extended.le == 65536
    assert extended.data.startswith(bytes.fromhex("97021000"))
    forced = terminal.protect_command(replace(READ, le=256, extended=True))
    assert forced.data.startswith(bytes.fromhex("97020100"))
    long_data = terminal.protect_command(CommandAPDU(0x00, 0xD6, 0, 0, bytes(240)))
    assert long_data.is_extended


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("field_length", [64, 127, 128, 200, 255, 256, 257, 300, 1000, 32768, 65000, 65536])
def test_max_response_data_is_exact(suite: CipherSuite, field_length: int) -> None:
    terminal, card = pair(suite)
    fits = terminal.max_response_data(field_length)
    assert len(card.protect_response(ResponseAPDU(bytes(fits))).data) <= field_length
    assert len(card.protect_response(ResponseAPDU(bytes(fits + 1))).data) > field_length


def test_max_response_data_of_short_responses() -> None:
    assert pair(CipherSuite.AES_128)[0].max_response_data(256) == 223
    assert pair(CipherSuite.TDES_112)[0].max_response_data(256) == 231


@pytest.mark.parametrize("suite", SUITES)
def test_every_flipped_bit_of_a_response_kills_the_session(suite: CipherSuite) -> None:
    terminal, card = pair(suite)
    card.unprotect_command(terminal.protect_command(READ))
    genuine = card.protect_response(ResponseAPDU(b"0123456789ABCDEF")).encode()
    for position in range(len(genuine)):
        victim, other = pair(suite)
        other.unprotect_command(victim.protect_command(READ))
        forged = bytearray(genuine)
        forged[position] ^= 0x01
        with pytest.raises((AuthenticationError, PeerProtocolError)):
            victim.unprotect_response(decode_response(bytes(forged)))
        assert not victim.is_alive
        with pytest.raises(LocalProtocolError):
            victim.protect_command(READ)
        with pytest.raises(LocalProtocolError):
            victim.unprotect_response(decode_response(genuine))


@pytest.mark.parametrize("suite", SUITES)
def test_every_flipped_bit_of_a_command_kills_the_session(suite: CipherSuite) -> None:
    command = CommandAPDU(0x00, 0xD6, 0x01, 0x02, b"data", le=8)
    genuine = pair(suite)[0].protect_command(command)
    for position in range(len(genuine.data)):
        card = pair(suite)[1]
        forged = bytearray(genuine.data)
        forged[position] ^= 0x01
        with pytest.raises(CommandRefused) as caught:
            card.unprotect_command(replace(genuine, data=bytes(forged)))
        assert caught.value.sw in (0x6987, 0x6988)
        assert not card.is_alive
        with pytest.raises(LocalProtocolError):
            card.unprotect_command(genuine)
        with pytest.raises(LocalProtocolError):
            card.protect_response(ResponseAPDU())


@pytest.mark.parametrize("change", [{"ins": 0xB2}, {"p1": 1}, {"p2": 1}, {"cla": 0x1C}])
def test_header_is_authenticated(change: dict[str, int]) -> None:
    terminal, card = pair()
    with pytest.raises(CommandRefused):
        card.unprotect_command(replace(terminal.protect_command(READ), **change))


@pytest.mark.parametrize("sw", [0x9000, 0x6700, 0x6C10, 0x6988, 0x6282])
def test_unprotected_answer_kills_the_session(sw: int) -> None:
    for data, how in ((b"", "without secure messaging"), (b"\x61\x02\x03\x04", "data that are not protected")):
        terminal, _ = pair()
        terminal.protect_command(READ)
        with pytest.raises(AuthenticationError, match=f"{sw:04X} (with )?{how}"):
            terminal.unprotect_response(ResponseAPDU(data, sw))
        assert not terminal.is_alive


def test_plain_command_inside_a_session_is_refused() -> None:
    _, card = pair()
    with pytest.raises(CommandRefused) as caught:
        card.unprotect_command(READ)
    assert caught.value.sw == 0x6987
    assert not card.is_alive


def test_command_without_mac() -> None:
    _, card = pair()
    with pytest.raises(CommandRefused) as caught:
        card.unprotect_command(CommandAPDU(0x0C, 0xB0, 0, 0, bytes.fromhex("970110"), le=256))
    assert caught.value.sw == 0x6987


def test_replayed_response() -> None:
    terminal, card = pair()
    card.unprotect_command(terminal.protect_command(READ))
    first = card.protect_response(ResponseAPDU(b"one"))
    assert terminal.unprotect_response(first).data == b"one"
    card.unprotect_command(terminal.protect_command(READ))
    with pytest.raises(AuthenticationError):
        terminal.unprotect_response(first)


def test_status_word_outside_is_compared() -> None:
    terminal, card = pair()
    card.unprotect_command(terminal.protect_command(READ))
    response = card.protect_response(ResponseAPDU(b"", 0x6A82))
    with pytest.raises(AuthenticationError, match="status word"):
        terminal.unprotect_response(replace(response, sw=0x9000))


def forge(session: SecureMessaging, objects: bytes) -> ResponseAPDU:
    """A response with a right MAC over wrong objects, made with the card's own keys."""
    session._count()
    return ResponseAPDU(objects + b"\x8e\x08" + session._mac(objects))


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param(bytes.fromhex("870102") + bytes.fromhex("99029000"), id="padding indicator 02"),
        pytest.param(bytes.fromhex("870101") + bytes.fromhex("99029000"), id="no cryptogram"),
        pytest.param(bytes.fromhex("87110100112233445566778899AABBCCDDEEFF") + bytes.fromhex("99029000"), id="padding"),
        pytest.param(bytes.fromhex("8704010A0B0C") + bytes.fromhex("99029000"), id="no whole block"),
        pytest.param(bytes.fromhex("870101850099029000"), id="two cryptograms"),
    ],
)
def test_authentic_but_malformed_response(objects: bytes) -> None:
    terminal, card = pair()
    card.unprotect_command(terminal.protect_command(READ))
    with pytest.raises(PeerProtocolError):
        terminal.unprotect_response(forge(card, objects))
    assert not terminal.is_alive


def test_cryptogram_tag_must_fit_the_instruction() -> None:
    terminal, card = pair()
    terminal._count()
    objects = terminal._encrypt(b"data", 0xB1)  # DO 85 on an even instruction
    header = bytes.fromhex("0CD60000") + b"\x80" + bytes(11)
    command = CommandAPDU(0x0C, 0xD6, 0, 0, objects + b"\x8e\x08" + terminal._mac(header + objects), le=256)
    with pytest.raises(CommandRefused) as caught:
        card.unprotect_command(command)
    assert caught.value.sw == 0x6988


def test_le_of_three_octets_is_refused() -> None:
    terminal, card = pair()
    terminal._count()
    objects = bytes.fromhex("9703010000")
    header = bytes.fromhex("0CB00000") + b"\x80" + bytes(11)
    command = CommandAPDU(0x0C, 0xB0, 0, 0, objects + b"\x8e\x08" + terminal._mac(header + objects), le=256)
    with pytest.raises(CommandRefused):
        card.unprotect_command(command)


def test_counter_exhaustion_ends_the_session() -> None:
    suite = CipherSuite.TDES_112
    session = SecureMessaging(suite, bytes(16), bytes(16), b"\xff" * 8)
    with pytest.raises(LocalProtocolError, match="used up"):
        session.protect_command(READ)
    assert not session.is_alive


def test_the_proprietary_class_is_carried_as_8c() -> None:
    terminal, card = pair()
    sent = terminal.protect_command(CommandAPDU(0x80, 0x20, 0x80, 0x00, b"\x06\x00"))
    assert sent.cla == 0x8C
    assert card.unprotect_command(sent) == CommandAPDU(0x80, 0x20, 0x80, 0x00, b"\x06\x00")


@pytest.mark.parametrize("cla", [0x0C, 0x04, 0x8C, 0x40, 0x20])
def test_class_that_cannot_carry_secure_messaging(cla: int) -> None:
    with pytest.raises(LocalProtocolError):
        pair()[0].protect_command(replace(READ, cla=cla))


def test_wrong_key_lengths() -> None:
    with pytest.raises(LocalProtocolError):
        SecureMessaging(CipherSuite.AES_256, bytes(16), bytes(32))
    with pytest.raises(LocalProtocolError):
        SecureMessaging(CipherSuite.AES_128, bytes(16), bytes(16), bytes(8))


def test_repr_shows_no_key() -> None:
    session = SecureMessaging(CipherSuite.AES_128, b"\xaa" * 16, b"\xbb" * 16)
    assert repr(session) == "SecureMessaging(AES-128, alive)"
    session.close()
    assert repr(session) == "SecureMessaging(AES-128, dead)"


@settings(max_examples=examples(150), deadline=None)
@given(raw=st.binary(max_size=80), suite=st.sampled_from(SUITES))
def test_arbitrary_octets(raw: bytes, suite: CipherSuite) -> None:
    terminal, card = pair(suite)
    terminal.protect_command(READ)
    with pytest.raises(EidError):
        terminal.unprotect_response(ResponseAPDU(raw))
    with pytest.raises(CommandRefused):
        card.unprotect_command(CommandAPDU(0x0C, 0xB0, 0, 0, raw, le=256))
