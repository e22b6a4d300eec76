"""Running exchanges in tests: recorded replies, injected randomness, a link that misbehaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.protocols.exchange import Checkpoint, Connection, Exchange


def play(exchange: Exchange[Any], replies: Iterable[bytes], *, exhaust: bool = True) -> tuple[Any, list[bytes]]:
    """Feed replies (data and status word); the result, and the commands that were sent."""
    sent: list[bytes] = []
    feed = iter(replies)
    try:
        request = next(exchange)
        while True:
            if isinstance(request, Checkpoint):
                request = exchange.send(ResponseAPDU())
                continue
            assert isinstance(request, CommandAPDU)
            sent.append(request.encode())
            raw = next(feed)
            request = exchange.send(ResponseAPDU(raw[:-2], int.from_bytes(raw[-2:], "big")))
    except StopIteration as stop:
        assert not exhaust or next(feed, None) is None, "replies are left over"
        return stop.value, sent


def injected(*values: bytes | int) -> Callable[[int], bytes]:
    """Randomness that gives these values in turn; an int becomes the octets that yield it as a private scalar."""
    feed = iter(values)

    def random(length: int) -> bytes:
        value = next(feed)
        if isinstance(value, int):
            return (value - 1).to_bytes(length, "big")
        assert len(value) == length
        return value

    return random


class Link:
    """A connection with someone in the middle: `attack` sees the number and octets of each message, both ways."""

    def __init__(self, card: Connection, attack: Callable[[str, int, bytes], bytes | None]) -> None:
        self._card = card
        self._attack = attack
        self.count = 0

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def reset(self) -> bytes:
        return self._card.reset()

    def close(self) -> None:
        self._card.close()

    def transmit(self, command: bytes) -> bytes:
        number, self.count = self.count, self.count + 1
        changed = self._attack("command", number, command)
        answer = self._card.transmit(command if changed is None else changed)
        changed = self._attack("response", number, answer)
        return answer if changed is None else changed
