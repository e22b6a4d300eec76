"""`eid appointment` as an operator uses it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eid.services.database import ready_database
from eid.services.settings import load_settings
from reader_tools.main import run
from tests.builders.booking import make_application

SITE = """
code = "rabat-agdal"
kind = "centre"
time_zone = "Africa/Casablanca"
places = 2
services = ["card"]
title = { fr = "Rabat Agdal (SPECIMEN)" }
[[hours]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "09:00"
until = "10:00"
"""


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A validated application in a home of its own, with a site."""
    monkeypatch.setenv("EID_HOME", str(tmp_path / "home"))
    (tmp_path / "site.toml").write_text(SITE)
    assert run(["appointment", "site", "put", str(tmp_path / "site.toml")]) == 0
    with ready_database(load_settings({"EID_HOME": str(tmp_path / "home")})) as engine:
        return str(make_application(engine))


def test_from_site_to_closed_day(application: str, capsys: pytest.CaptureFixture[str]) -> None:
    day, later = (str((datetime.now(UTC) + timedelta(days=ahead)).date()) for ahead in (5, 6))
    assert run(["appointment", "site", "list"]) == 0
    assert "rabat-agdal  centre  Africa/Casablanca       2  card" in capsys.readouterr().out
    assert run(["appointment", "site", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["hours"][0]["from"] == "09:00"
    asked = ["appointment", "offers", application, "rabat-agdal", "--from", day, "--days", "1"]
    assert run([*asked, "--json"]) == 0
    offers = json.loads(capsys.readouterr().out)
    assert (offers[0]["slot"], offers[0]["free"]) == (f"{day}T09:00", 2)
    assert run(asked) == 0
    assert f"{day}T09:45     2" in capsys.readouterr().out
    assert run(["application", "show", application, "--json"]) == 0
    number = json.loads(capsys.readouterr().out)["number"]
    assert run(["appointment", "hold", number, "rabat-agdal", offers[0]["slot"], "--json"]) == 0
    appointment = json.loads(capsys.readouterr().out)["appointment"]
    assert run(["appointment", "book", appointment]) == 0
    assert "state        BOOKED" in capsys.readouterr().out
    assert run(["appointment", "reschedule", appointment, f"{day}T09:30"]) == 0
    assert run(["appointment", "close", "rabat-agdal", day, "--reason", "strike"]) == 0
    assert f"closed on {day}; 1 appointments moved, 0 cancelled" in capsys.readouterr().out
    assert run(["appointment", "site", "show", "rabat-agdal"]) == 0
    assert json.loads(capsys.readouterr().out)["closures"] == {day: "strike"}
    assert run(["appointment", "open", "rabat-agdal", day]) == 0
    assert run(["appointment", "open", "rabat-agdal", day]) == 0
    assert "was not closed" in capsys.readouterr().out
    assert run(["appointment", "day", "rabat-agdal", later]) == 0
    assert appointment in capsys.readouterr().out
    assert run(["appointment", "cancel", appointment]) == 0
    assert run(["appointment", "sweep"]) == 0
    assert "0 holds expired, 0 appointments missed" in capsys.readouterr().out


REFUSED = [
    (["check-in", "00000000-0000-7000-8000-000000000001", "--at", "rabat-agdal"], 73, "no such appointment"),
    (["serve", "00000000-0000-7000-8000-000000000001", "--at", "rabat-agdal"], 73, "no such appointment"),
    (["hold", "APPLICATION", "rabat-agdal", "tomorrow"], 65, "wall time"),
    (["hold", "0123456789ABC", "rabat-agdal", "2026-11-23T09:00"], 65, "mistyped"),
    (["hold", "it", "rabat-agdal", "2026-11-23T09:00"], 65, "a receipt's number"),
    (["hold", "APPLICATION", "nowhere", "2026-11-23T09:00"], 73, "no such site"),
    (["hold", "APPLICATION", "rabat-agdal", "2020-11-23T09:00"], 73, "not offered"),
    (["walk-in", "APPLICATION", "rabat-agdal", "--category", "famous"], 65, "category"),
    (["close", "rabat-agdal", "2020-01-01", "--reason", "strike"], 65, "over"),
    (["close", "rabat-agdal", "2099-01-01", "--reason", "strike", "--as", "auditor"], 73, "other roles"),
]


def test_what_is_refused(application: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code, told in REFUSED:
        given = [application if argument == "APPLICATION" else argument for argument in arguments]
        assert run(["appointment", *given]) == code
        assert told in capsys.readouterr().err


def test_faulty_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EID_HOME", str(tmp_path / "home"))
    (tmp_path / "site.toml").write_text(SITE.replace("places = 2", "places = 0"))
    assert run(["appointment", "site", "put", str(tmp_path / "site.toml")]) == 65
    assert "site: places" in capsys.readouterr().err
