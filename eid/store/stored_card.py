"""A virtual card that lives in a file: what a command changes is durable before its response leaves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from eid.card import VirtualCard
from eid.errors import StoreError
from eid.store.card_file import CardFile

_MEMORY_FAILURE: Final = b"\x65\x81"  # ISO/IEC 7816-4 5.6: persistent memory could not be changed


class StoredCard:
    """A card object for a transport, over a card file that this process holds.

    A command whose change cannot be stored is answered 6581, and the card falls back to what the file holds, without a
    session, as a chip does whose memory write was torn. That is the old state; or the new one, if only its name could
    not be made durable: then nobody who comes later sees a card that has gone back.

    Args:
        revive: makes a card from a state, e.g. `VirtualCard.from_state` with an observer.

    Raises:
        StoreError: the file cannot be read.
        DecodeError: it holds no card.
    """

    def __init__(self, file: CardFile, revive: Callable[[bytes], VirtualCard] = VirtualCard.from_state) -> None:
        self._file = file
        self._revive = revive
        self._stored = file.load()
        self._card = revive(self._stored)
        self._changes = self._card.changes

    @property
    def card(self) -> VirtualCard:
        """The card itself, to look at."""
        return self._card

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._card.atr

    def process(self, command: bytes) -> bytes:
        """Answer one command, after what it changed is durable."""
        response = self._card.process(command)
        if self._card.changes == self._changes:
            return response
        state = self._card.state()
        try:
            self._file.store(state)
        except StoreError:
            self._fall_back()
            return _MEMORY_FAILURE
        self._stored, self._changes = state, self._card.changes
        return response

    def reset(self) -> bytes:
        """Reset, return the ATR."""
        return self._card.reset()

    def power_off(self) -> None:
        """Lose power."""
        self._card.power_off()

    def _fall_back(self) -> None:
        with suppress(StoreError):  # what cannot be read now was the old state before
            self._stored = self._file.load()
        self._card = self._revive(self._stored)
        self._changes = self._card.changes
