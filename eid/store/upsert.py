"""Insert, or update what stands there, in one statement, which SQLite and PostgreSQL have each by its own construct."""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

Upsert: TypeAlias = "postgresql.Insert | sqlite.Insert"


def insert_or(dialect: str, table: Table) -> Upsert:
    """An INSERT for this dialect, "sqlite" or "postgresql", which knows `on_conflict_do_update`."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
