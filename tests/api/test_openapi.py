"""The OpenAPI document is valid, and every answer is one that it declares."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import create_app
from api.body import Limits
from api.openapi import load_example
from api.problems import Problem
from eid.evidence.codec import encode_evidence
from eid.verification.policy import shipped_policies
from tests.builders.api_client import files_json

pytestmark = pytest.mark.anyio
JSON = "application/json"
PASSIVE = "/v1/passive-authentication"
OPERATIONS = {
    ("get", "/healthz"),
    ("get", "/metrics"),
    ("get", "/v1/policies"),
    ("get", "/v1/trust-store"),
    ("get", "/v1/verifications/{id}"),
    ("post", "/v1/passive-authentication"),
    ("post", "/v1/verifications"),
    ("put", "/v1/verifications/{id}/evidence"),
}


@pytest.fixture
async def contract(client) -> dict[str, Any]:
    return (await client.get("/openapi.json")).json()


def hold_to(contract: dict[str, Any], answer: httpx.Response) -> None:
    """The answer's status, media type, body and headers are declared."""
    path = answer.request.url.path
    declared = next(item for item in contract["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", item), path))
    operation = contract["paths"][declared][answer.request.method.lower()]
    content = operation["responses"][str(answer.status_code)]["content"]
    schema = content[answer.headers["content-type"]]["schema"]
    document = {"$ref": "#/$defs/root", "$defs": {"root": schema}, "components": contract["components"]}
    Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer.json())


async def test_the_document_is_valid_and_complete(contract):
    OpenAPIV31SpecValidator(contract).validate()
    found = {(method, path) for path, item in contract["paths"].items() for method in item}
    assert found == OPERATIONS
    text = json.dumps(contract)
    assert "HTTPValidationError" not in text
    declared = {
        urn
        for item in contract["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        for urn in re.findall(r"urn:eid:problem:[a-z-]+", response["description"])
    }
    general = {Problem.NOT_FOUND, Problem.METHOD_NOT_ALLOWED}  # of addresses that are none of the operations
    assert declared == {problem.urn for problem in Problem if problem not in general}


async def test_every_operation_is_named_and_declares_its_errors(contract):
    names = set()
    for item in contract["paths"].values():
        for operation in item.values():
            names.add(operation["operationId"])
            assert operation["summary"]
            assert "500" in operation["responses"]
            if "requestBody" in operation:
                assert {"400", "408", "413", "415", "422", "429"} <= operation["responses"].keys()
    assert len(names) == len(OPERATIONS)


async def test_the_good_answers_are_the_declared_ones(contract, holder, client):
    created = await client.post("/v1/verifications", json=load_example("NewVerification"))
    answers = [created]
    place = f"/v1/verifications/{created.json()['id']}"
    answers.append(await client.get(place))
    raw = holder.signed(created.json()["challenge"])
    answers.append(await client.put(f"{place}/evidence", content=raw, headers={"Content-Type": "application/cose"}))
    answers.append(await client.get(place))
    answers.append(await client.post(PASSIVE, json=files_json(holder.document)))
    answers += [await client.get(path) for path in ("/healthz", "/v1/policies", "/v1/trust-store")]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200, 200, 200]
    for answer in answers:
        hold_to(contract, answer)


async def test_health_is_degraded_where_the_clock_was_set_back(contract, client, clock):
    well = await client.get("/healthz")
    assert well.json() == {"status": "ok", "impairments": [], "stale": []}
    clock.advance(days=-3650)
    behind = await client.get("/healthz")
    assert (behind.status_code, behind.json()["status"]) == (200, "degraded")
    assert behind.json()["impairments"] == ["CLOCK_BEHIND"]
    hold_to(contract, behind)


async def test_the_problems_are_the_declared_ones(contract, holder, client, clock):
    created = await holder.open()
    used = await holder.open()
    await holder.send(used, holder.signed(used["challenge"]))
    large = holder.document.with_files(EF_SOD=bytes(70_000)).evidence()
    answers = [
        await client.post("/v1/verifications", content=b"{", headers={"Content-Type": JSON}),
        await client.post("/v1/verifications", json={"purpose": 1}),
        await client.post("/v1/verifications", content=b"{}"),
        await client.post("/v1/verifications", content=b" " * 5000, headers={"Content-Type": JSON}),
        await client.get(f"/v1/verifications/{uuid.uuid4()}"),
        await holder.send({"id": str(uuid.uuid4())}, holder.signed(created["challenge"])),
        await holder.send(used, holder.signed(used["challenge"])),
        await holder.send(created, b"", "text/plain"),
        await holder.send(created, b"\x00"),
        await holder.send(created, encode_evidence(large), "application/cbor"),
        await client.post(PASSIVE, json={"sod": "AA==", "data_groups": {}, "policy": "none"}),
    ]
    clock.advance(hours=1)
    answers.append(await holder.send(created, holder.signed(created["challenge"])))
    assert [answer.status_code for answer in answers] == [400, 422, 415, 413, 404, 404, 409, 415, 400, 413, 422, 410]
    for answer in answers:
        hold_to(contract, answer)


async def test_addresses_that_there_are_not(client):
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/v1/verifications/", 404),
        ("GET", "/docs", 404),
        ("GET", "/v1/verifications", 405),
        ("DELETE", "/healthz", 405),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_broken_database_is_no_detail(contract, service, engine, holder, client):
    created = await holder.open()
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE verification_session")
    answer = await holder.send(created, holder.signed(created["challenge"]))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:eid:problem:store-unavailable")
    assert "detail" not in answer.json()
    hold_to(contract, answer)


async def test_an_error_of_ours_tells_nothing(contract, service, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("CANARY of the document")

    monkeypatch.setattr(service, "authenticate_passively", fail)
    transport = httpx.ASGITransport(create_app(service, Limits()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://eid.test") as client:
        answer = await client.post(PASSIVE, json=load_example("PassiveAuthentication"))
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:eid:problem:internal-error")
    assert "CANARY" not in answer.text
    hold_to(contract, answer)


async def test_the_examples_are_taken_as_they_stand(contract, holder, client):
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                for example in content.get("examples", {}).values():
                    created = await holder.open()
                    answer = await client.request(
                        method, path.format(id=created["id"]), json=example["value"], headers={"Content-Type": kind}
                    )
                    assert answer.status_code in (200, 201), answer.text


async def test_the_trust_store_is_shown(client, service):
    shown = (await client.get("/v1/trust-store")).json()
    assert shown["digest"] == service.trust.digest.hex()
    assert shown["countries"] == [{"country": "UT", "anchors": 1, "valid_anchors": 1, "links": 0, "crls": 1}]
    (authority,), (crl,) = shown["authorities"], shown["crls"]
    assert (authority["subject"], authority["is_anchor"]) == ("C=UT,O=SPECIMEN,CN=SPECIMEN CSCA", True)
    assert (crl["number"], crl["is_stale"], crl["revoked"]) == (7, False, 0)


async def test_the_policies_are_shown(client):
    shown = (await client.get("/v1/policies")).json()["policies"]
    assert [item["name"] for item in shown] == list(shipped_policies())
    strict = shown[-1]
    assert strict["required_one_of"] == [["chip.aa", "chip.ca", "chip.pace_cam"]]
    assert (strict["hazards"], strict["unsafe"]) == ([], False)
    assert "sod.dg_hashes.dg2" in strict["required"]
