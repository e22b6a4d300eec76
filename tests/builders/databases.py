"""SQLite databases with all tables, made once and copied: a copy takes a hundredth of the time of the migrations."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sqlalchemy import Engine, event

from eid.services import database
from eid.services.trust import files
from eid.store.database import locate_file, open_database
from eid.store.schema_version import SchemaStatus, check, upgrade

_ONE_BY_ONE = threading.Lock()


def ready_sqlite(path: Path) -> Engine:
    """A new database in that file. What it loses when the machine loses power is of no interest."""
    shutil.copyfile(_with_all_tables(), path)
    path.chmod(0o600)
    engine = open_database(locate_file(path))
    event.listen(engine, "connect", _do_not_wait_for_the_disk)
    return engine


@contextmanager
def copied_tables() -> Iterator[None]:
    """Empty databases that the product finds get their tables by copy; all others it upgrades itself."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (database, files):
            patch.setattr(module, "upgrade", _upgrade)
        yield


def _upgrade(engine: Engine) -> SchemaStatus:
    with _ONE_BY_ONE:
        if engine.dialect.name != "sqlite" or check(engine).current is not None:
            return upgrade(engine)
        raw = engine.raw_connection()
        try:
            with closing(sqlite3.connect(_with_all_tables())) as template:
                template.backup(raw.driver_connection)  # type: ignore[arg-type]  # sqlite3's own connection
        finally:
            raw.close()
        return check(engine)


@cache
def _with_all_tables() -> Path:
    folder = Path(mkdtemp(prefix="eid-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "template.db"
    engine = open_database(locate_file(path))
    upgrade(engine)
    engine.dispose()
    return path


def _do_not_wait_for_the_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
