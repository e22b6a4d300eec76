from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec.atr import decode_atr
from eid.errors import DecodeError


def test_contactless_card_as_pcsc_makes_it_up():
    """PC/SC part 3, 3.1.3.2.3: 3B 8n 80 01, historical bytes, TCK; here a MIFARE Classic 1K (part 3, appendix)."""
    raw = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
    atr = decode_atr(raw)
    assert atr.raw == raw
    assert atr.convention == "direct"
    assert atr.interface_bytes == (("TD1", 0x80), ("TD2", 0x01))
    assert atr.protocols == (0, 1)
    assert atr.historical_bytes == bytes.fromhex("804F0CA00000030603000100000000")
    assert atr.check == 0x6A


def test_t0_alone_has_no_check_octet():
    atr = decode_atr(bytes.fromhex("3B020102"))
    assert (atr.protocols, atr.interface_bytes, atr.check) == ((0,), (), None)
    assert atr.historical_bytes == b"\x01\x02"


def test_t0_named_by_td1_alone_has_no_check_octet():
    assert decode_atr(bytes.fromhex("3B8000")).protocols == (0,)


def test_all_interface_bytes_and_t1():
    body = bytes.fromhex("F1" "11" "22" "33" "91" "44" "71" "FE" "45" "00" "AA")  # fmt: skip
    check = 0
    for octet in body:
        check ^= octet
    atr = decode_atr(b"\x3b" + body + bytes((check,)))
    names = ["TA1", "TB1", "TC1", "TD1", "TA2", "TD2", "TA3", "TB3", "TC3"]
    assert [name for name, _ in atr.interface_bytes] == names
    assert (atr.protocols, atr.historical_bytes) == ((1,), b"\xaa")


def test_global_interface_bytes_are_no_protocol():
    body = bytes.fromhex("80801FC7")  # T=0, then T=15 with TA3
    check = 0
    for octet in body:
        check ^= octet
    assert decode_atr(b"\x3b" + body + bytes((check,))).protocols == (0,)


def test_inverse_convention():
    assert decode_atr(bytes.fromhex("3F00")).convention == "inverse"


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ("", "ATR of 0 octets"),
        ("3B", "ATR of 1 octets"),
        ("3B" + "00" * 33, "ATR of 34 octets"),
        ("3C00", "begins with 3C"),
        ("3B10", "interface bytes of the ATR are cut"),
        ("3B8080", "interface bytes of the ATR are cut"),
        ("3B0201", "historical bytes of the ATR are cut"),
        ("3B8001", "check octet"),
        ("3B800180", "check octet of the ATR is wrong"),
        ("3B80018100", "goes on"),
        ("3B02010200", "goes on"),
    ],
)
def test_malformed(raw, what):
    with pytest.raises(DecodeError, match=what):
        decode_atr(bytes.fromhex(raw))


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=32).map(lambda tail: b"\x3b" + tail)))
def test_any_octets(raw):
    try:
        atr = decode_atr(raw)
    except DecodeError:
        return
    assert atr.historical_bytes in raw
    assert atr.protocols
