"""How a card wants to be read: what is found out while it is, and may be known the next time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eid.protocols.exchange import Checkpoint

LEARNT: Final = "learnt"
"""Phase of the `Checkpoint` that tells the habits of a card, at the end of an inspection."""


@dataclass(frozen=True, slots=True)
class ReadingHabits:
    """The habits of one kind of card.

    Args:
        piece: octets of plain data that it gives at once; 0 where that is not known.
        is_eager: whether it bears to be asked for more than a file has.
    """

    piece: int = 0
    is_eager: bool = True

    def told(self) -> Checkpoint:
        """The checkpoint that tells them."""
        return Checkpoint("reading", LEARNT, {"piece": str(self.piece), "is_eager": str(self.is_eager)})


UNKNOWN: Final = ReadingHabits()


def hear(checkpoint: Checkpoint) -> ReadingHabits | None:
    """The habits that a checkpoint tells; None where it is another one."""
    if checkpoint.phase != LEARNT:
        return None
    return ReadingHabits(int(checkpoint.detail["piece"]), checkpoint.detail["is_eager"] == str(True))
