"""Applications of one make share their routes: to read all signatures, at the first request, is dearer than a test."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

_READ: Final[dict[str, list[BaseRoute]]] = {}


def share_routes(app: FastAPI, make: str) -> FastAPI:
    """The application with the routes of the first one of this make; what is added to it later stays its own."""
    app.router.routes[:] = _READ.setdefault(make, list(app.router.routes))
    return app
