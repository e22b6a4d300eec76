"""Life cycles as tables: an event leads from some states to one, for some roles, if its guards let it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, TypeVar

from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, Refusal

S = TypeVar("S", bound=StrEnum)
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Guard(Generic[F]):
    """A condition of a transition: its name, and what refuses the facts (None where nothing does)."""

    name: str
    refuse: Callable[[F, Actor], str | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transition(Generic[S, F]):
    """One row of a life cycle's table.

    Args:
        event: what happens, in the imperative ("submit"). sources: states in which it may. target: the state after it.
        roles: who may do it. guards: what else must hold, asked in order.
    """

    event: str
    sources: frozenset[S]
    target: S
    roles: frozenset[Role]
    guards: tuple[Guard[F], ...] = ()


class Lifecycle(Generic[S, F]):
    """A table of transitions, each event at most once from a state."""

    def __init__(self, name: str, initial: S, transitions: tuple[Transition[S, F], ...]) -> None:
        self.name: Final = name
        self.initial: Final = initial
        self.transitions: Final = transitions
        self._by_step = {(state, row.event): row for row in transitions for state in row.sources}
        if len(self._by_step) != sum(len(row.sources) for row in transitions):
            raise ValueError(f"{name}: an event leads to two states from one")

    @property
    def states(self) -> frozenset[S]:
        """All states that can be reached."""
        return frozenset((self.initial, *(row.target for row in self.transitions)))

    def events(self, state: S) -> tuple[str, ...]:
        """What may happen in a state, whoever does it."""
        return tuple(row.event for row in self.transitions if state in row.sources)

    def is_final(self, state: S) -> bool:
        """Whether it is left no more, whatever happens in it."""
        return all(row.target is state for row in self.transitions if state in row.sources)

    def step(self, state: S, event: str, facts: F, actor: Actor) -> tuple[Transition[S, F], Role]:
        """The transition that an event makes, and the role in which the actor may cause it.

        Raises:
            EnrolmentError: WRONG_STATE, there is none from this state; FORBIDDEN, it is for other roles; or a guard's
                own refusal.
        """
        if all(row.event != event for row in self.transitions):
            raise EnrolmentError(Refusal.UNKNOWN_EVENT, f"a {self.name} knows no event {event!r}")
        row = self._by_step.get((state, event))
        if row is None:
            raise EnrolmentError(Refusal.WRONG_STATE, f"no {event} of the {self.name}: it is {state.value}")
        role = actor.require(row.roles, f"{event} of a {self.name} is for other roles")
        for guard in row.guards:
            refused = guard.refuse(facts, actor)
            if refused is not None:
                raise EnrolmentError(Refusal.GUARD, refused, guard=guard.name)
        return row, role

    def diagram(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial.value}"]
        for row in self.transitions:
            lines += [f"    {source.value} --> {row.target.value}: {row.event}" for source in sorted(row.sources)]
        lines += [f"    {state.value} --> [*]" for state in sorted(self.states) if self.is_final(state)]
        return "\n".join(lines) + "\n"
