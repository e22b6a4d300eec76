"""What the OSIA operations have in common: who may call them, the transaction, the searched and the wanted."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request

from api.access import current_caller, require_scope
from api.osia import schemas
from eid.enrolment.roles import Actor
from eid.services.caller.tokens import Caller
from eid.services.osia.expressions import Expression

TransactionId = Annotated[str, Query(alias="transactionId", min_length=1, max_length=128)]
Attributes = Annotated[list[str] | None, Query(max_length=32)]
_KEPT: Final = frozenset(("enrollmentId", "status", "personId", "requestData", "credentialId", "credentialProfileId"))
_OPEN: Final = ("biographicData",)


def scoped(scope: str) -> Any:
    """A dependency: the system whose token has the scope that the published description names."""
    check = require_scope(scope)

    def read_actor(caller: Annotated[Caller, Depends(current_caller)]) -> Actor:
        known: Caller = check(caller)
        return known.actor

    return Depends(read_actor)


async def raw_body(request: Request) -> bytes:
    """The body as it came; its size was bounded before."""
    return await request.body()


RawBody = Annotated[bytes, Depends(raw_body)]


def read_expressions(stated: list[schemas.Expression]) -> list[Expression]:
    """The conditions of a search."""
    return [Expression(item.attribute_name, item.operator, item.value) for item in stated]


def select(body: dict[str, Any], attributes: list[str] | None) -> dict[str, Any]:
    """Only the attributes that are wanted, of the body or of its biographic data, and what must always be there."""
    if not attributes:
        return body
    wanted = frozenset(attributes)
    found = {name: value for name, value in body.items() if name in wanted | _KEPT}
    for part in _OPEN:
        if part in body and part not in wanted:
            found[part] = {name: value for name, value in body[part].items() if name in wanted}
    return found
