"""The address that is asked most, answered before the router's machinery: it has no parameters to be found out.

The router describes it all the same (the OpenAPI document), and answers its other methods. Limits, problems and headers
are those of every address.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import answer_refusal
from api.routes.passive_authentication import DIRECT, PATH, authenticate_passively


class Front:
    """ASGI middleware, inside of the boundary."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["route"] = DIRECT  # what the log line calls it
        request = Request(scope, receive, send)
        response = await answer_refusal(request, authenticate_passively)
        await response(scope, receive, send)
