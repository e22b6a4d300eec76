"""Places in status lists: each belongs to one personalisation job, so that revoking one card revokes no other.

A place is drawn at random among those of the newest list of its series, so that it tells nothing of its neighbours; a
list in which no draw finds a free place any more is full, and the next one is begun.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from eid.errors import LifecycleError
from eid.store.card_tables import status_list
from eid.store.tables import status_place as table

DRAWS: Final = 16  # in a list that is three quarters full, all fail once in a hundred; that list is full enough
MAX_LISTS: Final = 4096  # of one series


def allocate_place(
    connection: Connection, series: str, size: int, job_id: uuid.UUID, random: Callable[[int], bytes]
) -> tuple[str, int]:
    """The job's list and its place there, drawn where it has none.

    Args:
        series: URI of the first list; the n-th has "-n" behind it. size: how many places a new list has.

    Raises:
        LifecycleError: the job has a place in another series, or the series has no list left.
    """
    known = connection.execute(select(table.c.uri, table.c.place).where(table.c.job_id == job_id)).one_or_none()
    if known is not None:
        if known.uri != series and not known.uri.startswith(f"{series}-"):
            raise LifecycleError("the job has a place in another status list")
        return known.uri, int(known.place)
    newest = connection.execute(select(func.max(status_list.c.number)).where(status_list.c.series == series)).scalar()
    for number in range(newest or 1, MAX_LISTS + 1):
        uri, places = _open_list(connection, series, number, size)
        for _ in range(DRAWS):
            place = int.from_bytes(random(8), "big") % places
            taken = select(table.c.place).where(table.c.uri == uri, table.c.place == place)
            if connection.execute(taken).one_or_none() is None:
                connection.execute(insert(table).values(uri=uri, place=place, job_id=job_id))
                return uri, place
    raise LifecycleError(f"the series of status lists {series} has no list left: begin another")


def _open_list(connection: Connection, series: str, number: int, size: int) -> tuple[str, int]:
    """URI and size of a list of the series, begun where it is not there yet."""
    uri = series if number == 1 else f"{series}-{number}"
    query = select(status_list.c.size).where(status_list.c.uri == uri)
    known = connection.execute(query).scalar_one_or_none()
    if known is None:
        try:
            with connection.begin_nested():  # two may begin a list at once; the second finds the first one's
                connection.execute(insert(status_list).values(uri=uri, series=series, number=number, size=size))
        except IntegrityError:
            pass
        known = connection.execute(query).scalar_one()
    return uri, int(known)


def find_place(connection: Connection, job_id: uuid.UUID) -> tuple[str, int] | None:
    """The job's list and its place there, or None."""
    row = connection.execute(select(table.c.uri, table.c.place).where(table.c.job_id == job_id)).one_or_none()
    return None if row is None else (row.uri, int(row.place))
