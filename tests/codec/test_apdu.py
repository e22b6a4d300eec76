from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command, decode_response, split_chain
from eid.errors import DecodeError

BYTE = st.integers(0, 255)
COMMANDS = st.builds(
    CommandAPDU,
    cla=st.integers(0, 254),
    ins=BYTE,
    p1=BYTE,
    p2=BYTE,
    data=st.binary(max_size=600),
    le=st.none() | st.integers(1, 65536),
    extended=st.booleans(),
)


@pytest.mark.parametrize(
    ("text", "data", "le", "extended"),
    [
        ("00a40000", "", None, False),  # case 1
        ("00b0000000", "", 256, False),  # case 2S
        ("0084000008", "", 8, False),
        ("00a4020c02011e", "011e", None, False),  # case 3S, SELECT EF.COM of Doc 9303-11 D.4
        ("00a4040c07a000000247100100", "a0000002471001", 256, False),  # case 4S
        ("00b00000000000", "", 65536, True),  # case 2E
        ("00b00000000100", "", 256, True),
        ("00d600000000020102", "0102", None, True),  # case 3E
        ("002a0000000001ff0000", "ff", 65536, True),  # case 4E
        ("002a0000000001ff1234", "ff", 0x1234, True),
    ],
)
def test_all_cases_of_iso_7816_4(text: str, data: str, le: int | None, extended: bool) -> None:
    raw = bytes.fromhex(text)
    command = decode_command(raw)
    assert (command.header, command.data.hex(), command.le) == (raw[:4], data, le)
    assert command.is_extended is extended
    assert command.encode() == raw


@given(COMMANDS)
def test_round_trip(command: CommandAPDU) -> None:
    decoded = decode_command(command.encode())
    assert (decoded.header, decoded.data, decoded.le) == (command.header, command.data, command.le)
    assert decoded.encode() == command.encode()


def test_extremes_of_extended_length() -> None:
    command = CommandAPDU(0, 0xD6, 0, 0, bytes(65535), 65536)
    raw = command.encode()
    assert raw[4:7] == b"\x00\xff\xff"
    assert raw[-2:] == b"\x00\x00"
    assert decode_command(raw).le == 65536
    for wrong in (
        CommandAPDU(0, 0, 0, 0, bytes(65536)),
        CommandAPDU(0, 0, 0, 0, le=0),
        CommandAPDU(0, 0, 0, 0, le=65537),
    ):
        with pytest.raises(ValueError, match=r"over 65535|not in 1..65536"):
            wrong.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00a400",
        "ffa40000",
        "00a400000211",
        "00a4000002112233aa",
        "00a400000000",
        "00a40000000000ff",
        "00a400000000020102ff",
    ],
)
def test_lengths_that_do_not_fit(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_command(bytes.fromhex(text))


@given(st.binary(max_size=300))
def test_any_octets_are_a_command_or_refused(raw: bytes) -> None:
    try:
        command = decode_command(raw)
    except DecodeError:
        return
    assert command.encode() == raw


@given(st.binary(max_size=300))
def test_any_octets_are_a_response_or_refused(raw: bytes) -> None:
    try:
        response = decode_response(raw)
    except DecodeError:
        assert len(raw) < 2
        return
    assert response.encode() == raw


def test_response_says_what_it_means() -> None:
    assert decode_response(bytes.fromhex("aabb6a82")) == ResponseAPDU(b"\xaa\xbb", 0x6A82)
    assert ResponseAPDU(sw=0x6A82).meaning == "file not found"


def test_data_stays_out_of_the_text() -> None:
    assert "secret" not in repr(CommandAPDU(0, 0, 0, 0, b"secret")) + repr(ResponseAPDU(b"secret"))


@given(st.binary(max_size=1200), st.integers(1, 255))
def test_chain_carries_the_data_in_order(data: bytes, size: int) -> None:
    links = list(split_chain(CommandAPDU(0x0C, 0x86, 0, 0, data, 256), size))
    assert b"".join(link.data for link in links) == data
    assert [link.is_chained for link in links] == [True] * (len(links) - 1) + [False]
    assert all(len(link.data) <= size for link in links)
    assert [link.le for link in links] == [None] * (len(links) - 1) + [256]


def test_chain_needs_room() -> None:
    with pytest.raises(ValueError, match="one octet or more"):
        list(split_chain(CommandAPDU(0, 0, 0, 0, b"x"), 0))
