"""How the card joins protocols to its memory: orders, keys and counters that protocols themselves do not know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU, decode_response
from eid.codec.oid import encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.lds.files import by_name
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import CardImage, PasswordId
from eid.protocols.chip_authentication.core import find_chip_keys
from eid.protocols.chip_authentication.terminal import run_chip_authentication
from eid.protocols.exchange import through
from eid.protocols.files import read_file, select_application
from eid.protocols.pace.core import Password
from eid.protocols.pace.terminal import run_pace

LDS = bytes.fromhex("A0000002471001")
OTHER = bytes.fromhex("F04549442D01")
PACE = PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 13)
SET_CA = CommandAPDU(0, 0x22, 0x41, 0xA4, encode_tlv(0x80, encode_oid_content("0.4.0.127.0.7.2.2.3.2.2")))


def opened(bench, application: bytes = LDS):
    channel = bench.run(run_pace(PACE, Password(PasswordId.CAN, b"123456"))).secure_messaging
    bench.run(through(channel, select_application(application)))
    return channel


def secure(bench, channel, command: CommandAPDU):
    return channel.unprotect_response(decode_response(bench.card.process(channel.protect_command(command).encode())))


def from_image(bench, image: CardImage, keys):
    bench.card = VirtualCard.from_image(image, serial=b"SPECIMEN01", keys=keys)
    return bench


def test_an_application_without_keys_runs_neither_aa_nor_ca(issued):
    channel = opened(issued, OTHER)
    assert secure(issued, channel, CommandAPDU(0, 0x88, 0, 0, bytes(8), 256)).sw == 0x6A88
    assert secure(issued, channel, SET_CA).sw == 0x6A88


def test_selecting_another_application_drops_chip_authentication(issued):
    channel = opened(issued)
    assert secure(issued, channel, SET_CA).sw == 0x9000
    issued.run(through(channel, select_application(OTHER)))
    assert secure(issued, channel, CommandAPDU(0, 0x86, 0, 0, b"\x7c\x00", 256)).sw == 0x6985


def test_the_protocol_that_was_set_last_counts(issued):
    channel = opened(issued)
    set_pace = CommandAPDU(
        0, 0x22, 0xC1, 0xA4, encode_tlv(0x80, encode_oid_content(PACE.protocol)) + bytes.fromhex("830102")
    )
    assert secure(issued, channel, SET_CA).sw == 0x9000
    assert secure(issued, channel, set_pace).sw == 0x9000
    nonce = secure(issued, channel, CommandAPDU(0x10, 0x86, 0, 0, b"\x7c\x00", 256))
    assert (nonce.sw, nonce.data[:4]) == (0x9000, bytes.fromhex("7c128010"))
    assert secure(issued, channel, SET_CA).sw == 0x9000
    assert secure(issued, channel, CommandAPDU(0, 0x86, 0, 0, b"\x7c\x00", 256)).sw == 0x6A80


def test_pace_again_inside_its_own_session_replaces_it(issued, image):
    first = opened(issued)
    second = issued.run(
        through(first, run_pace(PACE, Password(PasswordId.MRZ, b"L898902C<369080619406236")))
    ).secure_messaging
    issued.run(through(second, read_file(by_name("DG1"))))
    assert issued.card.process(first.protect_command(CommandAPDU(0, 0xB0, 0x81, 0, le=4)).encode()) == b"\x69\x88"


def test_chip_authentication_with_3des_by_kat(issued, image):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

    from eid.lds.security_infos import ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo

    key = load_der_private_key(image.applications[0].keys[1].private_key, None).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    infos = (
        ChipAuthenticationInfo("0.4.0.127.0.7.2.2.3.2.1"),
        ChipAuthenticationPublicKeyInfo("0.4.0.127.0.7.2.2.1.2", spki),
    )
    channel = opened(issued)
    result = issued.run(through(channel, run_chip_authentication(find_chip_keys(infos)[0])))
    assert result.secure_messaging.suite.label == "3DES"
    content = issued.run(through(result.secure_messaging, read_file(by_name("DG2"))))
    assert content == image.applications[0].files[2].content


def test_a_card_without_access_control_proves_itself_in_the_open(issued, image, issuer_keys):
    application = replace(image.applications[0], basic_access_control=False)
    bench = from_image(issued, replace(image, applications=(application,), pace=()), issuer_keys)
    bench.run(select_application(LDS))
    answer = bench.plain("0088000008" + "11" * 8 + "00")
    assert (answer.sw, len(answer.data)) == (0x9000, 64)
    assert bench.plain("0022C1A40F800A04007F0007020204020283010 2".replace(" ", "")).sw == 0x6A81


def test_a_blocked_password_says_so_and_begins_no_run(issued, image, issuer_keys):
    """TR-03110-3 B.14.1: 63C0, which an ID card's terminal takes for "ask for the PUK"."""
    set_pin = "0022C1A40F800A04007F00070202040202830103"
    assert issued.plain(set_pin).sw == 0x9000
    issued.card._card.memory.passwords[PasswordId.PIN].left = 0
    assert issued.plain(set_pin).sw == 0x63C0
    assert issued.plain("10860000027C0000").sw == 0x6985


def test_a_password_blocked_between_nonce_and_token_is_refused(issued):
    exchange = run_pace(PACE, Password(PasswordId.PIN, b"2468"))
    request = next(exchange)
    for _ in range(4):
        request = exchange.send(decode_response(issued.card.process(request.encode())))
    issued.card._card.memory.passwords[PasswordId.PIN].left = 0
    assert decode_response(issued.card.process(request.encode())).sw == 0x6983


def test_a_card_without_mrz_password_runs_no_bac(issued, image, issuer_keys):
    bench = from_image(issued, replace(image, passwords=image.passwords[1:]), issuer_keys)
    bench.run(select_application(LDS))
    assert bench.plain("0084000008").sw == 0x6985


def test_bac_is_over_once_pace_has_opened_the_session(issued):
    channel = opened(issued)
    assert secure(issued, channel, CommandAPDU(0, 0x84, 0, 0, le=8)).sw == 0x6985


def test_sessions_do_not_survive_a_reset(issued):
    channel = opened(issued)
    issued.card.reset()
    assert issued.card.process(channel.protect_command(CommandAPDU(0, 0xB0, 0x81, 0, le=4)).encode()) == b"\x69\x82"


@pytest.mark.parametrize("level_command", ["00B0000000", "00A4040C08A000000151000000", "80CA006600"])
def test_an_unprotected_command_ends_scp03(opened_card, level_command):
    opened_card.plain(level_command)
    assert opened_card.secure_is_closed()


@pytest.fixture(name="opened_card")
def _opened_card(request):
    return request.getfixturevalue("opened")


def test_a_wrong_cryptogram_or_mac_ends_scp03(opened_card):
    sent = bytearray(opened_card.channel.protect_command(CommandAPDU(0x80, 0xF2, 0x80, 0, b"\x4f\0", 256)).encode())
    sent[-3] ^= 1
    assert opened_card.card.process(bytes(sent)) == b"\x69\x82"
    assert opened_card.secure_is_closed()


def test_a_chain_inside_iso_secure_messaging_is_wrapped_link_by_link(issued):
    channel = opened(issued)
    assert secure(issued, channel, CommandAPDU(0x10, 0xA4, 4, 0x0C, OTHER[:3])).sw == 0x9000
    assert secure(issued, channel, CommandAPDU(0x00, 0xA4, 4, 0x0C, OTHER[3:])).sw == 0x9000
    assert secure(issued, channel, CommandAPDU(0, 0xB0, 0x81, 0, le=7)).data == b"anybody"


def test_extended_read_inside_secure_messaging(issued, image):
    channel = opened(issued)
    content = image.applications[0].files[2].content
    answer = secure(issued, channel, CommandAPDU(0, 0xB0, 0x82, 0, le=65536, extended=True))
    assert (answer.data, answer.sw) == (content, 0x9000)
    short = secure(issued, channel, CommandAPDU(0, 0xB0, 0x82, 0, le=256))
    assert (short.data, short.sw) == (content[:223], 0x9000)


@pytest.mark.parametrize("chunk", [256, 4000, 60000])
def test_a_file_longer_than_plain_offsets_reach(issued, image, issuer_keys, chunk: int):
    from eid.protocols.files import FileReader

    content = encode_tlv(0x75, bytes(range(256)) * 180)
    lds = image.applications[0]
    large = replace(lds, files=tuple(replace(f, content=content) if f.name == "DG2" else f for f in lds.files))
    bench = from_image(issued, replace(image, applications=(large,)), issuer_keys)
    channel = opened(bench)
    assert bench.run(through(channel, FileReader(chunk).read(by_name("DG2")))) == content


def test_directories_with_file_identifiers(request):
    bench = request.getfixturevalue("opened")
    bench.put(0xE0, 0, 0, bytes.fromhex("620E 820138 83025015 8405A000000099"))
    bench.put(0xE0, 0, 0, bytes.fromhex("620B 80020004 820101 83020001"))
    for p1, data in (
        (0x00, "3F00"),
        (0x01, "5015"),
        (0x00, "5015"),
        (0x03, ""),
        (0x08, "5015"),
        (0x08, "3F0050150001"),
    ):
        bench.put(0xA4, p1, 0x0C, bytes.fromhex(data))
    assert bench.put(0xB0, 0, 0).data == bytes(4)
    bench.put(0xA4, 0x09, 0x0C, bytes.fromhex("0001"))
    for p1, data, sw in (
        (0x08, "50150002", 0x6A82),
        (0x08, "50160001", 0x6A82),
        (0x09, "00020001", 0x6A82),
        (0x01, "5016", 0x6A82),
    ):
        assert bench.secure(CommandAPDU(0, 0xA4, p1, 0x0C, bytes.fromhex(data))).sw == sw
    assert bench.secure(CommandAPDU(0, 0xE0, 0, 0, bytes.fromhex("620E820138830250158405A000000098"))).sw == 0x6A89
    bench.put(0xA4, 0x04, 0x0C, bytes.fromhex("A000000151000000"))
    for command in (CommandAPDU(0, 0xA4, 2, 0x0C, b"\0\1"), CommandAPDU(0, 0xB0, 0x81, 0, le=4)):
        assert bench.secure(command).sw == 0x6A82
    for ins, data, sw in (
        (0xE0, "620B80020004820101 83020001", 0x6985),
        (0x47, "AC03840101", 0x6985),
        (0x44, "", 0x6A82),
    ):
        p1 = 0x81 if ins == 0x47 else 0
        assert bench.secure(CommandAPDU(0, ins, p1, 0, bytes.fromhex(data))).sw == sw
