"""`/v1/me/data`, `/v1/me/erasure`: what is kept about the caller, and what of it may go."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.access import require
from api.openapi import problems
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas import privacy as schemas
from eid.enrolment.roles import Actor, Role
from eid.services.person.erasure import Eraser, erase_own
from eid.services.person.export import export_own

router = APIRouter(tags=["privacy"])
Applicant = Annotated[Actor, Depends(require(Role.APPLICANT))]


@router.get("/v1/me/data", operation_id="exportMyData", summary="All that is kept about the caller")
def export(registry: CurrentRegistry, actor: Applicant) -> schemas.PersonalData:
    """With who has read it, by role; papers are named, and come from the applications' own routes."""
    return schemas.PersonalData(**export_own(registry.engine, registry.keys, actor, registry.now()))


@router.post(
    "/v1/me/erasure",
    operation_id="eraseMyData",
    summary="The caller wants to be forgotten",
    responses=problems(RegistryProblem.GATEWAY),
)
def erase(registry: CurrentRegistry, actor: Applicant) -> schemas.Erasure:
    """What he gave up is erased at once; of the rest he learns until when it must be kept."""
    result = erase_own(Eraser(registry.engine, registry.blobs, registry.rules), actor, registry.now())
    return schemas.Erasure(
        erased=list(result.erased),
        kept=[
            schemas.KeptApplication(
                id=item.application.id,
                number=item.application.number,
                state=item.application.state,
                until=item.until,
            )
            for item in result.kept
        ],
    )
