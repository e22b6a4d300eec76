"""What a route of the registry needs: the registry of the application that it runs in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from eid.services.registry import Registry


def registry_of(request: Request) -> Registry:
    """The application's registry: engine, rules, keys, clock."""
    found: Registry = request.app.state.registry
    return found


CurrentRegistry = Annotated[Registry, Depends(registry_of)]
"""A route's parameter: `registry: CurrentRegistry`."""
