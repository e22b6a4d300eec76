"""Where a virtual card is put to be talked to: a virtual PC/SC reader, or this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from eid.card import VirtualCard
from eid.errors import ReaderUnavailableError
from eid.protocols.exchange import Connection
from eid.transport.loopback import LoopbackConnection
from eid.transport.pcsc import open_reader
from eid.transport.pcscd import private_pcscd
from eid.transport.virtual_reader import VirtualReader


class Slot(Protocol):
    """Where a card is put to be talked to."""

    way: str

    def insert(self, card: VirtualCard) -> Connection:
        """Put a card in and connect to it."""

    def remove(self) -> None:
        """Take it out."""


class _InProcess:
    way = "in-process"
    _connection: LoopbackConnection | None = None

    def insert(self, card: VirtualCard) -> Connection:
        self._connection = LoopbackConnection(card)
        return self._connection

    def remove(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _InReader:
    def __init__(self, reader: VirtualReader, way: str) -> None:
        self.way = f"PC/SC ({way})"
        self._reader = reader
        self._connection: Connection | None = None

    def insert(self, card: VirtualCard) -> Connection:
        self._reader.insert(card)
        self._connection = open_reader(self._reader.name)
        return self._connection

    def remove(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._reader.remove()


@contextmanager
def open_slot(transport: str | None) -> Iterator[tuple[Slot, str]]:
    """A slot over PC/SC, or in this process.

    Args:
        transport: "pcsc" insists, "in-process" avoids, None takes PC/SC where it can be had.

    Yields:
        the slot, and why PC/SC could not be had ("" where it could, or was not wanted).

    Raises:
        ReaderUnavailableError: PC/SC was insisted on and cannot be had.
    """
    if transport == "in-process":
        yield _InProcess(), ""
        return
    with ExitStack() as stack:
        try:
            host = stack.enter_context(private_pcscd())
        except ReaderUnavailableError as failure:
            if transport == "pcsc":
                raise
            yield _InProcess(), str(failure)
            return
        yield _InReader(host.readers[0], host.way), ""
