"""A card object in this process as a `Connection`: the embedded default, without daemon, driver or socket."""

from __future__ import annotations

from eid.errors import TransportError
from eid.transport.reactive_card import ReactiveCard


class LoopbackConnection:
    """A connection straight to a card object; opening it powers the card up, closing it takes the power away."""

    def __init__(self, card: ReactiveCard) -> None:
        self._card = card
        self._open = True
        self._atr = card.reset()

    @property
    def atr(self) -> bytes:
        """Answer to the last reset."""
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, return the response APDU.

        Raises:
            TransportError: the connection is closed.
            CardRemovedError: the card left.
        """
        self._require_open()
        return self._card.process(command)

    def reset(self) -> bytes:
        """Reset the card, return its ATR.

        Raises:
            TransportError: the connection is closed.
        """
        self._require_open()
        self._atr = self._card.reset()
        return self._atr

    def close(self) -> None:
        """Take the power away; closing twice is harmless."""
        if self._open:
            self._open = False
            self._card.power_off()

    def _require_open(self) -> None:
        if not self._open:
            raise TransportError("the connection to the card is closed")
