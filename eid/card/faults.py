"""Faults on demand: a wrapper that puts them between any terminal and any card (grammar: docs/faults.md)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Protocol

from eid.errors import CardRemovedError, DecodeError, TransportError

MAX_FAULTS: Final = 64
MAX_SECONDS: Final = 3600.0
MAX_BIT: Final = 8 * 65_544  # of an APDU of extended length


@unique
class FaultKind(StrEnum):
    """What goes wrong. "-after": the card has obeyed the command; else it never sees it."""

    DROP = "drop"
    DROP_AFTER = "drop-after"
    TEAR = "tear"
    TEAR_AFTER = "tear-after"
    REMOVE = "remove"
    RESET = "reset"
    STATUS = "sw"
    STATUS_AFTER = "sw-after"
    FLIP = "flip"
    FLIP_COMMAND = "flip-command"
    DELAY = "delay"


_WITH_NUMBER: Final = frozenset((FaultKind.FLIP, FaultKind.FLIP_COMMAND))
_WITH_STATUS: Final = frozenset((FaultKind.STATUS, FaultKind.STATUS_AFTER))
_FAULT: Final = re.compile(r"(?P<kind>[a-z-]+)@(?P<place>\*|\d+\+|\d+-\d+|\d+)(?::(?P<argument>[0-9A-Fa-f.]+))?", re.A)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        first, last: the commands it strikes, numbered from 1; `last` None: all from `first` on.
        bit: of the APDU, 0 is the highest bit of its first octet; taken modulo its length.
        sw: the status word. seconds: of a delay.
    """

    kind: FaultKind
    first: int
    last: int | None
    bit: int = 0
    sw: int = 0
    seconds: float = 0.0

    def strikes(self, number: int) -> bool:
        """Whether it strikes this command."""
        return self.first <= number and (self.last is None or number <= self.last)


class AnyCard(Protocol):
    """What can be made faulty."""

    @property
    def atr(self) -> bytes:
        """Answer to reset."""

    def process(self, command: bytes, /) -> bytes:
        """Answer one command APDU."""

    def reset(self) -> bytes:
        """Reset; return the ATR."""

    def power_off(self) -> None:
        """Lose power."""


class FaultyCard:
    """A card with faults; itself a card for every transport.

    Commands are numbered from 1, over resets. After a tear the next reset finds the card again; after a removal
    `insert` does.

    Args:
        wait: how a delay passes; seconds.
    """

    def __init__(self, card: AnyCard, faults: Sequence[Fault], *, wait: Callable[[float], None] = time.sleep) -> None:
        self._card = card
        self._faults = tuple(faults)
        self._wait = wait
        self._is_torn = self._is_away = False
        self.commands = 0

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return self._card.atr

    def insert(self) -> None:
        """Put a removed card back; it has no session."""
        self._is_away = self._is_torn = False

    def reset(self) -> bytes:
        """Reset; return the ATR.

        Raises:
            CardRemovedError: the card was removed.
        """
        if self._is_away:
            raise CardRemovedError("the card was removed by a fault")
        self._is_torn = False
        return self._card.reset()

    def power_off(self) -> None:
        """Lose power."""
        self._card.power_off()

    def process(self, command: bytes) -> bytes:
        """Answer one command, or fail as the faults say.

        Raises:
            CardRemovedError: torn or removed. TransportError: the command or its answer is lost.
        """
        if self._is_away or self._is_torn:
            raise CardRemovedError("the card has left the field by a fault")
        self.commands += 1
        struck = {fault.kind: fault for fault in self._faults if fault.strikes(self.commands)}
        early = self._before(struck)
        if early is not None:
            return early
        sent = _flip(bytes(command), struck.get(FaultKind.FLIP_COMMAND))
        return self._after(struck, self._card.process(sent))

    def _before(self, struck: dict[FaultKind, Fault]) -> bytes | None:
        """What strikes before the card sees the command; the answer, where the card never sees it."""
        if FaultKind.DELAY in struck:
            self._wait(struck[FaultKind.DELAY].seconds)
        if FaultKind.RESET in struck:
            self._card.reset()
        if FaultKind.REMOVE in struck:
            self._is_away = True
            self._tear()
        if FaultKind.TEAR in struck:
            self._tear()
        if FaultKind.DROP in struck:
            raise TransportError("the command was lost by a fault")
        status = struck.get(FaultKind.STATUS)
        return None if status is None else status.sw.to_bytes(2, "big")

    def _after(self, struck: dict[FaultKind, Fault], response: bytes) -> bytes:
        if FaultKind.TEAR_AFTER in struck:
            self._tear()
        if FaultKind.DROP_AFTER in struck:
            raise TransportError("the answer was lost by a fault")
        status = struck.get(FaultKind.STATUS_AFTER)
        if status is not None:
            return status.sw.to_bytes(2, "big")
        return _flip(response, struck.get(FaultKind.FLIP))

    def _tear(self) -> None:
        self._is_torn = True
        self._card.power_off()
        raise CardRemovedError("the card was torn out of the field by a fault")


def _flip(apdu: bytes, fault: Fault | None) -> bytes:
    if fault is None or not apdu:
        return apdu
    octet, bit = divmod(fault.bit % (8 * len(apdu)), 8)
    changed = bytearray(apdu)
    changed[octet] ^= 0x80 >> bit
    return bytes(changed)


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read a list of faults, e.g. "tear@5", "flip@3:12, delay@*:0.02".

    Raises:
        DecodeError: it is not of the grammar of docs/faults.md; tells which fault, and the octet where it begins.
    """
    faults: list[Fault] = []
    offset = 0
    for part in text.split(","):
        faults.append(_parse_fault(part.strip(), offset))
        offset += len(part) + 1
    if len(faults) > MAX_FAULTS:
        raise DecodeError(f"more than {MAX_FAULTS} faults")
    return tuple(faults)


def _parse_fault(text: str, offset: int) -> Fault:
    match = _FAULT.fullmatch(text)
    if match is None:
        raise DecodeError(f"fault {text!r} is not KIND@PLACE[:ARGUMENT]", offset=offset)
    if match["kind"] not in set(FaultKind):
        raise DecodeError(f"no fault {match['kind']!r}; there are {', '.join(FaultKind)}", offset=offset)
    kind = FaultKind(match["kind"])
    first, last = _parse_place(match["place"], offset)
    argument = match["argument"]
    try:
        return _with_argument(kind, first, last, argument)
    except ValueError:
        raise DecodeError(f"fault {text!r}: {_wanted(kind)}", offset=offset) from None


def _parse_place(place: str, offset: int) -> tuple[int, int | None]:
    if place == "*":
        return 1, None
    low, dash, high = place.removesuffix("+").partition("-")
    if len(low) > 9 or len(high) > 9:
        raise DecodeError(f"place {place[:12]!r}... is out of all bounds", offset=offset)
    first = int(low)
    last = None if place.endswith("+") else int(high) if dash else first
    if first < 1 or (last is not None and last < first):
        raise DecodeError(f"place {place!r}: commands are numbered from 1, upwards", offset=offset)
    return first, last


def _with_argument(kind: FaultKind, first: int, last: int | None, argument: str | None) -> Fault:
    """The fault with its argument; ValueError where that is missing, superfluous or impossible."""
    if kind in _WITH_NUMBER and argument is not None and argument.isdecimal() and int(argument) < MAX_BIT:
        return Fault(kind, first, last, bit=int(argument))
    if kind in _WITH_STATUS and argument is not None and len(argument) == 4:
        return Fault(kind, first, last, sw=int(argument, 16))
    if kind is FaultKind.DELAY and argument is not None and 0 <= (seconds := float(argument)) <= MAX_SECONDS:
        return Fault(kind, first, last, seconds=seconds)
    if argument is None and kind not in (*_WITH_NUMBER, *_WITH_STATUS, FaultKind.DELAY):
        return Fault(kind, first, last)
    raise ValueError


def _wanted(kind: FaultKind) -> str:
    if kind in _WITH_NUMBER:
        return "a bit number follows the colon"
    if kind in _WITH_STATUS:
        return "a status word of four hexadecimal digits follows the colon"
    if kind is FaultKind.DELAY:
        return f"seconds, at most {MAX_SECONDS:.0f}, follow the colon"
    return "no argument follows"
