"""`/healthz`: the process answers, and whether its clock and its revocation lists let it judge."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.context import context_of
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
