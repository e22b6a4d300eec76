"""The verification API knows nobody: whatever role a token of the registry has, each operation answers as to nobody.

The table is written by hand; an operation that it does not name fails the test.
"""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from eid.enrolment.roles import Role
from tests.builders.registry import NOW, issue_token

pytestmark = pytest.mark.anyio
NOBODYS = "00000000-0000-7000-8000-0000000000ff"
TABLE = {
    ("POST", "/v1/verifications"): 422,
    ("GET", "/v1/verifications/{id}"): 404,
    ("PUT", "/v1/verifications/{id}/evidence"): 422,
    ("POST", "/v1/passive-authentication"): 422,
    ("GET", "/v1/trust-store"): 200,
    ("GET", "/v1/policies"): 200,
    ("GET", "/healthz"): 200,
    ("GET", "/metrics"): 200,
}


def test_the_table_names_every_operation(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    assert {(method.upper(), path) for path, item in paths.items() for method in item if method != "parameters"} == set(
        TABLE
    )


async def test_a_role_opens_and_closes_nothing(client: httpx.AsyncClient) -> None:
    for (method, path), status in TABLE.items():
        body = {"json": {}} if method in ("POST", "PUT") else {}
        address = path.replace("{id}", NOBODYS)
        nobody = await client.request(method, address, **body)
        assert nobody.status_code == status, (method, path)
        for role in Role:
            token = issue_token(NOW, roles=[role.value], site="rabat-1")
            answer = await client.request(method, address, headers={"Authorization": f"Bearer {token}"}, **body)
            assert answer.status_code == status, (method, path, role)
            if path != "/metrics":  # which counts these very requests
                assert answer.json() == nobody.json(), (method, path, role)
