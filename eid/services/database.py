"""The database that the settings name: made, brought up to date, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from eid.errors import NotStoredError, StoreError
from eid.services.settings import Settings
from eid.store.database import open_database
from eid.store.schema_version import SchemaStatus, check, require_ready, upgrade


def init_database(settings: Settings) -> SchemaStatus:
    """Make the database's tables where it has none; one that is ready is left alone.

    Raises:
        StoreError: it cannot be opened, or has tables of another version, which `upgrade_database` is for.
    """
    if not settings.database:
        _make_home(settings.home)
    engine = open_database(settings.database_url)
    status = check(engine)
    if status.current is None:
        return upgrade(engine)
    if not status.is_ready:
        raise StoreError(f"the database has tables of version {status.current}: run `eid db upgrade`")
    return status


@contextmanager
def ready_database(settings: Settings) -> Iterator[Engine]:
    """The database, made on first use; one of an older version is not upgraded behind the operator's back.

    Raises:
        StoreError: it cannot be opened, or is of another version.
    """
    init_database(settings)
    engine = open_database(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def existing_database(settings: Settings) -> Iterator[Engine]:
    """The database as it is, for whoever examines it: nothing is made or mended.

    Raises:
        NotStoredError: there is none. StoreError: it cannot be opened.
    """
    engine = _open_existing(settings)
    try:
        yield engine
    finally:
        engine.dispose()


def open_store(settings: Settings) -> Engine:
    """The database for as long as a service runs; one without tables is given them.

    Raises:
        StoreError: it cannot be opened, or is of another version.
    """
    if not settings.database:
        _make_home(settings.home)
    engine = open_database(settings.database_url)
    if check(engine).current is None:
        upgrade(engine)
    require_ready(engine)
    return engine


def upgrade_database(settings: Settings) -> tuple[SchemaStatus, SchemaStatus]:
    """Bring the database to the version that this program needs; its status before and after.

    Raises:
        NotStoredError: there is none. StoreError: it was made by a newer program, or the migration failed.
    """
    engine = _open_existing(settings)
    before = check(engine)
    if before.current is None:
        raise NotStoredError("the database has no tables yet: run `eid db init`")
    return before, upgrade(engine)


def check_database(settings: Settings) -> SchemaStatus:
    """Tell where the database stands, without changing or making anything.

    Raises:
        NotStoredError: there is none. StoreError: it cannot be read.
    """
    return check(_open_existing(settings))


def _open_existing(settings: Settings) -> Engine:
    try:
        url = make_url(settings.database_url)
    except ArgumentError as failure:
        raise StoreError("the database's URL is malformed") from failure
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        raise NotStoredError(f"there is no database {url.database}: run `eid db init`")
    return open_database(url)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise StoreError(f"{home}: {failure.strerror}") from failure
