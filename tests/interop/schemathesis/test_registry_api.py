"""schemathesis reads the registry's OpenAPI document and tries every operation with what fits it and what does not.

No answer may be an error of ours, and each must be one that the document declares: status, media type, headers, schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from hypothesis import HealthCheck, Phase, given, settings

from api.rates import UNLIMITED
from api.registry import assemble, create_registry
from eid.enrolment.roles import Role
from eid.store.database import open_database
from eid.store.schema_version import upgrade
from tests.builders.machine import require_module
from tests.builders.registry import Office, build_office
from tests.interop.conftest import Control

schemathesis = require_module("schemathesis")
failures = require_module("schemathesis.core.failures")
checks = require_module("schemathesis.specs.openapi.checks")
general = require_module("schemathesis.checks")

ROW = ("schemathesis", "the registry over HTTP")
CHECKS = [
    general.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
STAFF = tuple(role for role in Role if role not in (Role.APPLICANT, Role.SYSTEM))
SCOPES = "id.read id.verify id.identify uin.generate notif.sub.read notif.sub.write notif.topic.read notif.topic.write"
CALLERS = ("staff of all roles", "an applicant", "nobody")
OPERATIONS = [f"{method.upper()} {path}" for path, item in assemble().openapi()["paths"].items() for method in item]
TRY = settings(
    max_examples=8,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('registry')}/eid.db")
    upgrade(engine)
    yield build_office(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def callers(office: Office) -> dict[str, dict[str, str]]:
    staff = office.headers(*STAFF, sub="officer-1", site="rabat-1", scope=SCOPES)
    return dict(zip(CALLERS, (staff, office.applicant(), {}), strict=True))


@pytest.fixture(scope="module")
def described(office: Office) -> dict[str, Any]:
    """Every operation as schemathesis understands it."""
    found = schemathesis.openapi.from_asgi("/openapi.json", office.app).get_all_operations()
    return {operation.label: operation for operation in (item.ok() for item in found)}


def attempt(operation: Any, headers: dict[str, str]) -> set[int]:
    """The statuses of an operation's answers.

    Raises:
        AssertionError: what schemathesis found, with the request that shows it.
    """
    statuses: set[int] = set()

    def once(case: Any) -> None:
        answer = case.call(headers=headers)
        statuses.add(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except failures.FailureGroup as group:
            told = "\n".join(str(item) for item in group.exceptions)
            raise AssertionError(f"{told}\n{case.as_curl_command()}") from None

    TRY(given(case=operation.as_strategy())(once))()
    return statuses


@pytest.mark.proves(*ROW, "every operation: declared answers, no error of ours", Control.WORKS, Control.REFUSED)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation(described: dict[str, Any], callers: dict[str, dict[str, str]], label: str) -> None:
    by_caller = {caller: attempt(described[label], headers) for caller, headers in callers.items()}
    assert max(set().union(*by_caller.values())) < 500
    if described[label].definition.raw.get("security"):
        assert by_caller["nobody"] <= {401, 400, 404, 413}  # a malformed address or body is refused before


@pytest.mark.proves(*ROW, "an error of ours, an answer that nobody declared: both found", Control.NOTICED)
@pytest.mark.parametrize("planted", ["broken", "undeclared"])
def test_what_is_planted_is_found(office: Office, planted: str) -> None:
    app = create_registry(office.registry, UNLIMITED)
    router = APIRouter()

    @router.get("/v1/planted", response_model=None)
    def plant() -> PlainTextResponse:
        if planted == "broken":
            raise RuntimeError(planted)
        return PlainTextResponse(planted, 418)

    app.include_router(router)
    found = schemathesis.openapi.from_asgi("/openapi.json", app).include(path="/v1/planted").get_all_operations()
    (operation,) = (item.ok() for item in found)
    with pytest.raises((AssertionError, RuntimeError), match=r"broken|418"):
        attempt(operation, {})
