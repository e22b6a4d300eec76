from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from eid.errors import AlreadyDoneError, NotStoredError, ProfileError, StoreError, TooLateError
from eid.evidence import Origin
from eid.services.settings import Settings
from eid.services.trust.imports import import_trust
from eid.services.verifying.submission import Upload, build_evidence, submitted_files
from eid.services.verifying.verification import VerificationService, open_verification_service
from eid.store.database import in_transaction, open_database
from eid.store.verification_sessions import consume_challenge, load_session
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.clock import Clock
from tests.builders.databases import ready_sqlite
from tests.builders.document import CHALLENGE, NOW, Document, build_document, plain_signature


@pytest.fixture(scope="module")
def document() -> Document:
    return build_document()


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    engine = ready_sqlite(tmp_path / "eid.db")
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def service(engine, document, clock) -> VerificationService:
    stations = {document.key_id: document.station.public_key()}
    return VerificationService(engine, document.trust(), stations, clock=clock, random=lambda size: CHALLENGE[:size])


def test_an_empty_trust_store_serves_nobody(engine, document):
    with pytest.raises(StoreError, match="no usable CSCA"):
        VerificationService(engine, document.trust(with_csca=False))


def test_the_challenge_is_the_random_sources(service, clock):
    session = service.create("border control", "strict")
    assert (session.challenge, session.state) == (CHALLENGE, "CREATED")
    assert (session.created_at, session.expires_at) == (NOW, NOW + timedelta(minutes=5))


def test_challenges_differ(engine, document):
    service = VerificationService(engine, document.trust())
    assert len({service.create("test", "strict").challenge for _ in range(20)}) == 20


def test_the_challenge_is_spent_before_the_check(service, document, monkeypatch):
    session = service.create("test", "strict")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("eid.services.verifying.verification.verify", fail)
    envelope = document.envelope(document.evidence())
    with pytest.raises(RuntimeError):
        service.submit(session.id, envelope)
    monkeypatch.undo()
    assert service.find(session.id).state == "COLLECTING"
    with pytest.raises(AlreadyDoneError):
        service.submit(session.id, envelope)


def test_evidence_is_judged_once_and_its_report_kept(service, document, clock):
    session = service.create("test", "strict")
    clock.advance(seconds=10)
    report = service.submit(session.id, document.envelope(document.evidence()))
    assert report.verdict is Verdict.TOTAL_PASSED
    kept = service.find(session.id)
    assert (kept.state, kept.decided_at) == ("DECIDED", NOW + timedelta(seconds=10))
    assert kept.result["verdict"] == "TOTAL_PASSED"
    with pytest.raises(AlreadyDoneError):
        service.submit(session.id, document.envelope(document.evidence()))


def test_too_late(service, document, clock):
    session = service.create("test", "strict")
    clock.advance(minutes=5)
    assert service.find(session.id).state == "EXPIRED"
    with pytest.raises(TooLateError):
        service.submit(session.id, document.envelope(document.evidence()))
    service.create("test", "strict")  # sweeps
    assert service.find(session.id).state == "EXPIRED"
    with pytest.raises(TooLateError):
        service.submit(session.id, document.envelope(document.evidence()))


def test_a_crashed_check_expires(service, engine, clock):
    session = service.create("test", "strict")
    in_transaction(engine, lambda connection: consume_challenge(connection, session.id, clock.now))
    clock.advance(minutes=11)
    service.create("test", "strict")
    assert service.find(session.id).state == "EXPIRED"


def test_sessions_are_forgotten_after_their_retention(service, clock):
    session = service.create("test", "strict")
    clock.advance(hours=24, minutes=4)
    kept = service.create("test", "strict")
    assert service.find(session.id).state == "EXPIRED"
    clock.advance(minutes=2)
    service.create("test", "strict")
    with pytest.raises(NotStoredError):
        service.find(session.id)
    assert service.find(kept.id).state == "CREATED"


def test_a_clock_that_is_set_back_does_not_end_the_sweeping(service, engine, clock):
    clock.advance(days=30)
    service.create("test", "strict")  # sweeps
    clock.advance(days=-30)
    session = service.create("test", "strict")
    clock.advance(minutes=6)
    service.create("test", "strict")  # sweeps
    assert in_transaction(engine, lambda connection: load_session(connection, session.id)).state == "EXPIRED"


def test_unknown(service, document):
    with pytest.raises(NotStoredError):
        service.find(uuid.uuid4())
    with pytest.raises(NotStoredError):
        service.submit(uuid.uuid4(), document.envelope(document.evidence()))
    with pytest.raises(ProfileError, match="no such policy"):
        service.create("test", "policies/strict.toml")
    with pytest.raises(ProfileError):
        service.authenticate_passively(b"", {}, "unknown")


def test_files_alone(service, document):
    groups = {int(name[2:]): raw for name, raw in document.files.items() if name.startswith("DG")}
    assert service.authenticate_passively(document.files["EF.SOD"], groups, "passive").verdict is Verdict.TOTAL_PASSED
    groups[1] += b"\x00"
    assert service.authenticate_passively(document.files["EF.SOD"], groups, "passive").verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("origin", list(Origin))
def test_unsigned_evidence_is_an_upload_whatever_it_says(document, origin):
    evidence = document.evidence(origin=origin)
    assert build_evidence(evidence, now=NOW, challenge=CHALLENGE).origin is Origin.UPLOAD
    assert submitted_files(evidence) == evidence.files


def test_signed_evidence_that_calls_itself_relayed(service, document):
    session = service.create("test", "strict")
    evidence = document.evidence(origin=Origin.RELAY, transcripts=[document.chip_transcript()])
    result = service.submit(session.id, document.envelope(evidence)).check("chip.ca")
    assert result is not None
    assert result.outcome is Outcome.NOT_PERFORMED


def test_an_upload_answers_the_challenge_it_was_sent_for(service, document):
    groups = {int(name[2:]): raw for name, raw in document.files.items() if name.startswith("DG")}
    upload = Upload(document.files["EF.SOD"], groups, plain_signature(document.active_key, CHALLENGE))
    assert [item.name for item in submitted_files(upload)] == ["EF.SOD", "DG1", "DG2", "DG11", "DG13", "DG14", "DG15"]
    session = service.create("test", "kyc-remote")
    assert service.submit(session.id, upload).verdict is Verdict.TOTAL_PASSED
    # Nobody asked: no challenge, so no answer to one.
    evidence = build_evidence(upload, now=NOW, challenge=None)
    assert evidence.transcripts[0].messages["challenge"] == b""


def settings(home: Path, document: Document) -> Settings:
    home.mkdir()
    (home / "csca.der").write_bytes(document.csca_certificate)
    (home / "ut.crl").write_bytes(issuer.crl(document.csca))
    import_trust(home / "trust", [home / "csca.der", home / "ut.crl"], unsigned=False, now=datetime.now(UTC))
    return Settings(home=home)


def test_open_by_settings(tmp_path, document):
    given = settings(tmp_path / "home", document)
    service = open_verification_service(given)
    assert service.create("test", "strict").expires_at > datetime.now(UTC)
    assert open_verification_service(given).trust.digest == service.trust.digest


def test_open_without_trust(tmp_path, document):
    with pytest.raises(StoreError, match="no trust store"):
        open_verification_service(Settings(home=tmp_path))
    given = settings(tmp_path / "home", document)
    with sqlite3.connect(given.home / "trust" / "index.db") as connection:
        connection.execute("DELETE FROM trust_certificate")
    with pytest.raises(StoreError, match="no usable CSCA"):
        open_verification_service(given)


def test_open_with_a_database_of_another_version(tmp_path, document):
    given = settings(tmp_path / "home", document)
    open_verification_service(given)
    engine = open_database(given.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'other'")
    with pytest.raises(StoreError):
        open_verification_service(given)
