"""The registry's application: `create_registry` over a registry, `create_registry_from_environment` for a process.

It is an office's: staff, applicants and systems with their tokens. Relying parties ask the verification API
(`api.app`), which is another process and knows nobody.
"""

from __future__ import annotations

import os
from typing import Final

from fastapi import APIRouter, FastAPI

from api.boundary import Boundary
from api.callers import Callers
from api.idempotency import Idempotency
from api.intake import Intake
from api.metrics import Metrics
from api.osia import cms, enrollment, notification, third_party
from api.rates import Rates
from api.registry_openapi import install_registry_openapi
from api.registry_problems import install_registry_problems
from api.routes import (
    applications,
    appointments,
    call_centre,
    cards,
    documents,
    enrolments,
    fees,
    payments,
    privacy,
    production,
    registry_health,
    sessions,
    stamps,
    statistics,
    status,
)
from eid.services.caller.key_renewal import keep_renewing
from eid.services.registry import Registry, open_registry
from eid.services.settings import load_settings

# One line for each part; the order is that of the OpenAPI document.
ROUTERS: Final[tuple[APIRouter, ...]] = (
    sessions.router,
    applications.router,
    documents.router,
    fees.router,
    stamps.router,
    payments.router,
    appointments.site_router,
    appointments.router,
    enrolments.router,
    production.router,
    cards.router,
    status.router,
    call_centre.router,
    statistics.router,
    privacy.router,
    enrollment.router,
    cms.router,
    third_party.router,
    notification.router,
    registry_health.router,
)


def assemble() -> FastAPI:
    """The routes and their description, over nothing yet."""
    # The interactive pages would load scripts of another site; an address with a slash too many is another address.
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in ROUTERS:
        app.include_router(router)
    install_registry_problems(app)
    install_registry_openapi(app)
    return app


def create_registry(registry: Registry, rates: Rates | None = None, proxy: str = "") -> FastAPI:
    """The application over a registry.

    Args:
        rates: how often one caller may ask. proxy: address of the reverse proxy in front of it.
    """
    app = assemble()
    app.state.registry = registry
    app.state.metrics = Metrics()
    # The last one added is the outermost: every answer goes through the boundary.
    app.add_middleware(Idempotency, registry=registry)
    app.add_middleware(Intake)
    app.add_middleware(Callers, registry=registry, rates=rates or Rates(), proxy=proxy)
    app.add_middleware(Boundary, metrics=app.state.metrics)
    return app


def create_registry_from_environment() -> FastAPI:
    """The application as EID_... in the environment describes it (docs/registry.md).

    Raises:
        EidError: the state, the keys or the issuer of tokens cannot be used. ProfileError: a setting is malformed.
    """
    settings = load_settings(os.environ)
    registry = open_registry(settings)
    keep_renewing(registry.issuer, settings)
    return create_registry(registry, proxy=settings.proxy)
