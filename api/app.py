"""The application: `create_app` for a service at hand, `create_app_from_environment` for a server process."""

from __future__ import annotations

import gc
import os

from fastapi import FastAPI

from api.body import BodyReader, Limits
from api.boundary import Boundary
from api.context import Context
from api.front import Front
from api.metrics import Metrics
from api.openapi import install_openapi, problems
from api.problems import install_problem_handlers
from api.routes import health, passive_authentication, policies, trust_store, verifications
from api.whole import WholeRequests
from eid.services.settings import load_settings
from eid.services.verifying.verification import VerificationService, open_verification_service


def create_app(service: VerificationService, limits: Limits | None = None) -> FastAPI:
    """The API over a service."""
    # The interactive pages would load scripts of another site; an address with a slash too many is another address.
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False, responses=problems())
    context, metrics = Context(service, BodyReader(limits or Limits())), Metrics()
    app.state.context = context
    app.state.metrics = metrics
    app.state.whole = WholeRequests(context, metrics)
    for part in (verifications, passive_authentication, trust_store, policies, health):
        app.include_router(part.router)
    app.add_middleware(Front)
    app.add_middleware(Boundary, metrics=metrics)
    install_problem_handlers(app)
    install_openapi(app)
    return app


def create_app_from_environment() -> FastAPI:
    """The API as EID_... in the environment describes it (docs/api.md).

    Raises:
        StoreError: the trust store is empty, or other state cannot be used. ProfileError: a setting is malformed.
    """
    app = create_app(open_verification_service(load_settings(os.environ)))
    # What stands now stands until the process ends: no collection of short-lived values looks at it again.
    gc.collect()
    gc.freeze()
    return app
