"""`POST /v1/passive-authentication`: files judged by themselves, nothing kept."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.routing import Route

from api.body import media_type
from api.context import context_of
from api.judging import judge_body
from api.openapi import accepts, problems
from api.problems import JUDGED
from api.schemas.requests import PassiveAuthentication
from api.schemas.responses import Report

PATH: Final = "/v1/passive-authentication"
router = APIRouter()


@router.post(
    PATH,
    operation_id="authenticatePassively",
    summary="Judge EF.SOD and data groups",
    response_model=Report,
    responses=problems(*JUDGED),
    openapi_extra=accepts({"application/json": PassiveAuthentication}),
)
async def authenticate_passively(request: Request) -> Response:
    """Judge files alone (Doc 9303-11 5.1). Whatever the verdict, a judged document is 200; nothing is kept.

    This says nothing of the chip: for that, open a verification and send what the chip signed.
    """
    context = context_of(request)
    media_type(request, "application/json")
    async with context.bodies.read(request, context.bodies.limits.files_body) as raw:
        # On the event loop: the check costs less than handing it to a thread gains (docs/api.md, Speed).
        return Response(judge_body(context, raw), media_type="application/json")


DIRECT: Final = Route(PATH, authenticate_passively, methods=["POST"])
