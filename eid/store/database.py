"""Open the database and run transactions on it.

SQLite is the embedded default. Its write-ahead log can corrupt a file under two connections before version 3.51.3, so
older libraries keep the rollback journal. A transaction takes the write lock as it begins: one that reads first and
writes later would fail with "database is locked" instead of waiting.

What only reads begins no transaction at all (`reading`): each statement sees what is committed when it runs, as in a
transaction of PostgreSQL's usual level, and costs no more than itself.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from eid.errors import ContradictionError, StoreError

T = TypeVar("T")
WAL_IS_SAFE_FROM: Final = (3, 51, 3)
BUSY_TIMEOUT: Final = 30_000  # milliseconds
ATTEMPTS: Final = 8
FIRST_PAUSE: Final = 0.01  # seconds, doubled after each attempt
CONNECTIONS: Final = 15  # of one process at most; all are kept, for a new one costs more than most transactions
NO_CONNECTION: Final = "all connections to the database are in use, and none became free"
PREPARED: Final = 500  # statements that a connection to PostgreSQL remembers: more than there are
_ALONE: Final[dict[str, dict[str, Any]]] = {"sqlite": {"alone": True}, "postgresql": {"isolation_level": "AUTOCOMMIT"}}
_RETRYABLE: Final = frozenset(("40001", "40P01"))  # SQLSTATE: serialization failure, deadlock detected


def open_database(url: str | URL) -> Engine:
    """Open a database; a SQLite file that does not exist is made, readable by its owner alone.

    Args:
        url: SQLAlchemy's form, e.g. ``sqlite:////var/lib/eid/eid.db``. Its tables are `schema_version`'s business.

    Raises:
        StoreError: the URL is malformed, its driver is not installed, or the file cannot be made.
    """
    try:
        parsed = make_url(url)
        embedded = parsed.get_backend_name() == "sqlite"
        if embedded:
            _make_file(parsed)
        engine = create_engine(
            parsed,
            hide_parameters=True,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            connect_args={"timeout": BUSY_TIMEOUT / 1000} if embedded else {},
        )
    except (ArgumentError, SQLAlchemyError, ImportError) as failure:
        raise StoreError(f"the database cannot be opened: {type(failure).__name__}") from failure
    if embedded:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    elif parsed.get_driver_name() == "psycopg":
        event.listen(engine, "connect", _prepare_postgresql)
    return engine


def locate_file(path: Path) -> URL:
    """The URL of a SQLite file, whatever characters its path has: a question mark in a text would end the path."""
    return URL.create("sqlite", database=str(path))


def journal_mode(library_version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """The journal mode that this version of the SQLite library keeps files safe with."""
    return "WAL" if library_version >= WAL_IS_SAFE_FROM else "DELETE"


def in_transaction(
    engine: Engine,
    work: Callable[[Connection], T],
    *,
    alone: bool = False,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run `work` in one transaction and return its result once that is durable.

    Args:
        work: reads and writes through the connection, and has no other effect, for it is run again from its start where
            the database says locked, deadlock or serialization failure.
        alone: `work` is one statement, which needs no beginning and no end around it.

    Raises:
        StoreError: the database stays locked or fails. ContradictionError: it refuses the data. What `work` raises
            passes after a rollback.
    """
    pause = FIRST_PAUSE
    for attempt in range(attempts):
        try:
            with engine.connect() as connection:
                if alone:
                    connection.execution_options(**_ALONE[engine.dialect.name])
                with connection.begin():
                    return work(connection)
        except IntegrityError as failure:
            raise ContradictionError("the data contradicts what is stored already") from failure
        except DBAPIError as failure:
            if not is_retryable(failure):
                raise StoreError(f"the database failed: {type(failure.orig).__name__}") from failure
            if attempt == attempts - 1:
                raise StoreError(f"the database stayed locked through {attempts} attempts") from failure
        except PoolTimeoutError as failure:
            raise StoreError(NO_CONNECTION) from failure
        sleep(pause * (1 + random.random()))  # noqa: S311  only spreads the waiting
        pause *= 2
    raise StoreError("no attempt was allowed")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for statements that only read, outside of any transaction; nothing is locked, nothing waits.

    Raises:
        StoreError: the database fails.
    """
    try:
        with engine.connect() as connection:
            yield connection.execution_options(**_ALONE[engine.dialect.name])
    except DBAPIError as failure:
        raise StoreError(f"the database failed: {type(failure.orig).__name__}") from failure
    except PoolTimeoutError as failure:
        raise StoreError(NO_CONNECTION) from failure


def is_retryable(failure: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    if getattr(failure.orig, "sqlstate", None) in _RETRYABLE:
        return True
    return isinstance(failure, OperationalError) and "locked" in str(failure.orig)


def _make_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StoreError("a database in memory does not outlive the process; name a file")
    path = Path(url.database)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as failure:
        raise StoreError(f"the database file {path} cannot be opened: {failure.strerror}") from failure


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is off; `_begin_immediate` does it
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT}",
        f"journal_mode = {journal_mode()}",
        "synchronous = FULL",
        "foreign_keys = ON",
        "recursive_triggers = ON",  # or INSERT OR REPLACE would take a row away past the trigger that forbids it
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    if not connection.get_execution_options().get("alone"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.prepared_max = PREPARED  # what is forgotten is parsed and planned at each call
