"""What happens to a virtual card, as numbered entries that watchers wait for; no data of a command, so no secrets."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from eid.card.card import CardEvent
from eid.codec.apdu import SM_BITS
from eid.codec.status_word import describe_status_word, is_success
from eid.errors import CardRemovedError, TransportError
from eid.transport.reactive_card import ReactiveCard

REMEMBERED: Final = 5000  # entries that a watcher who comes late is still told
_PROTECTIONS: Final = {"": "", "iso": "secure messaging", "scp03": "SCP03"}


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One thing that happened.

    Args:
        number: from 1, without a gap. at: seconds since the epoch. kind: "command", "reset", "off" or "fault".
        name: of the command. detail: files, protocols and data objects. header: class to P2, hexadecimal.
        sent, received: octets of data, unprotected. sw: hexadecimal. means: what it says. good: whether the command
            was carried out. milliseconds: that the card took.
    """

    number: int
    at: float
    kind: str
    name: str
    detail: str = ""
    header: str = ""
    protection: str = ""
    sent: int = 0
    received: int = 0
    sw: str = ""
    means: str = ""
    good: bool = True
    milliseconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


class TraceFeed:
    """Keeps the last entries, and wakes who waits for the next. Used by the card's thread and by watchers' threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._entries: deque[TraceEntry] = deque(maxlen=REMEMBERED)
        self._last = 0
        self._is_closed = False

    def add(self, kind: str, name: str, **told: Any) -> None:
        """Append an entry."""
        with self._changed:
            self._last += 1
            self._entries.append(TraceEntry(self._last, self._clock(), kind, name, **told))
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will come; whoever waits is told."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def after(self, number: int, seconds: float) -> tuple[TraceEntry, ...] | None:
        """The entries after this one, once there are some; none after so many seconds; None when it was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._last > number or self._is_closed, seconds)
            found = tuple(entry for entry in self._entries if entry.number > number)
            return None if self._is_closed and not found else found


class WatchedCard:
    """A card whose doings go to a feed; itself a card for every transport.

    Give `observe` to the virtual card inside, so that its commands are told decoded.
    """

    def __init__(self, feed: TraceFeed, stopwatch: Callable[[], float] = time.perf_counter) -> None:
        self.feed = feed
        self._stopwatch = stopwatch
        self._event: CardEvent | None = None
        self._card: ReactiveCard | None = None

    def watch(self, card: ReactiveCard) -> ReactiveCard:
        """Put it around this card."""
        self._card = card
        return self

    def observe(self, event: CardEvent) -> None:
        """What the virtual card says of the command that it has just carried out."""
        self._event = event

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._inner.atr

    def process(self, command: bytes) -> bytes:
        """Answer one command.

        Raises:
            CardRemovedError, TransportError: by a fault on demand.
        """
        self._event = None
        begun = self._stopwatch()
        try:
            answer = self._inner.process(command)
        except (CardRemovedError, TransportError) as fault:
            self._tell_event(begun)
            self.feed.add("fault", str(fault), good=False)
            raise
        if not self._tell_event(begun, answer):
            self._tell_raw(bytes(command), answer, begun)
        return answer

    def reset(self) -> bytes:
        """Reset; return the ATR."""
        atr = self._inner.reset()
        self.feed.add("reset", "reset", detail=f"answer to reset {atr.hex().upper()}")
        return atr

    def power_off(self) -> None:
        """Lose power."""
        self._inner.power_off()
        self.feed.add("off", "power off")

    @property
    def _inner(self) -> ReactiveCard:
        if self._card is None:
            raise TransportError("no card is watched")
        return self._card

    def _tell_event(self, begun: float, answer: bytes = b"") -> bool:
        """The command as the card decoded it, if it did; the status word that left, where a fault has changed it."""
        event = self._event
        if event is None:
            return False
        header = f"{event.cla:02X}{event.ins:02X}{event.p1:02X}{event.p2:02X}"
        sw = event.sw
        if not event.protection and len(answer) >= 2 and answer[-2] != 0x61:
            sw = int.from_bytes(answer[-2:], "big")
        self.feed.add(
            "command",
            event.name,
            detail=event.detail,
            header=header,
            protection=_PROTECTIONS[event.protection],
            sent=event.data_length,
            received=event.response_length,
            sw=f"{sw:04X}",
            means=describe_status_word(sw),
            good=is_success(sw),
            milliseconds=self._since(begun),
        )
        return True

    def _tell_raw(self, command: bytes, answer: bytes, begun: float) -> None:
        """What the card never carried out: a further piece of an answer, no command, or a fault before it."""
        sw = int.from_bytes(answer[-2:], "big")
        further = command[1:2] == b"\xc0" and command[:1] != b"\xff"
        protected = bool(command[:1] and command[0] & SM_BITS)
        self.feed.add(
            "command",
            "GET RESPONSE" if further else "not carried out",
            header=command[:4].hex().upper(),
            protection="as it stood on the wire" if protected and not further else "",
            sent=max(0, len(command) - 5),
            received=max(0, len(answer) - 2),
            sw=f"{sw:04X}",
            means=describe_status_word(sw),
            good=is_success(sw),
            milliseconds=self._since(begun),
        )

    def _since(self, begun: float) -> float:
        return round(1000 * (self._stopwatch() - begun), 2)
