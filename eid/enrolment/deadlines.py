"""Days and deadlines in the time zone of a country's rules; a deadline of some days ends with its last day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from eid.enrolment.rules import EnrolmentRules


def local_day(now: datetime, rules: EnrolmentRules) -> date:
    """The calendar day of a moment in the country."""
    return now.astimezone(ZoneInfo(rules.time_zone)).date()


def end_of_day(now: datetime, days: int, rules: EnrolmentRules) -> datetime:
    """The moment at which the last of some days after today has ended, UTC."""
    after = local_day(now, rules) + timedelta(days=days + 1)
    return datetime.combine(after, time(), ZoneInfo(rules.time_zone)).astimezone(UTC)
