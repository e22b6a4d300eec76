"""The demonstration, run as a user runs it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest
from PIL import Image

from eid.errors import LifecycleError, ReaderUnavailableError
from eid.services.demonstration.demo import MARK, Demonstrated, occupy
from eid.services.emulator import card_slot
from reader_tools.main import run
from tests.builders.commands import Watch, eid_command, run_eid
from tests.builders.sweep import places

pytestmark = pytest.mark.xdist_group("demo")

SCHEMA = Path(__file__).parents[2] / "docs" / "formats" / "verification-report.schema.json"
UTOPIA = Path(__file__).parents[1] / "countries" / "utopia"
LOOPBACK = "0100007F"
FRAUDS = {
    "altered": {"sod.dg_hashes.dg1": "HASH_FAILURE"},
    "cloned": {"chip.aa": "CLONE_SUSPECTED", "chip.ca": "CLONE_SUSPECTED"},
    "replayed": {"chip.aa": "CHALLENGE_MISMATCH"},
    "revoked": {"ds.revocation": "REVOKED"},
}
WAY = [
    "create", "stamp", "submit", "take-up", "request-information", "supply", "validate", "book", "check-in", "capture",
    "search", "search.answer", "clear", "approve", "produce", "pass", "ship", "arrive", "hand-over",
]  # fmt: skip
FETCHED = re.compile(
    r"""(?:\b(?:src|srcset|href|action|data)\s*=\s*|url\()["']?(?!data:|#)[^"'\s>)]+|@import|<link\b|<base\b"""
)


@dataclass(frozen=True)
class Shown:
    """A run that is over."""

    home: Path
    watch: Watch
    exit_code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.out)


def show(home: Path, *options: str, **environment: str) -> Shown:
    with Watch() as watch:
        over = run_eid("demo", "--home", home, *options, environment=watch.environment(**environment))
    return Shown(home, watch, over.returncode, over.stdout, over.stderr)


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return show(tmp_path_factory.mktemp("demo") / "home", "--in-process", "--json", EID_DATABASE="sqlite:////nowhere/x")


@pytest.fixture(scope="module")
def over_pcsc(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], Path]) -> Shown:
    require_tool("pcscd")
    return show(tmp_path_factory.mktemp("demo") / "home", "--pcsc", "--json")


@pytest.fixture(params=["in_process", "over_pcsc"])
def shown(request: pytest.FixtureRequest) -> Shown:
    return request.getfixturevalue(request.param)


# --- what it says


def test_every_outcome_is_the_expected_one(shown: Shown) -> None:
    assert (shown.exit_code, shown.err) == (0, "")
    assert shown.told["as_expected"] is True
    assert shown.told["verdict"] == "TOTAL_PASSED"
    fell_short = {
        check["id"]: check["outcome"] for check in shown.told["report"]["checks"] if check["outcome"] != "PASSED"
    }
    assert fell_short == {"chip.pace_cam": "NOT_SUPPORTED"}  # the card maps generically; it proves itself by CA and AA


def test_each_fraud_is_refused_by_the_checks_that_are_meant_for_it(shown: Shown) -> None:
    frauds = shown.told["frauds"]
    found = {fraud["name"]: {item["id"]: item["reason"] for item in fraud["failing"]} for fraud in frauds}
    assert found == FRAUDS
    assert {(fraud["verdict"], fraud["refused"]) for fraud in frauds} == {("TOTAL_FAILED", True)}


def test_it_says_how_it_reached_the_card(in_process: Shown, over_pcsc: Shown) -> None:
    assert in_process.told["transport"] == "in-process"
    assert over_pcsc.told["transport"].startswith("PC/SC (")


def test_steps_are_told_with_their_cost(shown: Shown) -> None:
    names = [step["step"] for step in shown.told["inspection"]]
    assert names[:2] == ["read EF.CardAccess", "open chip"]
    assert names[-2:] == ["Chip Authentication", "Active Authentication"]
    assert all(step["apdus"] > 0 and step["milliseconds"] > 0 for step in shown.told["inspection"])
    assert sum(step["sent"] for step in shown.told["personalization"]) > 20_000


def test_the_card_comes_from_an_application_that_went_the_whole_way(shown: Shown) -> None:
    told = shown.told["application"]
    assert told["state"] == "DELIVERED"
    assert [item["action"].removeprefix("application.") for item in told["steps"]] == WAY
    actors = {item["action"]: item["actor"] for item in told["steps"]}
    assert actors["application.capture"] != actors["application.approve"]
    assert told["messages"] >= 5
    assert told["audit_rows"] > len(WAY)
    with sqlite3.connect(shown.home / "eid.db") as connection:
        (sod_hash,) = connection.execute("SELECT sod_hash FROM production_order WHERE state = 'PASSED'").fetchone()
        assert connection.execute("SELECT state FROM card").fetchall() == [("ACTIVE",)]
        assert connection.execute("SELECT state FROM stamp").fetchall() == [("CONSUMED",)]
        assert connection.execute("SELECT sod_hash FROM issued_document").fetchall() == [(sod_hash,)]


# --- of another country


def test_another_country_by_its_files_alone(tmp_path: Path) -> None:
    """Other fields, another script, the given name first, a grandparent for the minor, another product."""
    shown = show(tmp_path / "home", "--in-process", "--json", "--country", str(UTOPIA))
    told = shown.told
    assert (shown.exit_code, told["country"], told["product"]) == (0, "utopia", "utopia-id")
    assert (told["verdict"], told["as_expected"], told["unexpected"]) == ("TOTAL_PASSED", True, [])
    assert {fraud["name"]: fraud["refused"] for fraud in told["frauds"]} == dict.fromkeys(FRAUDS, True)
    holder, expected = told["holder"], load_demonstration_of(UTOPIA)
    assert {label: holder[label] for label in expected} == expected
    assert holder["Document"][0].startswith("ID UTO U")
    assert holder.keys() & {"Father", "Mother", "Civil status number", "Place of birth", "Personal number"} == set()
    assert [item["action"].removeprefix("application.") for item in told["application"]["steps"]] == WAY
    assert told["missing"] == []
    with sqlite3.connect(shown.home / "eid.db") as connection:
        assert connection.execute("SELECT amount, currency FROM stamp").fetchall() == [(2280, "XTS")]


def load_demonstration_of(country: Path) -> dict[str, list[str]]:
    expected: dict[str, list[str]] = tomllib.loads((country / "office.toml").read_text("utf-8"))["demonstration"][
        "expected"
    ]
    return expected


def test_what_the_chip_should_say_otherwise_is_told() -> None:
    fields: dict[str, Any] = dict.fromkeys(Demonstrated.__slots__)
    good = Demonstrated(**{**fields, "report": {"verdict": "TOTAL_PASSED"}, "frauds": (), "unexpected": ()})
    assert good.as_expected
    assert not replace(good, unexpected=("Blood group",)).as_expected


@pytest.mark.parametrize("country", ["nowhere", "/nowhere", "9th"])
def test_a_country_that_there_is_not(country: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--home", str(tmp_path), "--in-process", "--country", country]) in (64, 73)
    assert country.strip("/") in capsys.readouterr().err


# --- what it leaves


@pytest.mark.parametrize(("suffix", "size", "dpi"), [("", (1012, 638), 300), ("-600dpi", (2024, 1276), 600)])
@pytest.mark.parametrize("face", ["front", "back"])
def test_faces_are_id_1(in_process: Shown, face: str, suffix: str, size: tuple[int, int], dpi: int) -> None:
    path = in_process.home / f"card-{face}{suffix}.png"
    with Image.open(path) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", size)
    raw = path.read_bytes()
    place = raw.index(b"pHYs") + 4  # PNG 11.3.4.3: pixels per metre
    assert struct.unpack_from(">IIB", raw, place) == (round(dpi / 0.0254), round(dpi / 0.0254), 1)


def test_the_report_follows_the_published_schema(shown: Shown) -> None:
    report = json.loads((shown.home / "report.json").read_text("utf-8"))
    assert report == shown.told["report"]
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")), format_checker=checker).validate(report)


def test_the_page_stands_alone_and_says_what_the_report_says(shown: Shown) -> None:
    page = (shown.home / "report.html").read_text("utf-8")
    assert not FETCHED.findall(page)
    assert page.count("data:image/png;base64,") >= 3  # portrait and two faces
    assert "TOTAL_PASSED" in page
    assert all(check["id"] in page for check in shown.told["report"]["checks"])
    assert "Active Authentication" in page
    assert re.search("[\u0600-\u06ff]{3}", page)  # the name in Arabic


def test_secrets_are_for_their_owner_alone(in_process: Shown) -> None:
    assert in_process.home.stat().st_mode & 0o077 == 0
    secret = ["passphrase", "record.json", "card.eid", "eid.db", *map(str, in_process.home.rglob("*.key.pem"))]
    assert {(in_process.home / name).stat().st_mode & 0o077 for name in secret} == {0}


def test_nothing_runs_on_and_nobody_else_was_listened_to(shown: Shown) -> None:
    assert shown.watch.wait_until_gone() == []
    assert shown.watch.listening == {LOOPBACK}


# --- judged again, by the command


@pytest.mark.parametrize("name", FRAUDS)
def test_eid_verify_refuses_the_fraud_too(in_process: Shown, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    home = in_process.home
    fraud = next(item for item in in_process.told["frauds"] if item["name"] == name)
    for station in ((), ("--station", str(home / "stations" / "station.pem"))):
        trust = ("--trust", str(home / fraud["trust"]), "--challenge", fraud["challenge"])
        assert run(["verify", str(home / fraud["evidence"]), *trust, *station, "--json"]) == 1
        out, err = capsys.readouterr()
        report = json.loads(out)
        failing = {check["id"]: check["reason"] for check in report["checks"] if check["outcome"] == "FAILED"}
        assert (report["verdict"], err) == ("TOTAL_FAILED", "")
        assert failing
        assert failing.items() <= FRAUDS[name].items()  # without the station's key its word on chip.ca does not count
        assert failing == FRAUDS[name] or not station


def test_eid_verify_passes_the_genuine_card(in_process: Shown) -> None:
    home = in_process.home
    station = ("--station", home / "stations" / "station.pem")
    over = run_eid("verify", home / "card.evidence", "--trust", home / "trust", *station, "--json")
    assert (over.returncode, over.stderr) == (0, "")
    assert json.loads(over.stdout)["verdict"] == "TOTAL_PASSED"


# --- on a terminal, interrupted, and where something is missing


@dataclass
class Terminal:
    """A command on a terminal of its own."""

    process: subprocess.Popen[bytes]
    descriptor: int
    shown: bytes = b""

    def read_until(self, wanted: bytes | None, seconds: float = 120.0) -> None:
        """Collect what it shows, until that is shown, or to its end."""
        deadline = time.monotonic() + seconds
        while wanted is None or wanted not in self.shown:
            assert time.monotonic() < deadline, self.shown[-300:]
            try:
                chunk = os.read(self.descriptor, 1 << 16)
            except OSError:  # EIO: nobody holds the other end any more
                chunk = b""
            if not chunk:
                assert wanted is None, self.shown[-300:]
                return
            self.shown += chunk


Start = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[tuple[Watch, Start]]:
    watch, started = Watch(), []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits that it is ignored

    def start(*command: str, on_terminal: bool = True, **given: str) -> Terminal:
        ours, theirs = pty.openpty() if on_terminal else os.pipe()
        process = subprocess.Popen(
            command, env=watch.environment(TERM="xterm", **given), start_new_session=True,
            stdin=theirs if on_terminal else subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        started.append(Terminal(process, ours))
        return started[-1]

    yield watch, start
    signal.signal(signal.SIGINT, before)
    for item in started:
        item.process.kill()
        item.process.wait()
        os.close(item.descriptor)


WITHOUT_PCSC = """
from eid.errors import ReaderUnavailableError
from eid.services.emulator import card_slot
from reader_tools.main import main

def refuse(readers=1):
    raise ReaderUnavailableError("there is no pcscd")

card_slot.private_pcscd = refuse
main()
"""


def test_progress_is_live_the_directory_is_used_again_and_what_is_missing_is_told(
    terminal: tuple[Watch, Start], tmp_path: Path
) -> None:
    watch, start = terminal
    home, fonts = tmp_path / "home", tmp_path / "fonts"
    for folder in (home, fonts, home / "old"):
        folder.mkdir()
    (home / MARK).touch()
    (home / "card-front.png").write_bytes(b"of an earlier run")
    begun = start(sys.executable, "-c", WITHOUT_PCSC, "demo", "--home", str(home), EID_FONTS=str(fonts))
    begun.read_until(None)
    assert begun.process.wait(60) == 0
    text = begun.shown.decode()
    assert "\r\x1b[K  … read DG2" in text
    assert "Transport: in-process" in text
    assert "Gone without: PC/SC: there is no pcscd" in text
    assert "Gone without: OCRB.otf" in text
    assert text.rstrip().endswith("Every outcome was the expected one.")
    assert (home / "card-front.png").read_bytes().startswith(b"\x89PNG")
    assert not (home / "old").exists()
    assert watch.wait_until_gone() == []


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("moment", "number", "on_terminal"),
    places(
        [
            (b"Enrolment", signal.SIGINT, True),
            (b"Faces", signal.SIGTERM, True),
            (b"Personalisation", signal.SIGKILL, False),
        ],
        2,
    ),
)
def test_a_demonstration_that_is_ended_leaves_nothing_running(
    terminal: tuple[Watch, Start], tmp_path: Path, moment: bytes, number: signal.Signals, on_terminal: bool
) -> None:
    watch, start = terminal
    begun = start(*eid_command("demo", "--in-process", "--home", tmp_path / "home"), on_terminal=on_terminal)
    begun.read_until(moment)
    assert len(watch.processes()) >= 2  # the API, too
    begun.process.send_signal(number)
    assert begun.process.wait(60) != 0
    assert watch.wait_until_gone(20) == []
    assert b"Traceback" not in begun.shown
    assert (b"\x1b" in begun.shown) == on_terminal  # plain lines where no terminal is


@pytest.fixture
def no_pcsc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(readers: int = 1) -> NoReturn:
        raise ReaderUnavailableError("there is no pcscd")

    monkeypatch.setattr(card_slot, "private_pcscd", refuse)


@pytest.mark.usefixtures("no_pcsc")
def test_pcsc_that_was_insisted_on_and_cannot_be_had_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--pcsc", "--home", str(tmp_path / "home")]) == 69
    assert capsys.readouterr() == ("", "eid: there is no pcscd\n")


# --- the directory


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert run(["demo", "--in-process", "--home", str(tmp_path)]) == 73
    out, err = capsys.readouterr()
    assert out == ""
    assert "not empty" in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_demonstrations_do_not_share_a_directory(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with occupy(home):
        with pytest.raises(LifecycleError, match="a demonstration runs in"), occupy(home):
            pass
        (home / "kept").touch()
        (home / "elsewhere").symlink_to(tmp_path)
    with occupy(home):
        assert [path.name for path in home.iterdir()] == [MARK]
    assert tmp_path.is_dir()
