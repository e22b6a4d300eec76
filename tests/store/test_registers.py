from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest

from eid.errors import StoreError
from eid.store.database import in_transaction
from eid.store.issued_documents import find_by_sod, find_documents, register_document, tag_document_number
from eid.store.trust_index import (
    TrustedCertificate,
    TrustedCrl,
    list_certificates,
    list_crls,
    note_certificate,
    note_crl,
)

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


@pytest.fixture
def certificate(now):
    return TrustedCertificate(b"F" * 32, "CSCA", "MA", "CN=SPECIMEN CSCA,C=MA", b"K" * 20, ("a.ml",), now, now, True)


def test_certificate_seen_again_is_renewed(engine, certificate, now):
    assert in_transaction(engine, lambda c: note_certificate(c, certificate)) is True
    later = now + timedelta(days=7)
    again = replace(
        certificate, sources=("b.ml", "a.ml"), first_seen=later, last_seen=later, usable=False, defects=("EXPIRED",)
    )
    assert in_transaction(engine, lambda c: note_certificate(c, again)) is False
    assert in_transaction(list_engine := engine, list_certificates) == (
        replace(again, first_seen=now, sources=("a.ml", "b.ml")),
    )
    assert list_engine is engine


def test_certificates_by_country_and_kind(engine, certificate):
    others = (
        replace(certificate, fingerprint=b"G" * 32, kind="DS", ski=None),
        replace(certificate, fingerprint=b"H" * 32, country="FR"),
    )
    for item in (certificate, *others):
        in_transaction(engine, lambda c, item=item: note_certificate(c, item))
    assert in_transaction(engine, list_certificates) == (others[1], certificate, others[0])
    assert in_transaction(engine, lambda c: list_certificates(c, country="FR")) == (others[1],)
    assert in_transaction(engine, lambda c: list_certificates(c, kinds=("DS", "LINK"))) == (others[0],)


def test_unknown_kind_is_refused(engine, certificate):
    with pytest.raises(StoreError):
        in_transaction(engine, lambda c: note_certificate(c, replace(certificate, kind="ROOT")))


def test_crls(engine, now):
    old = TrustedCrl(b"1" * 32, "MA", "CN=CSCA", now, now + timedelta(days=90), ("x.crl",), now, now, True)
    new = replace(old, fingerprint=b"2" * 32, this_update=now + timedelta(days=1), next_update=None, defects=("OLD",))
    for item in (old, new):
        assert in_transaction(engine, lambda c, item=item: note_crl(c, item)) is True
    assert in_transaction(engine, list_crls) == (new, old)
    assert in_transaction(engine, lambda c: list_crls(c, country="FR")) == ()
    assert in_transaction(engine, lambda c: note_crl(c, old)) is False
