from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from eid import errors
from reader_tools import exit_codes, main
from reader_tools.output_file import write_private
from reader_tools.secret_input import ask_mrz_information
from reader_tools.values import DataGroupFile, HexOctets, HostPort, UtcTime


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (HexOctets(), "01:02 03", b"\x01\x02\x03"),
        (HexOctets(2), "abCD", b"\xab\xcd"),
        (UtcTime(), "2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        (HostPort(), "[::1]:35963", ("::1", 35963)),
        (HostPort(), "localhost:0", ("localhost", 0)),
        (DataGroupFile(), "dg2=a=b", (2, Path("a=b"))),
    ],
)
def test_values_are_read_and_pass_when_read_already(kind, text, value):
    assert kind.convert(text, None, None) == value
    assert kind.convert(value, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [(HexOctets(2), "010203"), (HostPort(), "host"), (HostPort(), "host:٣"), (DataGroupFile(), "=x"), (UtcTime(), "")],
)
def test_malformed_values_are_wrong_usage(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_typed_mrz_values(monkeypatch):
    typed = iter((" l898902c ", "690806", "940623"))
    monkeypatch.setattr(click, "prompt", lambda *_, **__: next(typed))
    assert ask_mrz_information(None) == b"L898902C<369080619406236"  # Doc 9303-11 appendix D.2


def test_private_files_are_whole_or_not_there(tmp_path):
    write_private(tmp_path / "file", b"old")
    write_private(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]
    with pytest.raises(errors.StoreError, match="cannot be written"):
        write_private(tmp_path, b"")


def test_pipes_are_written_as_they_are(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    thread.start()
    write_private(tmp_path / "pipe", b"evidence")
    thread.join()
    assert got == [b"evidence"]


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (click.Abort(), 64, f"eid: {main.NOBODY_TYPES}"),
        (errors.StatusWordError(0x6A82, "SELECT", "not found"), 76, "eid: SELECT answered 6A82: not found"),
        (errors.CardRemovedError("gone"), 69, "eid: gone"),
        (errors.PasswordBlockedError("CAN"), 81, "eid: the CAN of this card is blocked"),
        (errors.EidError("unforeseen"), 70, "eid: unforeseen"),
        (ConnectionRefusedError(111, "Connection refused"), 69, "eid: Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "x"), 65, "eid: No such file or directory: x"),
        (SystemExit(1), 73, ""),
    ],
)
def test_every_failure_is_one_line_and_a_code(monkeypatch, capsys, failure, code, line):
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(main.eid, "main", fail)
    assert main.run([]) == code
    assert capsys.readouterr().err.strip() == line


def test_completion_ends_the_program_itself(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(main.eid, "main", fail)
    monkeypatch.setenv(main.COMPLETION_VARIABLE, "bash_complete")
    with pytest.raises(SystemExit):
        main.run([])


def test_every_error_of_the_tree_has_a_code():
    core = [kind for kind in errors.EidError.__subclasses__() if kind.__module__.startswith("eid.")]
    for kind in core:
        assert exit_codes.exit_code(kind.__new__(kind)) in (1, 65, 69, 73, 76, 77), kind
