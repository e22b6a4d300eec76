"""Applications of one make share their routes: to read all signatures, at the first request, is dearer than a test."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

_READ: Final[dict[str, list[BaseRoute]]] = {}


def share_routes(app: FastAPI, make: str) -> FastAPI:
    """The application with the routes of the first one of this make.

    What is added to it later stays its own, and so does the route that describes it.
    """
    routes = app.router.routes
    own = [route for route in routes if getattr(route, "path", None) == app.openapi_url]
    routes[:] = own + _READ.setdefault(make, [route for route in routes if route not in own])
    return app
