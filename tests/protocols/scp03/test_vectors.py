"""Published SCP03 vectors, on the terminal's and on the card's side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.crypto.kdf import sp800_108
from eid.crypto.mac import cmac
from eid.protocols.exchange import Exchange
from eid.protocols.scp03.card import Scp03Card, SecurityDomain
from eid.protocols.scp03.channel import Scp03Channel
from eid.protocols.scp03.core import (
    SecurityLevel,
    derive_card_challenge,
    derive_card_cryptogram,
    derive_host_cryptogram,
    derive_session_keys,
)
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set, derive_key_check_value
from eid.protocols.scp03.terminal import open_scp03

VECTORS = Path(__file__).parents[2] / "vectors"
ISD_R = bytes.fromhex("A0000005591010FFFFFFFF8900000100")  # SGP.22 2.4.2: the security domain of the recorded eUICC
ISD = bytes.fromhex("A000000151000000")
KDF_CASES = json.loads((VECTORS / "scp03-kdf.json").read_text())["cases"]
TRANSCRIPTS = json.loads((VECTORS / "scp03-transcripts.json").read_text())["cases"]
transcripts = pytest.mark.parametrize("case", TRANSCRIPTS, ids=lambda case: case["name"])


def key_set(case: dict[str, Any]) -> StaticKeySet:
    return StaticKeySet(int(case["kvn"], 16), *(bytes.fromhex(case[name]) for name in ("k_enc", "k_mac", "k_dek")))


def fixed(*values: bytes) -> Callable[[int], bytes]:
    pending = list(values)

    def random(length: int) -> bytes:
        value = pending.pop(0)
        assert len(value) == length
        return value

    return random


def start(exchange: Exchange[Scp03Channel]) -> CommandAPDU:
    request = next(exchange)
    assert isinstance(request, CommandAPDU)
    return request


def terminal_channel(case: dict[str, Any]) -> Scp03Channel:
    """Feed the recorded answers to the terminal's exchange, checking its commands byte for byte."""
    initialize = decode_command(bytes.fromhex(case["initialize_update_capdu"]))
    level = SecurityLevel(int(case["security_level"], 16))
    exchange = open_scp03(key_set(case), level, random=fixed(initialize.data), aid=ISD_R)
    assert start(exchange).encode().hex() == case["initialize_update_capdu"].lower()
    proof = exchange.send(ResponseAPDU(bytes.fromhex(case["initialize_update_rapdu_data"])))
    assert isinstance(proof, CommandAPDU)
    assert proof.encode().hex() == case["external_authenticate_capdu"].lower()
    with pytest.raises(StopIteration) as stop:
        exchange.send(ResponseAPDU())
    assert isinstance(stop.value.value, Scp03Channel)
    return stop.value.value


def card_channel(case: dict[str, Any]) -> Scp03Channel:
    """Let the card compute its answers from the recorded counter, checking them byte for byte."""
    answer = bytes.fromhex(case["initialize_update_rapdu_data"])
    domain = SecurityDomain(ISD_R, answer[:10], answer[12], key_set(case), int.from_bytes(answer[-3:], "big") - 1)
    card = Scp03Card(domain)
    assert card.initialize_update(decode_command(bytes.fromhex(case["initialize_update_capdu"]))).data == answer
    response, channel, keys = card.external_authenticate(
        decode_command(bytes.fromhex(case["external_authenticate_capdu"]))
    )
    assert response == ResponseAPDU()
    assert keys is domain.keys
    return channel


@pytest.mark.parametrize("case", KDF_CASES, ids=lambda case: f"constant {case['constant']}")
def test_sp800_108(case: dict[str, Any]) -> None:
    key, context = bytes.fromhex(case["key"]), bytes.fromhex(case["context"])
    derived = sp800_108(lambda message: cmac(key, message), int(case["constant"], 16), context, case["out_bits"])
    assert derived.hex().upper() == case["out"]


@transcripts
def test_derivations(case: dict[str, Any]) -> None:
    keys, answer = key_set(case), bytes.fromhex(case["initialize_update_rapdu_data"])
    host, card = decode_command(bytes.fromhex(case["initialize_update_capdu"])).data, answer[13:21]
    session = derive_session_keys(keys, host, card)
    assert session.s_enc.hex() == case["derived"]["s_enc"]
    assert session.s_mac.hex() == case["derived"]["s_mac"]
    assert session.s_rmac.hex() == case["derived"]["s_rmac"]
    assert derive_card_cryptogram(session, host, card).hex() == case["derived"]["card_cryptogram"]
    assert derive_host_cryptogram(session, host, card).hex() == case["derived"]["host_cryptogram"]


@transcripts
def test_terminal_side(case: dict[str, Any]) -> None:
    channel = terminal_channel(case)
    for step in case["commands"]:
        protected = channel.protect_command(decode_command(bytes.fromhex(step["plain"])))
        assert protected.encode().hex() == step["wrapped"].lower()
        if "response_wrapped_data" in step:
            wrapped = ResponseAPDU(bytes.fromhex(step["response_wrapped_data"]), int(step["sw"], 16))
            assert channel.unprotect_response(wrapped).data.hex() == step["response_plain_data"]


@transcripts
def test_card_side(case: dict[str, Any]) -> None:
    channel = card_channel(case)
    for step in case["commands"]:
        plain = channel.unprotect_command(decode_command(bytes.fromhex(step["wrapped"])))
        assert plain.encode().hex() == step["plain"].lower()
        if "response_wrapped_data" in step:
            answer = ResponseAPDU(bytes.fromhex(step["response_plain_data"]), int(step["sw"], 16))
            assert channel.protect_response(answer).data.hex() == step["response_wrapped_data"]


# A vector on which an implementation from the text of Amendment D and yubikit 5.9.2 agree.
HOST_CHALLENGE = bytes(range(8))
CARD_CHALLENGE = bytes.fromhex("86c8bd65fa1044ee")


def test_cross_checked_derivations() -> None:
    keys = default_key_set()
    session = derive_session_keys(keys, HOST_CHALLENGE, CARD_CHALLENGE)
    assert derive_card_challenge(keys, 1, ISD) == CARD_CHALLENGE
    assert session.s_enc.hex() == "3af1bb59a13d6f7be025cd9c6bb89b49"
    assert session.s_mac.hex() == "590581b85a754f2ce087139c1ac67342"
    assert session.s_rmac.hex() == "763df686b1b1f2b417d9978a458866b8"
    assert derive_key_check_value(keys.enc).hex() == "504a77"


def test_cross_checked_aes_256() -> None:
    key = bytes(range(32))
    session = derive_session_keys(StaticKeySet(1, key, key, key), HOST_CHALLENGE, CARD_CHALLENGE)
    assert session.s_enc.hex() == "d7ad646361701b3f8193eb5794c8d01b909c08b86a6851e2367523d684f4901a"


def cross_checked_pair() -> tuple[Scp03Channel, Scp03Channel]:
    card = Scp03Card(SecurityDomain(ISD, bytes(10), 0x70, default_key_set()))
    exchange = open_scp03(default_key_set(), random=fixed(HOST_CHALLENGE), aid=ISD)
    answer = card.initialize_update(start(exchange))
    assert answer.data[21:29].hex() == "7ced45f4c595bc4b"
    proof = exchange.send(answer)
    assert isinstance(proof, CommandAPDU)
    assert proof.encode().hex() == "8482330010dd233ef86835d803429064d41d13d185"
    response, on_card, _ = card.external_authenticate(proof)
    with pytest.raises(StopIteration) as stop:
        exchange.send(response)
    return stop.value.value, on_card


def test_cross_checked_store_data() -> None:
    terminal, card = cross_checked_pair()
    plain = CommandAPDU(0x80, 0xE2, 0x88, 0x00, bytes.fromhex("9F670411223344"))
    protected = terminal.protect_command(plain)
    assert protected.encode().hex() == "84e28800189465a5ec5d67e31e21ecbc5df6d920c049d1d67708e778c8"
    assert card.unprotect_command(protected) == plain
    answer = card.protect_response(ResponseAPDU())
    assert answer.data.hex() == "49e244aab7c0f2bd"
    assert terminal.unprotect_response(answer) == ResponseAPDU()
