"""Wall times against a search that knows nothing of offsets: it looks at the clock every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eid.enrolment.wall_time import WallTime, decode_wall_time, first_moment, known_zone, require_day, wall_time_at
from eid.errors import DecodeError, RecordError

MINUTE = timedelta(minutes=1)
ZONES = st.sampled_from(
    (
        "Africa/Casablanca",
        "Europe/Paris",
        "America/New_York",
        "America/Nuuk",  # clocks change at midnight
        "America/Sao_Paulo",
        "Australia/Lord_Howe",  # by half an hour
        "Asia/Kathmandu",
        "Africa/Cairo",
        "Pacific/Apia",  # left a whole day out
        "UTC",
    )
).map(ZoneInfo)
DAYS = st.dates(date(2011, 1, 1), date(2036, 12, 31))
PARIS = ZoneInfo("Europe/Paris")


def changes(zone: ZoneInfo, year: int) -> list[date]:
    """Days on which the zone's clocks are set."""
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    offsets = [datetime(day.year, day.month, day.day, 23, 59, tzinfo=zone).utcoffset() for day in days]
    return [day for day, before, after in zip(days[1:], offsets, offsets[1:], strict=False) if before != after]


@st.composite
def interesting_days(draw: st.DrawFn) -> tuple[ZoneInfo, date]:
    """A zone and a day, half of them days on which clocks are set."""
    zone = draw(ZONES)
    turns = changes(zone, draw(st.integers(2011, 2036)))
    near = (
        st.sampled_from(turns).flatmap(lambda day: st.sampled_from([day - timedelta(days=1), day])) if turns else DAYS
    )
    return zone, draw(st.one_of(near, DAYS))


def search(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """The first moment at which the clock shows that or later: minute by minute."""
    wanted = (day, minute)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=26)
    moment += timedelta(minutes=0)
    while True:
        local = moment.astimezone(zone)
        if (local.date(), local.hour * 60 + local.minute) >= wanted:
            return moment
        moment += MINUTE


@given(interesting_days(), st.integers(0, 24 * 12 - 1).map(lambda number: number * 5))
@example((ZoneInfo("Pacific/Apia"), date(2011, 12, 30)), 9 * 60)
@example((ZoneInfo("America/Nuuk"), date(2024, 3, 30)), 23 * 60 + 30)
def test_first_moment_is_what_a_search_finds(place: tuple[ZoneInfo, date], minute: int) -> None:
    zone, day = place
    assert first_moment(day, minute, zone) == search(zone, day, minute)


@given(interesting_days(), st.integers(0, 3 * 24 * 60))
def test_every_moment_has_one_wall_time_that_leads_back_to_it(place: tuple[ZoneInfo, date], minutes: int) -> None:
    zone, day = place
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1) + minutes * MINUTE
    shown = wall_time_at(moment, zone)
    assert shown.moment(zone) == moment
    assert decode_wall_time(str(shown)) == shown


def test_hours_that_clocks_leave_out_and_show_twice() -> None:
    assert first_moment(date(2026, 3, 29), 150, PARIS) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 02:30 is 03:00
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert first_moment(date(2026, 10, 25), 150, PARIS) == first
    assert first_moment(date(2026, 10, 25), 150, PARIS, again=True) == first + timedelta(hours=1)
    assert str(wall_time_at(first + timedelta(hours=1), PARIS)) == "2026-10-25T02:30~"
    assert first_moment(date(2026, 10, 25), 24 * 60, PARIS) == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize("day", [date.min, date(999, 12, 31), date(9000, 1, 1), date.max])
def test_a_day_at_the_edge_of_the_calendar_is_none(day: date) -> None:
    with pytest.raises(RecordError):
        require_day(day)
    with pytest.raises(DecodeError):
        decode_wall_time(f"{day}T09:00")


def test_what_people_were_told_stays_when_the_zone_changes() -> None:
    told = WallTime(date(2026, 12, 1), 9 * 60)
    assert told.moment(ZoneInfo("Africa/Casablanca")) != told.moment(ZoneInfo("Africa/Dakar"))
    assert str(told) == "2026-12-01T09:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T9:00",
        "2026-11-23T24:00",
        "2026-02-30T09:00",
        "2026-11-23T09:00Z",
        "2026-11-23T09:60",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_wall_time(text)


@given(st.text(max_size=20))
def test_any_text_is_a_wall_time_or_refused(text: str) -> None:
    try:
        assert str(decode_wall_time(text)) == text
    except DecodeError:
        pass


def test_zones() -> None:
    assert known_zone("Africa/Casablanca") == "Africa/Casablanca"
    for name in ("Nowhere/At_All", "../etc/passwd", "", "Africa"):
        with pytest.raises(ValueError, match="time zone"):
            known_zone(name)
