from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from eid.errors import ReaderUnavailableError
from eid.transport.pcsc import ReaderInfo
from reader_tools import readers
from tests.builders.machine import require_module

ATR = bytes.fromhex("3B8880014549442D4341524478")
FOUND = (
    ReaderInfo(0, "ACME Reader 00 00", card_present=True, in_use=False, atr=ATR),
    ReaderInfo(1, "Evil\x1b[2J 00 01", card_present=True, in_use=True, atr=b"\x3b\xff"),
    ReaderInfo(2, "Empty 00 02", card_present=False, in_use=False, atr=b""),
)


@pytest.fixture
def found(monkeypatch):
    def put(infos) -> None:
        monkeypatch.setattr(readers, "list_readers", lambda: infos)

    return put


def test_table(eid, found):
    found(FOUND)
    outcome = eid("readers")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[1].split() == ["0", "ACME", "Reader", "00", "00", "present", ATR.hex().upper(), "T=0", "T=1"]
    assert "in use" in lines[2]
    assert "\x1b" not in outcome.out
    assert lines[3].split()[-1] == "none"


def test_json(eid, found):
    found(FOUND)
    told = json.loads(eid("readers", "--json").out)
    assert (told["format"], told["version"]) == ("eid-readers", 1)
    assert [item["card_present"] for item in told["readers"]] == [True, True, False]
    assert told["readers"][0]["atr"] == ATR.hex().upper()


def test_no_reader(eid, found):
    found(())
    outcome = eid("readers")
    assert (outcome.code, "knows no reader" in outcome.out) == (0, True)
    assert json.loads(eid("readers", "--json").out)["readers"] == []


def test_no_service(eid, monkeypatch):
    def nothing() -> None:
        raise ReaderUnavailableError("no PC/SC service: install and start it (Debian: apt-get install pcscd)")

    monkeypatch.setattr(readers, "list_readers", nothing)
    outcome = eid("readers")
    assert (outcome.code, outcome.out) == (69, "")
    assert "apt-get install pcscd" in outcome.err


def test_without_the_service_for_real(tmp_path):
    """A process of its own that is pointed to a socket where nobody listens."""
    require_module("smartcard")
    program = subprocess.run(
        [sys.executable, "-m", "reader_tools.main", "readers"],
        env={**os.environ, "PCSCLITE_CSOCK_NAME": str(tmp_path / "nobody")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (program.returncode, program.stdout) == (69, "")
    assert program.stderr.startswith("eid: no PC/SC service: install and start it")
    assert program.stderr.count("\n") == 1
