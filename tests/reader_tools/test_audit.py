from __future__ import annotations

import csv
import json
import os
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eid.audit.chain import AuditEvent, hash_row
from eid.services.database import ready_database
from eid.services.settings import load_settings
from eid.store.applications import build_number
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


def test_rows_are_taken_out(eid, passphrase: Path, tmp_path: Path) -> None:
    """In the order of time, whatever chain they lie in; narrowed down by who, what, to what and when."""
    told = [
        AuditEvent(NOW + timedelta(seconds=second), actor, action, f"card:{second}", {"n": second, "say": 'a "b", c'})
        for second, (actor, action) in enumerate(
            [
                ("approver:officer-7", "application.approve"),
                ("approver:OFFICER-7", "application.approve"),
                ("auditor:officer-7", "card.read"),
                ("auditor:no-officer-7", "cardinal.read"),
                ("system:worker", "card"),
            ]
        )
    ]
    with ready_database(load_settings(os.environ)) as engine:
        for event in reversed(told):
            in_transaction(engine, lambda c, event=event: append_event(c, event.at.second * 50, event))

    def rows(*arguments: object) -> list[int]:
        done = eid("audit", "export", *arguments)
        assert done.code == 0
        return [json.loads(line)["detail"]["n"] for line in done.out.splitlines()]

    assert rows() == [0, 1, 2, 3, 4]
    assert rows("--actor", "officer-7") == [0, 2]
    assert rows("--actor", "auditor:officer-7") == [2]
    assert rows("--action", "card") == [2, 4]
    assert rows("--action", "application.approve") == [0, 1]
    assert rows("--subject", "3") == rows("--subject", "card:3") == [3]
    assert rows("--since", "2026-11-22T12:00:01Z", "--until", "2026-11-22T12:00:03Z") == [1, 2]
    own = uuid.UUID("01a202d7-5da4-7225-8411-71d195c39a4a")
    with ready_database(load_settings(os.environ)) as engine:
        filed = AuditEvent(
            NOW + timedelta(hours=1), "applicant:1", "application.submit", f"application:{own}", {"n": 9}
        )
        in_transaction(engine, lambda c: append_event(c, 7, filed))
    assert rows("--application", build_number(own).lower()) == [9]
    assert eid("audit", "export", "--application", "0123456789ABC").code == 65
    assert rows("--until", "2026-11-22T12:30") == [0, 1, 2, 3, 4]
    assert rows("--actor", "%") == rows("--since", "2027-01-01") == []
    first = json.loads(eid("audit", "export").out.splitlines()[0])
    assert (first["format"], first["version"], first["chain"], first["row"]) == ("eid-audit-row", 1, 0, 1)
    event = AuditEvent(
        datetime.fromisoformat(first["at"]), *(first[n] for n in ("actor", "action", "subject", "detail"))
    )
    assert hash_row(0, 1, bytes.fromhex(first["previous"]), event).hex() == first["hash"]
    out = tmp_path / "rows.csv"
    assert eid("audit", "export", "--format", "csv", "--out", out).out == ""
    with out.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [json.loads(row["detail"])["n"] for row in table] == [0, 1, 2, 3, 4, 9]
    assert (table[0]["actor"], table[0]["hash"], out.stat().st_mode & 0o777) == (first["actor"], first["hash"], 0o600)
    assert eid("audit", "export", "--format", "csv", "--actor", "nobody").out.splitlines() == [",".join(table[0])]
    assert eid("audit", "export", "--since", "yesterday").code == 64
