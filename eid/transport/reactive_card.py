"""What a transport needs of a card that lives in this process."""

from __future__ import annotations

from typing import Protocol


class ReactiveCard(Protocol):
    """A card as an object: it answers commands and does nothing by itself."""

    @property
    def atr(self) -> bytes:
        """Answer to reset, 2..33 octets (ISO/IEC 7816-3 8.2)."""

    def process(self, command: bytes, /) -> bytes:
        """Answer one command APDU with a response APDU; never raises on junk.

        Raises:
            CardRemovedError: the card is made to leave the reader at this command.
        """

    def reset(self) -> bytes:
        """Reset, cold or warm; return the ATR."""

    def power_off(self) -> None:
        """Lose power: every session and security status is gone."""
