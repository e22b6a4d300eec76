"""A request that comes again gets the same answer; another one under the same key is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from eid.errors import StoreError
from eid.store.database import in_transaction
from eid.store.idempotency import GivenReply, KeyReusedError, find_reply, forget_replies, keep_reply

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REPLY = GivenReply(201, {"id": "0001", "state": "DRAFT"})


def keep(engine: Engine, caller: str = "station:1", key: str = "k", request: bytes = b"{}") -> None:
    in_transaction(engine, lambda connection: keep_reply(connection, caller, key, request, REPLY, NOW))


def find(engine: Engine, caller: str = "station:1", key: str = "k", request: bytes = b"{}") -> GivenReply | None:
    return in_transaction(engine, lambda connection: find_reply(connection, caller, key, request))


def test_the_same_request_gets_the_same_answer(any_database: Engine) -> None:
    assert find(any_database) is None
    keep(any_database)
    assert find(any_database) == REPLY
    assert find(any_database, key="other") is None
    assert find(any_database, caller="station:2") is None


def test_another_request_under_the_key_is_refused(any_database: Engine) -> None:
    keep(any_database)
    with pytest.raises(KeyReusedError):
        find(any_database, request=b'{"other": 1}')
    with pytest.raises(StoreError, match="contradicts"):  # two at once: one of them is rolled back, whole
        keep(any_database, request=b'{"other": 1}')


def test_answers_are_forgotten_in_time(any_database: Engine) -> None:
    keep(any_database)
    assert in_transaction(any_database, lambda connection: forget_replies(connection, NOW)) == 0
    assert in_transaction(any_database, lambda connection: forget_replies(connection, NOW + timedelta(seconds=1))) == 1
    assert find(any_database) is None
