"""Reading a card: the inspection procedure over a connection, counted step by step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eid.evidence import Evidence
from eid.inspection import InspectionPlan, inspect
from eid.inspection.habits import UNKNOWN, ReadingHabits, hear
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection, drive
from eid.transport.metered import MeteredConnection, StepMeter, TraceEntry


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was gathered and what it cost.

    Args:
        trace: every command, without the data of it or of its answer. habits: what was learnt of the card.
    """

    evidence: Evidence = field(repr=False)
    steps: tuple[StepMeter, ...]
    trace: tuple[TraceEntry, ...]
    habits: ReadingHabits = UNKNOWN


class _Listener:
    """Hears what was learnt of the card, and passes every checkpoint on."""

    def __init__(self, then: CheckpointSink | None) -> None:
        self._then = then
        self.habits = UNKNOWN

    def record(self, checkpoint: Checkpoint) -> None:
        self.habits = hear(checkpoint) or self.habits
        if self._then is not None:
            self._then.record(checkpoint)


def inspect_card(
    connection: Connection,
    plan: InspectionPlan,
    *,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
    progress: CheckpointSink | None = None,
    observe: Callable[[TraceEntry], None] | None = None,
) -> Inspected:
    """Inspect the card behind a connection, which stays open.

    Args:
        now: the station's clock, with a time zone. progress: is told where each step begins and ends.
        observe: is given each command as it was answered.

    Raises:
        what `eid.inspection.inspect` raises; TransportError.
    """
    trace: list[TraceEntry] = []

    def note(entry: TraceEntry) -> None:
        trace.append(entry)
        if observe is not None:
            observe(entry)

    listener = _Listener(progress)
    metered = MeteredConnection(connection, observe=note, checkpoints=listener)
    evidence = drive(inspect(plan, now, random), metered, metered)
    return Inspected(evidence, metered.steps, tuple(trace), listener.habits)
