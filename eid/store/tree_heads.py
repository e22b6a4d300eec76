"""Signed tree heads of the audit log in the database, and which rows stand under none yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from eid.audit.tree_head import Entry, Frontier, Seal, decode_frontier
from eid.store.tables import audit_chain, audit_row
from eid.store.tree_head_tables import sealed_chain, tree_head

_SEALED: Final = func.coalesce(sealed_chain.c.size, 0)
_BEHIND: Final = (
    select(audit_chain.c.bucket, _SEALED.label("sealed"))
    .outerjoin(sealed_chain, sealed_chain.c.bucket == audit_chain.c.bucket)
    .where(audit_chain.c.size > _SEALED)
    .order_by(audit_chain.c.bucket)
)
_ROWS: Final = (
    select(audit_row.c.seq, audit_row.c.hash)
    .where(audit_row.c.bucket == bindparam("chain"), audit_row.c.seq > bindparam("sealed"))
    .order_by(audit_row.c.seq)
    .limit(bindparam("most"))
)
_MOVE: Final = update(sealed_chain).where(sealed_chain.c.bucket == bindparam("chain"))


def read_frontier(connection: Connection) -> Frontier:
    """The tree under the newest head; an empty one where there is no head."""
    newest = select(tree_head.c.size, tree_head.c.frontier).order_by(tree_head.c.size.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Frontier() if row is None else decode_frontier(row.size, row.frontier)


def has_unsealed(connection: Connection) -> bool:
    """Whether any row stands under no head yet."""
    return connection.execute(_BEHIND.limit(1)).first() is not None


def read_unsealed(connection: Connection, limit: int) -> tuple[Entry, ...]:
    """Rows that stand under no head yet, chain by chain, in their order."""
    found: list[Entry] = []
    for chain in connection.execute(_BEHIND).all():
        which = {"chain": chain.bucket, "sealed": chain.sealed, "most": limit - len(found)}
        rows = connection.execute(_ROWS, which)
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
    _move_seals(connection, {entry.bucket: entry.seq for entry in entries})  # the last one of each chain stays
    return True


def _move_seals(connection: Connection, sizes: Mapping[int, int]) -> None:
    known = set(connection.execute(select(sealed_chain.c.bucket)).scalars())
    moved = [{"chain": bucket, "size": size} for bucket, size in sizes.items() if bucket in known]
    new = [{"bucket": bucket, "size": size} for bucket, size in sizes.items() if bucket not in known]
    if moved:
        connection.execute(_MOVE, moved)
    if new:
        connection.execute(insert(sealed_chain), new)


def read_seals(connection: Connection, after: int, limit: int) -> tuple[Seal, ...]:
    """Heads over more entries than `after`, in order."""
    columns = (tree_head.c.size, tree_head.c.entries, tree_head.c.checkpoint)
    query = select(*columns).where(tree_head.c.size > after).order_by(tree_head.c.size).limit(limit)
    return tuple(Seal(row.size, row.entries, row.checkpoint) for row in connection.execute(query))
