from __future__ import annotations

import json

import pytest

from eid.store.database import open_database
from reader_tools.main import run
from tests.builders.counts import fill


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EID_HOME", str(tmp_path))
    return tmp_path


def test_a_month_in_every_form(home, capsys):
    assert run(["stats"]) != 0
    assert run(["db", "init"]) == 0
    engine = open_database(f"sqlite:///{home}/eid.db")
    fill(engine)
    engine.dispose()
    capsys.readouterr()
    assert run(["stats", "--month", "2026-11"]) == 0
    table = capsys.readouterr().out
    assert "rabat-1" in table
    assert table.splitlines()[-1].split() == ["all", "80", "70", "68", "57"]
    assert run(["stats", "--month", "2026-11", "--post", "rabat-1", "--service", "card"]) == 0
    assert capsys.readouterr().out.count("[c]") == 2
    assert run(["stats", "--month", "2026-11", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "eid-statistics"
    assert run(["stats", "--month", "2026-11", "--format", "csv", "--out", str(home / "m.csv")]) == 0
    assert (home / "m.csv").read_text("utf-8").startswith("post,service,day")
    assert run(["stats", "--month", "2026-11", "--format", "svg", "--out", str(home / "m.svg")]) == 0
    assert (home / "m.svg").read_text("utf-8").startswith("<svg")
    assert run(["stats", "--month", "November"]) == 65
