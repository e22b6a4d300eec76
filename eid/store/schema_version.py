"""Bring the tables to the version that this program needs, and refuse to work on any other.

Alembic is imported by what migrates: every process that opens a database compares versions, few of them migrate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from eid.errors import StoreError
from eid.store.triggers import install_triggers, missing_triggers

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Where a database stands. current: None where it has no tables of ours."""

    current: str | None
    needed: str
    missing_triggers: tuple[str, ...]

    @property
    def is_ready(self) -> bool:
        """Whether the program can work on it."""
        return self.current == self.needed and not self.missing_triggers


@cache  # the migrations of a program do not change while it runs
def needed_version() -> str:
    """The version of the newest migration."""
    versions = [path.name[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py")]
    if not versions:
        raise StoreError("this installation has no migrations")
    return max(versions)


def check(engine: Engine) -> SchemaStatus:
    """Tell where a database stands, without changing it.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with engine.connect() as connection:
            return SchemaStatus(_read_version(connection), needed_version(), missing_triggers(connection))
    except SQLAlchemyError as failure:
        raise StoreError(f"the database cannot be read: {type(failure).__name__}") from failure


def upgrade(engine: Engine) -> SchemaStatus:
    """Bring a database, empty or older, to the needed version in one transaction, and make its triggers.

    Raises:
        StoreError: it was made by a newer program, or the migration failed; the database is then as it was.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        with engine.begin() as connection:
            command.upgrade(_config(connection), "head")
            install_triggers(connection)
    except CommandError as failure:
        raise StoreError("the database was made by a newer version of this program") from failure
    except SQLAlchemyError as failure:
        raise StoreError(f"the database could not be upgraded: {type(failure).__name__}") from failure
    return check(engine)


def require_ready(engine: Engine) -> None:
    """Refuse a database that this program cannot work on.

    Raises:
        StoreError: it is empty, older, newer, or its append-only triggers are missing.
    """
    status = check(engine)
    if status.is_ready:
        return
    if status.current is None:
        raise StoreError("the database has no tables yet: run `eid db init`")
    if status.current != status.needed:
        raise StoreError(
            f"the database is at version {status.current}, this program needs {status.needed}: run `eid db upgrade`"
        )
    raise StoreError(f"triggers are missing ({', '.join(status.missing_triggers)}): run `eid db upgrade`")


def _read_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
