"""Request bodies, bounded while they arrive: octets, time, and what all of them hold together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.problems import Problem, ProblemError

MAX_DIGITS: Final = 12  # of a Content-Length


@dataclass(frozen=True, slots=True)
class Limits:
    """What the API takes in.

    Args:
        small_body, files_body: octets of a body without files, and with them. body_seconds: for the whole body.
        bodies_in_flight: octets of all bodies that are being received or judged, together.
    """

    small_body: int = 4 << 10
    files_body: int = 4 << 20
    body_seconds: float = 10.0
    bodies_in_flight: int = 32 << 20


@dataclass(slots=True)
class BodyReader:
    """Reads bodies within limits, and counts what all of them hold at present."""

    limits: Limits = field(default_factory=Limits)
    in_flight: int = 0

    def hold(self, octets: int) -> bool:
        """Count octets as held; whether there is room for them."""
        self.in_flight += octets
        return self.in_flight <= self.limits.bodies_in_flight

    def release(self, octets: int) -> None:
        """Count octets as held no more."""
        self.in_flight -= octets

    @asynccontextmanager
    async def read(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The whole body; counted as held until the context ends.

        Args:
            limit: octets; a greater Content-Length is refused before anything is read.

        Raises:
            ProblemError: BODY_TOO_LARGE, BODY_TOO_SLOW, TOO_BUSY, UNSUPPORTED_MEDIA_TYPE (a content coding).
        """
        _require_plain(request, limit)
        chunks: list[bytes] = []
        try:
            await self._collect(request, limit, chunks)
            yield b"".join(chunks)
        finally:
            self.release(sum(map(len, chunks)))

    async def _collect(self, request: Request, limit: int, chunks: list[bytes]) -> None:
        held = 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for chunk in request.stream():
                    chunks.append(chunk)
                    held += len(chunk)
                    has_room = self.hold(len(chunk))
                    if held > limit:
                        raise _too_large(limit)
                    if not has_room:
                        raise ProblemError(Problem.TOO_BUSY, close=True)
        except TimeoutError:
            detail = f"a body must arrive within {self.limits.body_seconds:g} seconds"
            raise ProblemError(Problem.BODY_TOO_SLOW, detail, close=True) from None
        except ClientDisconnect:
            # Nobody is left to hear it; the answer only ends the request in good order.
            raise ProblemError(Problem.MALFORMED_REQUEST, "the body broke off", close=True) from None


def _require_plain(request: Request, limit: int) -> None:
    """Refuse by the headers alone what need not be read."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(Problem.UNSUPPORTED_MEDIA_TYPE, "bodies are taken without content coding", close=True)
    stated = request.headers.get("content-length", "0")
    if not (stated.isascii() and stated.isdigit()) or len(stated) > MAX_DIGITS or int(stated) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(Problem.BODY_TOO_LARGE, f"at most {limit} octets are taken", close=True)


def media_type(request: Request, *accepted: str) -> str:
    """The body's media type, lower case, without parameters.

    Raises:
        ProblemError: UNSUPPORTED_MEDIA_TYPE.
    """
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated not in accepted:
        raise ProblemError(Problem.UNSUPPORTED_MEDIA_TYPE, f"this address takes {', '.join(accepted)}", close=True)
    return stated
