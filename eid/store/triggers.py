"""Triggers that keep a journal append-only. One script, run after every upgrade.

Alembic rebuilds a SQLite table to alter it, and so drops its triggers without a word; therefore no migration makes
them, every upgrade does, and `missing_triggers` is asked before the database is used.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

APPEND_ONLY_TABLES: Final = ("personalization_step", "audit_row", "tree_head")
_OPERATIONS: Final = {"sqlite": ("UPDATE", "DELETE"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}


def trigger_names(dialect: str) -> tuple[str, ...]:
    """Every trigger that must stand, in "sqlite" or "postgresql"."""
    return tuple(_name(table, operation) for table in APPEND_ONLY_TABLES for operation in _OPERATIONS[dialect])


def install_triggers(connection: Connection) -> None:
    """Make every trigger anew; harmless where they stand."""
    for statement in statements(connection.dialect.name):
        connection.execute(text(statement))


def missing_triggers(connection: Connection) -> tuple[str, ...]:
    """Names of triggers that do not stand."""
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"  # they fire for us
    )
    standing = set(connection.execute(text(query)).scalars())
    return tuple(name for name in trigger_names(connection.dialect.name) if name not in standing)


def statements(dialect: str) -> tuple[str, ...]:
    """The script for a dialect, "sqlite" or "postgresql"."""
    pairs = [(table, operation) for table in APPEND_ONLY_TABLES for operation in _OPERATIONS[dialect]]
    if dialect == "sqlite":
        return tuple(part for pair in pairs for part in _sqlite(*pair))
    return (_POSTGRESQL_FUNCTION, *(part for pair in pairs for part in _postgresql(*pair)))


def _name(table: str, operation: str) -> str:
    return f"{table}_no_{operation.lower()}"


def _sqlite(table: str, operation: str) -> tuple[str, str]:
    name = _name(table, operation)
    return (
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} BEFORE {operation} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    )


_POSTGRESQL_FUNCTION: Final = (
    "CREATE OR REPLACE FUNCTION eid_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
)


def _postgresql(table: str, operation: str) -> tuple[str, str]:
    name, each = _name(table, operation), "STATEMENT" if operation == "TRUNCATE" else "ROW"
    return (
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} BEFORE {operation} ON {table} FOR EACH {each} EXECUTE FUNCTION eid_append_only()",
    )
