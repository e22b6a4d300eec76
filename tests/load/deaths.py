"""Exact moments at which a worker dies as by kill -9: between a signature, what is kept of it, and the files.

The worker itself is made impatient, so that another one follows it soon.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

from eid.services.audit import log as audit_log
from eid.services.audit import work as audit_work
from eid.services.card import status_lists
from eid.services.durable import worker
from eid.store import standing_work

MOMENTS: Final[dict[str, tuple[ModuleType, str, bool]]] = {
    "a head is signed and not kept": (audit_log, "add_head", False),
    "a head is kept and not written out": (audit_work, "export_heads", False),
    "a head is written out and the work not over": (standing_work, "settle", False),
    "a list is signed and not kept": (status_lists, "keep_publication", False),
    "a list is half kept": (status_lists, "keep_publication", True),
    "a list is kept and not written out": (status_lists, "write_publications", False),
    "a list is half written out": (status_lists, "store_file", True),
}
"""By its name: before (or, where it says so, after) which call."""


def hurry() -> None:
    """Hold another worker for dead after two seconds."""
    worker.LEASE, worker.RELAY_LEASE, worker.BEAT = timedelta(seconds=2), timedelta(seconds=1), 0.3  # type: ignore[misc]  # constants, for the test's sake


def arrange(moment: str) -> None:
    """Have this process die at a moment."""
    module, name, after = MOMENTS[moment]
    act: Callable[..., Any] = getattr(module, name)

    def die(*arguments: Any, **named: Any) -> None:
        if after:
            act(*arguments, **named)
        print(f"dies where {moment}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, die)
