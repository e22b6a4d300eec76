"""Insert, or update what stands there, in one statement, which SQLite and PostgreSQL have each by its own construct."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

Upsert: TypeAlias = "postgresql.Insert | sqlite.Insert"


def insert_or(dialect: str, table: Table) -> Upsert:
    """An INSERT for this dialect, "sqlite" or "postgresql", which knows `on_conflict_do_update`.

    Only that dialect is imported, with all its drivers.
    """
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
