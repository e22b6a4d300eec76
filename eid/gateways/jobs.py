"""Jobs, and the port to what does them: a durable engine (`eid.gateways.work`), or this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

ORDINARY: Final = "work"  # the queue of what any worker can do


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done.

    Args:
        id: never used for anything else, not even after it is done. queue: where it waits; workers take from those
            queues alone whose work they can do.
    """

    id: str
    kind: str
    payload: Mapping[str, Any]
    created_at: datetime
    queue: str = ORDINARY


Perform: TypeAlias = Callable[[Job, int], timedelta | None]
"""Does a job, given the number of the attempt from 0; how long to wait before another one, None where it is over."""


class WorkEngine(Protocol):
    """Where jobs go: each is performed, by this process or another, until it is over."""

    def submit(self, jobs: Sequence[Job], attempt: int = 0) -> None:
        """Take jobs; the same ones, taken before under their identifiers and this attempt, are not taken twice.

        Raises:
            GatewayError: they could not be made durable, or not all of them.
        """


@dataclass(frozen=True, slots=True)
class InlineEngine:
    """Performs each job at once, in the caller's process, until it is over: for one process without a worker."""

    perform: Perform

    def submit(self, jobs: Sequence[Job], attempt: int = 0) -> None:
        """Perform the jobs one after the other; waiting between attempts is left out."""
        for job in jobs:
            number = attempt
            while self.perform(job, number) is not None:
                number += 1
