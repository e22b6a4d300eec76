"""What is kept of a request that may come again: nothing by which what it said could be guessed."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import Engine, select

from eid.services.caller.idempotency import claim_key, keep_answer
from eid.store.idempotency import KeyReusedError
from eid.store.tables import idempotency_key
from tests.builders.registry import build_office

REQUEST = b'{"digits": "0123456789012345"}'


def test_a_request_is_known_again_by_a_keyed_hash(shared_database: Engine) -> None:
    registry = build_office(shared_database).registry
    assert claim_key(registry, "caller-1", "key-1", REQUEST) is None
    keep_answer(registry, "caller-1", "key-1", 200, b"answer")
    again = claim_key(registry, "caller-1", "key-1", REQUEST)
    assert again is not None
    assert (again.status, again.body) == (200, b"answer")
    with pytest.raises(KeyReusedError):
        claim_key(registry, "caller-1", "key-1", REQUEST + b" ")
    with shared_database.connect() as connection:
        kept = bytes(connection.execute(select(idempotency_key.c.request_digest)).scalar_one())
    plain = hashlib.sha256(REQUEST).digest()
    assert kept not in (plain, hashlib.sha256(plain).digest())
