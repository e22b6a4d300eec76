from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from eid.store.database import open_database

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path, sqlite_template) -> Iterator[Engine]:
    """A database of this version in a file."""
    engine = open_database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'eid.db')}")
    yield engine
    engine.dispose()


@pytest.fixture
def now() -> datetime:
    return NOW
