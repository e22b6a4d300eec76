"""Rows of what was counted, and how far the audit log was counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TypeAlias

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.store.office_tables import statistics_count, statistics_mark

Cell: TypeAlias = tuple[date, str, str, str]
"""Day, site, service, event."""


def lock_mark(connection: Connection, bucket: int) -> int:
    """How far a chain was counted; nobody else counts it until the transaction ends."""
    query = select(statistics_mark.c.seq).where(statistics_mark.c.bucket == bucket).with_for_update()
    found = connection.execute(query).scalar_one_or_none()
    if found is not None:
        return int(found)
    try:
        with connection.begin_nested():  # two may begin at once; the second finds the first one's
            connection.execute(insert(statistics_mark).values(bucket=bucket, seq=0))
    except IntegrityError:
        pass
    return int(connection.execute(query).scalar_one())


def move_mark(connection: Connection, bucket: int, seq: int) -> None:
    """Note how far a chain was counted."""
    connection.execute(update(statistics_mark).where(statistics_mark.c.bucket == bucket).values(seq=seq))


def read_marks(connection: Connection) -> dict[int, int]:
    """How far each chain was counted."""
    return {row.bucket: row.seq for row in connection.execute(select(statistics_mark))}


def add_counts(connection: Connection, bucket: int, counts: Mapping[Cell, int]) -> None:
    """Add to what was counted; the caller has locked the bucket's mark."""
    table = statistics_count
    for (day, site, service, event), count in sorted(counts.items()):
        key = {"day": day, "site": site, "service": service, "event": event, "bucket": bucket}
        mine = [table.c[name] == value for name, value in key.items()]
        changed = connection.execute(update(table).where(*mine).values(count=table.c.count + count))
        if changed.rowcount == 0:
            connection.execute(insert(table).values(**key, count=count))


def read_counts(connection: Connection, first: date, last: date) -> dict[Cell, int]:
    """What was counted on some days, both of them included."""
    table = statistics_count
    cells = (table.c.day, table.c.site, table.c.service, table.c.event)
    query = select(*cells, func.sum(table.c.count)).where(table.c.day.between(first, last)).group_by(*cells)
    return {(row[0], row[1], row[2], row[3]): int(row[4]) for row in connection.execute(query)}
