"""The law of issuing, seen from the card: what the APDUs write is what the image says."""

from __future__ import annotations

import pytest

from eid.card import LifeCycle, VirtualCard
from eid.card.fcp import FileParameters
from eid.codec.apdu import CommandAPDU
from eid.codec.tlv import decode_tlv, encode_tlv, require_tlv
from eid.crypto.curves import curve_by_oid
from eid.crypto.points import decode_point
from eid.errors import StatusWordError
from eid.profile.card_image import AccessCondition, CardImage
from eid.protocols.globalplatform.messages import CardState
from eid.protocols.globalplatform.terminal import set_status
from eid.protocols.scp03.key_set import StaticKeySet

FILE = FileParameters(0x0101, 10, 1, AccessCondition.BAC_OR_PACE, AccessCondition.NEVER).encode()
APPLICATION = bytes.fromhex("6212 820138 8405A000000099 8A0101 A503800101")
EC_ORDER = encode_tlv(
    0xAC, bytes.fromhex("800111 840101") + encode_tlv(0x06, bytes.fromhex("2A8648CE3D030107")) + bytes.fromhex("820103")
)


def test_state_after_personalisation_is_the_state_from_the_image(opened, image: CardImage, issuer_keys: StaticKeySet):
    opened.write(image)
    assert opened.card.life_cycle is LifeCycle.PERSONALISATION
    opened.lock()
    assert opened.card.life_cycle is LifeCycle.OPERATIONAL
    booted = VirtualCard.from_image(image, serial=b"SPECIMEN01", keys=issuer_keys, sequence=1)
    assert opened.card.state() == booted.state()


def test_factory_keys_must_go_first(blank):
    from eid.protocols.scp03.key_set import default_key_set

    blank.open(default_key_set())
    for command in (CommandAPDU(0x80, 0xF0, 0x80, 0x07), CommandAPDU(0x00, 0xE0, 0, 0, FILE)):
        assert blank.secure(command).sw == 0x6985
    assert blank.card.life_cycle is LifeCycle.BLANK


def test_generated_key_is_on_the_curve_and_can_be_read_again(opened):
    opened.put(0xE0, 0, 0, APPLICATION)
    answer = opened.put(0x47, 0x80, 0x00, EC_ORDER).data
    point = require_tlv(decode_tlv(answer, 0x7F49).children(), 0x86).value
    curve = curve_by_oid("1.2.840.10045.3.1.7")
    assert curve is not None
    decode_point(curve, point)
    assert opened.put(0x47, 0x81, 0x00, bytes.fromhex("AC03840101")).data == answer
    assert opened.secure(CommandAPDU(0, 0x47, 0x81, 0, bytes.fromhex("AC03840102"))).sw == 0x6A88
    assert opened.put(0x47, 0x80, 0x00, EC_ORDER).data != answer  # a new one under the same reference


def test_rsa_key_is_generated(opened):
    opened.put(0xE0, 0, 0, APPLICATION)
    answer = opened.secure(CommandAPDU(0, 0x47, 0x80, 0, bytes.fromhex("AC0A800112840103 81020400"), 65536)).data
    modulus = require_tlv(decode_tlv(answer, 0x7F49).children(), 0x81).value
    assert int.from_bytes(modulus, "big").bit_length() == 1024


@pytest.mark.parametrize(
    ("order", "sw"),
    [
        ("AC00", 0x6A80),
        ("AC03800111", 0x6A80),
        ("AC0B800111840101 06032B8104", 0x6A81),
        ("AC06800199840101", 0x6A81),
        ("AC0A800112840103 81020401", 0x6A81),
        ("AC06800111840120", 0x6A80),
        ("AD00", 0x6A80),
    ],
)
def test_a_wrong_key_order_is_refused(opened, order: str, sw: int):
    opened.put(0xE0, 0, 0, APPLICATION)
    assert opened.secure(CommandAPDU(0, 0x47, 0x80, 0, bytes.fromhex(order))).sw == sw


def test_files_are_written_by_every_way(opened):
    opened.put(0xE0, 0, 0, APPLICATION)
    opened.put(0xE0, 0, 0, FILE)
    opened.put(0xD6, 0x00, 0x02, b"ab")
    opened.put(0xD6, 0x81, 0x04, b"cd")
    for reference in ((0, 0), (0, 1), (1, 1)):
        opened.put(0xD7, *reference, bytes.fromhex("540106 53026566"))
    assert opened.put(0xB0, 0x00, 0x00).data == b"\0\0abcdef\0\0"
    assert opened.put(0xB1, 0x00, 0x01, bytes.fromhex("540102")).data == b"\x53\x08abcdef\0\0"
    for command, sw in (
        ((0xD6, 0x00, 0x0B, b"x"), 0x6B00),
        ((0xD6, 0x00, 0x09, b"xy"), 0x6A84),
        ((0xD6, 0x82, 0x00, b"x"), 0x6A82),
        ((0xD6, 0xC1, 0x00, b"x"), 0x6A86),
        ((0xD6, 0x00, 0x00, b""), 0x6700),
        ((0xD7, 0x00, 0x00, b"x"), 0x6A80),
        ((0xD7, 0x00, 0x00, bytes.fromhex("5401005301")), 0x6A80),
        ((0xB0, 0x00, 0x0A, b""), 0x6B00),
        ((0xB1, 0x00, 0x00, bytes.fromhex("54010A")), 0x6B00),
        ((0xB1, 0x00, 0x00, b""), 0x6A80),
        ((0xB1, 0x0A, 0x0A, bytes.fromhex("540100")), 0x6A82),
    ):
        ins, p1, p2, data = command
        assert opened.secure(CommandAPDU(0, ins, p1, p2, data, 256)).sw == sw, command


def test_create_file_refuses_what_cannot_be(opened):
    opened.put(0xE0, 0, 0, APPLICATION)
    opened.put(0xE0, 0, 0, FILE)
    for fcp, sw in (
        (FILE, 0x6A89),
        (FileParameters(0x0102, 10, 1, AccessCondition.ALWAYS, AccessCondition.ALWAYS).encode(), 0x6A89),
        (APPLICATION, 0x6A8A),
        (FileParameters(0x0103, 1 << 21, None, AccessCondition.PACE, AccessCondition.NEVER).encode(), 0x6A84),
        (bytes.fromhex("6200"), 0x6A80),
        (bytes.fromhex("630482013880"), 0x6A80),
        (bytes.fromhex("6203820102"), 0x6A80),
    ):
        assert opened.secure(CommandAPDU(0, 0xE0, 0, 0, fcp)).sw == sw, fcp.hex()
    assert opened.secure(CommandAPDU(0, 0xE0, 0, 1, FILE)).sw == 0x6A86


def test_an_activated_application_is_final(opened):
    opened.put(0xE0, 0, 0, APPLICATION)
    opened.put(0xE0, 0, 0, FILE)
    opened.put(0x44, 0, 0)
    for command in (
        CommandAPDU(0, 0xD6, 0, 0, b"x"),
        CommandAPDU(0, 0xE0, 0, 0, FILE),
        CommandAPDU(0, 0x44, 0, 0),
        CommandAPDU(0, 0x47, 0x80, 0, EC_ORDER),
    ):
        assert opened.secure(command).sw == 0x6985
    assert opened.secure(CommandAPDU(0, 0x44, 4, 0, b"\xa0\0\0\0\0\0")).sw == 0x6A82
    assert opened.secure(CommandAPDU(0, 0x44, 4, 0)).sw == 0x6A86


def test_the_lock_waits_for_every_application(opened):
    opened.put(0xE0, 0, 0, APPLICATION)
    with pytest.raises(StatusWordError, match="6985"):
        opened.managed(set_status(CardState.SECURED))
    opened.put(0x44, 0, 0)
    opened.managed(set_status(CardState.SECURED))


@pytest.mark.parametrize(
    ("p1", "p2", "data", "sw"),
    [
        (0, 1, b"x", 0x6A86),
        (1, 9, b"x", 0x6A88),
        (1, 1, b"", 0x6700),
        (1, 1, b"\xff", 0x6700),
        (1, 1, b"x" * 128, 0x6700),
    ],
)
def test_passwords_have_a_form(opened, p1: int, p2: int, data: bytes, sw: int):
    assert opened.secure(CommandAPDU(0, 0x24, p1, p2, data)).sw == sw


@pytest.mark.parametrize(
    ("data", "sw"),
    [
        ("FF2206830102800103", 0x6A88),
        ("FF2103310100", 0x6A80),
        ("FF2403310100", 0x6A88),
        ("FF2105 3003060100", 0x6A80),
        ("7F4800", 0x6985),
        ("", 0x6A80),
    ],
)
def test_put_data_refuses_what_it_does_not_know(opened, data: str, sw: int):
    opened.put(0xA4, 0, 0x0C)
    assert opened.secure(CommandAPDU(0, 0xDB, 0x3F, 0xFF, bytes.fromhex(data))).sw == sw
    assert opened.secure(CommandAPDU(0, 0xDB, 0, 0, bytes.fromhex(data))).sw == 0x6A86


WRITING = (
    CommandAPDU(0, 0xE0, 0, 0, FILE),
    CommandAPDU(0, 0x44, 0, 0),
    CommandAPDU(0, 0x24, 1, 2, b"123456"),
    CommandAPDU(0, 0x47, 0x80, 0, EC_ORDER),
    CommandAPDU(0, 0xDB, 0x3F, 0xFF, bytes.fromhex("FF2100")),
    CommandAPDU(0x80, 0xD8, 1, 0x81, bytes(60)),
)


def test_nothing_is_written_outside_the_channel(opened):
    before = opened.card.state()
    for command in WRITING:
        assert opened.plain(command.encode().hex()).sw == 0x6982
        assert opened.secure_is_closed()
    assert opened.card.state() == before


@pytest.mark.parametrize("inside", [False, True])
def test_nothing_is_written_after_the_lock(issued, issuer_keys: StaticKeySet, *, inside: bool):
    if inside:
        issued.open(issuer_keys)
        issued.put(0xA4, 4, 0x0C, bytes.fromhex("A0000002471001"))
    before = issued.card.state()
    for command in (*WRITING, CommandAPDU(0, 0xD6, 0x81, 0, b"x"), CommandAPDU(0, 0xD7, 0, 1, b"\x54\0\x53\1x")):
        sw = issued.secure(command).sw if inside else issued.plain(command.encode().hex()).sw
        assert sw in (0x6985, 0x6982, 0x6A82), f"{command.ins:02X} {sw:04X}"
    assert issued.card.state() == before
