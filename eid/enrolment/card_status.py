"""A card's life after production, why it ends, and the value that a status list shows for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from eid.enrolment.roles import Actor, Role
from eid.enrolment.transitions import Guard, Lifecycle, Transition


@unique
class CardState(StrEnum):
    """Where a card stands. That it has expired is computed from its date, never stored."""

    ORDERED = "ORDERED"
    PERSONALISED = "PERSONALISED"
    IN_STOCK = "IN_STOCK"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    VOID = "VOID"  # spoiled in production; its document number is used up


@unique
class RevocationCause(StrEnum):
    """Why a card was revoked."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    SUPERSEDED = "superseded"
    DATA_CHANGED = "data-changed"
    DECEASED = "deceased"
    FRAUD = "fraud"
    DEFECT = "defect"
    UNCOLLECTED = "uncollected"


@unique
class SuspensionCause(StrEnum):
    """Why a card was suspended."""

    LOST = "lost"
    STOLEN = "stolen"
    EXAMINED = "examined"  # staff looks into it


STATUS_VALUES: Final = {CardState.ACTIVE: 0, CardState.REVOKED: 1, CardState.SUSPENDED: 2}
"""Values of the status list: 0 VALID, 1 INVALID, 2 SUSPENDED; a card that is none of these yet counts as INVALID."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the life cycle asks of a card beyond its state.

    Args:
        holder: the identifier under which its holder acts. witness: who watches that it is destroyed.
    """

    holder: str | None = None
    witness: str | None = None


def _refuse_stranger(facts: CardFacts, actor: Actor) -> str | None:
    if actor.roles & _ANYBODY != {Role.APPLICANT}:
        return None
    return None if facts.holder is not None and actor.id == facts.holder else "an applicant acts for his own card only"


def _witnessed(facts: CardFacts, actor: Actor) -> str | None:
    return None if actor.is_watched_by(facts.witness) else "a card is destroyed before a second person"


_S = CardState
_ANYBODY: Final = frozenset((Role.APPLICANT, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER, Role.ADMINISTRATOR))
_HOLDER: Final[Guard[CardFacts]] = Guard("holder", _refuse_stranger)
_WITNESSED: Final[Guard[CardFacts]] = Guard("witnessed", _witnessed)
_MAKERS: Final = frozenset((Role.PRODUCTION_OPERATOR, Role.SYSTEM))
_COUNTER: Final = frozenset((Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER))

CARD: Final = Lifecycle[CardState, CardFacts](
    "card",
    _S.ORDERED,
    (
        Transition("personalise", frozenset((_S.ORDERED,)), _S.PERSONALISED, _MAKERS),
        Transition("void", frozenset((_S.ORDERED, _S.PERSONALISED)), _S.VOID, _MAKERS),
        Transition("store", frozenset((_S.PERSONALISED,)), _S.IN_STOCK, _MAKERS | {Role.DELIVERY_OPERATOR}),
        Transition("activate", frozenset((_S.IN_STOCK,)), _S.ACTIVE, _COUNTER),
        Transition("suspend", frozenset((_S.ACTIVE,)), _S.SUSPENDED, _ANYBODY, (_HOLDER,)),
        Transition("resume", frozenset((_S.SUSPENDED,)), _S.ACTIVE, _COUNTER),
        Transition(
            "revoke",
            frozenset((_S.IN_STOCK, _S.ACTIVE, _S.SUSPENDED)),
            _S.REVOKED,
            _COUNTER | {Role.ADMINISTRATOR, Role.SYSTEM},
        ),
        Transition("destroy", frozenset((_S.REVOKED,)), _S.REVOKED, _COUNTER, (_WITNESSED,)),  # one never collected
    ),
)
"""All that may happen to a card; whoever finds it lost suspends it at once, only staff revokes it or brings it back."""


def status_value(state: CardState) -> int:
    """What relying parties read of a card in this state."""
    return STATUS_VALUES.get(state, STATUS_VALUES[CardState.REVOKED])
