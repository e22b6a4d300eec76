from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eid.audit.chain import AuditEvent
from eid.services.database import ready_database
from eid.services.settings import load_settings
from eid.store.audit import append_event
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue
from eid.store.types import new_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "passphrase"
    file.write_text("specimen\n")
    monkeypatch.setenv("EID_PASSPHRASE_FILE", str(file))
    return file


def write_rows(count: int = 3) -> None:
    """What the program does all day: rows, and work."""
    told = AuditEvent(NOW, "system:test", "application.submit", "application:1", {})
    with ready_database(load_settings(os.environ)) as engine:
        in_transaction(engine, lambda c: [append_event(c, 5, told) for _ in range(count)])
        in_transaction(engine, lambda c: enqueue(c, Work(new_id(NOW), "unheard-of", {}, NOW)))


def test_from_the_key_to_the_finding(eid, passphrase: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert eid("audit", "seal").code == 77  # there is no key yet
    assert eid("audit", "init").out == f"public key: {home / 'audit.pem'}\n"
    (home / "audit.pem").rename(tmp_path / "audit.pem")  # as if it had died before it was written
    assert eid("audit", "init").out == f"public key: {home / 'audit.pem'}\n"
    assert (home / "audit.pem").read_bytes() == (tmp_path / "audit.pem").read_bytes()
    assert eid("audit", "init").code == 77
    write_rows()
    heads = home / "heads"
    assert eid("audit", "seal").out == f"3 rows sealed, 1 heads written to {heads}\n"
    assert eid("audit", "seal").out == f"0 rows sealed, 0 heads written to {heads}\n"
    outcome = eid("audit", "verify", "--heads", heads)
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "rows that are right: 3, 3 of them under a signed head")
    assert "heads kept elsewhere were not looked at" in eid("audit", "verify").out
    with sqlite3.connect(home / "eid.db") as connection:
        connection.execute("DROP TRIGGER audit_row_no_update")
        connection.execute("UPDATE audit_row SET actor = 'system:nobody' WHERE seq = 2")
    outcome = eid("audit", "verify", "--heads", heads)
    assert outcome.code == 1
    assert "FIRST BAD ROW: row 2 of chain 5\n" in outcome.out
    assert "- triggers are missing: audit_row_no_update\n" in outcome.out
    report = json.loads(eid("audit", "verify", "--json").out)
    assert (report["format"], report["version"]) == ("eid-audit-report", 1)
    assert report["first_bad_row"] == {"chain": 5, "row": 2}
    assert [item["row"] for item in report["findings"]] == [None, 2]


def test_what_verification_needs(eid, passphrase: Path, tmp_path: Path) -> None:
    assert eid("audit", "verify").code == 73
    eid("audit", "init")
    outcome = eid("audit", "verify")
    assert outcome.code == 73
    assert "there is no database" in outcome.err
    eid("db", "init")
    (tmp_path / "other.pem").write_text("nonsense")
    assert "no public key" in eid("audit", "verify", "--key", tmp_path / "other.pem").err


def test_a_worker_until_nothing_is_left(eid, passphrase: Path, tmp_path: Path) -> None:
    assert eid("worker", "run", "--until-idle").code == 77
    eid("audit", "init")
    write_rows()
    outcome = eid("worker", "run", "--until-idle", "--name", "one")
    assert (outcome.code, outcome.out) == (0, "working as one\n")
    assert eid("worker", "status").out == "waiting to be taken over: 0\nfailed: 1\n"
    told = json.loads(eid("worker", "status", "--json").out)
    assert (told["format"], told["workers"], told["waiting"], told["failed"]) == ("eid-worker-status", [], 0, 1)
    outcome = eid("worker", "failed")
    assert outcome.code == 1
    assert "unheard-of  after 1: there is no handler of this kind" in outcome.out
    work_id = outcome.out.split()[0]
    assert eid("worker", "retry", work_id).out == "will be tried again\n"
    assert eid("worker", "failed").code == 0
    assert eid("worker", "run", "--until-idle", "--name", "one").code == 0
    for words, count in ((("--all", "--kind", "sms.stamp"), 0), (("--all",), 1), (("--all",), 0)):
        assert eid("worker", "retry", *words).out == f"will be tried again: {count}\n"
    for words in ((), ("--all", work_id), ("--kind", "sms.stamp", work_id)):
        assert eid("worker", "retry", *words).code == 64
    assert eid("worker", "retry", "00000000-0000-7000-8000-000000000000").code == 73
    assert eid("audit", "verify", "--heads", tmp_path / "home" / "heads").code == 0
    assert (tmp_path / "home" / "eid.work.db").stat().st_mode & 0o777 == 0o600
