"""Options that say by whose right a terminal reads: its certificates and where its key is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import click

from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.services.reading.terminal_credentials import load_terminal_credentials, open_terminal_credentials
from reader_tools.passphrase import passphrase_source
from reader_tools.secret_input import read_secret_line
from reader_tools.values import FILE

OPTIONS: Final = (
    click.option(
        "--terminal-chain",
        "chain",
        type=FILE,
        multiple=True,
        help="CV certificate of the terminal, its document verifier, or a CVCA link; once for each.",
    ),
    click.option(
        "--terminal-key",
        "key",
        metavar="FILE|LABEL",
        help="The terminal's private key: a file (PKCS#8, PEM), or with --pkcs11 its label in the token.",
    ),
    click.option("--pkcs11", "module", metavar="MODULE", help="PKCS#11 module, for a terminal's key in a token."),
    click.option("--token", metavar="LABEL", help="Label of the token."),
    click.option("--token-pin-file", type=FILE, help="File whose only line is the token's PIN; else a prompt."),
)


def terminal_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; what they say goes to `open_terminal` as it is."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def open_terminal(
    *, chain: tuple[Path, ...], key: str | None, module: str | None, token: str | None, token_pin_file: Path | None
) -> AbstractContextManager[TerminalCredentials | None]:
    """The terminal's certificates and key, while the context lasts; None where no option was given.

    Raises:
        DecodeError, KeyStoreError, LocalProtocolError: as `open_terminal_credentials`.
    """
    if (module is None) != (token is None):
        raise click.UsageError("--pkcs11 and --token go together")
    if bool(chain) != (key is not None) or (module is not None and key is None):
        raise click.UsageError("--terminal-chain and --terminal-key go together")
    if key is None:
        return nullcontext()
    if module is None or token is None:
        return nullcontext(load_terminal_credentials(chain, Path(key), passphrase_source(None)))
    return _open_in_token(chain, key, module, token, token_pin_file)


@contextmanager
def _open_in_token(
    chain: tuple[Path, ...], label: str, module: str, token: str, pin_file: Path | None
) -> Iterator[TerminalCredentials]:
    """A terminal whose key stays in a token."""
    from eid.keystore.pkcs11 import Pkcs11KeyStore

    with Pkcs11KeyStore(module, token, lambda: _ask_pin(pin_file)) as store:
        yield open_terminal_credentials(chain, lambda algorithm: store.load(label, algorithm))


def _ask_pin(file: Path | None) -> str:
    if file is not None:
        return read_secret_line(file, "PIN of the token")
    pin: str = click.prompt("PIN of the token", hide_input=True, err=True)
    return pin
