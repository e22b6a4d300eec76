"""Places in status lists: each belongs to one personalisation job, so that revoking one card revokes no other."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, insert, select

from eid.errors import LifecycleError
from eid.store.tables import status_place as table

DRAWS: Final = 64  # in a list that is half full, all fail once in 2**64


def allocate_place(
    connection: Connection, uri: str, size: int, job_id: uuid.UUID, random: Callable[[int], bytes]
) -> int:
    """The job's place in the list, drawn at random where it has none, so that it tells nothing of its neighbours.

    Args:
        size: how many places the list has; the result is from 0 to size - 1.

    Raises:
        LifecycleError: the list is (nearly) full, or the job has a place in another list.
    """
    known = connection.execute(select(table.c.uri, table.c.place).where(table.c.job_id == job_id)).one_or_none()
    if known is not None:
        if known.uri != uri:
            raise LifecycleError("the job has a place in another status list")
        return int(known.place)
    for _ in range(DRAWS):
        place = int.from_bytes(random(8), "big") % size
        taken = select(table.c.place).where(table.c.uri == uri, table.c.place == place)
        if connection.execute(taken).one_or_none() is None:
            connection.execute(insert(table).values(uri=uri, place=place, job_id=job_id))
            return place
    raise LifecycleError(f"the status list {uri} has no place left: begin another list")
