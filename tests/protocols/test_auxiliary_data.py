"""Auxiliary data: what is asked, how the card compares, the command."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import decode_command
from eid.codec.oid import ID_DATE_OF_BIRTH
from eid.errors import DecodeError, StatusWordError
from eid.mrz import PartialDate
from eid.protocols.auxiliary_data import core, messages
from eid.protocols.auxiliary_data.terminal import verify_auxiliary_data
from eid.protocols.terminal_authentication.core import AuthenticatedTerminal, AuxiliaryDatum
from tests.builders.exchanges import play
from tests.builders.sweep import examples

TODAY = date(2026, 6, 15)


def is_adult(born: PartialDate, today: date = TODAY) -> bool:
    return core.is_not_born_after(born, core.ask_age(18, today).data)


@pytest.mark.parametrize(
    ("born", "adult"),
    [
        (PartialDate(2008, 6, 15), True),  # the birthday counts
        (PartialDate(2008, 6, 16), False),
        (PartialDate(2008, 5), True),
        (PartialDate(2008, 6), False),  # may be the 30th
        (PartialDate(2007), True),
        (PartialDate(2008), False),  # may be December
    ],
)
def test_age(born: PartialDate, adult: bool) -> None:
    assert is_adult(born) is adult


def test_leap_days() -> None:
    assert core.ask_age(18, date(2028, 2, 29)).data == b"20100228"
    assert core.ask_age(20, date(2028, 2, 29)).data == b"20080229"
    leapling = PartialDate(2008, 2, 29)
    assert not is_adult(leapling, date(2026, 2, 28))
    assert is_adult(leapling, date(2026, 3, 1))


@settings(max_examples=examples(80), deadline=None)
@given(born=st.dates(date(1930, 1, 1), date(2025, 12, 31)), years=st.integers(0, 90), wait=st.integers(0, 40000))
def test_age_is_counted_as_people_do(born: date, years: int, wait: int) -> None:
    today = min(born + timedelta(days=wait), date(2099, 12, 31))
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if today.year - years >= 1:
        asked = core.ask_age(years, today).data
        assert core.is_not_born_after(PartialDate(born.year, born.month, born.day), asked) is (age >= years)


def test_validity_and_community() -> None:
    asked = core.ask_validity(TODAY).data
    assert core.is_not_expired(TODAY, asked)
    assert not core.is_not_expired(TODAY - timedelta(days=1), asked)
    stored = bytes.fromhex("0504010203")
    for prefix in ("05", "0504", "0504010203"):
        assert core.is_in_community(stored, core.ask_community(bytes.fromhex(prefix)).data)
    for prefix in ("06", "0505", "050401020300"):
        assert not core.is_in_community(stored, bytes.fromhex(prefix))


@pytest.mark.parametrize("raw", [b"", b"2008061", b"20081301", b"2008-6-1", b"20080230", b"\xb2" * 8])
def test_dates_that_are_none(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        core.is_not_born_after(PartialDate(2000), raw)
    with pytest.raises(DecodeError):
        core.is_not_expired(TODAY, raw)


def test_questions_without_sense() -> None:
    with pytest.raises(DecodeError):
        core.is_in_community(b"any", b"")
    with pytest.raises(ValueError, match="octet"):
        core.ask_community(b"")
    with pytest.raises(ValueError, match="negative"):
        core.ask_age(-1, TODAY)


def test_the_last_of_several_counts() -> None:
    """TR-03110-3 A.7.5: of templates with one identifier the last is used."""
    data = (core.ask_age(18, TODAY), AuxiliaryDatum("1.2.3", b"x"), core.ask_age(16, TODAY))
    terminal = AuthenticatedTerminal("UTISSPEC00001", None, 2, b"", data)  # type: ignore[arg-type]  # nothing else is looked at
    assert terminal.find_auxiliary(ID_DATE_OF_BIRTH) == core.ask_age(16, TODAY).data
    assert terminal.find_auxiliary("1.2.4") is None


def test_command_and_answers() -> None:
    answer, sent = play(verify_auxiliary_data(ID_DATE_OF_BIRTH), [b"\x90\x00"])
    assert answer is True
    assert sent == [bytes.fromhex("802080000B060904007F000703010401")]
    assert messages.decode_verify(decode_command(sent[0]).data) == ID_DATE_OF_BIRTH
    assert play(verify_auxiliary_data(ID_DATE_OF_BIRTH), [b"\x63\x00"])[0] is False
    for refusal in (b"\x69\x82", b"\x6a\x88"):
        with pytest.raises(StatusWordError):
            play(verify_auxiliary_data(ID_DATE_OF_BIRTH), [refusal])


@given(raw=st.binary(max_size=30))
def test_arbitrary_octets(raw: bytes) -> None:
    try:
        assert messages.encode_verify(messages.decode_verify(raw)).data
    except DecodeError:
        pass
