"""The audit log, on both databases: appended with what it tells of, one chain under many writers, append-only."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, insert, update

from eid.audit.chain import AuditEvent, Chain
from eid.errors import StoreError
from eid.store.audit import append_event, bucket_of, read_buckets, read_chain
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue, forget, waiting
from eid.store.tables import audit_row
from eid.store.types import new_id, new_id_like

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def event(number: int, actor: str = "officer:01") -> AuditEvent:
    return AuditEvent(
        NOW + timedelta(seconds=number),
        actor,
        "application.submit",
        f"application:{number}",
        {"n": number, "why": None},
    )


def check(engine: Engine, bucket: int) -> int:
    chain = Chain(bucket)
    with engine.connect() as connection:
        for row in read_chain(connection, bucket):
            chain.accept(row)
    return chain.size


def test_rows_come_back_as_they_were_written(any_database: Engine) -> None:
    written = [
        in_transaction(any_database, lambda connection, n=number: append_event(connection, 5, event(n)))
        for number in range(4)
    ]
    with any_database.connect() as connection:
        assert list(read_chain(connection, 5)) == written
        assert list(read_chain(connection, 5, after=2)) == written[2:]
        assert list(read_chain(connection, 6)) == []
        assert read_buckets(connection) == (5,)
    assert check(any_database, 5) == 4


def test_pages(any_database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eid.store.audit.PAGE", 3)
    in_transaction(any_database, lambda connection: [append_event(connection, 0, event(n)) for n in range(7)])
    assert check(any_database, 0) == 7


def test_a_transaction_that_fails_leaves_neither_row_nor_work(any_database: Engine) -> None:
    work = Work(new_id(NOW), "notify", {"application": "1"}, NOW)

    def fail(connection) -> None:
        append_event(connection, 1, event(1))
        enqueue(connection, work)
        raise LookupError

    with pytest.raises(LookupError):
        in_transaction(any_database, fail)
    with any_database.connect() as connection:
        assert read_buckets(connection) == ()
        assert waiting(connection) == ()


@pytest.mark.parametrize("buckets", [1, 4])
def test_many_writers_make_chains_without_gap_or_fork(any_database: Engine, buckets: int) -> None:
    writers, each = 6, 12
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(each):
                bucket = number % buckets
                told = event(number, f"officer:{writer}")
                in_transaction(any_database, lambda c, b=bucket, e=told: append_event(c, b, e), attempts=40)
        except BaseException as failure:  # noqa: BLE001 - told by the test
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(check(any_database, bucket) for bucket in range(buckets)) == writers * each


@pytest.mark.parametrize(
    "statement", [update(audit_row).values(actor="nobody"), delete(audit_row)], ids=["update", "delete"]
)
def test_rows_cannot_be_changed_through_sql(any_database: Engine, statement: object) -> None:
    in_transaction(any_database, lambda connection: append_event(connection, 9, event(1)))
    with pytest.raises(StoreError):
        in_transaction(any_database, lambda connection: connection.execute(statement))
    assert check(any_database, 9) == 1


def test_one_place_holds_one_row(any_database: Engine) -> None:
    row = in_transaction(any_database, lambda connection: append_event(connection, 9, event(1)))
    again = {
        "bucket": 9,
        "seq": 1,
        "previous": row.previous,
        "hash": row.hash,
        "at": NOW,
        "actor": "a",
        "action": "b",
        "subject": "c",
        "detail": {},
    }
    with pytest.raises(StoreError, match="contradicts"):
        in_transaction(any_database, lambda connection: connection.execute(insert(audit_row).values(**again)))


def test_work_waits_in_order_until_it_is_forgotten(any_database: Engine) -> None:
    items = [Work(new_id(NOW), "sign", {"n": n}, NOW + timedelta(seconds=n)) for n in range(3)]
    in_transaction(any_database, lambda connection: [enqueue(connection, item) for item in reversed(items)])
    with any_database.connect() as connection:
        assert waiting(connection) == tuple(items)
        assert waiting(connection, 1) == tuple(items[:1])
    for _ in range(2):
        in_transaction(any_database, lambda connection: forget(connection, items[0]))
    with any_database.connect() as connection:
        assert waiting(connection) == tuple(items[1:])


def test_relatives_share_a_bucket() -> None:
    person = new_id(NOW)
    relative = new_id_like(person, NOW + timedelta(days=1))
    assert bucket_of(relative) == bucket_of(person) == person.bytes[15]
    assert (relative.version, relative.variant) == (7, uuid.RFC_4122)
    assert relative != person
