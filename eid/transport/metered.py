"""A connection that counts what passes: commands, octets and time, per step, and a trace without data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from eid.codec.apdu import SM_BITS, decode_command
from eid.errors import DecodeError
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection
from eid.transport.command_names import describe_command

BEGIN: Final = frozenset(("begin", "intent"))  # phases of a checkpoint that open a step
END: Final = frozenset(("end", "result"))  # and those that close it
HEADER: Final = 4  # octets of a command's class, instruction and parameters


@dataclass(frozen=True, slots=True)
class StepMeter:
    """What a step cost.

    Args:
        sent, received: octets of command and response APDUs. seconds: from begin to end.
        card_seconds: of those, how long the card and the way to it took.
    """

    step: str
    commands: int = 0
    sent: int = 0
    received: int = 0
    seconds: float = 0.0
    card_seconds: float = 0.0


class TraceEntry(NamedTuple):
    """One command and its answer, without the data of either; a tuple, for there is one for every command.

    Args:
        number: from 1. step: the step it belongs to, or "". name: the command's name.
        sent, received: octets of the APDUs. sw: the status word, None where the link failed. seconds: for the answer.
    """

    number: int
    step: str
    name: str
    header: str
    sent: int
    received: int
    sw: int | None
    seconds: float


class _Tally:
    """A step's count while it runs."""

    __slots__ = ("card_seconds", "commands", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.commands = self.sent = self.received = 0
        self.seconds = self.card_seconds = 0.0

    def add(self, command: bytes, response: bytes, seconds: float) -> None:
        self.commands += 1
        self.sent += len(command)
        self.received += len(response)
        self.card_seconds += seconds

    def meter(self, step: str) -> StepMeter:
        return StepMeter(step, self.commands, self.sent, self.received, self.seconds, self.card_seconds)


class MeteredConnection:
    """A `Connection` around another one that counts, and a `CheckpointSink` that learns the steps' limits.

    Commands count for the innermost open step. Phases "begin" and "intent" open a step, "end" and "result" close it; a
    step that comes again is continued.

    Args:
        clock: seconds from any origin. observe: is given each trace entry as it happens.
        checkpoints: where checkpoints go on to, before they are counted.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Callable[[], float] = time.perf_counter,
        observe: Callable[[TraceEntry], None] | None = None,
        checkpoints: CheckpointSink | None = None,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._observe = observe
        self._checkpoints = checkpoints
        self._steps: dict[str, _Tally] = {}
        self._open: list[tuple[str, float]] = []
        self._total = _Tally()
        self._started = clock()

    @property
    def atr(self) -> bytes:
        """The card's ATR."""
        return self._connection.atr

    @property
    def steps(self) -> tuple[StepMeter, ...]:
        """The steps that have been opened, in that order."""
        return tuple(tally.meter(step) for step, tally in self._steps.items())

    @property
    def total(self) -> StepMeter:
        """All commands, within steps or not; seconds since the connection was wrapped."""
        return replace(self._total.meter("total"), seconds=self._clock() - self._started)

    def record(self, checkpoint: Checkpoint) -> None:
        """Open or close a step, after the sink behind has made the checkpoint durable."""
        if self._checkpoints is not None:
            self._checkpoints.record(checkpoint)
        if checkpoint.phase in BEGIN:
            self._steps.setdefault(checkpoint.step, _Tally())
            self._open.append((checkpoint.step, self._clock()))
        elif checkpoint.phase in END:
            self._close_step(checkpoint.step)

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, return the response APDU."""
        begun = self._clock()
        response = b""
        try:
            response = self._connection.transmit(command)
        finally:
            self._count(command, response, self._clock() - begun)
        return response

    def reset(self) -> bytes:
        """Reset the card, return its ATR."""
        return self._connection.reset()

    def close(self) -> None:
        """Let go of the card."""
        self._connection.close()

    def _close_step(self, step: str) -> None:
        for position in range(len(self._open) - 1, -1, -1):
            name, begun = self._open[position]
            if name == step:
                del self._open[position]
                self._steps[step].seconds += self._clock() - begun
                return

    def _count(self, command: bytes, response: bytes, seconds: float) -> None:
        step = self._open[-1][0] if self._open else ""
        if step:
            self._steps[step].add(command, response, seconds)
        self._total.add(command, response, seconds)
        if self._observe is not None:
            self._observe(_trace(self._total.commands, step, command, response, seconds))


def _trace(number: int, step: str, command: bytes, response: bytes, seconds: float) -> TraceEntry:
    sw = int.from_bytes(response[-2:], "big") if len(response) >= 2 else None
    name = _name_of_protected(command[:4]) if command[0] & SM_BITS and len(command) > HEADER else _name_of(command)
    return TraceEntry(number, step, name, command[:HEADER].hex().upper(), len(command), len(response), sw, seconds)


@lru_cache(maxsize=1024)
def _name_of_protected(header: bytes) -> str:
    """What is protected has no name but that of its header, and most commands of a reading have the same few."""
    return _name_of(header)


def _name_of(command: bytes) -> str:
    try:
        return describe_command(decode_command(command))
    except DecodeError:
        return "malformed command"
