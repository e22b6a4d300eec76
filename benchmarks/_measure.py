"""How the benchmarks measure: what is compared takes turns, in processor time, and medians are told.

A shared machine changes its speed from one second to the next. So a figure and its ceiling are taken in short turns one
after the other, their ratio is formed turn by turn, and the median of the ratios is told, not the ratio of two sums.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]
TURNS = 15


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over all turns: calls in each second of processor time, and the ratio of the two rates."""

    rate: float
    ceiling: float
    ratio: float


def _time(work: Work, count: int) -> float:
    """Processor seconds of one call."""
    begun = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - begun) / count


def _calls_in(work: Work, seconds: float) -> int:
    """How many calls fill that time; the work is warm afterwards."""
    count = 1
    while (passed := _time(work, count) * count) < 0.02:
        count *= 2
    return max(1, round(count * seconds / passed))


def compare(work: Work, ceiling: Work, seconds: float) -> Comparison:
    """Run both in turns for `seconds` in all."""
    turn = seconds / TURNS / 2
    counts = _calls_in(work, turn), _calls_in(ceiling, turn)
    gc.collect()
    pairs = [(_time(work, counts[0]), _time(ceiling, counts[1])) for _ in range(TURNS)]
    return Comparison(
        1 / median(taken for taken, _ in pairs),
        1 / median(least for _, least in pairs),
        median(least / taken for taken, least in pairs),
    )


def rate(work: Work, seconds: float) -> float:
    """Calls in each second of processor time, median of short turns."""
    count = _calls_in(work, seconds / TURNS)
    return 1 / median(_time(work, count) for _ in range(TURNS))


def judge(value: float, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """Whether a figure meets its target, in words for a table."""
    if at_least is not None:
        return f"{'met' if value >= at_least else 'MISSED'} (at least {at_least:,})"
    return f"{'met' if at_most is None or value <= at_most else 'MISSED'} (at most {at_most:,})"
