"""Junk, class bytes, chaining, GET RESPONSE, extended length; and random walks that must never raise or open a file."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eid.card import VirtualCard
from eid.card.dispatch import COMMANDS
from eid.card.state import decode_state
from eid.codec.apdu import CommandAPDU, decode_response, split_chain
from tests.builders.sweep import examples

LDS = bytes.fromhex("A0000002471001")
INSTRUCTIONS = sorted({ins for _, ins in COMMANDS} | {0xB0, 0xB1, 0xC0, 0x70, 0x20})
ANY_CLASS = st.one_of(st.sampled_from([0x00, 0x80, 0x84, 0x0C, 0x04, 0x10, 0x90, 0x1C]), st.integers(0, 255))
ANY_INS = st.one_of(st.sampled_from(INSTRUCTIONS), st.integers(0, 255))
PIECES = st.sampled_from(
    [
        LDS,
        bytes.fromhex("A000000151000000"),
        b"\x3f\x00",
        b"\x01\x01",
        b"\x01\x0d",
        b"\x54\x01\x00",
        b"\x7c\x00",
        bytes(8),
        bytes(40),
    ]
)
DATA = st.one_of(
    st.just(b""), PIECES, st.binary(max_size=300), st.builds(lambda a, b: a + b, PIECES, st.binary(max_size=20))
)
PARAMETER = st.one_of(
    st.sampled_from([0x00, 0x04, 0x0C, 0x02, 0x81, 0x8D, 0xC1, 0x41, 0xA4, 0xA6, 0x80]), st.integers(0, 255)
)
COMMAND = st.builds(
    lambda cla, ins, p1, p2, data, le: CommandAPDU(cla, ins, p1, p2, data, le).encode(),
    ANY_CLASS, ANY_INS, PARAMETER, PARAMETER, DATA, st.sampled_from([None, 1, 256, 65536]),
)  # fmt: skip
WALK = st.lists(st.one_of(COMMAND, st.binary(max_size=40)), min_size=1, max_size=25)
SECRETS = (b"SPECIMEN<<", b"never read", bytes(range(64)))
quick = settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def status(card: VirtualCard, text: str) -> int:
    return decode_response(card.process(bytes.fromhex(text))).sw


@quick
@given(walk=WALK)
def test_a_random_walk_never_raises_opens_or_writes(issued, walk: list[bytes]):
    card = VirtualCard.from_state(issued.card.state())
    before = decode_state(card.state())
    for raw in walk:
        answer = card.process(raw)
        assert len(answer) >= 2
        assert not [secret for secret in SECRETS if secret in answer]
    after = decode_state(card.state())
    assert (after.master, after.applications, after.passwords) == (before.master, before.applications, before.passwords)
    assert after.life_cycle is before.life_cycle


@quick
@given(walk=WALK)
def test_a_random_walk_on_a_blank_card_writes_nothing(blank, walk: list[bytes]):
    card = VirtualCard.from_state(blank.card.state())
    for raw in walk:
        assert len(card.process(raw)) >= 2
    memory = decode_state(card.state())
    assert (memory.applications, memory.master.files, memory.passwords) == ({}, {}, {})
    assert memory.domain.keys.key_version == 0xFF


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(walk=st.lists(st.tuples(st.sampled_from([0x00, 0x80]), ANY_INS, PARAMETER, PARAMETER, DATA), max_size=15))
def test_a_random_walk_inside_the_channel_never_raises(opened, walk):
    """The issuer's own channel takes anything, too; the state stays one that can be read back."""
    for cla, ins, p1, p2, data in walk:
        if not opened.channel.is_open or (cla, ins, p2) == (0x80, 0xF0, 0xFF):
            continue
        opened.secure(CommandAPDU(cla, ins, p1, p2, data, 256))
    decode_state(opened.card.state())


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("", 0x6700),
        ("00", 0x6700),
        ("00A404", 0x6700),
        ("FFA40400", 0x6E00),
        ("FF", 0x6700),
        ("00A4040005A0", 0x6700),
        ("01A4000C", 0x6881),
        ("43A4000C", 0x6881),
        ("83CA9F7F00", 0x6881),
        ("C0CA9F7F00", 0x6881),
        ("20A4000C", 0x6E00),
        ("A0A4000C", 0x6E00),
        ("08A4000C", 0x6882),
        ("0CA4000C", 0x6982),
        ("04A4000C", 0x6982),
        ("0070000001", 0x6881),
        ("00A5000C", 0x6D00),
        ("80A4000C", 0x6E00),
        ("00A4040C05A000000099", 0x6A82),
        ("00A4040C00", 0x9000),
        ("00A4040C11" + "00" * 17, 0x6A87),
        ("00A4050C023F00", 0x6A86),
        ("00A40001023F00", 0x6A86),
        ("00A4000C013F", 0x6A87),
        ("00A4030C023F00", 0x6A87),
        ("00A4030C", 0x9000),
        ("00A4010C023F00", 0x6A82),
        ("00A4080C023F00", 0x6A82),
        ("00A4080C02011C", 0x9000),
        ("00A4080C043F00011C", 0x9000),
        ("00A4080C0401010101", 0x6A82),
        ("00A4090C02011C", 0x9000),
        ("00A4080C03011C00", 0x6A87),
        ("00A4040C05A000000151", 0x9000),
        ("00A4040C05A000000247", 0x9000),
        ("00C0000000", 0x6D00),
        ("0022C1A400", 0x6A80),
        ("002241B400", 0x6A86),
        ("0086000000", 0x6985),
        ("0084000008", 0x6985),
        ("8050000008" + "00" * 8, 0x6985),
        ("8482330010" + "00" * 16, 0x6985),
        ("80F2800002 4F00", 0x6982),
        ("80F08007", 0x6982),
        ("80CA006600", 0x6985),
    ],
)
def test_status_words(issued, command: str, sw: int):
    assert status(issued.card, command) == sw


def test_fci_and_fcp(issued):
    assert issued.plain("00A4040007A000000247100100").data.hex() == "6f0f8201388407a00000024710018a0105"
    assert issued.plain("00A4000400").data.hex() == "620a82013883023f008a0105"
    expected = "6216800200168201018302011c8801e08a01058c0303ff00"
    assert issued.plain("00A4020402011C00").data.hex() == expected
    assert issued.plain("00A4040008A00000015100000000").data.hex() == "6f118408a000000151000000a5059f6502fde8"


def test_a_chain_is_assembled(issued):
    for link in split_chain(CommandAPDU(0, 0xA4, 4, 0x0C, LDS), 3):
        answer = issued.plain(link.encode().hex())
        assert answer.sw == 0x9000
    assert issued.card._card.session.selection.directory.aid == LDS


@pytest.mark.parametrize("command", ["00B0{sfi:02X}0000", "00B100{n:02X}0354010000", "00B101{n:02X}0354010000"])
def test_a_closed_application_does_not_tell_which_files_it_has(issued, command: str):
    """Doc 9303-11 4.2; by SELECT, by READ BINARY with a short or a long identifier, or by trying to write."""
    assert issued.plain("00A4040C07" + LDS.hex()).sw == 0x9000
    answers = {status(issued.card, command.format(n=n, sfi=0x80 | n)) for n in range(1, 0x1F)}
    assert answers == {0x6982}
    assert {status(issued.card, f"00D6{0x80 | n:02X}000100") for n in range(1, 0x1F)} == {0x6982}


def test_a_broken_chain_is_refused_and_dropped(issued):
    assert issued.plain("10A4040C02A000").sw == 0x9000
    assert issued.plain("00B0000000").sw == 0x6883
    assert issued.plain("00A4000C").sw == 0x9000


def test_a_chain_does_not_grow_without_end(issued):
    link = "10A4040C00FDE8" + "00" * 65000
    assert issued.plain(link).sw == 0x9000
    assert issued.plain(link).sw == 0x6700
    assert issued.plain("00A4000C").sw == 0x9000


def test_get_response(issued):
    issued.plain("00A4020C02011C")
    whole = issued.plain("00A4020402011C00").data
    first = issued.plain("00A4020402011C05")
    assert (len(first.data), first.sw) == (5, 0x6100 | len(whole) - 5)
    second = issued.plain("00C0000005")
    third = issued.plain("00C0000000")
    assert first.data + second.data + third.data == whole
    assert third.sw == 0x9000
    assert issued.plain("00C0000000").sw == 0x6D00


def test_get_response_inside_secure_messaging_is_plain_and_keeps_the_session(issued):
    from eid.lds.security_infos import PACEInfo
    from eid.profile.card_image import PasswordId
    from eid.protocols.exchange import through
    from eid.protocols.files import select_application
    from eid.protocols.pace.core import Password
    from eid.protocols.pace.terminal import run_pace

    channel = issued.run(
        run_pace(PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 13), Password(PasswordId.CAN, b"123456"))
    ).secure_messaging
    issued.run(through(channel, select_application(LDS)))
    protected = channel.protect_command(CommandAPDU(0, 0xB0, 0x82, 0, le=0xF0))
    assert not protected.is_extended
    first = decode_response(issued.card.process(protected.encode()))
    data = first.data
    while first.sw >> 8 == 0x61:
        first = issued.plain("00C0000000")
        data += first.data
    from eid.codec.apdu import ResponseAPDU

    assert len(channel.unprotect_response(ResponseAPDU(data, first.sw)).data) >= 223


def test_a_card_without_extended_length(other_chip):
    card = VirtualCard.blank(
        other_chip(extended_length=False, max_command_data=255, max_response_data=256), serial=bytes(10)
    )
    assert card.process(bytes.fromhex("80CA006600 0000".replace(" ", "")))[-2:] == b"\x67\x00"
    assert status(card, "80CA006600") == 0x9000


def test_explicit_le_past_the_end(issued):
    issued.plain("00A4040C06F04549442D01")
    assert issued.plain("00B0810015").sw == 0x9000
    assert issued.plain("00B0810016").sw == 0x6282
    assert issued.plain("00B0810000").sw == 0x9000
    assert issued.plain("00B08100000100").sw == 0x6282
    assert issued.plain("00B08100000000").sw == 0x9000
    assert issued.plain("00B0811500").sw == 0x6B00
    assert issued.plain("00B1000103540110 00".replace(" ", "")).data == b"\x53\x05 this"
    assert issued.plain("00B1000103540110 05".replace(" ", "")).data == b"\x53\x03 th"
