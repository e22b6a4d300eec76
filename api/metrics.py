"""What a process has served, for Prometheus (text format 0.0.4): counts by route pattern, nothing of any request."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import Final

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds, upper bounds
_REQUESTS: Final = "eid_http_requests_total"
_SECONDS: Final = "eid_http_request_seconds"


class Metrics:
    """Counts of one process; kept on its event loop, so without locks."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. route: the pattern, never the address that was asked."""
        self._requests[method, route, status] += 1
        self._buckets[route, bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def render(self) -> str:
        """The text that Prometheus reads."""
        lines = [f"# TYPE {_REQUESTS} counter"]
        lines += [
            f'{_REQUESTS}{{method="{method}",route="{route}",status="{status}"}} {count}'
            for (method, route, status), count in sorted(self._requests.items())
        ]
        lines.append(f"# TYPE {_SECONDS} histogram")
        for route, total in sorted(self._seconds.items()):
            lines += self._histogram(route, total)
        lines += ["# TYPE eid_http_requests_in_flight gauge", f"eid_http_requests_in_flight {self.in_flight}"]
        return "\n".join(lines) + "\n"

    def _histogram(self, route: str, total: float) -> list[str]:
        lines, count = [], 0
        for place in range(len(BOUNDS) + 1):
            count += self._buckets[route, place]
            bound = f"{BOUNDS[place]:g}" if place < len(BOUNDS) else "+Inf"
            lines.append(f'{_SECONDS}_bucket{{route="{route}",le="{bound}"}} {count}')
        return [
            *lines,
            f'{_SECONDS}_sum{{route="{route}"}} {total:.6f}',
            f'{_SECONDS}_count{{route="{route}"}} {count}',
        ]
