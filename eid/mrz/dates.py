"""Dates of machine readable zones: six characters without a century (Doc 9303-3 4.8), and dates known only in part."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Final

from eid.errors import DecodeError

CLAUSE: Final = "Doc 9303-3 4.8"
UNKNOWN: Final = "<<"
_LONGEST: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days by month, in a year that is no leap year
_YEARS: Final = frozenset(f"{year:02}" for year in range(100))
_DAYS: Final = frozenset(  # MMDD that exist in every year
    f"{month:02}{day:02}" for month in range(1, 13) for day in range(1, _LONGEST[month] + 1)
)


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A Gregorian date of which the day, or the day and the month, may be unknown (None).

    Raises:
        ValueError: the date does not exist, or its day is known and its month is not.
    """

    year: int
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.year <= 9999:
            raise ValueError("the year is not within 1 to 9999")
        if self.month is None:
            if self.day is not None:
                raise ValueError("the day is known but the month is not")
            return
        date(self.year, self.month, 1 if self.day is None else self.day)

    @property
    def precision(self) -> str:
        """The finest part that is known: "day", "month" or "year"."""
        return "year" if self.month is None else "month" if self.day is None else "day"

    @property
    def earliest(self) -> date:
        """The first day that the date may mean."""
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def latest(self) -> date:
        """The last day that the date may mean."""
        month = self.month or 12
        return date(self.year, month, self.day or monthrange(self.year, month)[1])

    @property
    def mrz(self) -> str:
        """Six characters YYMMDD, fillers for unknown parts (Doc 9303-3 4.8)."""
        return "".join((f"{self.year % 100:02}", _two(self.month), _two(self.day)))

    def isoformat(self) -> str:
        """ISO 8601 calendar date, cut where the knowledge ends: 1985-02-14, 1985-02 or 1985."""
        parts = (f"{self.year:04}", *(f"{part:02}" for part in (self.month, self.day) if part is not None))
        return "-".join(parts)

    @classmethod
    def fromisoformat(cls, text: str) -> PartialDate:
        """Parse 1985-02-14, 1985-02 or 1985.

        Raises:
            ValueError: the text is none of these, or the date does not exist.
        """
        parts = text.split("-")
        if [len(part) for part in parts] != [4, 2, 2][: len(parts)] or not all(
            part.isascii() and part.isdigit() for part in parts
        ):
            raise ValueError("a date is YYYY-MM-DD, YYYY-MM or YYYY")
        return cls(*(int(part) for part in parts))


def _two(part: int | None) -> str:
    return UNKNOWN if part is None else f"{part:02}"


def _split(yymmdd: str) -> tuple[int | None, int | None, int | None]:
    """Year of the century, month, day; None where the zone holds fillers."""
    if len(yymmdd) == 6 and yymmdd.isascii() and yymmdd.isdigit():
        return int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:])
    if len(yymmdd) != 6:
        raise DecodeError("a date of the MRZ has six characters", clause=CLAUSE)
    pairs = (yymmdd[0:2], yymmdd[2:4], yymmdd[4:6])
    if not all(pair == UNKNOWN or (pair.isascii() and pair.isdigit()) for pair in pairs):
        raise DecodeError("a date of the MRZ has digits or fillers only", clause=CLAUSE)
    year, month, day = (None if pair == UNKNOWN else int(pair) for pair in pairs)
    return year, month, day


def verify_date(yymmdd: str, *, whole: bool) -> None:
    """Check that a date of the zone can exist in some century; `whole` forbids unknown parts.

    Raises:
        DecodeError: it cannot.
    """
    if yymmdd[:2] in _YEARS and yymmdd[2:] in _DAYS:
        return
    year, month, day = _split(yymmdd)
    if whole and None in (year, month, day):
        raise DecodeError("the date has unknown parts", clause=CLAUSE)
    if month is not None and not 1 <= month <= 12:
        raise DecodeError("the month is not within 01 to 12", clause=CLAUSE)
    # 2000 stands for any leap year: 29 February of an unknown year, or of year 00 of the 21st century, exists.
    longest = 31 if month is None else 29 if month == 2 and (year or 0) % 4 == 0 else _LONGEST[month]
    if day is not None and not 1 <= day <= longest:
        raise DecodeError("the day does not exist in this month", clause=CLAUSE)


def resolve_date_of_birth(yymmdd: str, now: date) -> PartialDate | None:
    """The birth date with its century: the latest that does not lie after `now`; None if the year is unknown.

    Raises:
        DecodeError: the six characters are no date.
    """
    verify_date(yymmdd, whole=False)
    short_year, month, day = _split(yymmdd)
    if short_year is None:
        return None
    for century in range(now.year // 100, -1, -1):
        try:
            born = PartialDate(100 * century + short_year, month, day if month is not None else None)
        except ValueError:  # 29 February of a century year that is not a leap year, or year 0
            continue
        if born.earliest <= now:
            return born
    raise DecodeError("no century makes this a birth date", clause=CLAUSE)


def resolve_date_of_expiry(yymmdd: str, now: date) -> date:
    """The expiry date with its century: it lies from 49 years before the year of `now` to 50 after.

    Raises:
        DecodeError: the six characters are no date.
    """
    verify_date(yymmdd, whole=True)
    short_year, month, day = int(yymmdd[0:2]), int(yymmdd[2:4]), int(yymmdd[4:6])
    earliest = now.year - 49
    year = earliest + (short_year - earliest) % 100
    try:
        return date(year, month, day)
    except ValueError:  # 29 February of a century year that is not a leap year
        raise DecodeError("the day does not exist in this month", clause=CLAUSE) from None
