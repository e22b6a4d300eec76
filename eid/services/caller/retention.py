"""At intervals: codes, sessions and kept answers are forgotten when their time is over."""

from __future__ import annotations

from eid.services.caller.applicants import forget_old_access
from eid.services.caller.idempotency import forget_answers
from eid.services.durable.work import Workshop


def sweep(workshop: Workshop) -> None:
    """Drop what nobody may use any more."""
    forget_old_access(workshop.engine, workshop.now())
    forget_answers(workshop.engine, workshop.now())
