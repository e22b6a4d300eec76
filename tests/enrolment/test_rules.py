"""The rules of the Morocco model, asked with dates; faulty rules are refused by name."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.enrolment.rules import add_years, age_on, decode_rules, load_rules
from eid.errors import DecodeError, RecordError, StoreError

RULES = load_rules("morocco").rules
RAW = (files("eid.enrolment") / "rules" / "morocco.toml").read_bytes()
TODAY = date(2026, 11, 22)
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(2014, 11, 22), TODAY, 12),
        (date(2014, 11, 23), TODAY, 11),
        (date(2012, 2, 29), date(2024, 2, 28), 11),
        (date(2012, 2, 29), date(2024, 2, 29), 12),
        (date(2012, 2, 29), date(2023, 2, 28), 10),
        (date(2012, 2, 29), date(2023, 3, 1), 11),
    ],
)
def test_age_in_full_years(born: date, day: date, age: int) -> None:
    assert age_on(born, day) == age


@given(DAYS, st.integers(0, 120))
def test_an_age_is_reached_on_its_birthday_and_not_before(born: date, years: int) -> None:
    birthday = add_years(born, years)
    assert age_on(born, birthday) == years
    assert age_on(born, birthday - timedelta(days=1)) == years - 1


@pytest.mark.parametrize(
    ("born", "last"),
    [
        (date(1990, 5, 17), date(2036, 11, 21)),  # ten years
        (date(2014, 11, 22), date(2036, 11, 21)),  # twelve years old today
        (date(2014, 11, 23), date(2026, 11, 22)),  # twelve tomorrow: for a day
        (date(2024, 1, 1), date(2033, 11, 21)),  # seven years
        (date(2016, 3, 1), date(2028, 2, 29)),  # not beyond the twelfth birthday
    ],
)
def test_last_valid_day(born: date, last: date) -> None:
    assert RULES.last_valid_day(born, TODAY) == last


@given(st.dates(date(1930, 1, 1), TODAY))
def test_no_card_outlives_its_rule(born: date) -> None:
    last = RULES.last_valid_day(born, TODAY)
    assert TODAY <= last < add_years(TODAY, 10)
    if age_on(born, TODAY) < 12:
        assert last < add_years(born, 12)
        assert last < add_years(TODAY, 7)


def test_fingerprints_and_guardians_by_age() -> None:
    assert not RULES.needs_fingerprints(date(2014, 11, 23), TODAY)
    assert RULES.needs_fingerprints(date(2014, 11, 22), TODAY)
    assert RULES.needs_guardian(date(2008, 11, 23), TODAY)
    assert not RULES.needs_guardian(date(2008, 11, 22), TODAY)


@pytest.mark.parametrize(
    ("service", "born", "day", "amount"),
    [
        ("card", date(1990, 1, 1), TODAY, 75),
        ("card", date(2020, 1, 1), TODAY, 50),
        ("passport", date(1990, 1, 1), date(2017, 12, 31), 300),
        ("passport", date(1990, 1, 1), date(2018, 1, 1), 500),
        ("criminal-record", date(1990, 1, 1), TODAY, 30),
    ],
)
def test_fees_by_service_age_and_day(service: str, born: date, day: date, amount: int) -> None:
    assert RULES.fee(service, born, day) == amount


def test_a_fee_by_age_on_the_day_that_few_years_have() -> None:
    """Of somebody of an age no date of birth is made up: 29 February has none in most years."""
    old, new = (b"below_age = %d\namount = 50" % age for age in (12, 15))
    rules = decode_rules(RAW.replace(old, new))
    assert [rules.fee_row("card", age, date(2028, 2, 29)).amount for age in (14, 15, 16)] == [50, 75, 75]


def test_the_last_day_of_a_card_of_the_day_that_few_years_have() -> None:
    """And of a child born on it: eleven years old until the eve of the birthday, on which the next rule begins."""
    assert RULES.last_valid_day(date(1990, 1, 1), date(2028, 2, 29)) == date(2038, 2, 28)
    assert RULES.last_valid_day(date(2028, 2, 29), date(2034, 6, 1)) == date(2040, 2, 28)
    assert [age_on(date(2028, 2, 29), date(2040, 2, day)) for day in (28, 29)] == [11, 12]
    assert [age_on(date(2028, 2, 29), date(2046, month, day)) for month, day in ((2, 28), (3, 1))] == [17, 18]


def test_what_the_rules_do_not_know_is_refused() -> None:
    with pytest.raises(RecordError, match="no fee of card"):
        RULES.fee("card", date(1990, 1, 1), date(2000, 1, 1))
    with pytest.raises(RecordError, match="no fee of visa"):
        RULES.fee("visa", date(1990, 1, 1), TODAY)
    with pytest.raises(RecordError, match="reason"):
        RULES.find_reason("whim")
    with pytest.raises(RecordError, match="paper"):
        RULES.find_paper("poem")


def test_papers_depend_on_reason_place_and_age() -> None:
    assert RULES.papers_for("first", abroad=False, minor=False) == (
        "birth-record",
        "photograph",
        "residence-certificate",
    )
    assert RULES.papers_for("first", abroad=True, minor=True) == (
        "birth-record",
        "photograph",
        "consular-registration",
        "guardian-card",
    )
    assert not RULES.find_reason("production-defect").fee
    assert RULES.find_paper("birth-record").fresh_days == 92


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'time_zone = "Africa/Casablanca"', b'time_zone = "Atlantis/Capital"', "time_zone"),
        (b"mandatory = 16", b"mandatory = -1", "ages.0.mandatory"),
        (b"mandatory = 16", b"mandatory = 16\nobligatory = 16", "ages.0.obligatory"),
        (b'papers = ["old-card"]', b'papers = ["old-crad"]', "old-crad"),
        (b'scheme = "opaque16"', b'scheme = "luhn16"', "stamps.scheme"),
        (b'required = ["family_name", "given', b'required = ["given', "record: .*family_name is not required"),
        (b'optional = ["partner",', b'optional = ["contact",', "record: .*required and optional"),
        (b'optional = ["partner",', b'optional = ["shoe_size",', "record.optional.0"),
        (b'commune = "[0-9]', b'commune = "([0-9]', "record.forms.commune: .*regular expression"),
        (b"limits = {}", b"limits = { father = 121 }", "record.limits.father"),
        (b'compared = ["family_name", "given', b'compared = ["given', "reason name-change explains a field"),
        (b'code = "kafil"', b'code = "mother"', "two capacities"),
        (b'en = "Kafil (kafala)"', b'es = "Kafil"', "capacity kafil has no title"),
        (b'papers = ["kafala-order"]', b'papers = ["kafala"]', "the paper kafala is not described"),
        (b'en = "Previous card"', b'es = "Tarjeta anterior"', "old-card has no title"),
    ],
)
def test_faulty_rules_are_refused_by_name(old: bytes, new: bytes, told: str) -> None:
    assert RAW.count(old) == 1
    with pytest.raises(StoreError, match=told):
        decode_rules(RAW.replace(old, new))


def test_no_toml_and_no_such_rules() -> None:
    with pytest.raises(DecodeError):
        decode_rules(b"[[[")
    for name in ("atlantis", "../morocco", ""):
        with pytest.raises(StoreError, match="no enrolment rules"):
            load_rules(name)
    assert len(load_rules("morocco").digest) == 32
