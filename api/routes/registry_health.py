"""`/healthz` and `/metrics` of the registry: whether it answers, and how much it has served."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api.metrics import MEDIA_TYPE, Metrics
from api.registry_context import CurrentRegistry
from api.schemas.responses import Health
from eid.services.registry import require_answer

router = APIRouter(tags=["service"])


@router.get("/healthz", operation_id="health", summary="Whether the registry and its database answer")
def health(registry: CurrentRegistry) -> Health:
    """503 where the database does not answer."""
    require_answer(registry)
    return Health(status="ok")


@router.get("/metrics", operation_id="metrics", summary="Counts for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Requests by route pattern and status, and how long they took; no personal data."""
    counted: Metrics = request.app.state.metrics
    return PlainTextResponse(counted.render(), media_type=MEDIA_TYPE)
