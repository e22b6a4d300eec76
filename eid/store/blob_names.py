"""Which of the names of blobs some row has: what no row names nobody shows, and nobody erases."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from eid.store.application_tables import document
from eid.store.osia_tables import osia_buffer
from eid.store.production_tables import captured_item

TABLES = (document, captured_item, osia_buffer)


def named_blobs(connection: Connection, bucket: int, names: Iterable[str]) -> frozenset[str]:
    """Those names that a row of a bucket has."""
    wanted, found = tuple(names), set[str]()
    for table in TABLES:
        query = select(table.c.blob).where(table.c.bucket == bucket, table.c.blob.in_(wanted))
        found.update(connection.execute(query).scalars())
    return frozenset(found)
