"""Who is calling: the dependencies by which a route learns the actor and says which roles it is for.

    actor: Annotated[Actor, Depends(require(Role.VALIDATING_OFFICER))]     staff of these roles
    actor: Annotated[Actor, Depends(current_actor)]                        anybody who is known
    caller: Annotated[Caller, Depends(require_scope("id.read"))]           a system with this scope

Staff and systems bring an access token of the OpenID provider, applicants the session that they opened with a one-time
code (`api.callers`). What an actor may do to the very thing at hand (his own file, another office's) is the use case's
to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from eid.enrolment.roles import Actor, Role
from eid.services.caller.tokens import Caller

BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="BearerAuth")


def current_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
) -> Caller:
    """Who sent this request, with his scopes; 401 where nobody known did."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    refused = {} if credentials is None else {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750 3.1
    raise ProblemError(RegistryProblem.UNAUTHENTICATED, headers=refused)


def current_actor(caller: Annotated[Caller, Depends(current_caller)]) -> Actor:
    """Who sent this request; tests may put another function in its place (`app.dependency_overrides`)."""
    return caller.actor


def own_language(request: Request, registry: CurrentRegistry) -> str | None:
    """The language in which the caller is told things, where that is known and the country has it: an applicant's."""
    known: Caller | None = getattr(request.state, "caller", None)
    return known.language if known is not None and known.language in registry.rules.languages else None


OwnLanguage = Annotated[str | None, Depends(own_language)]


def require(*roles: Role) -> Callable[..., Actor]:
    """A dependency: the actor, who has at least one of these roles; 403 else.

    A role that is held at a site counts only where his token says at which (`Actor.placed`).
    """
    allowed = frozenset(roles)

    def require_role(actor: Annotated[Actor, Depends(current_actor)]) -> Actor:
        if actor.acting_as(allowed) is None:
            raise ProblemError(RegistryProblem.FORBIDDEN)
        return actor.placed(allowed)

    return require_role


def require_scope(*scopes: str) -> Callable[..., Caller]:
    """A dependency: the caller, whose token has all of these scopes; 403 else (RFC 6750 3.1)."""
    needed = frozenset(scopes)

    def require_scopes(caller: Annotated[Caller, Depends(current_caller)]) -> Caller:
        if not needed <= caller.scopes:
            refused = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(sorted(needed))}"'}
            raise ProblemError(RegistryProblem.FORBIDDEN, headers=refused)
        return caller

    return require_scopes
