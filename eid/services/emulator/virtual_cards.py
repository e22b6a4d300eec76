"""Virtual cards that live in files: made blank, opened for use, put into a virtual reader."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eid.card import VirtualCard
from eid.card.card import CardEvent
from eid.errors import AlreadyDoneError, DecodeError, NotStoredError, ReaderUnavailableError
from eid.personalization.build import build_chip
from eid.profile.loader import load_profile
from eid.protocols.scp03.core import KDD_LENGTH
from eid.store.card_file import open_card_file
from eid.store.stored_card import StoredCard
from eid.transport.reactive_card import ReactiveCard
from eid.transport.vpcd import VpcdCard, connect_to_vpcd

POLL: Final = 0.1  # seconds


def create_card(
    path: Path, profile: str, serial: bytes | None = None, *, random: Callable[[int], bytes] = os.urandom
) -> bytes:
    """Write a blank card of a product into a new file, and return its serial number.

    Args:
        profile: name or path. serial: 10 octets; None draws one.

    Raises:
        AlreadyDoneError: there is such a file. ProfileError: there is no such profile, or it is faulty.
        LifecycleError: a serial number of another length. StoreError: the file cannot be written.
    """
    chip = build_chip(load_profile(profile).profile)
    given = random(KDD_LENGTH) if serial is None else serial
    card = VirtualCard.blank(chip, serial=given)
    with open_card_file(path) as file:
        if path.exists():
            raise AlreadyDoneError(f"{path} exists; a card is not overwritten")
        file.store(card.state())
    return given


@contextmanager
def open_card(path: Path, observe: Callable[[CardEvent], None] | None = None) -> Iterator[StoredCard]:
    """The card of a file, held by this process alone; what a command changes is in the file before it is answered.

    Args:
        observe: is given each command that the card has answered, without data.

    Raises:
        StoreError: there is no such file, another process uses the card, or it cannot be read.
        DecodeError: it is no card, torn or altered.
    """
    if not path.exists():
        raise NotStoredError(f"there is no card file {path}")
    with open_card_file(path) as file:
        try:
            card = StoredCard(file, lambda state: VirtualCard.from_state(state, observe=observe))
        except DecodeError as failure:
            raise DecodeError(f"{path}: {failure.what}", offset=failure.offset, clause=failure.clause) from failure
        yield card


class CardSlot:
    """Keeps a card in the slot of a virtual reader until it is pulled out, leaves by itself, or the reader hangs up.

    Args:
        card: in the slot. `has_left` says whether it was the card that left, which a fault may have it do.
    """

    def __init__(self, card: ReactiveCard) -> None:
        self._card = card
        self._stopped = False  # no Event: its lock may be held by the very code that a signal interrupts
        self._inserted: VpcdCard | None = None
        self.has_left = False

    def stop(self) -> None:
        """Pull the card out; from another thread or from a signal handler."""
        self._stopped = True
        if self._inserted is not None:
            self._inserted.stop()

    def wait(self, seconds: float) -> None:
        """Let the time pass in which the card is away; less, where it is pulled out for good."""
        deadline = time.monotonic() + seconds
        while not self.is_stopped and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(POLL, left))

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def serve_at(
        self, host: str, port: int, patience: float, waiting: Callable[[], None], connected: Callable[[], None]
    ) -> None:
        """Connect to a vpcd that listens, and answer it.

        Args:
            patience: seconds to try for, while nothing listens there. waiting: called when it comes to that.
            connected: called once the card is in the slot.

        Raises:
            ReaderUnavailableError: nothing came to listen there.
        """
        deadline = time.monotonic() + patience
        tell: Callable[[], None] | None = waiting
        while not self.is_stopped:
            try:
                link = connect_to_vpcd(host, port)
            except ReaderUnavailableError:
                if time.monotonic() >= deadline:
                    raise
                if tell is not None:
                    tell()
                    tell = None
                time.sleep(POLL)
                continue
            self._serve(link, connected)
            return

    def serve_behind(
        self, host: str, port: int, listening: Callable[[int], None], connected: Callable[[], None]
    ) -> None:
        """Wait for a vpcd that dials out, and answer it.

        Args:
            listening: is given the port, which the system chooses where `port` is 0.

        Raises:
            ReaderUnavailableError: the address cannot be listened at.
        """
        try:
            listener = socket.create_server((host, port), backlog=1)
        except (OSError, OverflowError) as failure:
            raise ReaderUnavailableError(f"cannot listen at {host}:{port} ({failure})") from failure
        with listener:
            listening(listener.getsockname()[1])
            link = self._accept(listener)
        if link is not None:
            self._serve(link, connected)

    def _accept(self, listener: socket.socket) -> socket.socket | None:
        """The first connection; None where `stop` came before it."""
        listener.settimeout(POLL)
        while not self.is_stopped:
            try:
                return listener.accept()[0]
            except TimeoutError:
                continue
        return None

    def _serve(self, link: socket.socket, connected: Callable[[], None]) -> None:
        self._inserted = VpcdCard(self._card, link)
        if self.is_stopped:  # the signal came between connecting and here
            self._inserted.stop()
        connected()
        self.has_left = self._inserted.serve()
