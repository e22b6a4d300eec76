from __future__ import annotations

import sqlite3

import pytest


@pytest.fixture
def database(tmp_path):
    return tmp_path / "home" / "eid.db"


def test_init_check_upgrade(eid, database):
    outcome = eid("db", "check")
    assert outcome.code == 73
    assert f"there is no database {database}: run `eid db init`" in outcome.err
    assert not database.exists()
    assert eid("db", "init").out.startswith("ready, version ")
    assert database.stat().st_mode & 0o777 == 0o600
    assert database.parent.stat().st_mode & 0o777 == 0o700
    assert eid("db", "check").code == 0
    assert eid("db", "init").code == 0
    assert eid("db", "upgrade").out.startswith("was ready, version ")


def test_upgrade_needs_a_database(eid, database):
    assert eid("db", "upgrade").code == 73
    assert not database.exists()
    database.parent.mkdir()
    sqlite3.connect(database).close()
    database.touch()
    outcome = eid("db", "check")
    assert (outcome.code, outcome.out) == (1, "not ready: no tables yet; run `eid db init`\n")
    assert "run `eid db init`" in eid("db", "upgrade").err


def test_missing_triggers_are_made_anew(eid, database):
    eid("db", "init")
    with sqlite3.connect(database) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        connection.execute(f"DROP TRIGGER {names[0]}")
    outcome = eid("db", "check")
    assert outcome.code == 1
    assert "triggers are missing" in outcome.out
    outcome = eid("db", "init")
    assert outcome.code == 73
    assert "eid db upgrade" in outcome.err
    assert eid("db", "upgrade").out.startswith("upgraded from version ")
    assert eid("db", "check").code == 0


def test_database_of_a_newer_program(eid, database):
    eid("db", "init")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    outcome = eid("db", "check")
    assert outcome.code == 1
    assert "version 9999, needed is" in outcome.out
    assert eid("db", "upgrade").code == 73


@pytest.mark.parametrize("content", [b"no database at all, whatever it is called", bytes(5000)])
def test_a_file_that_is_no_database(eid, database, content):
    database.parent.mkdir()
    database.write_bytes(content)
    for command in ("check", "init", "upgrade"):
        outcome = eid("db", command)
        assert (outcome.code, outcome.err.count("\n")) == (73, 1)
    assert database.read_bytes() == content


def test_malformed_and_unreachable_urls(eid, monkeypatch, tmp_path):
    for url in ("nonsense", "oracle://nobody@127.0.0.1:1/x", f"sqlite:///{tmp_path}/none/eid.db", "sqlite://"):
        monkeypatch.setenv("EID_DATABASE", url)
        for command in ("check", "init", "upgrade"):
            outcome = eid("db", command)
            assert (outcome.code, outcome.err.count("\n")) == (73, 1), url


def test_home_that_cannot_be_made(eid, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EID_HOME", str(tmp_path / "file"))
    assert eid("db", "init").code in (65, 73)
