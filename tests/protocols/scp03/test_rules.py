"""Every verification step of SCP03 refuses what it must, on both sides; both sides agree at every level."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.errors import (
    AuthenticationError,
    CommandRefused,
    DecodeError,
    LocalProtocolError,
    PeerProtocolError,
    StatusWordError,
)
from eid.keystore.ports import StaticKey
from eid.protocols.scp03.card import MAX_FAILURES, Scp03Card, SecurityDomain
from eid.protocols.scp03.channel import Scp03Channel, largest_command_data, response_overhead
from eid.protocols.scp03.core import MAX_SEQUENCE, SecurityLevel, SessionKeys
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set, derive_key_check_value
from eid.protocols.scp03.messages import (
    ExternalAuthenticate,
    InitializeUpdate,
    decode_external_authenticate,
    decode_initialize_update,
    decode_initialize_update_response,
)
from eid.protocols.scp03.terminal import open_scp03
from tests.builders.sweep import examples

ISD = bytes.fromhex("A000000151000000")
FULL = SecurityLevel.C_DECRYPTION_R_ENCRYPTION_C_MAC_R_MAC
COMMAND = CommandAPDU(0x80, 0xE2, 0x88, 0x00, b"some data", 256)


def make_domain(i: int = 0x70, keys: StaticKeySet | None = None) -> SecurityDomain:
    return SecurityDomain(ISD, b"0123456789", i, keys or default_key_set())


def handshake(
    domain: SecurityDomain,
    level: SecurityLevel = FULL,
    *,
    keys: StaticKeySet | None = None,
    change_answer: bytes | None = None,
    flip_proof: int | None = None,
    aid: bytes | None = ISD,
) -> tuple[Scp03Channel, Scp03Channel]:
    """Join terminal and card; optionally tamper in between."""
    card = Scp03Card(domain)
    exchange = open_scp03(keys or domain.keys, level, aid=aid)
    request = next(exchange)
    assert isinstance(request, CommandAPDU)
    answer = card.initialize_update(request)
    if change_answer is not None:
        mask = change_answer.ljust(len(answer.data), b"\0")
        answer = ResponseAPDU(bytes(a ^ b for a, b in zip(answer.data, mask, strict=True)))
    proof = exchange.send(answer)
    assert isinstance(proof, CommandAPDU)
    if flip_proof is not None:
        proof = replace(proof, data=flip(proof.data, flip_proof))
    response, on_card, _ = card.external_authenticate(proof)
    with pytest.raises(StopIteration) as stop:
        exchange.send(response)
    return stop.value.value, on_card


def flip(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 0x01
    return bytes(changed)


@pytest.mark.parametrize(
    ("length", "level", "i"),
    [case for case in product((16, 24, 32), SecurityLevel, (0x00, 0x20, 0x60, 0x70)) if case[1].is_within(case[2])],
)
def test_both_sides_agree(length: int, level: SecurityLevel, i: int) -> None:
    keys = StaticKeySet(0x31, bytes(range(length)), bytes(range(1, length + 1)), bytes(range(2, length + 2)))
    terminal, card = handshake(make_domain(i, keys), level)
    for data in (b"", b"x", bytes(16), bytes(300)):
        plain = CommandAPDU(0x00, 0xD6, 0x01, 0x02, data, 256)
        arrived = card.unprotect_command(decode_command(terminal.protect_command(plain).encode()))
        assert (arrived.header, arrived.data) == (plain.header, data)
        for answer in (
            ResponseAPDU(data),
            ResponseAPDU(data, 0x6282),
            ResponseAPDU(b"", 0x63C2),
            ResponseAPDU(b"", 0x6A82),
        ):
            sent = card.protect_response(answer)
            assert len(sent.data) <= len(data) + response_overhead(level)
            assert terminal.unprotect_response(sent) == answer


def test_empty_data_is_not_encrypted_but_the_counter_moves() -> None:
    """Amendment D 6.2.6; the answer to a command without data is encrypted under the moved counter."""
    terminal, card = handshake(make_domain())
    protected = terminal.protect_command(CommandAPDU(0x80, 0xCA, 0x00, 0x66, le=256))
    assert len(protected.data) == 8
    card.unprotect_command(protected)
    first = card.protect_response(ResponseAPDU(b"same"))
    terminal.unprotect_response(first)
    card.unprotect_command(terminal.protect_command(CommandAPDU(0x80, 0xCA, 0x00, 0x66, le=256)))
    second = card.protect_response(ResponseAPDU(b"same"))
    assert first.data[:16] != second.data[:16]
    assert terminal.unprotect_response(second).data == b"same"


def test_an_error_is_bare_and_the_channel_goes_on() -> None:
    terminal, card = handshake(make_domain())
    card.unprotect_command(terminal.protect_command(COMMAND))
    bare = card.protect_response(ResponseAPDU(b"dropped", 0x6A80))
    assert bare == ResponseAPDU(b"", 0x6A80)
    assert terminal.unprotect_response(bare) == bare
    assert card.unprotect_command(terminal.protect_command(COMMAND)) == COMMAND


@pytest.mark.parametrize("place", range(13, 29))
def test_terminal_refuses_a_changed_challenge_or_cryptogram(place: int) -> None:
    with pytest.raises(AuthenticationError):
        handshake(make_domain(0x60), aid=None, change_answer=bytes(place) + b"\x01")


def test_terminal_refuses_a_challenge_that_is_not_the_counters() -> None:
    with pytest.raises(AuthenticationError, match="sequence counter"):
        handshake(make_domain(), change_answer=bytes(31) + b"\x01")


def test_terminal_refuses_a_card_with_other_keys() -> None:
    other = StaticKeySet(0xFF, bytes(16), bytes(16), bytes(16))
    with pytest.raises(AuthenticationError, match="other keys"):
        handshake(make_domain(), keys=other, aid=None)


@pytest.mark.parametrize(
    ("mask", "text"),
    [(bytes(11) + b"\x01", "SCP 02"), (bytes(10) + b"\x01", "key version"), (bytes(12) + b"\x10", "octets")],
)
def test_terminal_refuses_a_malformed_answer(mask: bytes, text: str) -> None:
    with pytest.raises(PeerProtocolError, match=text):
        handshake(make_domain(), change_answer=mask)


def test_terminal_refuses_a_card_that_cannot_do_the_level() -> None:
    with pytest.raises(PeerProtocolError, match="security level"):
        handshake(make_domain(0x20), FULL)


def test_terminal_reports_the_cards_refusal() -> None:
    exchange = open_scp03(default_key_set())
    next(exchange)
    with pytest.raises(StatusWordError, match="INITIALIZE UPDATE answered 6A88"):
        exchange.send(ResponseAPDU(b"", 0x6A88))


@pytest.mark.parametrize("place", range(16))
def test_card_refuses_a_changed_proof(place: int) -> None:
    domain = make_domain()
    with pytest.raises(CommandRefused, match="6982"):
        handshake(domain, flip_proof=place)
    assert domain.failures == 1


def test_card_refuses_a_wrong_cryptogram_under_a_right_mac() -> None:
    domain = make_domain()
    card = Scp03Card(domain)
    card.initialize_update(InitializeUpdate(0, bytes(8)).encode())
    pending = card._pending
    assert pending is not None
    wrong = ExternalAuthenticate(FULL, bytes(8)).encode()
    with pytest.raises(CommandRefused, match="6300"):
        card.external_authenticate(Scp03Channel(pending.session, FULL).protect_authentication(wrong))
    assert domain.failures == 1


def test_card_refuses_authentication_out_of_order_and_twice() -> None:
    domain = make_domain()
    card = Scp03Card(domain)
    proof = ExternalAuthenticate(FULL, bytes(8)).encode()
    with pytest.raises(CommandRefused, match="6985"):
        card.external_authenticate(proof)
    card.initialize_update(InitializeUpdate(0, bytes(8)).encode())
    card.reset()
    with pytest.raises(CommandRefused, match="6985"):
        card.external_authenticate(proof)
    assert domain.failures == 0


def test_card_blocks_after_too_many_failures_and_a_success_resets_the_count() -> None:
    domain = make_domain()
    domain.failures = MAX_FAILURES - 1
    handshake(domain)
    assert domain.failures == 0
    domain.failures = MAX_FAILURES
    with pytest.raises(CommandRefused, match="6983"):
        handshake(domain)


def test_card_stops_at_the_end_of_the_counter_and_new_keys_start_it_again() -> None:
    domain = make_domain()
    domain.sequence = MAX_SEQUENCE
    with pytest.raises(CommandRefused, match="6985"):
        handshake(domain)
    domain.replace_keys(default_key_set(32, 1))
    handshake(domain)
    assert domain.sequence == 1


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (CommandAPDU(0x80, 0x50, 0x00, 0x01, bytes(8)), "6A86"),
        (CommandAPDU(0x80, 0x50, 0x00, 0x00, bytes(7)), "6700"),
        (CommandAPDU(0x80, 0x50, 0x33, 0x00, bytes(8)), "6A88"),
    ],
)
def test_card_refuses_a_malformed_opening(command: CommandAPDU, sw: str) -> None:
    with pytest.raises(CommandRefused, match=sw):
        Scp03Card(make_domain()).initialize_update(command)


@pytest.mark.parametrize(("i", "p1", "p2"), [(0x20, 0x33, 0), (0x00, 0x11, 0), (0x70, 0x00, 0), (0x70, 0x33, 1)])
def test_card_refuses_a_level_it_does_not_offer(i: int, p1: int, p2: int) -> None:
    card = Scp03Card(make_domain(i))
    card.initialize_update(InitializeUpdate(0, bytes(8)).encode())
    with pytest.raises(CommandRefused, match="6A86"):
        card.external_authenticate(CommandAPDU(0x84, 0x82, p1, p2, bytes(16)))


def assert_card_channel_dead(card: Scp03Channel, terminal: Scp03Channel) -> None:
    assert not card.is_open
    with pytest.raises(LocalProtocolError):
        card.unprotect_command(terminal.protect_command(COMMAND))


@pytest.mark.parametrize("level", list(SecurityLevel))
def test_card_refuses_changed_replayed_reordered_and_naked_commands(level: SecurityLevel) -> None:
    for place in (0, -8, -1):
        terminal, card = handshake(make_domain(), level)
        protected = terminal.protect_command(COMMAND)
        with pytest.raises(CommandRefused, match="6982"):
            card.unprotect_command(replace(protected, data=flip(protected.data, place)))
        assert_card_channel_dead(card, terminal)
    terminal, card = handshake(make_domain(), level)
    protected = terminal.protect_command(COMMAND)
    card.unprotect_command(protected)
    with pytest.raises(CommandRefused, match="6982"):  # replayed
        card.unprotect_command(protected)
    terminal, card = handshake(make_domain(), level)
    terminal.protect_command(COMMAND)
    with pytest.raises(CommandRefused, match="6982"):  # one was lost
        card.unprotect_command(terminal.protect_command(COMMAND))
    for naked in (COMMAND, replace(COMMAND, cla=0x84, data=b"short")):
        terminal, card = handshake(make_domain(), level)
        with pytest.raises(CommandRefused, match="6982"):
            card.unprotect_command(naked)
        assert_card_channel_dead(card, terminal)


@pytest.mark.parametrize("header", [{"ins": 0xE3}, {"p1": 0x89}, {"p2": 0x01}, {"cla": 0x94}])
def test_the_header_is_under_the_mac(header: dict[str, int]) -> None:
    terminal, card = handshake(make_domain())
    with pytest.raises(CommandRefused, match="6982"):
        card.unprotect_command(replace(terminal.protect_command(COMMAND), **header))  # type: ignore[arg-type]  # int fields


def test_the_logical_channel_is_not_under_the_mac() -> None:
    terminal, card = handshake(make_domain())
    protected = terminal.protect_command(COMMAND)
    assert card.unprotect_command(replace(protected, cla=protected.cla | 0x02)).data == COMMAND.data


def test_card_refuses_wrong_padding_under_a_right_mac() -> None:
    terminal, card = handshake(make_domain())
    only_mac = terminal.protect_authentication(replace(COMMAND, data=bytes(16)))
    with pytest.raises(CommandRefused, match="6A80"):
        card.unprotect_command(only_mac)
    assert not card.is_open


@pytest.mark.parametrize("level", [level for level in SecurityLevel if level.r_mac])
def test_terminal_refuses_changed_replayed_and_naked_responses(level: SecurityLevel) -> None:
    def answer() -> tuple[Scp03Channel, ResponseAPDU]:
        terminal, card = handshake(make_domain(), level)
        card.unprotect_command(terminal.protect_command(COMMAND))
        return terminal, card.protect_response(ResponseAPDU(b"an answer"))

    terminal, good = answer()
    assert terminal.unprotect_response(good).data == b"an answer"
    terminal.protect_command(COMMAND)
    with pytest.raises(AuthenticationError):  # replayed
        terminal.unprotect_response(good)
    changes: tuple[Callable[[ResponseAPDU], ResponseAPDU], ...] = (
        lambda r: replace(r, data=flip(r.data, 0)),
        lambda r: replace(r, data=flip(r.data, -1)),
        lambda r: replace(r, sw=0x6282),
        lambda r: replace(r, data=r.data[:-8]),
        lambda r: replace(r, data=b""),
        lambda r: replace(r, sw=0x6A80),
    )
    for change in changes:
        terminal, good = answer()
        with pytest.raises(AuthenticationError):
            terminal.unprotect_response(change(good))
        assert not terminal.is_open
        with pytest.raises(LocalProtocolError):
            terminal.protect_command(COMMAND)


def test_terminal_refuses_wrong_padding_under_a_right_mac() -> None:
    keys = SessionKeys(bytes(16), bytes(16), bytes(16))
    card, terminal = (Scp03Channel(keys, level) for level in (SecurityLevel.C_MAC_R_MAC, FULL))
    with pytest.raises(AuthenticationError, match="padded"):
        terminal.unprotect_response(card.protect_response(ResponseAPDU(bytes(16))))


def test_protected_commands_are_not_protected_again() -> None:
    terminal, _ = handshake(make_domain())
    for cla in (0x84, 0x0C):
        with pytest.raises(LocalProtocolError):
            terminal.protect_command(replace(COMMAND, cla=cla))
    with pytest.raises(LocalProtocolError):
        terminal.protect_command(replace(COMMAND, data=bytes(65535)))


@pytest.mark.parametrize("level", list(SecurityLevel))
def test_largest_command_data_is_exact(level: SecurityLevel) -> None:
    terminal, _ = handshake(make_domain(), level)
    for limit in (255, 65000):
        size = largest_command_data(level, limit)
        assert len(terminal.protect_command(replace(COMMAND, data=bytes(size))).data) <= limit
        assert len(terminal.protect_command(replace(COMMAND, data=bytes(size + 1))).data) > limit


def test_nothing_secret_is_shown() -> None:
    terminal, card = handshake(make_domain())
    keys = default_key_set()
    shown = repr([terminal, card, keys, make_domain(), SessionKeys(b"secret", b"secret", b"secret")])
    assert not [word for word in ("4041", "@ABC", "secret") if word in shown]


def test_key_set_rules() -> None:
    keys = StaticKeySet(1, bytes(24), bytes(24), bytes(range(24)))
    assert keys.decrypt_from_host(keys.encrypt_for_card(bytes(32))) == bytes(32)
    with pytest.raises(DecodeError):
        keys.decrypt_from_host(bytes(15))
    with pytest.raises(LocalProtocolError):
        keys.cmac(StaticKey.DEK, b"")
    for lengths in ((16, 16, 24), (8, 8, 8)):
        with pytest.raises(LocalProtocolError):
            StaticKeySet(1, *(bytes(length) for length in lengths))
    with pytest.raises(DecodeError):
        derive_key_check_value(bytes(17))


@settings(max_examples=examples(150))
@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 1))
def test_decoders_raise_only_decode_error(data: bytes, p1: int, p2: int) -> None:
    command = CommandAPDU(0x80, 0x50, p1, p2, data)
    decoders: tuple[Callable[[], bool], ...] = (
        lambda: decode_initialize_update_response(data).encode() == data,
        lambda: decode_initialize_update(command).encode().data == data,
        lambda: decode_external_authenticate(command).encode().data == data,
    )
    for decode in decoders:
        with contextlib.suppress(DecodeError):
            assert decode()
