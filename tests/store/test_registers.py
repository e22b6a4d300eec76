from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import pytest

from eid.errors import StoreError
from eid.store.database import in_transaction
from eid.store.issued_documents import find_by_sod, find_documents, register_document, tag_document_number

KEY = bytes(range(32))


def register(engine, now, **changed):
    values = {
        "profile_name": "ma-cnie",
        "profile_digest": b"P" * 32,
        "sod_hash": b"S" * 32,
        "card_serial": "00112233445566778899",
        "document_number_tag": tag_document_number(KEY, "MAR", "SPECIMEN1"),
        "key_versions": {"scp03": 48},
        "attempt": 1,
        "report_digest": b"R" * 32,
        "now": now,
    }
    return in_transaction(engine, lambda c: register_document(c, **(values | changed)))


def test_document_is_found_by_its_number_and_by_its_sod(engine, now):
    first = register(engine, now)
    second = register(engine, now + timedelta(days=1), sod_hash=b"T" * 32, attempt=2)
    tag = tag_document_number(KEY, "MAR", "SPECIMEN1")
    assert in_transaction(engine, lambda c: find_documents(c, tag)) == (first, second)
    assert in_transaction(engine, lambda c: find_by_sod(c, b"T" * 32)) == second
    assert in_transaction(engine, lambda c: find_by_sod(c, bytes(32))) is None
    assert in_transaction(engine, lambda c: find_documents(c, tag_document_number(KEY, "UTO", "SPECIMEN1"))) == ()


def test_one_sod_is_registered_once(engine, now):
    register(engine, now)
    with pytest.raises(StoreError, match="contradicts"):
        register(engine, now)


def test_number_is_kept_as_a_keyed_hash_only(engine, now, tmp_path):
    register(engine, now)
    assert b"SPECIMEN1" not in (tmp_path / "eid.db").read_bytes()
    assert tag_document_number(KEY, "MAR", "X1") == hmac.digest(KEY, b"MAR\0X1", "sha256")
    assert tag_document_number(KEY, "MA", "RX1") != tag_document_number(KEY, "MAR", "X1")
    assert tag_document_number(KEY, "MAR", "X1") != hashlib.sha256(b"MAR\0X1").digest()
    with pytest.raises(ValueError, match="32 octets"):
        tag_document_number(b"short", "MAR", "X1")
