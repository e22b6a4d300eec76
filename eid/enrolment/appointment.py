"""The appointment's life cycle: a place is held, booked, and somebody comes or does not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from eid.enrolment.roles import Actor, Role
from eid.enrolment.transitions import Guard, Lifecycle, Transition


@unique
class AppointmentState(StrEnum):
    """Where an appointment stands."""

    HELD = "HELD"
    BOOKED = "BOOKED"
    CHECKED_IN = "CHECKED_IN"
    SERVED = "SERVED"
    NO_SHOW = "NO_SHOW"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


LIVE: Final = frozenset((AppointmentState.HELD, AppointmentState.BOOKED, AppointmentState.CHECKED_IN))
"""States in which it keeps its place."""
ENDED: Final = frozenset((AppointmentState.CANCELLED, AppointmentState.NO_SHOW, AppointmentState.EXPIRED))
"""States in which nobody was seen, nor will be."""


@dataclass(frozen=True, slots=True)
class AppointmentFacts:
    """What the guards look at.

    Args:
        hold_over: the time to decide has passed. may_change: an applicant's time for changes has not. can_come: it may
            be checked in now: on its day, not long before it begins. missed: it ended long ago. site: where it is.
        walk_in: the category of people seen without an appointment applies.
    """

    hold_over: bool = False
    may_change: bool = True
    can_come: bool = True
    missed: bool = False
    site: str | None = None
    walk_in: bool = False


Facts = AppointmentFacts
S = AppointmentState


def _in_time(facts: Facts, _: Actor) -> str | None:
    return "the time to decide is over" if facts.hold_over else None


def _over(facts: Facts, _: Actor) -> str | None:
    return None if facts.hold_over else "the time to decide is not over"


def _may_change(facts: Facts, actor: Actor) -> str | None:
    if facts.may_change or actor.roles != {Role.APPLICANT}:
        return None
    return "it is too late to change it; the call centre can"


def _same_site(facts: Facts, actor: Actor) -> str | None:
    return None if actor.site is not None and actor.site == facts.site else "the appointment is at another site"


def _can_come(facts: Facts, _: Actor) -> str | None:
    return None if facts.can_come else "it is not the time of the appointment"


def _missed(facts: Facts, _: Actor) -> str | None:
    return None if facts.missed else "somebody may come yet"


def _walk_in(facts: Facts, _: Actor) -> str | None:
    return None if facts.walk_in else "who comes without an appointment needs one"


IN_TIME: Final = Guard("hold-in-time", _in_time)
OVER: Final = Guard("hold-over", _over)
MAY_CHANGE: Final = Guard("change-in-time", _may_change)
SAME_SITE: Final = Guard("same-site", _same_site)
CAN_COME: Final = Guard("day-of-visit", _can_come)
MISSED: Final = Guard("missed", _missed)
WALK_IN: Final = Guard("walk-in", _walk_in)

BOOKERS: Final = frozenset((Role.APPLICANT, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER))
_OFFICE: Final = frozenset((Role.ADMINISTRATOR, Role.SYSTEM))
_OFFICER: Final = frozenset((Role.ENROLMENT_OFFICER,))
_SYSTEM: Final = frozenset((Role.SYSTEM,))


def _row(
    event: str, sources: frozenset[S], target: S, roles: frozenset[Role], *guards: Guard[Facts]
) -> Transition[S, Facts]:
    return Transition(event, sources, target, roles, guards)


_HELD: Final = frozenset((S.HELD,))
_BOOKED: Final = frozenset((S.BOOKED,))

APPOINTMENT: Final = Lifecycle(
    "appointment",
    S.HELD,
    (
        _row("book", _HELD, S.BOOKED, BOOKERS, IN_TIME),
        _row("release", _HELD, S.CANCELLED, BOOKERS | _OFFICE),
        _row("expire", _HELD, S.EXPIRED, _SYSTEM, OVER),
        _row("admit", _HELD, S.CHECKED_IN, _OFFICER, SAME_SITE, WALK_IN),
        _row("reschedule", _BOOKED, S.BOOKED, BOOKERS, MAY_CHANGE),
        _row("displace", _BOOKED, S.BOOKED, _OFFICE),  # the site closes: moved without asking
        _row("cancel", _BOOKED, S.CANCELLED, BOOKERS | _OFFICE, MAY_CHANGE),
        _row("check-in", _BOOKED, S.CHECKED_IN, _OFFICER, SAME_SITE, CAN_COME),
        _row("miss", _BOOKED, S.NO_SHOW, _OFFICER | _SYSTEM, MISSED),
        _row("serve", frozenset((S.CHECKED_IN,)), S.SERVED, _OFFICER | _SYSTEM),
    ),
)
"""All that may happen to an appointment."""
