"""`/v1/policies`: what each verification policy insists on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.context import context_of
from api.schemas.responses import Policies
from eid.verification.policy import Policy

router = APIRouter()


@router.get("/v1/policies", operation_id="listPolicies", summary="The policies", response_model=Policies)
async def list_policies(request: Request) -> JSONResponse:
    """Every policy that a verification may name."""
    policies = context_of(request).service.policies.values()
    return JSONResponse({"policies": [_render(item) for item in policies]})


def _render(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "version": policy.revision,
        "digest": policy.digest,
        "assurance": policy.assurance,
        "data_groups": list(policy.data_groups),
        "required": sorted(policy.required),
        "required_one_of": [list(group) for group in policy.required_one_of],
        "informative": sorted(policy.informative),
        "tolerated": sorted(policy.tolerated),
        "reference_time": policy.reference_time,
        "hazards": list(policy.hazards),
        "unsafe": policy.is_unsafe,
    }
