"""A database of each kind for all tests of a module, for those that can tell their own rows from others'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from eid.store.database import open_database
from eid.store.schema_version import upgrade


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with all tables, made once: that takes longer than most tests."""
    if request.param == "sqlite":
        engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('shared')}/eid.db")
        event.listen(engine, "connect", _forget_on_power_loss)
        upgrade(engine)
    else:
        server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
        engine = open_database(server.create_database(template))
    yield engine
    engine.dispose()


def _forget_on_power_loss(connection: Any, _record: object) -> None:
    """What a test loses when the machine loses power is of no interest."""
    connection.execute("PRAGMA synchronous = OFF")
