"""Reading files from cards with and without manners."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.tlv import encode_tlv
from eid.crypto.cipher_suite import CipherSuite
from eid.errors import EidError, PeerProtocolError, StatusWordError
from eid.lds.files import LDS1_AID, ElementaryFile, by_name
from eid.protocols.exchange import drive, through
from eid.protocols.files import FileReader, read_file, select_application, select_master_file
from eid.protocols.secure_messaging import SecureMessaging
from tests.builders.chip import Chip
from tests.builders.exchanges import play
from tests.builders.sweep import examples

DG1, DG2 = by_name("DG1"), by_name("DG2")


def content(length: int, tag: int = 0x75) -> bytes:
    body = bytes(index * 7 & 0xFF for index in range(length))
    return encode_tlv(tag, body)


def chip(raw: bytes, **switches: object) -> Chip:
    card = Chip({"DG2": raw}, open_access=True, **switches)  # type: ignore[arg-type]  # by name, as the caller has them
    drive(select_application(LDS1_AID), card)
    card.commands.clear()
    return card


@pytest.mark.parametrize("length", [0, 1, 2, 100, 127, 128, 252, 255, 256, 300, 5000, 32760, 32768, 40000, 70000])
@pytest.mark.parametrize("chunk", [223, 256, 4096, 65536])
def test_whole_file(length: int, chunk: int) -> None:
    raw = content(length)
    assert drive(read_file(DG2, chunk), chip(raw)) == raw


def test_commands_are_few_and_exact() -> None:
    card = chip(content(600))
    drive(read_file(DG2, 256), card)
    sent = [command.encode().hex().upper() for command in card.commands]
    assert sent == ["00B0820004", "00B0000400", "00B0010400", "00B0020458"]
    card = chip(content(600))
    drive(read_file(DG2, 65536), card)
    assert [c.encode().hex().upper() for c in card.commands] == ["00B0820004", "00B00004000258"]


def test_select_instead_of_short_identifier() -> None:
    card = chip(content(10))
    drive(read_file(DG2, by_sfi=False), card)
    assert [c.encode().hex().upper() for c in card.commands] == ["00A4020C020102", "00B0000004", "00B0000408"]


def test_card_without_short_identifiers() -> None:
    raw = content(10)
    assert drive(read_file(DG2), chip(raw, sfi_supported=False)) == raw


def test_file_behind_32_kib_uses_the_odd_instruction() -> None:
    card = chip(content(40000))
    drive(read_file(DG2, 20000), card)
    assert [command.ins for command in card.commands] == [0xB0, 0xB0, 0xB0]
    drive(read_file(DG2, 16384), card)
    last = card.commands[-1]
    assert (last.ins, last.p1, last.p2) == (0xB1, 0x00, 0x00)
    assert last.data == bytes.fromhex("54028004")  # 4 + 2 * 16384


@pytest.mark.parametrize("limit", [32, 160, 192, 223])
@pytest.mark.parametrize("too_much", [None, 0x6700, 0x6B00])
def test_greatest_piece_is_learned(limit: int, too_much: int | None) -> None:
    raw = content(3000)
    card = chip(raw, max_le=limit, too_much=too_much)
    reader = FileReader(256)
    assert drive(reader.read(DG2), card) == raw
    if too_much is not None:
        assert reader.chunk <= limit
        card.commands.clear()
        drive(reader.read(DG2), card)
        assert all((command.le or 0) <= limit for command in card.commands)


def test_6cxx_says_what_fits() -> None:
    raw = content(400)

    def hook(command: CommandAPDU) -> ResponseAPDU | None:
        return ResponseAPDU(sw=0x6CC0) if command.ins == 0xB0 and (command.le or 0) > 0xC0 else None

    card = chip(raw, hook=hook)
    reader = FileReader(256)
    assert drive(reader.read(DG2), card) == raw
    assert reader.chunk == 0xC0


def test_end_of_file_with_data_is_taken() -> None:
    head, rest = bytes.fromhex("61025F1F"), b""
    assert play(read_file(DG1), [head + b"\x62\x82"])[0] == head + rest
    result, _ = play(read_file(DG1), [bytes.fromhex("61045F1F") + b"\x90\x00", b"\xaa\xbb\x62\x82"])
    assert result == bytes.fromhex("61045F1FAABB")


def test_excess_octets_are_trimmed() -> None:
    assert play(read_file(DG1), [bytes.fromhex("6101FFEE") + b"\x90\x00"])[0] == bytes.fromhex("6101FF")
    result, _ = play(read_file(DG1), [bytes.fromhex("61040102") + b"\x90\x00", bytes.fromhex("0304AAAA9000")])
    assert result == bytes.fromhex("610401020304")


@pytest.mark.parametrize("sw", [0x6982, 0x6A82, 0x6283])
def test_refused_file(sw: int) -> None:
    replies = [sw.to_bytes(2, "big")] * (2 if sw == 0x6A82 else 1)
    with pytest.raises(StatusWordError) as caught:
        play(read_file(DG2), replies)
    assert caught.value.sw == sw


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param(["9000"], id="nothing"),
        pytest.param(["61809000", "009000", "009000", "009000", "009000", "009000", "009000"], id="indefinite"),
        pytest.param(["750100009000"], id="another tag"),
        pytest.param(["6184FFFFFFFF9000", "FF9000", "FF9000"], id="huge"),
        pytest.param(["618410009000", "009000", "009000"], id="over a megabyte"),
        pytest.param(["61100000 9000", "9000"], id="cut"),
        pytest.param(["61100000 9000", "6282"], id="cut with warning"),
    ],
)
def test_answers_that_are_no_file(replies: list[str]) -> None:
    with pytest.raises((PeerProtocolError, StatusWordError)):
        play(read_file(DG1), [bytes.fromhex(reply) for reply in replies], exhaust=False)


@pytest.mark.parametrize("answer", ["", "61", "54020000", "5304AABB"])
def test_odd_read_without_its_data_object(answer: str) -> None:
    head = bytes.fromhex("7582FFF0")
    first = head + bytes(0x8000 - 4)
    replies = [head + b"\x90\x00", first[4:] + b"\x90\x00", bytes.fromhex(answer) + b"\x90\x00"]
    with pytest.raises(PeerProtocolError):
        play(read_file(DG2, 0x8000 - 4), replies)


def test_card_that_refuses_every_length() -> None:
    with pytest.raises(StatusWordError) as caught:
        drive(read_file(DG2), chip(content(3000), hook=lambda c: ResponseAPDU(sw=0x6700) if c.le != 4 else None))
    assert caught.value.sw == 0x6700


def test_master_file_may_refuse_to_be_selected() -> None:
    assert play(select_master_file(), [b"\x90\x00"])[0] is True
    result, sent = play(select_master_file(), [b"\x6a\x86", b"\x6a\x81"])
    assert result is False
    assert sent == [bytes.fromhex("00A4000C023F00"), bytes.fromhex("00A4000C")]
    assert play(select_master_file(), [b"\x6a\x86", b"\x90\x00"])[0] is True


def test_application_that_is_not_there() -> None:
    with pytest.raises(StatusWordError, match="SELECT application answered 6A82"):
        drive(select_application(b"\xa0\x00"), chip(content(1)))


def test_file_without_a_tag_of_its_own() -> None:
    raw = encode_tlv(0x42, b"x")
    assert play(read_file(ElementaryFile("EF", 0x1, 1, None)), [raw + b"\x90\x00"])[0] == raw


@pytest.mark.parametrize("suite", list(CipherSuite))
@pytest.mark.parametrize("wire", [256, 4096])
def test_under_secure_messaging_pieces_fit_the_wire(suite: CipherSuite, wire: int) -> None:
    raw = content(40000)
    card = chip(raw)
    key = bytes(range(suite.key_length))
    card.session, terminal = SecureMessaging(suite, key, key), SecureMessaging(suite, key, key)
    reader = FileReader(terminal.max_response_data(wire))
    assert drive(through(terminal, reader.read(DG2)), card) == raw
    assert max(len(response.data) for response in card.responses) <= wire


@settings(max_examples=examples(100), deadline=None)
@given(replies=st.lists(st.binary(min_size=2, max_size=40), max_size=5))
def test_arbitrary_answers(replies: list[bytes]) -> None:
    try:
        play(read_file(DG1), [*replies, *[b"\x6f\x00"] * 3], exhaust=False)
    except EidError:
        pass
