"""A request to give money back for which somebody must decide: the life of an entry in the cashiers' queue."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final

from eid.enrolment.roles import Role
from eid.enrolment.transitions import Lifecycle, Transition


@unique
class RefundState(StrEnum):
    """Where a request stands."""

    ASKED = "ASKED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"


@unique
class RefundCause(StrEnum):
    """Why money is to be given back."""

    CANCELLED = "cancelled"  # the authority has ended an application whose stamp was consumed
    DECLINED = "declined"  # the provider does not return what is owed


_R = RefundState
_DECIDERS: Final = frozenset((Role.CASHIER, Role.ADMINISTRATOR))
REFUND: Final = Lifecycle[RefundState, None](
    "refund",
    _R.ASKED,
    (
        Transition("grant", frozenset((_R.ASKED,)), _R.GRANTED, _DECIDERS),
        Transition("refuse", frozenset((_R.ASKED,)), _R.REFUSED, _DECIDERS),
        Transition("ask", frozenset((_R.GRANTED, _R.REFUSED)), _R.ASKED, frozenset((Role.SYSTEM,))),  # declined again
    ),
)
"""All that may happen to a request."""
