"""How often one caller may ask: token buckets in the memory of this process.

They keep one client from taking the service away from the others, and make trying out slow. What must never be tried
often (codes, stamps) has its own limit in the database, which a second process or another address does not lift.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

MAX_CALLERS: Final = 20_000  # whose buckets are remembered; the one who asked longest ago is forgotten first


@dataclass(frozen=True, slots=True)
class Rate:
    """burst: requests at once. per_second: how fast they come back."""

    burst: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Which rate is for whom.

    Args:
        known: of somebody whose token or session counts. unknown: of an address. entrances: of an address where
            codes are asked for and typed.
    """

    known: Rate = Rate(200, 50)
    unknown: Rate = Rate(100, 20)
    entrances: Rate = Rate(20, 1 / 30)


UNLIMITED: Final = Rates(*(Rate(1e9, 1e9) for _ in range(3)))
_ENTRANCES: Final = re.compile(r"/v1/sessions(/codes)?")


class Buckets:
    """The buckets of all callers."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = rates
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str | None, address: str, method: str, path: str) -> int:
        """Take one request out of the caller's bucket; 0, or the seconds to wait where it is empty.

        Args:
            caller: identifier of somebody known. address: where the request came from.
        """
        if method == "POST" and _ENTRANCES.fullmatch(path):
            return self._take(f"entrance {address}", self._rates.entrances)
        if caller is not None:
            return self._take(f"caller {caller}", self._rates.known)
        return self._take(f"address {address}", self._rates.unknown)

    def _take(self, name: str, rate: Rate) -> int:
        now = self._clock()
        level, since = self._levels.pop(name, (rate.burst, now))
        level = min(rate.burst, level + (now - since) * rate.per_second)
        wait = 0 if level >= 1 else max(1, ceil((1 - level) / rate.per_second))
        self._levels[name] = (level if wait else level - 1, now)
        if len(self._levels) > MAX_CALLERS:
            self._levels.popitem(last=False)
        return wait
