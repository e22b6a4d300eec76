"""Time as the clock on an office's wall shows it, which is what people are told and keep to.

A zone's rules can change between booking and visit (a decree moves the summer time). Then the clock still shows what
was written on the paper, and the moment in UTC is another one. So a place is kept by wall time, and its moment is
computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eid.errors import DecodeError, RecordError

_FORM: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2})(~?)", re.ASCII)
_AGAIN: Final = "~"
_YEARS: Final = range(1000, 9000)  # beyond them a zone, or some days more, may lead out of the calendar


def known_zone(name: str) -> str:
    """The name, where it is a time zone's.

    Raises:
        ValueError: it is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no such time zone") from None
    return name


def require_day(day: date) -> date:
    """The day, where there are moments and other days around it.

    Raises:
        RecordError: it stands at an edge of the calendar.
    """
    if day.year not in _YEARS:
        raise RecordError("there is no such day here")
    return day


@dataclass(frozen=True, slots=True, order=True)
class WallTime:
    """A day and a minute of it.

    Args:
        minute: after midnight, 0 to 1439. again: the second of the two times at which the clock shows it, where it is
            set back.
    """

    day: date
    minute: int
    again: bool = False

    def __str__(self) -> str:
        return f"{self.day}T{self.minute // 60:02}:{self.minute % 60:02}{_AGAIN if self.again else ''}"

    def moment(self, zone: ZoneInfo) -> datetime:
        """The moment (UTC) at which a clock of the zone shows this; the first later one where none ever does."""
        return first_moment(self.day, self.minute, zone, again=self.again)


def decode_wall_time(text: str) -> WallTime:
    """The inverse of `str`: "2026-10-25T02:30", with "~" behind it for the second time that the clock shows it.

    Raises:
        DecodeError: it has another form, or there is no such day or minute.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise DecodeError("a wall time has the form YYYY-MM-DDThh:mm")
    day, hours, minutes, again = found.groups()
    try:
        moment = time(int(hours), int(minutes))
        return WallTime(require_day(date.fromisoformat(day)), moment.hour * 60 + moment.minute, again == _AGAIN)
    except (ValueError, RecordError):
        raise DecodeError("there is no such day or minute") from None


def wall_time_at(moment: datetime, zone: ZoneInfo) -> WallTime:
    """What a clock of the zone shows at a moment, seconds dropped."""
    local = moment.astimezone(zone)
    return WallTime(local.date(), local.hour * 60 + local.minute, bool(local.fold))


def first_moment(day: date, minute: int, zone: ZoneInfo, *, again: bool = False) -> datetime:
    """The first moment (UTC) at which a clock of the zone shows that minute of that day, or a later one.

    So an office that opens at half past two on the night when two o'clock becomes three opens at three. Where the clock
    shows the minute twice it is the first time, or the second if `again`.

    Args:
        minute: after midnight, 0 to 1440; the last is the end of the day.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return late if again else early
    # The clock jumps over it: by the offsets before and after the jump, fold 1 is before it and fold 0 behind.
    return _find_jump(late, early, zone)


def _find_jump(before: datetime, behind: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the zone's offset changes between two moments."""
    low, high = 0, int((behind - before).total_seconds())
    offset = before.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        moved = (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() != offset
        low, high = (low, middle) if moved else (middle, high)
    return before + timedelta(seconds=high)
