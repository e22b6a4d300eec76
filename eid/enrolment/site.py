"""A site where people are seen (a centre, a consulate, a mobile unit): when it is open, and which places it has.

Time is kept in cells of five minutes. An appointment takes one place (a counter) for as many cells in a row as its
service lasts, so services of any duration share the counters, and a cell of a place belongs to one appointment at most.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from eid.enrolment.wall_time import WallTime, first_moment, known_zone, wall_time_at
from eid.errors import RecordError

CELL_MINUTES: Final = 5
CELL: Final = timedelta(minutes=CELL_MINUTES)
MAX_PLACES: Final = 200
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})")
WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SiteCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


def _minute_of_day(value: object) -> object:
    """Of "08:30" it is 510."""
    if isinstance(value, str) and (parts := _TIME.fullmatch(value)):
        hours, minutes = int(parts[1]), int(parts[2])
        if minutes < 60:
            return hours * 60 + minutes
    raise ValueError("a time of day has the form hh:mm")


def _whole_cells(minutes: int) -> int:
    if minutes % CELL_MINUTES:
        raise ValueError(f"times are multiples of {CELL_MINUTES} minutes")
    return minutes


MinuteOfDay = Annotated[
    int,
    PlainSerializer(lambda minute: f"{minute // 60:02}:{minute % 60:02}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-2][0-9]:[0-5][05]$", "examples": ["08:30"]}),
    BeforeValidator(_minute_of_day),
    Field(ge=0, le=24 * 60),
    AfterValidator(_whole_cells),
]
Minutes = Annotated[int, Field(ge=CELL_MINUTES, le=8 * 60), AfterValidator(_whole_cells)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Hours(_Table):
    """From when to when on some weekdays, "hh:mm" by the site's clock."""

    days: tuple[Weekday, ...] = Field(min_length=1)
    opens: MinuteOfDay = Field(alias="from")
    closes: MinuteOfDay = Field(alias="until")

    @model_validator(mode="after")
    def _in_order(self) -> Hours:
        if self.opens >= self.closes:
            raise ValueError("hours end after they begin")
        return self


class Site(_Table):
    """What is known of a site.

    Args:
        time_zone: IANA's name. places: people who are seen at once. priority_places: how many of them are kept for
            those who come first, until shortly before. services: codes of the rules. hours, breaks: of every week.
    """

    code: SiteCode
    kind: Literal["centre", "consulate", "mobile-unit"]
    title: dict[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], Annotated[str, Field(min_length=1, max_length=128)]] = (
        Field(min_length=1, max_length=8)
    )
    time_zone: Annotated[str, AfterValidator(known_zone)]
    places: int = Field(ge=1, le=MAX_PLACES)
    priority_places: int = Field(default=0, ge=0)
    services: tuple[SiteCode, ...] = Field(min_length=1)
    hours: tuple[Hours, ...] = Field(min_length=1, max_length=32)
    breaks: tuple[Hours, ...] = Field(default=(), max_length=32)

    @model_validator(mode="after")
    def _some_place_for_everybody(self) -> Site:
        if self.priority_places >= self.places:
            raise ValueError("a place at least is for everybody")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)


def decode_site(value: object) -> Site:
    """A site out of the table that a TOML or JSON document is.

    Raises:
        RecordError: a member is missing, unknown or impossible; the text names the first.
    """
    try:
        return Site.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise RecordError(f"site: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def encode_site(site: Site) -> dict[str, Any]:
    """The table that `decode_site` reads."""
    return site.model_dump(mode="json", by_alias=True)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From a moment to another, UTC."""

    starts: datetime
    ends: datetime


def open_periods(site: Site, day: date) -> tuple[Period, ...]:
    """When the site is open on a day of its own calendar, in order, breaks taken out."""
    opened = _merge(_periods(site.hours, day, site.zone))
    for closed in _periods(site.breaks, day, site.zone):
        opened = [part for period in opened for part in _without(period, closed)]
    return tuple(opened)


def _periods(rows: Iterable[Hours], day: date, zone: ZoneInfo) -> list[Period]:
    name = WEEK[day.weekday()]
    found = [
        Period(first_moment(day, row.opens, zone), first_moment(day, row.closes, zone))
        for row in rows
        if name in row.days
    ]
    return sorted(period for period in found if period.starts < period.ends)  # a clock can jump over the whole of it


def _merge(periods: list[Period]) -> list[Period]:
    merged: list[Period] = []
    for period in periods:
        if merged and period.starts <= merged[-1].ends:
            merged[-1] = Period(merged[-1].starts, max(merged[-1].ends, period.ends))
        else:
            merged.append(period)
    return merged


def _without(period: Period, closed: Period) -> list[Period]:
    parts = (
        Period(period.starts, min(period.ends, closed.starts)),
        Period(max(period.starts, closed.ends), period.ends),
    )
    return [part for part in parts if part.starts < part.ends]


def starts_on(site: Site, day: date, minutes: int) -> tuple[datetime, ...]:
    """When appointments of so many minutes may begin on a day, UTC: one behind the other from each opening."""
    length = timedelta(minutes=minutes)
    found: list[datetime] = []
    for period in open_periods(site, day):
        count = (period.ends - period.starts) // length
        found += [period.starts + number * length for number in range(count)]
    return tuple(found)


def cells_of(starts: datetime, minutes: int, zone: ZoneInfo) -> tuple[WallTime, ...]:
    """The cells of an appointment."""
    return tuple(wall_time_at(starts + number * CELL, zone) for number in range(minutes // CELL_MINUTES))


def fits(site: Site, closures: Collection[date], slot: WallTime, minutes: int, place: int) -> bool:
    """Whether an appointment can take place as the site is now."""
    if slot.day in closures or place > site.places:
        return False
    starts = slot.moment(site.zone)
    ends = starts + timedelta(minutes=minutes)
    return any(period.starts <= starts and ends <= period.ends for period in open_periods(site, slot.day))


def usable_places(site: Site, *, priority: bool, released: bool) -> tuple[tuple[int, ...], ...]:
    """The places that somebody may get, counted from 1, in groups, the better ones first.

    Args:
        priority: one of those who come first. released: the time is so near that kept places are everybody's.
    """
    common = tuple(range(1, site.places - site.priority_places + 1))
    kept = tuple(range(len(common) + 1, site.places + 1))
    if priority:
        return kept, common
    return (common, kept) if released else (common,)


def free_places(
    taken: Mapping[WallTime, Collection[int]], cells: Iterable[WallTime], groups: Iterable[tuple[int, ...]]
) -> tuple[int, ...]:
    """The places that are free in every cell, of the first group in which there are any."""
    used = {place for cell in cells for place in taken.get(cell, ())}
    found = (tuple(place for place in group if place not in used) for group in groups)
    return next((free for free in found if free), ())


def count_free(
    taken: Mapping[WallTime, Collection[int]], cells: Iterable[WallTime], groups: Iterable[tuple[int, ...]]
) -> int:
    """How many places are free in every cell."""
    used = {place for cell in cells for place in taken.get(cell, ())}
    return sum(place not in used for group in groups for place in group)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day of the zone's calendar."""
    return moment.astimezone(zone).date()
