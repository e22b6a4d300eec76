"""`/healthz`: the process answers, and its clock and its revocation lists let it judge; `/metrics`: its counts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api.context import context_of
from api.metrics import MEDIA_TYPE, Metrics
from api.schemas.responses import VerifierHealth
from eid.services.verifying.service_health import judge_health

router = APIRouter()


@router.get("/healthz", operation_id="health", summary="Whether the service answers, and can judge")
async def health(request: Request) -> VerifierHealth:
    """Answer without touching the database; the trust store is in memory. "degraded" is no failure: it goes on."""
    service = context_of(request).service
    found = judge_health(service.trust, service.now())
    return VerifierHealth(
        status="degraded" if found.impairments else "ok",
        impairments=list(found.impairments),
        stale=list(found.stale),
    )


@router.get("/metrics", operation_id="metrics", summary="Counts for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Requests by route pattern and status, and their time: of this process, since its start."""
    counted: Metrics = request.app.state.metrics
    return PlainTextResponse(counted.render(), media_type=MEDIA_TYPE)
