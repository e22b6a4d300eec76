"""OSIA Credential Services 1.3.0: credential requests, credentials, their profiles."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Response

from api.osia import schemas
from api.osia.answers import described
from api.osia.parameters import Attributes, TransactionId, read_expressions, scoped, select
from api.registry_context import CurrentRegistry
from eid.enrolment.roles import Actor
from eid.services.osia import credentials as service

router = APIRouter(tags=["OSIA credential management"])
RequestReader = Annotated[Actor, scoped("cms.request.read")]
RequestWriter = Annotated[Actor, scoped("cms.request.write")]
Reader = Annotated[Actor, scoped("cms.credential.read")]
Writer = Annotated[Actor, scoped("cms.credential.write")]
ProfileReader = Annotated[Actor, scoped("cms.profile.read")]
MADE: Final[Any] = described(400, 403, 409, 500)
KNOWN: Final[Any] = described(400, 403, 404, 500)
REQUEST: Final = "/v1/credentialRequests/{credentialRequestId}"
CREDENTIAL: Final = "/v1/credentials/{credentialId}"


@router.post(REQUEST, operation_id="createCredentialRequest", status_code=201, response_class=Response, responses=MADE)
def create_credential_request(
    registry: CurrentRegistry,
    actor: RequestWriter,
    credentialRequestId: str,
    transaction: TransactionId,
    body: schemas.CredentialRequest,
) -> None:
    """Begins an application for the person, as a draft; it goes the office's own way."""
    service.create_request(registry, credentialRequestId, body.stated(), actor)


@router.get(REQUEST, operation_id="readCredentialRequest", responses=KNOWN, response_model_exclude_none=True)
def read_credential_request(
    registry: CurrentRegistry,
    actor: RequestReader,
    credentialRequestId: str,
    transaction: TransactionId,
    attributes: Attributes = None,
) -> schemas.CredentialRequest:
    """With where its application stands, and the cards that were made."""
    found = service.read_request(registry, credentialRequestId, actor)
    return schemas.CredentialRequest.model_validate(select(found, attributes))


@router.put(REQUEST, operation_id="updateCredentialRequest", status_code=204, responses=KNOWN)
def update_credential_request(
    registry: CurrentRegistry,
    actor: RequestWriter,
    credentialRequestId: str,
    transaction: TransactionId,
    body: schemas.CredentialRequest,
) -> None:
    """Before its application is submitted; for whom and for what it is stays."""
    service.update_request(registry, credentialRequestId, body.stated(), actor)


@router.post(f"{REQUEST}/cancel", operation_id="cancelCredentialRequest", status_code=204, responses=KNOWN)
def cancel_credential_request(
    registry: CurrentRegistry, actor: RequestWriter, credentialRequestId: str, transaction: TransactionId
) -> None:
    """Before the visit, by the system that has asked."""
    service.cancel_request(registry, credentialRequestId, actor)


@router.post("/v1/credentials", operation_id="findCredentials", responses=KNOWN, response_model_exclude_none=True)
def find_credentials(
    registry: CurrentRegistry,
    actor: Reader,
    transaction: TransactionId,
    body: schemas.Expressions,
    attributes: Attributes = None,
) -> list[schemas.CredentialData]:
    """By credentialId, credentialNumber or personId, and whatever else is asked of them."""
    found = service.find_credentials(registry, read_expressions(body), actor)
    return [schemas.CredentialData.model_validate(select(item, attributes)) for item in found]


@router.get(CREDENTIAL, operation_id="readCredential", responses=KNOWN, response_model_exclude_none=True)
def read_credential(
    registry: CurrentRegistry,
    actor: Reader,
    credentialId: str,
    transaction: TransactionId,
    attributes: Attributes = None,
) -> schemas.CredentialData:
    """A card of the register."""
    found = service.read_credential(registry, credentialId, actor)
    return schemas.CredentialData.model_validate(select(found, attributes))


@router.put(CREDENTIAL, operation_id="updateCredential", status_code=204, responses=KNOWN)
def update_credential(
    registry: CurrentRegistry,
    actor: Writer,
    credentialId: str,
    transaction: TransactionId,
    body: schemas.CredentialData,
) -> None:
    """Authority, place and `others`; what is signed on the chip stays."""
    service.update_credential(registry, credentialId, body.stated(), actor)


@router.post(f"{CREDENTIAL}/suspend", operation_id="suspendCredential", status_code=204, responses=KNOWN)
def suspend_credential(
    registry: CurrentRegistry,
    actor: Writer,
    credentialId: str,
    transaction: TransactionId,
    body: schemas.Reason | None = None,
) -> None:
    """With the reason lost or stolen; with any other somebody looks into it."""
    service.suspend_credential(registry, credentialId, None if body is None else body.reason, actor)


@router.post(f"{CREDENTIAL}/unsuspend", operation_id="unsuspendCredential", status_code=204, responses=KNOWN)
def unsuspend_credential(
    registry: CurrentRegistry,
    actor: Writer,
    credentialId: str,
    transaction: TransactionId,
    body: schemas.Reason | None = None,
) -> None:
    """It was found."""
    service.unsuspend_credential(registry, credentialId, actor)


@router.post(f"{CREDENTIAL}/revoke", operation_id="revokeCredential", status_code=204, responses=KNOWN)
def revoke_credential(
    registry: CurrentRegistry,
    actor: Writer,
    credentialId: str,
    transaction: TransactionId,
    body: schemas.Reason | None = None,
) -> None:
    """For ever; the reason is one of the causes of the register."""
    service.revoke_credential(registry, credentialId, None if body is None else body.reason, actor)


@router.post(f"{CREDENTIAL}/status", operation_id="setCredentialStatus", status_code=204, responses=KNOWN)
def set_credential_status(
    registry: CurrentRegistry,
    actor: Writer,
    credentialId: str,
    transaction: TransactionId,
    body: schemas.StatusChange,
) -> None:
    """To ACTIVE, SUSPENDED or REVOKED."""
    service.set_status(registry, credentialId, body.status, body.reason, actor)


@router.post("/v1/credentialProfiles", operation_id="findCredentialProfiles", responses=KNOWN)
def find_credential_profiles(
    registry: CurrentRegistry,
    actor: ProfileReader,
    transaction: TransactionId,
    body: schemas.Expressions,
    attributes: Attributes = None,
) -> list[schemas.CredentialProfile]:
    """The product that the country's rules name."""
    return [
        schemas.CredentialProfile.model_validate(item)
        for item in service.find_profiles(registry, read_expressions(body))
    ]
