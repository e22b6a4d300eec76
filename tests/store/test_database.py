from __future__ import annotations

import sqlite3
import stat
import threading
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from eid.errors import LifecycleError, StoreError
from eid.store.database import CONNECTIONS, in_transaction, is_retryable, journal_mode, open_database, reading
from eid.store.types import UtcDateTime, new_id


def pragma(engine, name):
    with engine.connect() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_pragmas(engine):
    assert pragma(engine, "synchronous") == 2  # FULL
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "busy_timeout") == 30_000
    assert pragma(engine, "journal_mode").upper() == journal_mode()


@pytest.mark.parametrize(
    ("version", "mode"),
    [((3, 40, 1), "DELETE"), ((3, 51, 2), "DELETE"), ((3, 51, 3), "WAL"), ((3, 52, 0), "WAL"), ((4, 0, 0), "WAL")],
)
def test_write_ahead_log_only_where_the_library_keeps_files_safe(version, mode):
    assert journal_mode(version) == mode


def test_file_is_the_owners_alone(engine, tmp_path):
    assert stat.S_IMODE((tmp_path / "eid.db").stat().st_mode) == 0o600


def test_transaction_locks_as_it_begins(engine, tmp_path):
    other = sqlite3.connect(tmp_path / "eid.db", timeout=0)
    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:////nonexistent/folder/eid.db", "cannot be opened"),
        ("not a url", "cannot be opened"),
        ("nosuch://host/db", "cannot be opened"),
        ("postgresql+nosuchdriver://host/db", "cannot be opened"),
    ],
)
def test_bad_urls(url, complaint):
    with pytest.raises(StoreError, match=complaint):
        open_database(url)


def locked():
    return OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))


class SerializationFailure(Exception):
    sqlstate = "40001"


def test_transaction_is_run_again_until_it_succeeds(engine):
    runs: list[int] = []
    pauses: list[float] = []

    def work(connection):
        runs.append(1)
        if len(runs) < 4:
            raise locked()
        return "done"

    assert in_transaction(engine, work, sleep=pauses.append) == "done"
    assert len(pauses) == 3
    assert pauses[0] < pauses[2]


def test_transaction_gives_up(engine):
    def work(connection):
        raise DBAPIError("COMMIT", {}, SerializationFailure())

    with pytest.raises(StoreError, match="stayed locked through 3 attempts"):
        in_transaction(engine, work, attempts=3, sleep=lambda _: None)
    with pytest.raises(StoreError, match="no attempt"):
        in_transaction(engine, work, attempts=0)


def test_other_failures_are_not_repeated(engine):
    with pytest.raises(StoreError, match="the database failed: OperationalError"):
        in_transaction(engine, lambda connection: connection.execute(text("SELECT * FROM nowhere")))
    assert not is_retryable(OperationalError("x", {}, sqlite3.OperationalError("disk I/O error")))


def test_where_every_connection_is_in_use_the_store_is_away(engine, monkeypatch):
    """An error of ours: whoever does durable work tries again, and a request is answered with 503."""
    monkeypatch.setattr(engine.pool, "_timeout", 0.01)
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(engine.connect())
        with pytest.raises(StoreError, match="in use"):
            in_transaction(engine, lambda connection: None)
        with pytest.raises(StoreError, match="in use"), reading(engine):
            pass
    in_transaction(engine, lambda connection: None)


def test_what_the_work_raises_passes_after_a_rollback(engine):
    def work(connection):
        connection.execute(text("UPDATE alembic_version SET version_num = 'x'"))
        raise LifecycleError("no")

    with pytest.raises(LifecycleError):
        in_transaction(engine, work)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() != "x"


def test_locked_by_another_connection_waits(engine, tmp_path):
    other = sqlite3.connect(tmp_path / "eid.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, lambda: other.execute("COMMIT")).start()
    statement = text("UPDATE alembic_version SET version_num = version_num")
    assert in_transaction(engine, lambda connection: connection.execute(statement).rowcount) == 1
    other.close()


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.just(timezone(timedelta(hours=1)))))
def test_moments_are_kept_in_utc(one, two):
    kind = UtcDateTime()
    for moment in (one, two):
        try:
            stored = kind.process_bind_param(moment, None)
        except OverflowError:
            continue  # the first and last hours of the calendar
        assert stored.tzinfo is UTC
        assert kind.process_result_value(stored.replace(tzinfo=None), None) == stored
        assert kind.process_result_value(stored, None) == stored == moment.astimezone(UTC)
    assert kind.process_bind_param(None, None) is None
    assert kind.process_result_value(None, None) is None


def test_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001


def test_uuid_version_7_of_rfc_9562():
    """The example of RFC 9562 appendix A.6: 2022-02-22 19:22:22 UTC, rand_a CC3, rand_b 18C4DC0C0C07398F."""
    noise = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert str(new_id(moment, lambda count: noise[:count])) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_sort_by_time(now):
    ids = [new_id(now + timedelta(milliseconds=step)) for step in range(50)]
    assert ids == sorted(ids)
    assert all((item.version, item.variant) == (7, uuid.RFC_4122) for item in ids)
