"""Around every request: headers that keep answers out of caches, and one log line without personal data."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics

LOGGER: Final = logging.getLogger("eid.api")
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # an answer is data, whatever shows it
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LINE: Final = "%s %s %d %.1f ms %s"
UNKNOWN: Final = "(unknown)"
CACHE_CONTROL: Final = "no-store"  # unless the route says otherwise: published lists are for caches
REQUEST_ID: Final = "X-Request-Id"


_RAW: Final = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_RAW_REQUEST_ID: Final = REQUEST_ID.lower().encode()
_OURS: Final = frozenset((_RAW_REQUEST_ID, *(name for name, _ in _RAW)))
_NOT_KEPT: Final = (b"cache-control", CACHE_CONTROL.encode())


def guard(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """An answer's headers with ours, which nobody else sets; names are in lower case, as ASGI has them."""
    guarded = [item for item in headers if item[0] not in _OURS]
    if all(name != _NOT_KEPT[0] for name, _ in guarded):
        guarded.append(_NOT_KEPT)
    return [*guarded, *_RAW, (_RAW_REQUEST_ID, request_id.encode())]


_RECORD: Final = {
    **logging.LogRecord(LOGGER.name, logging.INFO, __file__, 0, _LINE, (), None, "tell").__dict__,
    **dict.fromkeys(("thread", "threadName", "process", "processName")),
}


class RequestRecord(logging.LogRecord):
    """A log record in a tenth of the time: what all of them have in common is found out once; threads are not told."""

    def __init__(self, *told: object) -> None:
        created = time.time()
        self.__dict__.update(_RECORD, args=told, created=created, msecs=created % 1 * 1000)


def tell(metrics: Metrics, method: str, path: str, status: int, seconds: float, request_id: str) -> None:
    """Count and log one request that was answered. path: the route's, never the one that was asked."""
    metrics.observe(method, path, status, seconds)
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.handle(RequestRecord(method, path, status, 1000 * seconds, request_id))


def _pattern_of(scope: Scope) -> str:
    """The pattern of the route that was found, or the address of the OpenAPI document, which has no such route."""
    route: Any = scope.get("route")
    if route is not None:
        return str(getattr(route, "path", UNKNOWN))
    document = getattr(scope.get("app"), "openapi_url", None)
    return UNKNOWN if document is None or scope["path"] != document else str(document)


class Boundary:
    """ASGI middleware.

    The log line is an allow-list: method, the *route's* path, status, milliseconds, and the number that the answer
    carries too. The path that was asked, the query, headers and bodies may hold anything and are never logged; the
    number is always ours, for the same reason.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics or Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, request_id = time.perf_counter(), 500, secrets.token_hex(8)

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = guard(message.get("headers", ()), request_id)
            await send(message)

        self._metrics.in_flight += 1
        try:
            await self._app(scope, receive, send_guarded)
        finally:
            self._metrics.in_flight -= 1
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            tell(self._metrics, method, _pattern_of(scope), status, time.perf_counter() - started, request_id)
