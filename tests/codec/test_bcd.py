from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec.bcd import decode_packed_bcd, decode_unpacked_bcd, encode_packed_bcd, encode_unpacked_bcd
from eid.errors import DecodeError

DIGITS = st.text("0123456789", max_size=20)


def test_packed_date_of_doc_9303() -> None:
    assert encode_packed_bcd("19640812") == bytes.fromhex("19640812")
    assert decode_packed_bcd(bytes.fromhex("19640812")) == "19640812"


def test_unpacked_date_of_a_cv_certificate() -> None:
    assert encode_unpacked_bcd("100930") == bytes.fromhex("010000090300")
    assert decode_unpacked_bcd(bytes.fromhex("010000090300")) == "100930"


@given(DIGITS)
def test_round_trips(digits: str) -> None:
    assert decode_unpacked_bcd(encode_unpacked_bcd(digits or "0")) == (digits or "0")
    even = digits[: len(digits) // 2 * 2] or "00"
    assert decode_packed_bcd(encode_packed_bcd(even)) == even


@given(st.binary(max_size=12))
def test_any_octets_are_digits_or_refused(raw: bytes) -> None:
    for decode in (decode_packed_bcd, decode_unpacked_bcd):
        try:
            assert decode(raw) == "" or decode(raw).isdecimal()
        except DecodeError:
            continue


@pytest.mark.parametrize("digits", ["1", "12a4", "１２"])
def test_packed_takes_pairs_of_decimal_digits(digits: str) -> None:
    with pytest.raises(ValueError, match="decimal digits"):
        encode_packed_bcd(digits)


@pytest.mark.parametrize("digits", ["", "x", "١"])
def test_unpacked_takes_decimal_digits(digits: str) -> None:
    with pytest.raises(ValueError, match="decimal digits"):
        encode_unpacked_bcd(digits)


def test_values_over_nine_are_refused() -> None:
    with pytest.raises(DecodeError, match="nibble"):
        decode_packed_bcd(b"\x1a")
    with pytest.raises(DecodeError, match="octet over 9"):
        decode_unpacked_bcd(b"\x0a")
