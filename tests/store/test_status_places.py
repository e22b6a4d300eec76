from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eid.errors import LifecycleError
from eid.store.database import in_transaction
from eid.store.personalization_jobs import create_job
from eid.store.status_places import allocate_place

NOW = datetime(2026, 6, 1, tzinfo=UTC)
URI = "https://status.example.org/1"


def new_job(engine):
    work = lambda connection: create_job(connection, profile_digest=bytes(32), reader="", attempt=1, now=NOW)  # noqa: E731
    return in_transaction(engine, work).id


def allocate(engine, job, draws, *, size=8, uri=URI):
    queue = iter(draws)
    random = lambda count: next(queue).to_bytes(count, "big")  # noqa: E731
    return in_transaction(engine, lambda connection: allocate_place(connection, uri, size, job, random))


def test_a_place_belongs_to_one_job(engine):
    first, second = new_job(engine), new_job(engine)
    assert allocate(engine, first, [3]) == 3
    assert allocate(engine, second, [3, 11, 4]) == 4  # 11 is 3 again, in a list of eight


def test_a_job_keeps_its_place(engine):
    job = new_job(engine)
    assert allocate(engine, job, [3]) == 3
    assert allocate(engine, job, []) == 3
    with pytest.raises(LifecycleError, match="another status list"):
        allocate(engine, job, [1], uri="https://status.example.org/2")


def test_lists_are_apart(engine):
    assert allocate(engine, new_job(engine), [3]) == 3
    assert allocate(engine, new_job(engine), [3], uri="https://status.example.org/2") == 3


def test_large_lists(engine):
    assert allocate(engine, new_job(engine), [(1 << 32) - 1], size=1 << 32) == (1 << 32) - 1


def test_a_full_list_is_told(engine):
    for place in range(2):
        allocate(engine, new_job(engine), [place], size=2)
    with pytest.raises(LifecycleError, match="no place left"):
        allocate(engine, new_job(engine), range(100), size=2)
