"""Options that say how the keys of an authority are reached; shared by the commands that sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from eid.keystore.ports import KeyStore
from eid.services.authority import open_software_keys, require_authority
from reader_tools.passphrase import passphrase_source
from reader_tools.secret_input import read_secret_line
from reader_tools.values import FILE

OPTIONS: Final = (
    click.option(
        "--passphrase-file",
        type=FILE,
        help="File whose only line opens the software keys; else EID_PASSPHRASE_FILE, else a prompt.",
    ),
    click.option("--pkcs11", "module", metavar="MODULE", help="PKCS#11 module, for keys in a token."),
    click.option("--token", metavar="LABEL", help="Label of the token."),
    click.option("--pin-file", type=FILE, help="File whose only line is the token's PIN; else a prompt."),
)


def key_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; what they say goes to `open_keys` as it is."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def open_keys(
    directory: Path,
    *,
    passphrase_file: Path | None,
    module: str | None,
    token: str | None,
    pin_file: Path | None,
    new: bool = False,
) -> KeyStore:
    """The key store of the authority in a directory.

    Args:
        new: the authority is being made: a passphrase is typed twice.

    Raises:
        NotStoredError: there is no authority. KeyStoreError: the keys cannot be reached. DecodeError: a file with a
            secret is not one line.
    """
    if (module is None) != (token is None):
        raise click.UsageError("--pkcs11 and --token go together")
    if not new:
        require_authority(directory)
    if module is None or token is None:
        if pin_file is not None:
            raise click.UsageError("--pin-file is for keys in a token: say --pkcs11 and --token")
        return open_software_keys(directory, passphrase_source(passphrase_file, confirm=new))
    from eid.keystore.pkcs11 import Pkcs11KeyStore

    return Pkcs11KeyStore(module, token, lambda: _ask_pin(pin_file))


def _ask_pin(file: Path | None) -> str:
    if file is not None:
        return read_secret_line(file, "PIN")
    pin: str = click.prompt("PIN of the token", hide_input=True, err=True)
    return pin
