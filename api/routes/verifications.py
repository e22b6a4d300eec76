"""`/v1/verifications`: a challenge is given out, evidence comes once, the report stays."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.body import media_type
from api.context import context_of
from api.json_body import decode_json, require_file_sizes
from api.judging import require_policy
from api.openapi import accepts, path_identifier, problems
from api.problems import JUDGED, WITH_BODY, Problem, ProblemError
from api.rendering import render_time
from api.schemas.requests import NewVerification, UploadedEvidence
from api.schemas.responses import CreatedVerification, Report, Verification
from eid.evidence.codec import decode_evidence, decode_signed_evidence
from eid.services.verifying.submission import Submission, Upload, submitted_files
from eid.store.verification_sessions import VerificationSession
from eid.verification.report import report_to_json

router = APIRouter()
JSON: Final = "application/json"
SIGNED: Final = "application/cose"
BARE: Final = "application/cbor"


@router.post(
    "/v1/verifications",
    operation_id="createVerification",
    summary="Open a verification and get a challenge",
    status_code=201,
    response_model=CreatedVerification,
    responses=problems(*WITH_BODY, Problem.STORE_UNAVAILABLE),
    openapi_extra=accepts({JSON: NewVerification}),
)
async def create_verification(request: Request) -> JSONResponse:
    """Have the chip sign the challenge (Active Authentication) and send the evidence before `expires_at`."""
    context = context_of(request)
    media_type(request, JSON)
    async with context.bodies.read(request, context.bodies.limits.small_body) as raw:
        body = decode_json(NewVerification, raw)
    require_policy(context.service, body.policy)
    session = await context.in_thread(lambda: context.service.create(body.purpose, body.policy))
    content = {
        "id": str(session.id),
        "state": session.state,
        "purpose": session.purpose,
        "policy": session.policy,
        "data_groups": list(context.service.policy(session.policy).data_groups),
        "challenge": session.challenge.hex(),
        "created_at": render_time(session.created_at),
        "expires_at": render_time(session.expires_at),
    }
    return JSONResponse(content, 201, {"Location": f"/v1/verifications/{session.id}"})


@router.put(
    "/v1/verifications/{id}/evidence",
    operation_id="submitEvidence",
    summary="Send the evidence, once",
    response_model=Report,
    responses=problems(
        *JUDGED,
        Problem.MALFORMED_EVIDENCE,
        Problem.UNKNOWN_VERIFICATION,
        Problem.ALREADY_SUBMITTED,
        Problem.EXPIRED,
        Problem.STORE_UNAVAILABLE,
    ),
    openapi_extra={**accepts({JSON: UploadedEvidence, SIGNED: None, BARE: None}), **path_identifier()},
)
async def submit_evidence(request: Request) -> JSONResponse:
    """Judge what was read from the chip. Whatever the verdict, a judged document is 200.

    The challenge is spent before the check: a second try is 409, also after a failed check. A body that is no evidence
    container at all spends nothing.
    """
    context = context_of(request)
    session_id = _identifier(request)
    kind = media_type(request, JSON, SIGNED, BARE)
    async with context.bodies.read(request, context.bodies.limits.files_body) as raw:
        submission = _decode_submission(kind, raw)
        require_file_sizes(submitted_files(submission))
        report = await context.in_thread(lambda: context.service.submit(session_id, submission))
    return JSONResponse(report_to_json(report))


@router.get(
    "/v1/verifications/{id}",
    operation_id="showVerification",
    summary="Where a verification stands",
    response_model=Verification,
    responses=problems(Problem.UNKNOWN_VERIFICATION, Problem.STORE_UNAVAILABLE),
    openapi_extra=path_identifier(),
)
async def show_verification(request: Request) -> JSONResponse:
    """The state, and the report once there is one. Neither evidence nor personal data are kept."""
    context = context_of(request)
    session_id = _identifier(request)
    session = await context.in_thread(lambda: context.service.find(session_id))
    return JSONResponse(_render(session))


def _identifier(request: Request) -> uuid.UUID:
    """The identifier in the path; one that we never give out is as unknown as any other."""
    stated = request.path_params["id"]
    try:
        found = uuid.UUID(stated)
    except ValueError:
        found = None
    if found is None or str(found) != stated:
        raise ProblemError(Problem.UNKNOWN_VERIFICATION)
    return found


def _decode_submission(kind: str, raw: bytes) -> Submission:
    if kind == SIGNED:
        return decode_signed_evidence(raw)
    if kind == BARE:
        return decode_evidence(raw)
    body = decode_json(UploadedEvidence, raw)
    groups = {int(number): content for number, content in body.data_groups.items()}
    active = body.active_authentication
    if active is None:
        return Upload(body.sod, groups)
    challenge = None if active.challenge is None else bytes.fromhex(active.challenge)
    return Upload(body.sod, groups, active.signature, challenge)


def _render(session: VerificationSession) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "state": session.state,
        "purpose": session.purpose,
        "policy": session.policy,
        "created_at": render_time(session.created_at),
        "expires_at": render_time(session.expires_at),
        "decided_at": None if session.decided_at is None else render_time(session.decided_at),
        "report": session.result,
    }
