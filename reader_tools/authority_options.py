"""Options that say how the keys of an authority are reached; shared by the commands that sign."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from eid.keystore.ports import KeyStore
from eid.services.pki.authority import open_software_keys, require_authority
from reader_tools.passphrase import passphrase_source
from reader_tools.secret_input import read_secret_line
from reader_tools.values import FILE


def named_key_options(prefix: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options, each name behind a prefix; what they say goes to `open_keys` as it is."""
    options = (
        click.option(
            f"--{prefix}passphrase-file",
            "passphrase_files",
            multiple=True,
            type=FILE,
            help="File whose only line opens the software keys; one for each custodian. Else EID_PASSPHRASE_FILE, else "
            "a prompt.",
        ),
        click.option(
            f"--{prefix}custodians",
            "custodians",
            type=click.IntRange(1, 9),
            default=1,
            show_default=True,
            help="How many persons type a part of the passphrase or PIN.",
        ),
        click.option(f"--{prefix}pkcs11", "module", metavar="MODULE", help="PKCS#11 module, for keys in a token."),
        click.option(f"--{prefix}token", "token", metavar="LABEL", help="Label of the token."),
        click.option(
            f"--{prefix}pin-file",
            "pin_files",
            multiple=True,
            type=FILE,
            help="File whose only line is the token's PIN, or a custodian's part of it; else a prompt.",
        ),
    )

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def key_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options under their plain names."""
    return named_key_options("")(function)


def operator_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --operator: who gives the order, for the record of signatures."""
    option = click.option(
        "--operator",
        envvar="EID_OPERATOR",
        default=_login_name,
        help="Who orders it, for the record of signatures.  [default: EID_OPERATOR, else the login name]",
    )
    return option(function)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def open_keys(
    directory: Path,
    *,
    passphrase_files: tuple[Path, ...],
    custodians: int,
    module: str | None,
    token: str | None,
    pin_files: tuple[Path, ...],
    new: bool = False,
    require: Callable[[Path], None] = require_authority,
) -> KeyStore:
    """The key store of the authority in a directory.

    Args:
        new: the authority is being made: a passphrase is typed twice. require: insists that the authority is there.

    Raises:
        NotStoredError: there is no authority. KeyStoreError: the keys cannot be reached. DecodeError: a file with a
            secret is not one line.
    """
    if (module is None) != (token is None):
        raise click.UsageError("--pkcs11 and --token go together")
    if not new:
        require(directory)
    if module is None or token is None:
        if pin_files:
            raise click.UsageError("--pin-file is for keys in a token: say --pkcs11 and --token")
        return open_software_keys(directory, passphrase_source(passphrase_files, confirm=new, custodians=custodians))
    from eid.keystore.pkcs11 import Pkcs11KeyStore

    return Pkcs11KeyStore(module, token, lambda: _ask_pin(pin_files, custodians))


def _ask_pin(files: tuple[Path, ...], custodians: int) -> str:
    """The PIN; custodians' parts stand one behind the other."""
    if files:
        return "".join(read_secret_line(file, "PIN") for file in files)
    texts = ["PIN of the token"] if custodians == 1 else [f"Part {n + 1} of the token's PIN" for n in range(custodians)]
    return "".join(str(click.prompt(text, hide_input=True, err=True)) for text in texts)
