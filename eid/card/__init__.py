"""The virtual card: ISO/IEC 7816-4 files, GlobalPlatform life cycle, and the chip protocols of Doc 9303-11."""

from __future__ import annotations

from eid.card.card import CardEvent, VirtualCard
from eid.card.memory import LifeCycle

__all__ = ["CardEvent", "LifeCycle", "VirtualCard"]
