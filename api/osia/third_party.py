"""OSIA third-party services 1.2.0 and UIN 1.2.0: attributes verified, read and searched, numbers generated."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from api.access import current_caller
from api.osia import schemas
from api.osia.answers import described
from api.osia.parameters import TransactionId, scoped
from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from eid.enrolment.roles import Actor
from eid.services.caller.tokens import Caller
from eid.services.osia import identification as osia_identification
from eid.services.osia import identity as service
from eid.services.osia import numbers as osia_numbers
from eid.services.osia.identity import CREDENTIAL_MEMBERS, MATCHED, NOT_MATCHED, AttributeSet, pick

router = APIRouter(tags=["OSIA third-party services"])
Verifier = Annotated[Actor, scoped("id.verify")]
Reader = Annotated[Actor, scoped("id.read")]
Identifier = Annotated[Actor, scoped("id.identify")]
Generator = Annotated[Actor, scoped("uin.generate")]
IdentifierType = Annotated[str, Query(alias="identifierType", max_length=32)]
KNOWN: Final[Any] = described(400, 403, 404, 500)
Value = str | int | float | bool


def require_set_scope(attributeSetName: str, caller: Annotated[Caller, Depends(current_caller)]) -> Actor:
    """The system whose token has the scope of this very set."""
    if f"id.{attributeSetName}.read" not in caller.scopes:
        raise ProblemError(RegistryProblem.FORBIDDEN)
    return caller.actor


@router.post("/v1/verify/{identifier}", operation_id="verify", responses=KNOWN, response_model_exclude_none=True)
def verify(
    registry: CurrentRegistry,
    actor: Verifier,
    identifier: str,
    transaction: TransactionId,
    body: schemas.AttributeSet,
    kind: IdentifierType = "uin",
    with_proof: Annotated[bool, Query(alias="verificationProofRequired")] = True,
) -> schemas.VerifyResult:
    """Strictly: one attribute that is not the person's, and nothing matches."""
    found = service.verify_attributes(
        registry, identifier, kind, body.stated(), actor, transaction=transaction, with_proof=with_proof
    )
    told = {
        "verificationCode": MATCHED if found.is_match else NOT_MATCHED,
        "verificationMessage": "matched" if found.is_match else "not matched",
        "verificationProof": found.proof,
    }
    return schemas.VerifyResult.model_validate(told)


@router.get(
    "/v1/attributes/{attributeSetName}/{identifier}",
    operation_id="readAttributeSet",
    responses=KNOWN,
    response_model_exclude_none=True,
)
def read_attribute_set(
    registry: CurrentRegistry,
    actor: Annotated[Actor, Depends(require_set_scope)],
    attributeSetName: str,
    identifier: str,
    transaction: TransactionId,
    kind: IdentifierType = "uin",
) -> schemas.AttributeSet:
    """For a token with the scope `id.NAME.read`."""
    found = service.read_set(registry, attributeSetName, identifier, kind, actor)
    return schemas.AttributeSet.model_validate(found)


@router.post(
    "/v1/attributes/{identifier}", operation_id="readAttributes", responses=KNOWN, response_model_exclude_none=True
)
def read_attributes(
    registry: CurrentRegistry,
    actor: Reader,
    identifier: str,
    transaction: TransactionId,
    body: schemas.OutputAttributeSet,
    kind: IdentifierType = "uin",
) -> schemas.AttributeSet:
    """Those that the caller names and the register has."""
    found = service.read_attributes(registry, _read_wanted(body), identifier, kind, actor)
    return schemas.AttributeSet.model_validate(found)


@router.post(
    "/v1/identify",
    operation_id="identify",
    responses={202: {"model": schemas.TaskId, "description": "The answer comes later"}, **KNOWN},
    response_model=list[schemas.AttributeSet],
    response_model_exclude_none=True,
)
def identify(
    registry: CurrentRegistry, actor: Identifier, transaction: TransactionId, body: schemas.IdentifyRequest
) -> Any:
    """At once by attributes, later by biometrics."""
    stated = body.attribute_set.stated()
    found = osia_identification.identify(registry, stated, body.output_attribute_set_name, actor)
    if isinstance(found, list):
        return [schemas.AttributeSet.model_validate(item) for item in found]
    return JSONResponse({"taskId": str(found)}, 202)


@router.get(
    "/v1/identify/{taskID}",
    operation_id="readIdentifyResult",
    responses={204: {"description": "The search goes on"}, **KNOWN},
    response_model=list[schemas.AttributeSet],
    response_model_exclude_none=True,
)
def read_identify_result(registry: CurrentRegistry, actor: Identifier, taskID: str, transaction: TransactionId) -> Any:
    """For the system that has asked."""
    found = osia_identification.read_task(registry, taskID, actor)
    if found is None:
        return Response(status_code=204)
    return [schemas.AttributeSet.model_validate(item) for item in found]


@router.post("/v1/uin", operation_id="generateUIN", responses=described(400, 403, 500), tags=["OSIA UIN"])
def generate_uin(
    registry: CurrentRegistry, actor: Generator, transaction: TransactionId, body: dict[str, Value]
) -> str:
    """A personal number that nobody has."""
    return osia_numbers.generate_number(registry, body, actor)


def _read_wanted(body: schemas.OutputAttributeSet) -> AttributeSet:
    credentials = body.output_credential_data
    fields = [name for item in credentials or () for name in item.credential_data_fields or CREDENTIAL_MEMBERS]
    faces = [item for item in body.output_biometric_data or () if item.biometric_type in (None, "FACE")]
    return AttributeSet(
        pick(body.output_biographic_data),
        pick(body.output_contact_data),
        None if credentials is None else pick(fields),
        bool(faces),
    )
