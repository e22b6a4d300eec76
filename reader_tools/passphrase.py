"""The passphrase of software keys: from a file that is named, or typed at a prompt; never on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from reader_tools.secret_input import read_secret_line

VARIABLE = "EID_PASSPHRASE_FILE"


def passphrase_source(file: Path | None, *, confirm: bool = False) -> Callable[[], bytes]:
    """A function that gives the key store's passphrase, asked for at most once.

    Args:
        file: its only line is the passphrase; None: EID_PASSPHRASE_FILE, else a prompt. confirm: ask twice.

    Returns:
        the function; it raises DecodeError where the file is not one line, and click.Abort where nothing is typed.
    """
    named = os.environ.get(VARIABLE)
    place = file or (Path(named) if named else None)
    known: list[bytes] = []

    def ask() -> bytes:
        if not known:
            known.append((_prompt(confirm) if place is None else read_secret_line(place, "passphrase")).encode())
        return known[0]

    return ask


def _prompt(confirm: bool) -> str:
    typed: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed
