"""A production order and the blank that it uses up: what may happen to each, and who may do it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from eid.enrolment.roles import Actor, Role
from eid.enrolment.transitions import Guard, Lifecycle, Transition


@unique
class OrderState(StrEnum):
    """Where a production order stands. Each order is for one blank; a spoiled card is made anew by another order."""

    QUEUED = "QUEUED"
    READY = "READY"
    WRITING = "WRITING"
    WRITTEN = "WRITTEN"
    PASSED = "PASSED"
    SPOILED = "SPOILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the guards look at.

    Args:
        paid: the stamp is consumed, or no fee was due. chip_verified: the written card was read back and verified.
    """

    paid: bool = False
    chip_verified: bool = False


def _paid(facts: OrderFacts, _: Actor) -> str | None:
    return None if facts.paid else "the stamp is not consumed yet"


def _chip_verified(facts: OrderFacts, _: Actor) -> str | None:
    return None if facts.chip_verified else "the card was not read back and verified"


PAID_UP: Final = Guard("stamp-consumed", _paid)
CHIP_VERIFIED: Final = Guard("chip-verified", _chip_verified)
_MAKERS: Final = frozenset((Role.PRODUCTION_OPERATOR, Role.SYSTEM))
_INSPECTORS: Final = frozenset((Role.PRODUCTION_OPERATOR,))
_O = OrderState

PRODUCTION: Final = Lifecycle[OrderState, OrderFacts](
    "production",
    _O.QUEUED,
    (
        Transition("reserve", frozenset((_O.QUEUED,)), _O.READY, _MAKERS, (PAID_UP,)),
        Transition("release", frozenset((_O.READY,)), _O.QUEUED, _MAKERS),
        Transition("start", frozenset((_O.READY,)), _O.WRITING, _MAKERS),
        Transition("retry", frozenset((_O.WRITING,)), _O.READY, _MAKERS),  # nothing was written to the blank
        Transition("write", frozenset((_O.WRITING,)), _O.WRITTEN, _MAKERS, (CHIP_VERIFIED,)),
        Transition("pass", frozenset((_O.WRITTEN,)), _O.PASSED, _INSPECTORS, (CHIP_VERIFIED,)),
        Transition("spoil", frozenset((_O.READY, _O.WRITING, _O.WRITTEN)), _O.SPOILED, _MAKERS),
        Transition("cancel", frozenset((_O.QUEUED,)), _O.CANCELLED, frozenset((Role.ADMINISTRATOR, Role.SYSTEM))),
    ),
)
"""All that may happen to a production order."""


@unique
class BlankState(StrEnum):
    """Where a blank card stands. Every one that was delivered is in one of these states for ever."""

    IN_STORE = "IN_STORE"
    RESERVED = "RESERVED"
    CONSUMED = "CONSUMED"
    SPOILED = "SPOILED"
    DESTROYED = "DESTROYED"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class BlankFacts:
    """What the guards look at: the order that asks, the order that the blank is reserved for, who watches."""

    order: str | None = None
    reserved_for: str | None = None
    witness: str | None = None


def _same_order(facts: BlankFacts, _: Actor) -> str | None:
    return None if facts.order == facts.reserved_for else "the blank is reserved for another order"


def _witnessed(facts: BlankFacts, actor: Actor) -> str | None:
    return None if actor.is_watched_by(facts.witness) else "a blank is destroyed before a second person"


SAME_ORDER: Final = Guard("same-order", _same_order)
WITNESSED: Final = Guard("witnessed", _witnessed)
_B = BlankState
_KEEPERS: Final = frozenset((Role.PRODUCTION_OPERATOR, Role.ADMINISTRATOR))

BLANK: Final = Lifecycle[BlankState, BlankFacts](
    "blank",
    _B.IN_STORE,
    (
        Transition("reserve", frozenset((_B.IN_STORE,)), _B.RESERVED, _MAKERS),
        Transition("release", frozenset((_B.RESERVED,)), _B.IN_STORE, _MAKERS, (SAME_ORDER,)),
        Transition("consume", frozenset((_B.RESERVED,)), _B.CONSUMED, _MAKERS, (SAME_ORDER,)),
        Transition("spoil", frozenset((_B.RESERVED, _B.IN_STORE)), _B.SPOILED, _MAKERS, (SAME_ORDER,)),
        Transition("destroy", frozenset((_B.SPOILED,)), _B.DESTROYED, _KEEPERS, (WITNESSED,)),
        Transition("recall", frozenset((_B.CONSUMED,)), _B.DESTROYED, _MAKERS, (SAME_ORDER,)),  # its card was destroyed
        Transition("miss", frozenset((_B.IN_STORE, _B.SPOILED)), _B.MISSING, _KEEPERS),
        Transition("find", frozenset((_B.MISSING,)), _B.SPOILED, _KEEPERS),  # who knows where it was: never a card
    ),
)
"""All that may happen to a blank."""
