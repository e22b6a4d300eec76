from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.errors import DecodeError
from eid.mrz import PartialDate, resolve_date_of_birth, resolve_date_of_expiry
from eid.mrz.dates import verify_date

NOW = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("yymmdd", "born"),
    [
        ("261122", "2026-11-22"),
        ("261123", "1926-11-23"),
        ("740812", "1974-08-12"),
        ("8502<<", "1985-02"),
        ("85<<<<", "1985"),
        ("2612<<", "1926-12"),
        ("000229", "2000-02-29"),
    ],
)
def test_a_birth_is_never_in_the_future(yymmdd: str, born: str) -> None:
    resolved = resolve_date_of_birth(yymmdd, NOW)
    assert resolved is not None
    assert resolved.isoformat() == born
    assert resolved.mrz == yymmdd


def test_unknown_year_of_birth_has_no_century() -> None:
    assert resolve_date_of_birth("<<<<<<", NOW) is None


def test_leap_day_skips_centuries_without_it() -> None:
    assert resolve_date_of_birth("000229", date(1999, 1, 1)) == PartialDate(1600, 2, 29)
    with pytest.raises(DecodeError, match="no century"):
        resolve_date_of_birth("990101", date(98, 1, 1))


@pytest.mark.parametrize(
    ("yymmdd", "expires"),
    [
        ("301231", date(2030, 12, 31)),
        ("761122", date(2076, 11, 22)),
        ("770101", date(1977, 1, 1)),
        ("990101", date(1999, 1, 1)),
    ],
)
def test_expiry_takes_the_nearest_century(yymmdd: str, expires: date) -> None:
    assert resolve_date_of_expiry(yymmdd, NOW) == expires


def test_a_century_may_hold_no_such_expiry() -> None:
    with pytest.raises(DecodeError, match="day does not exist"):
        resolve_date_of_expiry("000229", date(2250, 1, 1))


@pytest.mark.parametrize("yymmdd", ["", "1", "85020<", "851301", "850230", "850200", "<<13<<", "٣٣٠١٠١"])
def test_impossible_dates_are_refused(yymmdd: str) -> None:
    with pytest.raises(DecodeError):
        verify_date(yymmdd, whole=False)


def test_an_expiry_is_whole() -> None:
    with pytest.raises(DecodeError, match="unknown parts"):
        verify_date("3001<<", whole=True)


def test_partial_date_properties() -> None:
    month = PartialDate(1984, 2)
    assert (month.precision, month.earliest, month.latest) == ("month", date(1984, 2, 1), date(1984, 2, 29))
    year = PartialDate(1984)
    assert (year.precision, year.earliest, year.latest) == ("year", date(1984, 1, 1), date(1984, 12, 31))
    day = PartialDate(1984, 2, 3)
    assert (day.precision, day.earliest, day.latest) == ("day", date(1984, 2, 3), date(1984, 2, 3))


@pytest.mark.parametrize("parts", [(0,), (10000,), (2000, 13), (2001, 2, 29), (2000, None, 1)])
def test_impossible_partial_dates_are_refused(parts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"year|month|day|date"):
        PartialDate(*parts)


@pytest.mark.parametrize("text", ["", "1985-2", "85", "1985-02-30", "1985-02-01-01", "19850201", "1985-0٢"])
def test_other_texts_are_no_dates(text: str) -> None:
    with pytest.raises(ValueError, match=r"year|month|day|date"):
        PartialDate.fromisoformat(text)


@given(st.dates())
def test_iso_round_trip(value: date) -> None:
    for partial in (
        PartialDate(value.year, value.month, value.day),
        PartialDate(value.year, value.month),
        PartialDate(value.year),
    ):
        assert PartialDate.fromisoformat(partial.isoformat()) == partial
