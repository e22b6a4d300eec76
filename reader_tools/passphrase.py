"""Passphrases and PINs: from a file that is named, or typed at a prompt; never on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

VARIABLE = "EID_PASSPHRASE_FILE"


def passphrase_source(file: Path | None, *, confirm: bool = False) -> Callable[[], bytes]:
    """A function that gives the key store's passphrase, asked for at most once.

    Args:
        file: its first line is the passphrase; None: EID_PASSPHRASE_FILE, else a prompt. confirm: ask twice.
    """
    given = file or (Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None)
    known: list[bytes] = []

    def ask() -> bytes:
        if not known:
            if given is not None:
                known.append(given.read_bytes().splitlines()[0] if given.stat().st_size else b"")
            else:
                known.append(
                    click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True).encode()
                )
        if not known[0]:
            raise click.UsageError("the passphrase is empty")
        return known[0]

    return ask
