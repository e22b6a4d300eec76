from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from eid.store.database import open_database
from tests.builders.databases import ready_sqlite

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    """A database of this version in a file, opened as the product opens it."""
    ready_sqlite(tmp_path / "eid.db").dispose()
    engine = open_database(f"sqlite:///{tmp_path}/eid.db")
    yield engine
    engine.dispose()


@pytest.fixture
def now() -> datetime:
    return NOW
