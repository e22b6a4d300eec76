"""Applications of one make share their routes and their description: to make either is dearer than a test."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

_READ: Final[dict[str, list[BaseRoute]]] = {}
_DESCRIBED: Final[dict[str, dict[str, Any]]] = {}


def share_routes(app: FastAPI, make: str) -> FastAPI:
    """The application with the routes of the first one of this make.

    What is added to it later stays its own, and so does the route that describes it.
    """
    routes = app.router.routes
    own = [route for route in routes if getattr(route, "path", None) == app.openapi_url]
    routes[:] = own + _READ.setdefault(make, [route for route in routes if route not in own])
    return app


def share_description(app: FastAPI, make: str) -> FastAPI:
    """The application with the OpenAPI document of the first one of this make; a refusal of a body looks into it.

    Whoever has added routes names a make of his own.
    """
    build = app.openapi

    def describe() -> dict[str, Any]:
        if make not in _DESCRIBED:
            _DESCRIBED[make] = build()
        return _DESCRIBED[make]

    app.openapi = describe  # type: ignore[method-assign]  # as api.openapi does
    return app
