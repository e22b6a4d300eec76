"""What a route needs: the service and the body reader of the application that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

from api.body import BodyReader
from eid.services.verifying.verification import VerificationService

T = TypeVar("T")
DATABASE_THREADS: Final = 8  # fewer than the connections that the database's pool gives out


@dataclass(frozen=True, slots=True)
class Context:
    """One for each application."""

    service: VerificationService
    bodies: BodyReader
    database: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(DATABASE_THREADS))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what waits for the disk outside the event loop."""
        return await to_thread.run_sync(work, limiter=self.database)


def context_of(request: Request) -> Context:
    """The application's context."""
    found: Context = request.app.state.context
    return found
