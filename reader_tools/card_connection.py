"""A connection to the card that a command is to talk to: in a PC/SC reader, or a virtual card's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from eid.protocols.exchange import Connection
from eid.services.emulator.virtual_cards import open_card
from eid.transport.loopback import LoopbackConnection
from eid.transport.pcsc import open_reader


@contextmanager
def connect(reader: str | None, card_file: Path | None, wait: float = 0.0) -> Iterator[tuple[Connection, str]]:
    """Connect to a card; yields the connection and the reader's name in printable characters.

    Args:
        reader: name, part of it or index, None for any that holds a card. wait: seconds to wait for a card.

    Raises:
        ReaderUnavailableError: there is no such reader or no card in it. StoreError, DecodeError: of the card's file.
    """
    if reader is not None and card_file is not None:
        raise click.UsageError("give --reader or --card-file, not both")
    if card_file is not None:
        with open_card(card_file) as card:
            link = LoopbackConnection(card)
            try:
                yield link, "virtual card in this process"
            finally:
                link.close()
        return
    chosen = int(reader) if reader is not None and reader.isascii() and reader.isdecimal() else reader
    with open_reader(chosen, wait=wait) as connection:
        yield connection, "".join(letter for letter in connection.reader if letter.isprintable())
