"""A site's calendar: periods, cells and places; and its properties on the days on which clocks are set."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.enrolment.rules import load_rules
from eid.enrolment.site import (
    CELL,
    WEEK,
    Site,
    cells_of,
    count_free,
    decode_site,
    encode_site,
    fits,
    free_places,
    open_periods,
    starts_on,
    usable_places,
)
from eid.enrolment.wall_time import WallTime, wall_time_at
from eid.errors import RecordError

MONDAY = date(2026, 11, 23)
RABAT: dict[str, Any] = {
    "code": "rabat-agdal",
    "kind": "centre",
    "title": {"fr": "Rabat Agdal (SPECIMEN)"},
    "time_zone": "Africa/Casablanca",
    "places": 3,
    "priority_places": 1,
    "services": ["card"],
    "hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:30", "until": "16:30"}],
    "breaks": [
        {"days": ["fri"], "from": "12:00", "until": "14:30"},
        {"days": ["mon"], "from": "12:00", "until": "13:00"},
    ],
}
ZONES = ("Africa/Casablanca", "Europe/Paris", "America/New_York", "America/Nuuk", "Australia/Lord_Howe", "Africa/Cairo")


def site(**changes: Any) -> Site:
    return decode_site({**RABAT, **changes})


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_periods_of_a_day_without_its_breaks() -> None:
    local = [(period.starts.isoformat(), period.ends.isoformat()) for period in open_periods(site(), MONDAY)]
    assert local == [  # the clocks of Casablanca are an hour ahead
        ("2026-11-23T07:30:00+00:00", "2026-11-23T11:00:00+00:00"),
        ("2026-11-23T12:00:00+00:00", "2026-11-23T15:30:00+00:00"),
    ]
    assert open_periods(site(), date(2026, 11, 28)) == ()  # a Saturday


def test_a_site_is_written_as_it_is_read() -> None:
    assert encode_site(site())["hours"] == RABAT["hours"]
    assert decode_site(encode_site(site())) == site()


def test_hours_that_meet_or_overlap_are_one_period() -> None:
    rows = [("08:00", "10:00"), ("10:00", "11:00"), ("10:30", "12:00"), ("08:30", "09:00")]
    hours = [{"days": ["mon"], "from": opens, "until": closes} for opens, closes in rows]
    (period,) = open_periods(site(hours=hours, breaks=[]), MONDAY)
    assert period.ends - period.starts == timedelta(hours=4)


def test_appointments_begin_one_behind_the_other_and_end_before_the_break() -> None:
    starts = starts_on(site(), MONDAY, 20)
    assert len(starts) == 20  # 210 minutes twice, ten left over each time
    assert starts[9] + timedelta(minutes=20) <= moment("2026-11-23T12:00+01:00") < starts[10]


def test_cells_and_whether_an_appointment_fits() -> None:
    rabat = site()
    starts = moment("2026-11-23T11:45+01:00")
    assert [str(cell) for cell in cells_of(starts, 15, rabat.zone)] == [
        "2026-11-23T11:45", "2026-11-23T11:50", "2026-11-23T11:55"
    ]  # fmt: skip
    slot = wall_time_at(starts, rabat.zone)
    assert fits(rabat, (), slot, 15, 3)
    assert not fits(rabat, (), slot, 20, 3)  # into the break
    assert not fits(rabat, (), slot, 15, 4)  # there is no fourth place
    assert not fits(rabat, {MONDAY}, slot, 15, 3)


def test_places_kept_for_those_who_come_first() -> None:
    rabat = site()
    assert usable_places(rabat, priority=False, released=False) == ((1, 2),)
    assert usable_places(rabat, priority=False, released=True) == ((1, 2), (3,))
    assert usable_places(rabat, priority=True, released=False) == ((3,), (1, 2))
    cells = cells_of(moment("2026-11-23T09:00+01:00"), 15, rabat.zone)
    taken = {cells[1]: {1, 3}}
    assert free_places(taken, cells, ((3,), (1, 2))) == (2,)
    assert count_free(taken, cells, ((3,), (1, 2))) == 1
    assert free_places({cells[0]: {1}, cells[2]: {2}}, cells, ((1, 2),)) == ()


@given(
    st.sampled_from(ZONES), st.dates(date(2024, 1, 1), date(2030, 12, 31)), st.sampled_from((5, 15, 20, 45)), st.data()
)
def test_cells_of_a_day_are_distinct_and_real(name: str, day: date, minutes: int, data: st.DataObject) -> None:
    """Whatever the clocks do: no cell twice, all within the hours by the wall, each five real minutes."""
    zone = ZoneInfo(name)
    if data.draw(st.booleans()):
        day = day.replace(month=data.draw(st.sampled_from((3, 4, 10))), day=data.draw(st.integers(24, 30)))
    hours = [
        {"days": list(WEEK), "from": "00:00", "until": "04:30"},
        {"days": list(WEEK), "from": "22:00", "until": "24:00"},
    ]
    night = site(time_zone=name, hours=hours, breaks=[{"days": list(WEEK), "from": "02:30", "until": "03:00"}])
    starts = starts_on(night, day, minutes)
    assert all(later - earlier >= timedelta(minutes=minutes) for earlier, later in pairwise(starts))
    cells = [cell for begin in starts for cell in cells_of(begin, minutes, zone)]
    assert len(set(cells)) == len(cells)
    moments = [cell.moment(zone) for cell in cells]
    assert moments == sorted(moments)
    assert all(cell.day == day for cell in cells)
    assert moments == [begin + number * CELL for begin in starts for number in range(minutes // 5)]
    assert all(fits(night, (), wall_time_at(begin, zone), minutes, 1) for begin in starts)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"code": "Rabat"}, "code"),
        ({"time_zone": "Africa/Nowhere"}, "no such time zone"),
        ({"places": 0}, "places"),
        ({"priority_places": 3}, "a place at least is for everybody"),
        ({"services": []}, "services"),
        ({"hours": [{"days": ["mon"], "from": "16:00", "until": "08:00"}]}, "end after they begin"),
        ({"hours": [{"days": ["mon"], "from": "08:02", "until": "12:00"}]}, "multiples of 5"),
        ({"hours": [{"days": ["mon"], "from": "8 am", "until": "12:00"}]}, "hh:mm"),
        ({"hours": [{"days": ["mon"], "from": "08:75", "until": "12:00"}]}, "hh:mm"),
        ({"hours": [{"days": ["mon"], "from": "٠٨:٠٠", "until": "12:00"}]}, "hh:mm"),
        ({"hours": [{"days": ["mon"], "from": "08:00\n", "until": "12:00"}]}, "hh:mm"),
        ({"hours": [{"days": ["mon"], "from": "24:05", "until": "25:00"}]}, "hours"),
        ({"surprise": 1}, "surprise"),
        ({"title": {}}, "title"),
    ],
)
def test_faulty_sites_are_refused_by_name(change: dict[str, Any], told: str) -> None:
    with pytest.raises(RecordError, match=told):
        decode_site({**RABAT, **change})


def test_the_rules_of_appointments() -> None:
    rules = load_rules("morocco").rules.appointments
    assert rules.find_service("card").minutes == 15
    expired = rules.find_category("expired-card")
    assert expired.admits(MONDAY)
    assert not expired.admits(date(2026, 11, 28))  # a Saturday
    assert [expired.fits(reason, None) for reason in ("expiry", "loss")] == [True, False]
    elderly = rules.find_category("elderly")
    assert elderly.admits(date(2026, 11, 28))
    assert [elderly.fits("loss", age) for age in (None, 59, 60)] == [False, False, True]
    assert rules.find_category("ill").papers == ("medical-certificate",)
    assert (rules.known_category("famous"), rules.known_category(None)) == (None, None)
    with pytest.raises(RecordError, match="service"):
        rules.find_service("haircut")
    with pytest.raises(RecordError, match="category"):
        rules.find_category("famous")


def test_wall_times_sort_by_day_and_minute() -> None:
    assert WallTime(MONDAY, 5) < WallTime(MONDAY, 6) < WallTime(date(2026, 11, 24), 0)
