"""Reading a card: the inspection procedure over a connection, counted step by step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eid.evidence import Evidence
from eid.inspection import InspectionPlan, inspect
from eid.protocols.exchange import CheckpointSink, Connection, drive
from eid.transport.metered import MeteredConnection, StepMeter, TraceEntry


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was gathered and what it cost. trace: every command, without the data of it or of its answer."""

    evidence: Evidence = field(repr=False)
    steps: tuple[StepMeter, ...]
    trace: tuple[TraceEntry, ...]


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

    metered = MeteredConnection(connection, observe=note, checkpoints=progress)
    evidence = drive(inspect(plan, now, random), metered, metered)
    return Inspected(evidence, metered.steps, tuple(trace))
