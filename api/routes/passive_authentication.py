"""`POST /v1/passive-authentication`: files judged by themselves, nothing kept."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json
from starlette.routing import Route

from api.body import decode_json, media_type, require_file_sizes
from api.context import Context, context_of
from api.openapi import accepts, problems
from api.routes.judging import JUDGED, policy_or_problem
from api.schemas.requests import PassiveAuthentication
from api.schemas.responses import Report
from eid.services.verifying.submission import Upload, submitted_files
from eid.verification.report import report_to_json

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


def judge_body(context: Context, raw: bytes) -> bytes:
    """The report on the files of a body, JSON as it is sent.

    Raises:
        ProblemError: the body cannot be judged.
    """
    body = decode_json(PassiveAuthentication, raw)
    policy_or_problem(context.service, body.policy)
    groups = {int(number): content for number, content in body.data_groups.items()}
    require_file_sizes(submitted_files(Upload(body.sod, groups)))
    return to_json(report_to_json(context.service.authenticate_passively(body.sod, groups, body.policy)))


DIRECT: Final = Route(PATH, authenticate_passively, methods=["POST"])
