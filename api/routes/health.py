"""`/healthz`: the process answers."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas.responses import Health

router = APIRouter()


@router.get("/healthz", operation_id="health", summary="Whether the service answers")
async def health() -> Health:
    """Answer without touching the database or the trust store, which is loaded before the service listens."""
    return Health(status="ok")
