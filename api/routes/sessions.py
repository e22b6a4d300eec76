"""`/v1/sessions`: applicants come in by a code sent to their telephone or mailbox; `/v1/me`: who am I here?"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from api.access import BEARER, current_caller, require
from api.openapi import problems
from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem, stated_language
from api.schemas.registry import Me, NewCode, NewSession, OpenedSession, SentCode
from eid.enrolment.roles import Actor, Role
from eid.services.caller import applicants as access
from eid.services.caller.tokens import Caller

router = APIRouter(tags=["access"])
IN: Any = problems(RegistryProblem.UNAUTHENTICATED, RegistryProblem.INVALID_VALUE, RegistryProblem.TOO_MANY_REQUESTS)


@router.post(
    "/v1/sessions/codes", operation_id="sendCode", summary="Have a one-time code sent", status_code=202, responses=IN
)
def send_code(request: Request, registry: CurrentRegistry, body: NewCode) -> SentCode:
    """The answer is the same whether the contact is known or new, and also where it was sent too many codes."""
    language = body.language or stated_language(request)
    sent = access.send_code(registry, access.Channel(body.channel), body.contact, language)
    return SentCode(id=sent.id, expires_at=sent.expires_at)


@router.post(
    "/v1/sessions", operation_id="openSession", summary="Open a session with a code", status_code=201, responses=IN
)
def open_session(registry: CurrentRegistry, body: NewSession) -> OpenedSession:
    """401 in the same octets for a code that is wrong, used, too old, tried too often or was never sent."""
    try:
        opened = access.open_session(registry, body.id, body.code)
    except access.CodeRefusedError:
        raise ProblemError(RegistryProblem.UNAUTHENTICATED) from None
    return OpenedSession(token=opened.token, account_id=opened.account_id, expires_at=opened.expires_at)


@router.delete(
    "/v1/sessions/current",
    operation_id="closeSession",
    summary="End the session",
    status_code=204,
    responses=problems(RegistryProblem.UNAUTHENTICATED, RegistryProblem.FORBIDDEN),
)
async def close_session(
    request: Request, registry: CurrentRegistry, actor: Annotated[Actor, Depends(require(Role.APPLICANT))]
) -> None:
    """The token is good for nothing from then on."""
    credentials = await BEARER(request)
    if credentials is not None:
        access.close_session(registry, credentials.credentials)


@router.get(
    "/v1/me",
    operation_id="showMe",
    summary="Who the caller is",
    responses=problems(RegistryProblem.UNAUTHENTICATED),
)
def show_me(caller: Annotated[Caller, Depends(current_caller)]) -> Me:
    """Identifier, roles and scopes as this service reads them from the token; for setting up a provider."""
    actor = caller.actor
    roles = sorted(role.value for role in actor.roles)
    return Me(id=actor.id, roles=roles, site=actor.site, scopes=sorted(caller.scopes))
