"""A slot of a virtual reader into which card objects of this process are put, and pulled out again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Final, Protocol

from eid.errors import CardRemovedError, LifecycleError, ReaderUnavailableError, TransportError
from eid.transport.pcsc import open_reader, wait_for_card
from eid.transport.reactive_card import ReactiveCard
from eid.transport.vpcd import VpcdCard

_PRESENCE_TIMEOUT: Final = 5.0  # seconds; vpcd looks for a card every 0.4
_EMPTY_SLOT_ATR: Final = bytes.fromhex("3B80800101")  # no historical bytes, T=0 and T=1
_MUTE: Final = b"\x00"


class VirtualReader(Protocol):
    """One slot. name: the reader's name in PC/SC."""

    @property
    def name(self) -> str:
        """The reader's name in PC/SC."""

    def insert(self, card: ReactiveCard) -> None:
        """Put a card in and return when a terminal can connect to it.

        Raises:
            LifecycleError: there is a card in the slot.
            ReaderUnavailableError: PC/SC does not report the card.
        """

    def remove(self) -> None:
        """Pull the card out; harmless where there is none."""


class ListeningReader:
    """A slot of a vpcd that listens: a card in it is a connection, and pulling it out is hanging up.

    Args:
        connect: opens a connection to the slot's port.
    """

    def __init__(self, name: str, connect: Callable[[], socket.socket]) -> None:
        self.name = name
        self._connect = connect
        self._inserted: VpcdCard | None = None
        self._thread: threading.Thread | None = None

    def insert(self, card: ReactiveCard) -> None:
        """Put a card in and return when PC/SC reports it."""
        if self._thread is not None and self._thread.is_alive():
            raise LifecycleError(f"there is a card in the reader {self.name!r}")
        self._inserted = VpcdCard(card, self._connect())
        self._thread = threading.Thread(target=self._inserted.serve, name=self.name, daemon=True)
        self._thread.start()
        if not wait_for_card(self.name, timeout=_PRESENCE_TIMEOUT):
            self._pull()
            raise ReaderUnavailableError(f"PC/SC does not report the card in {self.name!r}")

    def remove(self) -> None:
        """Pull the card out and return when PC/SC reports that."""
        if self._pull():
            wait_for_card(self.name, present=False, timeout=_PRESENCE_TIMEOUT)

    def _pull(self) -> bool:
        if self._inserted is None or self._thread is None:
            return False
        self._inserted.stop()
        self._thread.join()
        self._inserted = self._thread = None
        return True


class DialledReader:
    """A slot of a vpcd that dials out.

    Such a vpcd aborts its daemon when the connection ends, and hangs on an empty frame. So the connection is kept for
    good, and a slot without a card is to PC/SC a card that answers to a reset and then never with a response APDU.

    Args:
        listener: accepts vpcd's one connection.
    """

    def __init__(self, name: str, listener: socket.socket) -> None:
        self.name = name
        self._slot = _Slot()
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def insert(self, card: ReactiveCard) -> None:
        """Put a card in and reset the slot, so that PC/SC reads the card's ATR."""
        self._slot.put(card)
        try:
            with open_reader(self.name) as connection:
                connection.reset()
        except TransportError:
            self._slot.take()
            raise

    def remove(self) -> None:
        """Pull the card out; the slot is mute from now on."""
        self._slot.take()

    def _serve(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except OSError:
            return  # the listener was closed before vpcd dialled
        VpcdCard(self._slot, connected).serve()


class _Slot:
    """A card, or a mute one."""

    def __init__(self) -> None:
        self._card: ReactiveCard | None = None
        self._lock = threading.Lock()

    def put(self, card: ReactiveCard) -> None:
        with self._lock:
            if self._card is not None:
                raise LifecycleError("there is a card in the reader")
            self._card = card

    def take(self) -> None:
        with self._lock:
            card, self._card = self._card, None
            if card is not None:
                card.power_off()

    @property
    def atr(self) -> bytes:
        with self._lock:
            return self._card.atr if self._card is not None else _EMPTY_SLOT_ATR

    def process(self, command: bytes) -> bytes:
        with self._lock:
            if self._card is None:
                return _MUTE
            try:
                return self._card.process(command)
            except CardRemovedError:
                self._card.power_off()
                self._card = None
                return _MUTE

    def reset(self) -> bytes:
        with self._lock:
            return self._card.reset() if self._card is not None else _EMPTY_SLOT_ATR

    def power_off(self) -> None:
        with self._lock:
            if self._card is not None:
                self._card.power_off()
