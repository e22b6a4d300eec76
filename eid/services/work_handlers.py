"""Which handler does which kind of work, and what is done at intervals: the two tables of the worker.

To add a kind, write ``handle(workshop: Workshop, work: Work) -> None`` in the service it belongs to (the rules stand in
`eid.services.work`) and add its line here.
"""

from __future__ import annotations

from typing import Final

from eid.services.work import Handler, Timer

HANDLERS: Final[dict[str, Handler]] = {}
TIMERS: Final[dict[str, Timer]] = {}
