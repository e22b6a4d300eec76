"""Capture at the counter, adjudication, approval: what officers do between the visit and the order of a card."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.access import require, require_scope
from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.routes.applications import ACT, READ, describe
from api.routes.production import describe_job
from api.schemas.applications import Application
from api.schemas.production import (
    Approval,
    Candidates,
    Capture,
    HoldAnswer,
    HoldBody,
    HoldList,
    ItemName,
    Job,
    KeptCaptureBody,
    NewCapture,
    NewHold,
    NewOfficerKey,
    QualityFinding,
    RegisteredKey,
)
from eid.enrolment.capture import ItemFormat, decode_signed_capture
from eid.enrolment.quality import describe_findings
from eid.enrolment.roles import Actor, Role
from eid.gateways.abis.messages import decode_candidates
from eid.services.application import adjudication, approval, enrolment
from eid.services.application.enrolment import CaptureRefusedError
from eid.services.stamp.stamps import StampOffice
from eid.store.captures import Hold

router = APIRouter(tags=["enrolment"])

Officer = Annotated[Actor, Depends(require(Role.ENROLMENT_OFFICER))]
Viewer = Annotated[Actor, Depends(require(Role.ENROLMENT_OFFICER, Role.ADJUDICATOR, Role.APPROVER))]
Adjudicator = Annotated[Actor, Depends(require(Role.ADJUDICATOR))]
Questioner = Annotated[Actor, Depends(require(Role.ADJUDICATOR, Role.APPROVER, Role.VALIDATING_OFFICER))]
HoldReader = Annotated[Actor, Depends(require(Role.ADJUDICATOR, Role.APPROVER, Role.AUDITOR))]
Approver = Annotated[Actor, Depends(require(Role.APPROVER))]
Administrator = Annotated[Actor, Depends(require(Role.ADMINISTRATOR))]
_MEDIA_TYPES: Final = {ItemFormat.JPEG: "image/jpeg", ItemFormat.JPEG2000: "image/jp2", ItemFormat.PNG: "image/png"}
_IMAGE: Final[Any] = {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA_TYPES.values()}}
}


@router.post(
    "/v1/officerKeys", operation_id="registerOfficerKey", summary="Let a key count", status_code=201, responses=ACT
)
def register_officer_key(registry: CurrentRegistry, actor: Administrator, body: NewOfficerKey) -> RegisteredKey:
    """The officer whose key it is signs with it what he captures."""
    key = enrolment.register_officer_key(registry.engine, body.officer, body.public_key, actor, registry.now())
    return RegisteredKey(key_id=key.key_id.hex(), officer=key.officer, since=key.since)


@router.delete(
    "/v1/officerKeys/{key_id}", operation_id="endOfficerKey", summary="End a key", status_code=204, responses=ACT
)
def end_officer_key(registry: CurrentRegistry, actor: Administrator, key_id: str) -> None:
    """What was signed before stays signed."""
    if len(key_id) != 64 or not set(key_id) <= set("0123456789abcdef"):
        raise ProblemError(RegistryProblem.UNKNOWN)
    enrolment.end_key(registry.engine, bytes.fromhex(key_id), actor, registry.now())


@router.post(
    "/v1/applications/{application_id}/capture",
    operation_id="captureApplicant",
    summary="Take in what was captured",
    status_code=201,
    responses=ACT,
)
def capture_applicant(
    registry: CurrentRegistry, actor: Officer, application_id: UUID, body: NewCapture
) -> KeptCaptureBody:
    """Portrait, fingers, signature, and the record of them that the officer signed; 409 where one must be retaken."""
    if decode_signed_capture(body.record).record.application != application_id:
        raise ProblemError(RegistryProblem.INVALID_VALUE, "the record is of another application")
    try:
        kept = enrolment.record_capture(registry.engine, registry.blobs, body.record, body.items, actor, registry.now())
    except CaptureRefusedError as refused:
        errors = [
            {"pointer": f"/items/{item.item}", "code": item.code.value, "detail": "to be taken again"}
            for item in refused.findings
            if not item.is_warning
        ]
        raise ProblemError(RegistryProblem.CONDITION, refused.detail, errors=errors) from None
    findings = [QualityFinding(**item) for item in describe_findings(kept.findings)]
    return KeptCaptureBody(id=kept.id, state=kept.application.state, findings=findings)


@router.get(
    "/v1/applications/{application_id}/capture",
    operation_id="readCapture",
    summary="What was captured last",
    responses=READ,
)
def read_capture(registry: CurrentRegistry, actor: Viewer, application_id: UUID) -> Capture:
    """Without the images."""
    stored = enrolment.view_capture(registry.engine, application_id, actor, registry.now())
    record = decode_signed_capture(stored.record).record
    return Capture(
        id=stored.id,
        attempt=stored.attempt,
        officer=stored.officer,
        site=stored.site,
        captured_at=stored.captured_at,
        items=[item.name for item in record.items],
        findings=[QualityFinding(**item) for item in stored.findings],
    )


@router.get(
    "/v1/applications/{application_id}/capture/items/{name}",
    operation_id="readCapturedItem",
    summary="One thing that was captured",
    response_class=Response,
    responses={**_IMAGE, **READ},
)
def read_captured_item(registry: CurrentRegistry, actor: Viewer, application_id: UUID, name: ItemName) -> Response:
    """That somebody looked at it is recorded."""
    item, octets = enrolment.view_item(registry.engine, registry.blobs, application_id, name, actor, registry.now())
    return Response(octets, media_type=_MEDIA_TYPES.get(item.format, "application/octet-stream"))


@router.get("/v1/holds", operation_id="listHolds", summary="Open questions, oldest first", responses=READ)
def list_holds(
    registry: CurrentRegistry, actor: HoldReader, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> HoldList:
    """The adjudicators' queue."""
    return HoldList(holds=[_describe_hold(item) for item in adjudication.list_holds(registry.engine, actor, limit)])


@router.get(
    "/v1/applications/{application_id}/holds",
    operation_id="readHolds",
    summary="All questions about a file",
    responses=READ,
)
def read_holds(registry: CurrentRegistry, actor: HoldReader, application_id: UUID) -> HoldList:
    """Also settled ones; the applicant does not see them."""
    found = adjudication.holds_of(registry.engine, application_id, actor)
    return HoldList(holds=[_describe_hold(item) for item in found])


@router.post(
    "/v1/applications/{application_id}/holds",
    operation_id="placeHold",
    summary="Place a hold",
    status_code=204,
    responses=ACT,
)
def place_hold(registry: CurrentRegistry, actor: Questioner, application_id: UUID, body: NewHold) -> None:
    """Until it is settled the file does not go on to approval."""
    adjudication.place_hold(registry.engine, application_id, body.code, actor, registry.now())


@router.post("/v1/holds/{hold_id}/settle", operation_id="settleHold", summary="Settle a hold", responses=ACT)
def settle_hold(registry: CurrentRegistry, actor: Adjudicator, hold_id: UUID, body: HoldAnswer) -> HoldBody:
    """Cleared, or confirmed: then the file is to be refused."""
    return _describe_hold(adjudication.settle_hold(registry.engine, hold_id, body.reason, actor, registry.now()))


@router.post(
    "/v1/applications/{application_id}/clear",
    operation_id="clearApplication",
    summary="Let a file go on to approval",
    responses=ACT,
)
def clear_application(registry: CurrentRegistry, actor: Adjudicator, application_id: UUID) -> Application:
    """Where nothing is open any more."""
    return describe(adjudication.clear(registry.engine, application_id, actor, registry.now()))


@router.post(
    "/v1/abis/answers",
    operation_id="identifyCB",
    summary="A biometric system's late answer (OSIA ABIS 1.6.0, identify callback)",
    status_code=204,
    responses=ACT,
    dependencies=[Depends(require_scope("abis.answer"))],
)
def accept_answer(
    registry: CurrentRegistry,
    transaction: Annotated[UUID, Query(alias="transactionId")],
    task: Annotated[str, Query(alias="taskId", min_length=1, max_length=64)],
    candidates: Candidates,
) -> None:
    """The same answer again, or one that comes too late, changes nothing."""
    found = decode_candidates(candidates)
    adjudication.accept_candidates(registry.engine, transaction, found, registry.now(), task)


@router.post(
    "/v1/applications/{application_id}/approve",
    operation_id="approveApplication",
    summary="Approve, by a second officer",
    responses=ACT,
)
def approve_application(registry: CurrentRegistry, actor: Approver, application_id: UUID, body: Approval) -> Job:
    """Orders the card and consumes the stamp."""
    order = approval.approve(
        StampOffice.of(registry),
        application_id,
        actor,
        registry.now(),
        priority=body.priority,
        personal_number=body.personal_number,
    )
    return describe_job(order)


@router.post(
    "/v1/applications/{application_id}/return",
    operation_id="returnApplication",
    summary="Have the person captured again",
    responses=ACT,
)
def return_application(registry: CurrentRegistry, actor: Approver, application_id: UUID) -> Application:
    """By a second officer."""
    office = StampOffice.of(registry)
    return describe(approval.return_to_capture(office, application_id, actor, registry.now()))


def _describe_hold(hold: Hold) -> HoldBody:
    return HoldBody.model_validate({name: getattr(hold, name) for name in HoldBody.model_fields})
