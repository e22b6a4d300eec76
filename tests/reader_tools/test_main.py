"""The command line's one error handler, and what `eid --help` costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from eid import errors
from reader_tools import exit_codes
from reader_tools.main import COMMANDS, eid, main

Eid = Callable[..., Any]
ROOT = Path(__file__).parents[2]


def failing(error: BaseException | type[BaseException]) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch, eid: Eid) -> Callable[[BaseException], Any]:
    """Have a command raise, and return what the person sees."""

    def run(error: BaseException) -> Any:
        monkeypatch.setattr("reader_tools.profile.command", failing(error))
        return eid("profile")

    return run


def test_help_lists_every_command(eid: Eid) -> None:
    told = eid("--help")
    assert told.code == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name} " in told.out
        assert line in " ".join(told.out.split())
    assert eid("-h").out == told.out
    assert eid("--version").out.startswith("eid, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(eid: Eid, name: str) -> None:
    told = eid(name, "--help")
    assert told.code == 0
    assert told.out.startswith(f"Usage: eid {name}")


def test_wrong_usage(eid: Eid) -> None:
    for arguments in (("no-such",), ("--no-such",), ("pki", "no-such"), ("personalize",), ("trust", "import")):
        told = eid(*arguments)
        assert (told.code, told.out) == (64, ""), arguments
        assert "Usage: eid" in told.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DecodeError("what", offset=3, clause="X.690 8"), 65),
        (errors.ProfileError("what", path="p", line=4), 65),
        (errors.RecordError("what"), 65),
        (errors.CardRemovedError("what"), 69),
        (errors.ReaderUnavailableError("what"), 69),
        (errors.GatewayError("what"), 69),
        (errors.WrongPasswordError("CAN", 2), 77),
        (errors.PasswordSuspendedError("PIN"), 80),
        (errors.LastTryError("PIN"), 80),
        (errors.PasswordBlockedError("CAN"), 81),
        (errors.PasswordDeactivatedError("PIN"), 82),
        (errors.KeyStoreError("what"), 77),
        (errors.StoreError("what"), 73),
        (errors.LifecycleError("what"), 73),
        (errors.VerificationError(errors.Reason.REVOKED, "what"), 1),
        (errors.StatusWordError(0x6982, "READ BINARY", "security status"), 76),
        (errors.AuthenticationError("what"), 76),
        (errors.EidError("what"), 70),
        (click.Abort(), 64),
        (KeyboardInterrupt(), 130),
        (EOFError(), 64),
        (click.UsageError("what"), 64),
        (click.FileError("name", "what"), 65),
        (FileNotFoundError(2, "No such file", "name"), 65),
        (PermissionError("what"), 65),
        (ConnectionRefusedError(111, "Connection refused"), 69),
        (click.exceptions.Exit(2), 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_errors_are_one_line_and_a_code(fail: Callable[[BaseException], Any], error: BaseException, code: int) -> None:
    told = fail(error)
    assert told.code == code
    assert told.out == ""
    assert "Traceback" not in told.err
    if isinstance(error, errors.EidError | OSError):
        assert told.err.startswith("eid: ")
        assert told.err.count("\n") == 1


def test_every_error_of_the_core_has_a_code() -> None:
    def tree(kind: type[errors.EidError]) -> list[type[errors.EidError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    core = [kind for kind in tree(errors.EidError) if kind.__module__.startswith("eid.")]  # the API has its own, too
    codes = {kind: exit_codes.exit_code(kind.__new__(kind)) for kind in core}
    assert codes.pop(errors.EidError) == exit_codes.INTERNAL
    unmapped = [kind.__name__ for kind, code in codes.items() if code == exit_codes.INTERNAL]
    assert unmapped == []


def test_the_console_script_ends_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["eid", "no-such"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 64


def test_nothing_is_loaded_for_help() -> None:
    """Third-party libraries other than click cost more than the answer may take."""
    heavy = {"cryptography", "sqlalchemy", "fastapi", "PIL", "pydantic", "jinja2", "smartcard", "rich", "pkcs11"}
    code = (
        "import sys; from reader_tools.main import run; run(['--help']); "
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_output_that_nobody_reads(tmp_path: Path) -> None:
    command = f"{sys.executable} -m reader_tools.main profile show ma-cnie | true"
    ended = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr


def test_commands_are_those_of_the_table() -> None:
    context = click.Context(eid)
    assert eid.list_commands(context) == list(COMMANDS)
    assert eid.get_command(context, "no-such") is None


def test_no_help_is_cut_short_and_every_option_has_one() -> None:
    def walk(command: click.Command, context: click.Context) -> None:
        told = command.get_help(context)
        where = context.command_path
        assert all(option.help for option in command.params if isinstance(option, click.Option)), where
        if not isinstance(command, click.Group):
            return
        assert not [line for line in told.splitlines() if line.endswith("...") and "Usage:" not in line], where
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            walk(below, click.Context(below, info_name=name, parent=context, terminal_width=80))

    walk(eid, click.Context(eid, info_name="eid", terminal_width=80))
