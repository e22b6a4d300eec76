"""How the benchmarks measure: what is compared takes turns, in processor time.

A shared machine changes its speed from one moment to the next, and what ran just before decides what the caches hold.
So a figure and its ceiling take turns of about a millisecond, as many calls of each, and the ratio is formed turn by
turn. Two values of it are told. The median is what the machine gave under the load that it had. The undisturbed ratio
is that of the quickest turns, one in a hundred: others on the machine can only take time away, and they take more from
a program that touches much memory than from a tight loop of cryptography.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]
TURN = 0.001  # seconds
WARM_UP = 0.2
QUICKEST = 100  # one turn in so many counts as undisturbed


@dataclass(frozen=True, slots=True)
class Comparison:
    """Calls in each second of processor time (medians), and the ratio of the rates: median, and undisturbed."""

    rate: float
    ceiling: float
    ratio: float
    undisturbed: float


def _time(work: Work, count: int) -> float:
    """Processor seconds of one call."""
    begun = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - begun) / count


def _calls_in_a_turn(work: Work) -> int:
    """How many calls fill a turn, one at least; the work is warm afterwards."""
    count = 1
    while (passed := _time(work, count) * count) < WARM_UP:
        count *= 2
    return max(1, round(count * TURN / passed))


def compare(work: Work, ceiling: Work, seconds: float) -> Comparison:
    """Run both in turns for about `seconds` in all."""
    _calls_in_a_turn(ceiling)
    count = _calls_in_a_turn(work)
    gc.collect()
    figures: list[float] = []
    ceilings: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not figures:
        figures.append(_time(work, count))
        ceilings.append(_time(ceiling, count))
    return Comparison(
        1 / median(figures),
        1 / median(ceilings),
        median(least / taken for taken, least in zip(figures, ceilings, strict=True)),
        _quickest(ceilings) / _quickest(figures),
    )


def _quickest(turns: list[float]) -> float:
    return sorted(turns)[len(turns) // QUICKEST]


def judge(value: float, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """Whether a figure meets its target, in words for a table."""
    if at_least is not None:
        return f"{'met' if value >= at_least else 'MISSED'} (at least {at_least:,})"
    return f"{'met' if at_most is None or value <= at_most else 'MISSED'} (at most {at_most:,})"
