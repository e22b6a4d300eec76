"""Signed tree heads of the audit log in the database, and which rows stand under none yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.audit.tree_head import Entry, Frontier, Seal, decode_frontier
from eid.store.tables import audit_chain, audit_row
from eid.store.tree_head_tables import sealed_chain, tree_head


def read_frontier(connection: Connection) -> Frontier:
    """The tree under the newest head; an empty one where there is no head."""
    newest = select(tree_head.c.size, tree_head.c.frontier).order_by(tree_head.c.size.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Frontier() if row is None else decode_frontier(row.size, row.frontier)


def read_unsealed(connection: Connection, limit: int) -> tuple[Entry, ...]:
    """Rows that stand under no head yet, chain by chain, in their order."""
    behind = (
        select(audit_chain.c.bucket, func.coalesce(sealed_chain.c.size, 0).label("sealed"))
        .outerjoin(sealed_chain, sealed_chain.c.bucket == audit_chain.c.bucket)
        .where(audit_chain.c.size > func.coalesce(sealed_chain.c.size, 0))
        .order_by(audit_chain.c.bucket)
    )
    found: list[Entry] = []
    for chain in connection.execute(behind).all():
        rows = connection.execute(
            select(audit_row.c.seq, audit_row.c.hash)
            .where(audit_row.c.bucket == chain.bucket, audit_row.c.seq > chain.sealed)
            .order_by(audit_row.c.seq)
            .limit(limit - len(found))
        )
        found += [Entry(chain.bucket, row.seq, row.hash) for row in rows]
        if len(found) >= limit:
            break
    return tuple(found)


def add_head(connection: Connection, tree: Frontier, entries: tuple[Entry, ...], note: str, now: datetime) -> bool:
    """Keep a head over a tree that has grown by these entries; False where another follows the same head already.

    It is the database that refuses the second one (`tree_head.previous`); nothing of it remains.
    """
    raw = b"".join(entry.encode() for entry in entries)
    previous = tree.size - len(entries)
    values = {
        "size": tree.size,
        "previous": previous,
        "entries": raw,
        "frontier": tree.encode(),
        "checkpoint": note,
        "at": now,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(tree_head).values(**values))
    except IntegrityError:
        return False
    for bucket, size in {entry.bucket: entry.seq for entry in entries}.items():  # the last one of each chain stays
        moved = update(sealed_chain).where(sealed_chain.c.bucket == bucket).values(size=size)
        if connection.execute(moved).rowcount == 0:
            connection.execute(insert(sealed_chain).values(bucket=bucket, size=size))
    return True


def read_seals(connection: Connection, after: int, limit: int) -> tuple[Seal, ...]:
    """Heads over more entries than `after`, in order."""
    columns = (tree_head.c.size, tree_head.c.entries, tree_head.c.checkpoint)
    query = select(*columns).where(tree_head.c.size > after).order_by(tree_head.c.size).limit(limit)
    return tuple(Seal(row.size, row.entries, row.checkpoint) for row in connection.execute(query))
