"""A database of each kind for all tests of a module, for those that can tell their own rows from others'."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from eid.store.database import open_database
from tests.builders.databases import ready_sqlite


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with all tables, made once: that takes longer than most tests."""
    if request.param == "sqlite":
        engine = ready_sqlite(tmp_path_factory.mktemp("shared") / "eid.db")
    else:
        server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
        engine = open_database(server.create_database(template))
    yield engine
    engine.dispose()
