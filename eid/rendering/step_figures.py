"""What the steps on a card cost, for tables and pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepFigures:
    """What one step on the card cost: APDUs, octets to and from the card, seconds."""

    step: str
    apdus: int
    octets_sent: int
    octets_received: int
    seconds: float
