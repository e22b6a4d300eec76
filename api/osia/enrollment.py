"""OSIA Enrollment 1.3.0: what is collected of a person, in pieces, and the images that are sent by themselves."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response
from pydantic import ValidationError

from api.osia import schemas
from api.osia.answers import described
from api.osia.parameters import Attributes, RawBody, TransactionId, read_expressions, scoped, select
from api.problems import Problem, ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from eid.enrolment.roles import Actor
from eid.services.osia import enrolments as service
from eid.services.osia.records import parse_id

router = APIRouter(tags=["OSIA enrollment"])
Reader = Annotated[Actor, scoped("enroll.read")]
Writer = Annotated[Actor, scoped("enroll.write")]
BufferReader = Annotated[Actor, scoped("enroll.buf.read")]
BufferWriter = Annotated[Actor, scoped("enroll.buf.write")]
MADE: Final[Any] = described(400, 403, 409, 500)
KNOWN: Final[Any] = described(400, 403, 404, 500)
ENROLLMENT: Final = "/v1/enrollments/{enrollmentId}"
_MEDIA_TYPE: Final = re.compile(r"(application|image)/[a-z0-9][a-z0-9.+-]{0,50}")
_DIGESTS: Final = {"sha": "sha1", "sha-256": "sha256", "sha-512": "sha512"}  # RFC 3230 4.1.1, RFC 5843 2.2
_BINARY: Final[Any] = {"schema": {"type": "string", "format": "binary"}}
_ANY: Final[Any] = {"application/*": _BINARY, "image/*": _BINARY}
Finalize = Annotated[bool, Query()]


@router.post(ENROLLMENT, operation_id="createEnrollment", status_code=204, responses=MADE)
def create_enrollment(
    registry: CurrentRegistry,
    actor: Writer,
    enrollmentId: str,
    transaction: TransactionId,
    body: schemas.Enrollment,
    finalize: Finalize = False,
) -> None:
    """Anything may be missing until it is finalized."""
    service.create_enrolment(registry, enrollmentId, body.stated(), actor, final=finalize)


@router.get(ENROLLMENT, operation_id="readEnrollment", responses=KNOWN, response_model_exclude_none=True)
def read_enrollment(
    registry: CurrentRegistry,
    actor: Reader,
    enrollmentId: str,
    transaction: TransactionId,
    attributes: Attributes = None,
) -> schemas.Enrollment:
    """That it was read stands in the audit log."""
    found = service.read_enrolment(registry, enrollmentId, actor)
    return schemas.Enrollment.model_validate(select(found, attributes))


@router.put(ENROLLMENT, operation_id="updateEnrollment", status_code=204, responses=KNOWN)
def update_enrollment(
    registry: CurrentRegistry,
    actor: Writer,
    enrollmentId: str,
    transaction: TransactionId,
    body: schemas.Enrollment,
    finalize: Finalize = False,
) -> None:
    """As a whole."""
    service.update_enrolment(registry, enrollmentId, body.stated(), actor, final=finalize)


@router.patch(ENROLLMENT, operation_id="partialUpdateEnrollment", status_code=204, responses=KNOWN)
def update_enrollment_partially(
    registry: CurrentRegistry,
    actor: Writer,
    enrollmentId: str,
    transaction: TransactionId,
    body: dict[str, Any],
    finalize: Finalize = False,
) -> None:
    """By a JSON merge patch (RFC 7396)."""
    merged = merge(service.load_for_change(registry, enrollmentId), body)
    try:
        changed = schemas.Enrollment.model_validate(merged)
    except ValidationError:
        raise ProblemError(Problem.INVALID_REQUEST, "with this part it would be no enrollment") from None
    service.update_enrolment(registry, enrollmentId, changed.stated(), actor, final=finalize)


@router.delete(ENROLLMENT, operation_id="deleteEnrollment", status_code=204, responses=KNOWN)
def delete_enrollment(registry: CurrentRegistry, actor: Writer, enrollmentId: str, transaction: TransactionId) -> None:
    """With the images that were sent for it."""
    service.delete_enrolment(registry, enrollmentId, actor)


@router.put(f"{ENROLLMENT}/finalize", operation_id="finalizeEnrollment", status_code=204, responses=KNOWN)
def finalize_enrollment(
    registry: CurrentRegistry, actor: Writer, enrollmentId: str, transaction: TransactionId
) -> None:
    """All is there: the capture of an application is taken in, or an application begins."""
    service.finalize(registry, enrollmentId, actor)


@router.post(
    "/v1/enrollments",
    operation_id="findEnrollments",
    responses=described(400, 403, 500),
    response_model_exclude_none=True,
)
def find_enrollments(
    registry: CurrentRegistry,
    actor: Reader,
    transaction: TransactionId,
    body: schemas.Expressions,
    offset: Annotated[int, Query(ge=0, le=2000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> list[schemas.Enrollment]:
    """By members of its open objects; the newest first."""
    found = service.find_enrolments(registry, read_expressions(body), offset, limit, actor)
    return [schemas.Enrollment.model_validate(item) for item in found]


@router.post(
    f"{ENROLLMENT}/buffer",
    operation_id="createBuffer",
    status_code=201,
    responses=KNOWN,
    openapi_extra={"requestBody": {"required": True, "content": _ANY}},
)
def create_buffer(
    registry: CurrentRegistry,
    actor: BufferWriter,
    enrollmentId: str,
    transaction: TransactionId,
    content: RawBody,
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
    digest: Annotated[str | None, Header(max_length=256)] = None,
) -> schemas.BufferId:
    """An image by itself, encrypted where it lies."""
    kind = content_type.partition(";")[0].strip().lower()
    if not content or not _MEDIA_TYPE.fullmatch(kind):
        raise ProblemError(Problem.UNSUPPORTED_MEDIA_TYPE, "a buffer is application/... or image/..., and not empty")
    if digest is not None and not is_digest_of(digest, content):
        raise ProblemError(RegistryProblem.INVALID_VALUE, "the digest is not that of the buffer")
    kept = service.keep_buffer(registry, enrollmentId, content, kind, actor)
    return schemas.BufferId.model_validate({"bufferId": str(kept)})


@router.get(
    f"{ENROLLMENT}/buffer/{{bufferId}}",
    operation_id="readBuffer",
    response_class=Response,
    responses={200: {"content": _ANY}, **KNOWN},
)
def read_buffer(
    registry: CurrentRegistry, actor: BufferReader, enrollmentId: str, bufferId: str, transaction: TransactionId
) -> Response:
    """As it was sent."""
    content, kind = service.read_buffer(registry, enrollmentId, parse_id(bufferId), actor)
    told = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return Response(content, media_type=kind, headers={"Digest": f"SHA-256={told}"})


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396 2: members of a patch replace those of the target, null takes them away."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merge(found.get(name), value)
    return found


def is_digest_of(stated: str, content: bytes) -> bool:
    """Whether each digest of a Digest header (RFC 3230 4.3.2) that we can compute is the content's; one at least."""
    known = 0
    for item in stated.split(","):
        name, _, value = item.strip().partition("=")
        algorithm = _DIGESTS.get(name.lower())
        if algorithm is None:
            continue
        known += 1
        made = hashlib.new(algorithm, content, usedforsecurity=False).digest()
        if base64.b64encode(made).decode() != value:
            return False
    return known > 0
