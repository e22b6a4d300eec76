"""Stamps: 16 digits, typed in any script; the check digit; nothing of them shows."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.enrolment.stamp import StampDigits, compute_check_digit, draw_stamp, parse_stamp
from eid.errors import RecordError

LENGTH = 16
DIGITS = st.text("0123456789", min_size=LENGTH, max_size=LENGTH)
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def test_check_digit_of_the_standards_example() -> None:
    assert compute_check_digit("0794") == "5"  # ISO/IEC 7064, example of MOD 11,10


@given(st.text("0123456789", min_size=15, max_size=15), st.integers(0, 14), st.integers(1, 9))
def test_the_check_digit_finds_every_wrong_digit(payload: str, place: int, step: int) -> None:
    wrong = str((int(payload[place]) + step) % 10)
    assert compute_check_digit(payload[:place] + wrong + payload[place + 1 :]) != compute_check_digit(payload)


@pytest.mark.parametrize("scheme", ["opaque16", "checked16"])
def test_drawn_stamps_are_read_back(scheme: str) -> None:
    for _ in range(50):
        stamp = draw_stamp(scheme)
        assert parse_stamp(stamp.digits, scheme) == stamp
        assert len(stamp.digits) == LENGTH
        assert stamp.digits.isdigit()


def test_digits_are_drawn_evenly() -> None:
    counted = Counter("".join(draw_stamp().digits for _ in range(2000)))
    assert set(counted) == set("0123456789")
    assert all(2800 < count < 3600 for count in counted.values())
    assert draw_stamp(random=lambda size: bytes([255, 250, 7] * size)[: size * 3]).digits == "7" * 16


@given(DIGITS)
def test_every_way_to_type_it(digits: str) -> None:
    groups = [digits[start : start + 4] for start in range(0, LENGTH, 4)]
    for typed in (digits, " ".join(groups), "-".join(groups), f"  {digits}\n", digits.translate(ARABIC_INDIC)):
        assert parse_stamp(typed).digits == digits


@pytest.mark.parametrize(
    "typed", ["", "123", "1" * 15, "1" * 17, "1" * 15 + "x", "1" * 15 + "²", "1,2" + "1" * 14, "1" * 1000, "٣" * 17]
)
def test_what_is_no_stamp_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(RecordError) as refused:
        parse_stamp(typed)
    assert typed == "" or typed not in str(refused.value)


def test_a_slip_is_told_where_there_is_a_check_digit() -> None:
    good = draw_stamp("checked16").digits
    slip = good[:3] + str((int(good[3]) + 1) % 10) + good[4:]
    with pytest.raises(RecordError, match="check digit"):
        parse_stamp(slip, "checked16")
    assert parse_stamp(slip).digits == slip


def test_nothing_of_it_shows() -> None:
    stamp = StampDigits("1234567890123456")
    assert "1234" not in repr(stamp)
    assert stamp.last_four == "3456"
    assert stamp.tag(b"k" * 32) != stamp.tag(b"l" * 32) != StampDigits("1234567890123457").tag(b"l" * 32)
    assert len(stamp.tag(b"k" * 32)) == 32
