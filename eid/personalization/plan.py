"""The plan: the steps that put a card image on a blank card, in order, as values.

A step is commands and a question. The question asks the card whether the step is done already: after a torn session the
answer decides, never a guess. A dialect turns a card image into steps; nothing else knows its commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW


@dataclass(frozen=True, slots=True)
class Question:
    """Commands whose joined answers say whether a step is done; `says_yes` sees the last status word and all data."""

    commands: tuple[CommandAPDU, ...] = field(repr=False)
    says_yes: Callable[[int, bytes], bool] = field(repr=False)


def answers(response: ResponseAPDU) -> bool:
    """Whether a command of a question was carried out."""
    return response.sw in (SW.OK, SW.END_OF_FILE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step, journalled as intent and result.

    Args:
        name: stable, e.g. "write DG1". select: makes the step's application, or the master file, current.
        commands: what to send then; each must answer 9000. question: None where the step may simply be repeated.
        detail: facts for the journal: sizes, digests, key references; no secret, no personal data.
        produces: name under which the last answer's data are part of the result, e.g. "public_key"; "" for none.
        moves: whether the commands leave another directory current than `select` has made.
    """

    name: str
    select: CommandAPDU = field(repr=False)
    commands: tuple[CommandAPDU, ...] = field(repr=False)
    question: Question | None = None
    detail: dict[str, str] = field(default_factory=dict)
    produces: str = ""
    moves: bool = False


@dataclass(frozen=True, slots=True)
class PersonalizationPlan:
    """All steps of one card, in order.

    Args:
        keys: steps that create the applications and their keys; they come first, since the signed files name the keys.
        files: steps that write and seal everything else. lock: the last step, after which nothing can be written.
    """

    dialect: str
    keys: tuple[Step, ...]
    files: tuple[Step, ...]
    lock: tuple[Step, ...]

    def __iter__(self) -> Iterator[Step]:
        """Every step, in order."""
        yield from self.keys
        yield from self.files
        yield from self.lock

    @property
    def payload(self) -> int:
        """Octets of file content that the plan writes."""
        return sum(int(step.detail.get("octets", "0")) for step in self.files)
