from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import text

from eid.errors import LifecycleError
from eid.store import schema_version
from eid.store.cards import read_lists
from eid.store.database import in_transaction, open_database
from eid.store.personalization_jobs import create_job
from eid.store.status_places import allocate_place, find_place

NOW = datetime(2026, 6, 1, tzinfo=UTC)
URI = "https://status.example.org/1"


def new_job(engine):
    work = lambda connection: create_job(connection, profile_digest=bytes(32), reader="", attempt=1, now=NOW)  # noqa: E731
    return in_transaction(engine, work).id


def allocate(engine, job, draws, *, size=8, uri=URI):
    queue = iter(draws)
    random = lambda count: next(queue).to_bytes(count, "big")  # noqa: E731
    return in_transaction(engine, lambda connection: allocate_place(connection, uri, size, job, random))


def found(engine, job):
    with engine.connect() as connection:
        return find_place(connection, job)


@pytest.fixture
def empty_at_nine(tmp_path):
    """A database of the version before, with a card's place in it, upgraded."""
    engine = open_database(f"sqlite:///{tmp_path}/old.db")
    with engine.begin() as connection:
        command.upgrade(schema_version._config(connection), "0009")
        connection.execute(
            text("INSERT INTO personalization_job VALUES (:id, 'SUCCEEDED', 1, 1, x'00', '', NULL, :at, :at)"),
            {"id": uuid.UUID(int=7).hex, "at": "2026-06-01 00:00:00"},
        )
        connection.execute(
            text("INSERT INTO status_place VALUES (:uri, 9, :id)"), {"uri": URI, "id": uuid.UUID(int=7).hex}
        )
    schema_version.upgrade(engine)
    yield engine
    engine.dispose()


def test_a_place_belongs_to_one_job(engine):
    first, second = new_job(engine), new_job(engine)
    assert allocate(engine, first, [3]) == (URI, 3)
    assert allocate(engine, second, [3, 11, 4]) == (URI, 4)  # 11 is 3 again, in a list of eight


def test_a_job_keeps_its_place(engine):
    job = new_job(engine)
    assert found(engine, job) is None
    assert allocate(engine, job, [3]) == (URI, 3)
    assert allocate(engine, job, []) == (URI, 3) == found(engine, job)
    with pytest.raises(LifecycleError, match="another status list"):
        allocate(engine, job, [1], uri="https://status.example.org/2")


def test_lists_are_apart(engine):
    other = "https://status.example.org/2"
    assert allocate(engine, new_job(engine), [3]) == (URI, 3)
    assert allocate(engine, new_job(engine), [3], uri=other) == (other, 3)


def test_large_lists(engine):
    assert allocate(engine, new_job(engine), [(1 << 26) - 1], size=1 << 26) == (URI, (1 << 26) - 1)


def test_a_full_list_is_followed_by_the_next(engine):
    jobs = [new_job(engine) for _ in range(6)]
    draws = ([0], [1], [*[0] * 16, 1], [*[1] * 16, 0], [])
    places = [allocate(engine, job, drawn, size=2) for job, drawn in zip(jobs, draws[:4], strict=False)]
    assert places == [(URI, 0), (URI, 1), (f"{URI}-2", 1), (f"{URI}-3", 0)]
    assert allocate(engine, jobs[2], [], size=2) == (f"{URI}-2", 1)  # a job that goes on keeps its place
    with engine.connect() as connection:
        lists = [(item.uri, item.number, item.size) for item in read_lists(connection)]
    assert lists == [(URI, 1, 2), (f"{URI}-2", 2, 2), (f"{URI}-3", 3, 2)]


def test_a_series_has_an_end(engine, monkeypatch):
    monkeypatch.setattr("eid.store.status_places.MAX_LISTS", 1)
    for place in range(2):
        allocate(engine, new_job(engine), [place], size=2)
    with pytest.raises(LifecycleError, match="no list left"):
        allocate(engine, new_job(engine), range(100), size=2)


def test_lists_of_an_older_database_are_taken_over(empty_at_nine):
    with empty_at_nine.connect() as connection:
        assert [(item.uri, item.size) for item in read_lists(connection)] == [(URI, 1 << 20)]
