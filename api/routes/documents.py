"""`/v1/applications/.../documents`: papers sent before travelling; the body is the file itself."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access import require
from api.body import media_type
from api.intake import BODY
from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.routes.applications import Beginner, describe_document
from api.schemas.applications import Document, DocumentList
from eid.enrolment.roles import Actor
from eid.services.application import documents
from eid.services.application.documents import READERS, Upload

router = APIRouter(prefix="/v1/applications/{application_id}/documents", tags=["documents"])
TYPES: Final = ("application/pdf", "image/jpeg", "image/png")
Opener = Annotated[Actor, Depends(require(*READERS))]
ACT: Any = problems(
    RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.UPLOAD_REFUSED, RegistryProblem.GATEWAY
)
READ: Any = problems(RegistryProblem.UNKNOWN, RegistryProblem.GATEWAY)
FILE: Final = {"schema": {"type": "string", "format": "binary"}}
FILES: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": dict.fromkeys(TYPES, FILE)}}
CODE: Final = r"^[a-z][a-z0-9-]{0,31}$"


@router.post(
    "",
    operation_id="attachDocument",
    summary="Send a paper",
    status_code=201,
    responses=ACT,
    openapi_extra=FILES,
)
def attach_document(
    request: Request,
    registry: CurrentRegistry,
    actor: Beginner,
    application_id: UUID,
    paper: Annotated[str, Query(pattern=CODE, description="Which paper it is, a code of the rules")],
    issued_on: Annotated[date | None, Query(description="The day that stands on it")] = None,
) -> Document:
    """PDF, JPEG or PNG; its content is examined, not its name. What is refused says why, in the caller's language."""
    upload = Upload(paper, media_type(request, *TYPES), request.scope[BODY], issued_on)
    found = documents.attach(registry.engine, registry.blobs, application_id, upload, actor, registry.now())
    return describe_document(found)


@router.get("", operation_id="listDocuments", summary="The papers of an application", responses=READ)
def list_documents(registry: CurrentRegistry, actor: Opener, application_id: UUID) -> DocumentList:
    """Without their content."""
    found = documents.list_documents(registry.engine, application_id, actor)
    return DocumentList(documents=[describe_document(item) for item in found])


@router.get(
    "/{document_id}",
    operation_id="openDocument",
    summary="Open a paper",
    response_class=Response,
    responses={**READ, 200: {"description": "The file as it was sent", "content": dict.fromkeys(TYPES, FILE)}},
)
def open_document(registry: CurrentRegistry, actor: Opener, application_id: UUID, document_id: UUID) -> Response:
    """As an attachment, never shown in place; that staff has opened it is recorded first."""
    now = registry.now()
    found, content = documents.open_document(
        registry.engine, registry.blobs, document_id, actor, now, application_id=application_id
    )
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(content, media_type=found.media_type, headers=headers)


@router.delete(
    "/{document_id}", operation_id="removeDocument", summary="Take a paper back", status_code=204, responses=ACT
)
def remove_document(registry: CurrentRegistry, actor: Beginner, application_id: UUID, document_id: UUID) -> None:
    """Only before the application is submitted, or while papers are asked for."""
    documents.remove(registry.engine, document_id, actor, registry.now(), application_id=application_id)
