"""What was requested, validated, booked and delivered, by post, service and day: counted out of the audit log.

An event counts once, however often the counting breaks off: how far a chain was counted moves in the transaction of the
counts. What was counted stays when people are erased; no count has anything of them.
"""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Table, select

from eid.audit.chain import AuditRow
from eid.enrolment.statistics import EVENTS, SMALLEST, Path, suppress
from eid.errors import RecordError
from eid.services.durable.work import Workshop
from eid.store.application_tables import application
from eid.store.appointment_tables import appointment
from eid.store.audit import read_heads, read_page
from eid.store.database import in_transaction, reading
from eid.store.statistics import Cell, add_counts, lock_mark, move_mark, read_counts, read_marks

AT_ONCE: Final = 2000  # rows of a chain in one transaction
COUNTED: Final = {
    "application.submit": "requested",
    "application.validate": "validated",
    "appointment.book": "booked",
    "application.hand-over": "delivered",
}
"""Actions of the audit log, and what they count as."""
CONFIDENTIAL: Final = "[c]"  # in CSV, in the place of a count that is suppressed
ELSEWHERE: Final = "-"  # the post of what is addressed to none
_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class FigureRow:
    """The counts of a post, of one of its services, of that on one day; None stands for all.

    Args:
        counts: by event; None where the count is suppressed.
    """

    post: str | None
    service: str | None
    day: date | None
    counts: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A month's counts as they may be published.

    Args:
        month: its first day. is_complete: whether it is over and counted to its end; until then figures change, and
            who compares them from day to day sees the differences. rows: from all to each day, in order.
    """

    month: date
    is_complete: bool
    smallest: int
    rows: tuple[FigureRow, ...]


def sweep(workshop: Workshop) -> None:
    """Count what is new; for the worker, at an interval."""
    count_new(workshop.engine, workshop.rules.time_zone)


def count_new(engine: Engine, time_zone: str) -> int:
    """Count what the audit log has since the last time; how many rows were looked at.

    Args:
        time_zone: of the country's rules, in which an event has its day.
    """
    zone, looked_at = ZoneInfo(time_zone), 0
    with reading(engine) as connection:
        marks, heads = read_marks(connection), read_heads(connection)
    for bucket, (size, _) in sorted(heads.items()):
        behind = marks.get(bucket, 0) < size
        while behind:
            seen = in_transaction(engine, partial(_count_page, bucket=bucket, zone=zone))
            looked_at += seen
            behind = seen == AT_ONCE
    return looked_at


def parse_month(text: str) -> date:
    """The first day of a month that is written 2026-11.

    Raises:
        RecordError: it is none.
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise RecordError("a month is written like 2026-11")
    return date(int(found[1]), int(found[2]), 1)


def month_figures(engine: Engine, month: date, time_zone: str, now: datetime) -> MonthFigures:
    """The counts of a month, small ones suppressed."""
    after = (month + timedelta(days=32)).replace(day=1)
    with reading(engine) as connection:
        counted = read_counts(connection, month, after - timedelta(days=1))
    by_event = {event: suppress(_leaves(counted, event), SMALLEST) for event in EVENTS}
    paths = sorted({()}.union(*by_event.values()))
    rows = tuple(_row(path, {event: by_event[event].get(path, 0) for event in EVENTS}) for path in paths)
    ended = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    return MonthFigures(month, now >= ended and _is_counted(engine), SMALLEST, rows)


def encode_json(figures: MonthFigures) -> dict[str, Any]:
    """The figures as JSON values; null stands for a suppressed count, and for "all" in post, service, day."""
    return {
        "format": "eid-statistics",
        "version": 1,
        "month": f"{figures.month:%Y-%m}",
        "complete": figures.is_complete,
        "smallest": figures.smallest,
        "rows": [
            {
                "post": row.post,
                "service": row.service,
                "day": None if row.day is None else row.day.isoformat(),
                **row.counts,
            }
            for row in figures.rows
        ],
    }


def encode_csv(figures: MonthFigures) -> str:
    """The figures as CSV (RFC 4180); empty cells stand for all, [c] for a count that is suppressed."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("post", "service", "day", *EVENTS))
    for row in figures.rows:
        counts = (CONFIDENTIAL if (count := row.counts[event]) is None else count for event in EVENTS)
        writer.writerow((row.post or "", row.service or "", row.day or "", *counts))
    return text.getvalue()


def title_of(figures: MonthFigures, post: str | None, service: str | None) -> str:
    """What a table or chart of these figures is called; a month that may still change says so."""
    title = " · ".join(filter(None, (f"{figures.month:%Y-%m}", post, service)))
    return title if figures.is_complete else f"{title} (not complete)"


def parts_of(figures: MonthFigures, post: str | None, service: str | None) -> dict[str, FigureRow]:
    """The rows of the next level, for a chart: posts, the services of a post, or the days of one of its services.

    Raises:
        RecordError: a service without a post: sums over posts are not published.
    """
    if post is None and service is not None:
        raise RecordError("a service is one of a post")
    if post is None:
        return {row.post: row for row in figures.rows if row.post is not None and row.service is None}
    mine = [row for row in figures.rows if row.post == post and row.service is not None]
    if service is None:
        return {row.service: row for row in mine if row.service is not None and row.day is None}
    return {row.day.isoformat(): row for row in mine if row.service == service and row.day is not None}


# Inside


def _count_page(connection: Connection, bucket: int, zone: ZoneInfo) -> int:
    mark = lock_mark(connection, bucket)
    rows = read_page(connection, bucket, mark, AT_ONCE)
    if rows:
        add_counts(connection, bucket, _count(connection, bucket, rows, zone))
        move_mark(connection, bucket, rows[-1].seq)
    return len(rows)


def _count(connection: Connection, bucket: int, rows: tuple[AuditRow, ...], zone: ZoneInfo) -> Counter[Cell]:
    counted = [row.event for row in rows if row.event.action in COUNTED]
    subjects = [event.subject for event in counted]
    places = _find_places(connection, bucket, application, subjects, ("appointment_site", "site"))
    visits = _find_places(connection, bucket, appointment, subjects, ("site",))
    counts: Counter[Cell] = Counter()
    for event in counted:
        first, second, service = places.get(event.subject) or visits.get(event.subject) or (None, None, ELSEWHERE)
        what = COUNTED[event.action]
        site = (first or second) if what in ("booked", "delivered") else (second or first)
        counts[event.at.astimezone(zone).date(), site or ELSEWHERE, service, what] += 1
    return counts


def _id_of(named: str) -> uuid.UUID | None:
    """A row that names nothing of ours, as somebody may have written into the log, is counted nowhere."""
    try:
        return uuid.UUID(named)
    except ValueError:
        return None


def _find_places(
    connection: Connection, bucket: int, table: Table, subjects: list[str], sites: tuple[str, ...]
) -> dict[str, tuple[str | None, str | None, str]]:
    """Sites and service of applications or appointments, by how the audit log names them."""
    prefix = f"{table.name}:"
    wanted = {_id_of(item.removeprefix(prefix)) for item in subjects if item.startswith(prefix)} - {None}
    if not wanted:
        return {}
    columns = [table.c.id, table.c[sites[0]], table.c[sites[-1]], table.c.service]
    query = select(*columns).where(table.c.bucket == bucket, table.c.id.in_(wanted))
    return {f"{prefix}{row[0]}": (row[1], row[2], row[3]) for row in connection.execute(query)}


def _leaves(counted: Mapping[Cell, int], wanted: str) -> dict[Path, int]:
    return {
        (site, service, day.isoformat()): count
        for (day, site, service, event), count in counted.items()
        if event == wanted
    }


def _row(path: Path, counts: Mapping[str, int | None]) -> FigureRow:
    post, service, day = (*path, None, None, None)[:3]
    return FigureRow(post, service, None if day is None else date.fromisoformat(day), counts)


def _is_counted(engine: Engine) -> bool:
    with reading(engine) as connection:
        marks, heads = read_marks(connection), read_heads(connection)
    return all(marks.get(bucket, 0) >= size for bucket, (size, _) in heads.items())
