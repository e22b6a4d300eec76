"""One test case, as a value, and the unit that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TypeAlias

from eid.conformance.subject import Subject
from eid.protocols.exchange import Exchange

Precondition: TypeAlias = Callable[[Subject], str | None]
"""Why the case does not apply to this card, in words; None where it does."""
Procedure: TypeAlias = Callable[[Subject], Exchange[str]]
"""Runs the case and returns what was observed; raises what a card that deviates makes it raise."""


@unique
class Outcome(StrEnum):
    """What became of a case."""

    PASS = "PASS"  # noqa: S105 - an outcome, no password
    FAIL = "FAIL"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    ERROR = "ERROR"  # the card or the link was lost, nothing was found out


def always(_: Subject) -> None:
    """The precondition of a case that every card has to pass."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case.

    Args:
        id: unit and number, "SM_04"; stable. clause: of the specification that is tested. expected: in words.
        run: begins with a reset, so that no case depends on another one.
        applies: the precondition. destructive: it costs tries of a password, or harms a card that deviates.
    """

    id: str
    title: str
    clause: str
    expected: str
    run: Procedure = field(repr=False)
    applies: Precondition = field(default=always, repr=False)
    destructive: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """Cases about one thing, in the order in which they are run."""

    name: str
    title: str
    cases: tuple[Case, ...]
