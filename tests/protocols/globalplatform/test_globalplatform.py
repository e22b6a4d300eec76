"""GlobalPlatform data objects and commands: both sides, and every refusal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.errors import CommandRefused, DecodeError, PeerProtocolError, StatusWordError
from eid.protocols.exchange import Exchange
from eid.protocols.globalplatform import card
from eid.protocols.globalplatform.messages import (
    CardState,
    Cplc,
    KeyBlock,
    KeyInformation,
    PutKey,
    RegistryEntry,
    decode_card_data,
    decode_cplc,
    decode_kdd,
    decode_key_information,
    decode_put_key,
    decode_registry_entry,
    encode_card_data,
    encode_get_status,
    encode_kdd,
    encode_key_information,
    encode_set_status,
)
from eid.protocols.globalplatform.terminal import (
    build_key_blocks,
    get_cplc,
    get_key_diversification_data,
    get_key_information,
    get_secure_channel_protocols,
    get_status,
    put_key_set,
    select_security_domain,
    set_status,
)
from eid.protocols.scp03.card import SecurityDomain
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set
from tests.builders.sweep import examples

ISD = bytes.fromhex("A000000151000000")


def make_domain(length: int = 16) -> SecurityDomain:
    return SecurityDomain(ISD, b"0123456789", 0x70, default_key_set(length), sequence=7, failures=2)


def new_keys(length: int = 16, version: int = 1) -> StaticKeySet:
    return StaticKeySet(version, bytes(range(length)), bytes(range(1, length + 1)), bytes(range(2, length + 2)))


def put_key(length: int = 16, *, replaced: int = 0, version: int = 1) -> PutKey:
    return PutKey(replaced, version, build_key_blocks(new_keys(length), default_key_set(length)))


def test_card_recognition_data_is_annex_h_octet_by_octet() -> None:
    # GPC 2.3.1 H.2: globalPlatform 1.2.840.114283 = 2A864886FC6B; SCP03 "i" 70 = ...04.03.70
    expected = (
        "6631732F 06072A864886FC6B01 600C060A2A864886FC6B02020301 630906072A864886FC6B03 640B06092A864886FC6B040370"
    )
    assert encode_card_data(0x70).hex() == expected.replace(" ", "").lower()
    assert decode_card_data(encode_card_data(0x70)) == ((3, 0x70),)


def test_round_trips() -> None:
    cplc = Cplc(b"\x12\x34", b"\x56\x78", b"1234", b"56")
    assert decode_cplc(cplc.encode()) == cplc
    assert len(cplc.encode()) == 45
    keys = (KeyInformation(1, 0xFF, 0x88, 16), KeyInformation(2, 0xFF, 0x88, 16))
    assert encode_key_information(keys).hex() == "e00cc00401ff8810c00402ff8810"
    assert decode_key_information(encode_key_information(keys)) == keys
    assert decode_kdd(encode_kdd(b"0123456789")) == b"0123456789"
    entry = RegistryEntry(ISD, CardState.SECURED, b"\x9e\0\0")
    assert decode_registry_entry(entry.encode()) == entry
    assert decode_put_key(put_key().encode()) == put_key()


@pytest.mark.parametrize("length", [16, 24, 32])
def test_put_key_replaces_the_set_and_starts_the_counter(length: int) -> None:
    domain = make_domain(length)
    request = put_key(length)
    answer = card.put_key(domain, domain.keys, request.encode())
    assert answer.data == request.expected_answer
    assert (domain.keys, domain.sequence, domain.failures) == (new_keys(length), 0, 0)


def test_put_key_once_replaced_names_its_version() -> None:
    domain = make_domain()
    domain.replace_keys(new_keys())
    for replaced, fits in ((0, False), (2, False), (1, True)):
        blocks = build_key_blocks(new_keys(version=2), new_keys())
        command = PutKey(replaced, 2, blocks).encode()
        if fits:
            card.put_key(domain, domain.keys, command)
        else:
            with pytest.raises(CommandRefused, match="6A88"):
                card.put_key(domain, domain.keys, command)
    assert domain.keys.key_version == 2


def with_block(index: int, **changes: object) -> PutKey:
    request = put_key()
    blocks = list(request.blocks)
    values = {"key_length": 16, "encrypted": blocks[index].encrypted, "check_value": blocks[index].check_value}
    blocks[index] = KeyBlock(**(values | changes))  # type: ignore[arg-type]  # one of the three fields
    return PutKey(0, 1, tuple(blocks))


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize(
    "changes", [{"check_value": b"\0\0\0"}, {"encrypted": bytes(16)}, {"key_length": 24}, {"encrypted": bytes(32)}]
)
def test_put_key_takes_nothing_of_a_set_with_one_wrong_key(index: int, changes: dict[str, object]) -> None:
    domain = make_domain()
    with pytest.raises(CommandRefused, match="6A80"):
        card.put_key(domain, domain.keys, with_block(index, **changes).encode())
    assert (domain.keys, domain.sequence) == (default_key_set(), 7)


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (put_key(version=0).encode(), "6A80"),
        (put_key(version=0x80).encode(), "6A80"),
        (CommandAPDU(0x80, 0xD8, 0, 0x01, put_key().encode().data), "6A86"),
        (CommandAPDU(0x80, 0xD8, 0, 0x81, put_key().encode().data[:-1]), "6A80"),
        (CommandAPDU(0x80, 0xD8, 0, 0x81, put_key().encode().data + b"\0"), "6A80"),
        (CommandAPDU(0x80, 0xD8, 0, 0x81), "6A80"),
    ],
)
def test_put_key_refuses(command: CommandAPDU, sw: str) -> None:
    with pytest.raises(CommandRefused, match=sw):
        card.put_key(make_domain(), default_key_set(), command)


def answer_once(exchange: Exchange[object], response: ResponseAPDU) -> object:
    next(exchange)
    with pytest.raises(StopIteration) as stop:
        exchange.send(response)
    return stop.value.value


def test_terminal_reads_what_the_card_says() -> None:
    domain = make_domain()
    assert answer_once(get_cplc(), card.get_data(domain, 0x9F7F)) == Cplc(b"\0\0", b"\0\0", b"6789", b"45")
    keys = answer_once(get_key_information(), card.get_data(domain, 0xE0))
    assert keys == tuple(KeyInformation(number, 0xFF, 0x88, 16) for number in (1, 2, 3))
    assert answer_once(get_secure_channel_protocols(), card.get_data(domain, 0x66)) == ((3, 0x70),)
    assert answer_once(get_key_diversification_data(), card.get_data(domain, 0xCF)) == b"0123456789"
    with pytest.raises(CommandRefused, match="6A88"):
        card.get_data(domain, 0x42)
    status = card.get_status(CardState.OP_READY, encode_get_status(), domain)
    assert answer_once(get_status(), status) == RegistryEntry(ISD, CardState.OP_READY, card.PRIVILEGES)


@pytest.mark.parametrize("exchange", [get_cplc, get_key_information, get_secure_channel_protocols, get_status])
def test_terminal_refuses_malformed_answers(exchange: Callable[[], Exchange[object]]) -> None:
    for data in (b"", b"\x66\x00", b"\xe0\x02\xc0\x00", b"\xe3\x00"):
        running = exchange()
        next(running)
        if exchange is get_key_information and data == b"":
            data = b"\xe0"
        with pytest.raises(PeerProtocolError):
            running.send(ResponseAPDU(data))


def test_terminal_verifies_what_put_key_confirms() -> None:
    request = put_key()
    assert answer_once(put_key_set(1, request.blocks), ResponseAPDU(request.expected_answer)) is None
    for answer in (
        b"",
        request.expected_answer[:-1] + bytes((request.expected_answer[-1] ^ 1,)),
        b"\x02" + request.expected_answer[1:],
    ):
        running = put_key_set(1, request.blocks)
        next(running)
        with pytest.raises(PeerProtocolError):
            running.send(ResponseAPDU(answer))


def test_terminal_reports_refusals() -> None:
    for exchange in (select_security_domain(ISD), set_status(CardState.SECURED), put_key_set(1, put_key().blocks)):
        running: Exchange[object] = exchange
        next(running)
        with pytest.raises(StatusWordError):
            running.send(ResponseAPDU(b"", 0x6A82))


ALLOWED = {
    (CardState.OP_READY, CardState.INITIALIZED),
    (CardState.INITIALIZED, CardState.SECURED),
    (CardState.SECURED, CardState.CARD_LOCKED),
    (CardState.CARD_LOCKED, CardState.SECURED),
}


@pytest.mark.parametrize("current", list(CardState))
@pytest.mark.parametrize("wanted", list(CardState))
def test_life_cycle(current: CardState, wanted: CardState) -> None:
    domain = make_domain()
    domain.replace_keys(new_keys())
    command = encode_set_status(wanted)
    to_the_end = wanted is CardState.TERMINATED and current is not CardState.TERMINATED
    if (current, wanted) in ALLOWED or to_the_end:
        assert card.next_state(current, command, domain) is wanted
    else:
        with pytest.raises(CommandRefused, match="6985"):
            card.next_state(current, command, domain)


def test_factory_keys_hold_the_card_back_except_from_its_end() -> None:
    with pytest.raises(CommandRefused, match="factory keys"):
        card.next_state(CardState.OP_READY, encode_set_status(CardState.INITIALIZED), make_domain())
    end = card.next_state(CardState.OP_READY, encode_set_status(CardState.TERMINATED), make_domain())
    assert end is CardState.TERMINATED


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (CommandAPDU(0x80, 0xF0, 0x40, 0x07), "6A86"),
        (CommandAPDU(0x80, 0xF0, 0x80, 0x05), "6A86"),
        (CommandAPDU(0x80, 0xF0, 0x80, 0x07, b"other"), "6A88"),
    ],
)
def test_set_status_refuses(command: CommandAPDU, sw: str) -> None:
    with pytest.raises(CommandRefused, match=sw):
        card.next_state(CardState.OP_READY, command, make_domain())


def test_get_status_forms() -> None:
    old = card.get_status(CardState.SECURED, CommandAPDU(0x80, 0xF2, 0x80, 0x00, b"\x4f\x00"), make_domain())
    assert old.data == b"\x08" + ISD + b"\x0f\x9e"
    for command, sw in (
        (CommandAPDU(0x80, 0xF2, 0x40, 0x02, b"\x4f\x00"), "6A86"),
        (CommandAPDU(0x80, 0xF2, 0x80, 0x02, b"\x4f\x05other"), "6A88"),
    ):
        with pytest.raises(CommandRefused, match=sw):
            card.get_status(CardState.SECURED, command, make_domain())


def test_an_unknown_life_cycle_state_is_malformed() -> None:
    with pytest.raises(DecodeError, match="life cycle"):
        decode_registry_entry(bytes.fromhex("E3084F02A0009F700105"))
    with pytest.raises(DecodeError, match="scheme"):
        decode_card_data(bytes.fromhex("6605730306012A"))
    for text in ("9F7F00", "CF0100"):
        with pytest.raises(DecodeError):
            (decode_cplc if text[0] == "9" else decode_kdd)(bytes.fromhex(text))


@settings(max_examples=examples(150))
@given(st.binary(max_size=90), st.sampled_from([0x9F7F, 0xE0, 0x66, 0xCF, 0xE3, None]))
def test_decoders_raise_only_decode_error(data: bytes, tag: int | None) -> None:
    from eid.codec.tlv import encode_tlv

    raw = data if tag is None else encode_tlv(tag, data)
    decoders: tuple[Callable[[], object], ...] = (
        lambda: decode_cplc(raw),
        lambda: decode_key_information(raw),
        lambda: decode_card_data(raw),
        lambda: decode_kdd(raw),
        lambda: decode_registry_entry(raw),
        lambda: decode_put_key(CommandAPDU(0x80, 0xD8, 0, 0x81, data)),
    )
    for decode in decoders:
        with contextlib.suppress(DecodeError):
            decode()
