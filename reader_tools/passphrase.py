"""The passphrase of software keys: from a file that is named, or typed at a prompt; never on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from reader_tools.secret_input import read_secret_line

VARIABLE = "EID_PASSPHRASE_FILE"


def passphrase_source(
    files: Path | Sequence[Path] | None, *, confirm: bool = False, custodians: int = 1
) -> Callable[[], bytes]:
    """A function that gives the key store's passphrase, asked for at most once.

    Args:
        files: the only line of each is a part of the passphrase, one for each custodian; None: EID_PASSPHRASE_FILE,
            which may name several, else a prompt. confirm: ask twice. custodians: how many type a part.

    Returns:
        the function; it raises DecodeError where a file is not one line, and click.Abort where nothing is typed.
    """
    named = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    places = [files] if isinstance(files, Path) else [*(files or ())]
    known: list[bytes] = []

    def ask() -> bytes:
        if not known:
            found = [read_secret_line(place, "passphrase") for place in places or named]
            # Nobody's part holds a line's end, so that the parts cannot be told apart in two ways
            known.append("\n".join(found or _prompt(confirm, custodians)).encode())
        return known[0]

    return ask


def _prompt(confirm: bool, custodians: int) -> list[str]:
    """The parts, each typed by its custodian, who sees none of the others."""
    texts = ["Passphrase"] if custodians == 1 else [f"Passphrase of custodian {n + 1}" for n in range(custodians)]
    return [str(click.prompt(text, hide_input=True, confirmation_prompt=confirm, err=True)) for text in texts]
