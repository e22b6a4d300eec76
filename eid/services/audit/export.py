"""Rows of the audit log for other programs: all of them or those that somebody asks for, in the order of time.

Nothing is verified (`eid.services.audit.verification` does that), and nothing is held but a page of each chain.
"""

from __future__ import annotations

import csv
import heapq
import io
import json
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine

from eid.audit.chain import AuditRow
from eid.store.audit import AuditQuery, read_buckets, search_page
from eid.store.database import in_transaction

FORMAT: Final = "eid-audit-row"
VERSION: Final = 1
PAGE: Final = 200  # rows of one chain that are held at once; there are 256 chains
COLUMNS: Final = ("at", "actor", "action", "subject", "detail", "chain", "row", "hash", "previous")


def search_log(engine: Engine, query: AuditQuery) -> Iterator[AuditRow]:
    """The rows that are asked for, by their moments; rows of one chain stay in its order.

    Raises:
        StoreError: the database cannot be read.
    """
    chains = (_chain(engine, bucket, query) for bucket in in_transaction(engine, read_buckets))
    return heapq.merge(*chains, key=lambda row: (row.event.at, row.bucket, row.seq))


def _chain(engine: Engine, bucket: int, query: AuditQuery) -> Iterator[AuditRow]:
    after = 0
    while rows := in_transaction(engine, partial(search_page, bucket=bucket, query=query, after=after, limit=PAGE)):
        yield from (row for row in rows if query.fits(row.event))
        after = rows[-1].seq
        if len(rows) < PAGE:
            return


def encode_lines(rows: Iterable[AuditRow]) -> Iterator[str]:
    """A line of JSON for each row, with what its hash is made of."""
    for row in rows:
        yield json.dumps({"format": FORMAT, "version": VERSION, **describe_row(row)}, ensure_ascii=False) + "\n"


def encode_csv(rows: Iterable[AuditRow]) -> Iterator[str]:
    """RFC 4180: a header, then a row for each; the detail is JSON in its cell."""
    line = io.StringIO()
    writer = csv.DictWriter(line, COLUMNS)
    writer.writeheader()
    for row in rows:
        described = describe_row(row)
        writer.writerow(described | {"detail": json.dumps(described["detail"], ensure_ascii=False)})
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def describe_row(row: AuditRow) -> dict[str, Any]:
    """A row's members, in the order of `COLUMNS`; hashes in hexadecimal."""
    event = row.event
    return {
        "at": event.at.isoformat(timespec="microseconds"),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "detail": dict(event.detail),
        "chain": row.bucket,
        "row": row.seq,
        "hash": row.hash.hex(),
        "previous": row.previous.hex(),
    }
