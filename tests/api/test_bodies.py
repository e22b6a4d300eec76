from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from api.app import create_app
from api.body import Limits
from eid.evidence.codec import encode_evidence
from tests.builders.api_client import encode, files_json, problem_of

pytestmark = pytest.mark.anyio
JSON = "application/json"
PASSIVE = "/v1/passive-authentication"
CANARY = "P<UTOCANARY<<ANNA<MARIA<<<<<L898902C36UTO7408122F1204159"
MIB = 1 << 20


class Answer:
    """What an ASGI application sent, and how often it asked for more of the body."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.asked = 0

    @property
    def problem(self) -> str:
        return json.loads(self.body)["type"].rpartition(":")[2]


async def call(app: Any, chunks: list[bytes] | Exception | float, **headers: str) -> Answer:
    """POST to passive authentication; an exception is raised by the first read, a number is a silence in seconds."""
    answer = Answer()

    async def receive() -> dict[str, Any]:
        answer.asked += 1
        if isinstance(chunks, float):
            await asyncio.sleep(chunks)
        if isinstance(chunks, list) and answer.asked <= len(chunks):
            return {"type": "http.request", "body": chunks[answer.asked - 1], "more_body": True}
        if isinstance(chunks, ConnectionError):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    given_headers = {"content-type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": "POST",
        "path": PASSIVE,
        "raw_path": PASSIVE.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given_headers.items()],
    }
    await app(scope, receive, send)
    return answer


@pytest.mark.parametrize("length", [str(30 * MIB), "9" * 5000, "-1", "1_0", "+1", "\xb2"])
async def test_a_stated_length_is_refused_before_reading(app, length):
    answer = await call(app, [b"x"], content_length=length)
    assert (answer.status, answer.problem, answer.asked) == (413, "body-too-large", 0)
    assert answer.headers["connection"] == "close"


async def test_an_unstated_length_is_counted(app):
    answer = await call(app, [bytes(MIB)] * 30)
    assert (answer.status, answer.problem, answer.asked) == (413, "body-too-large", 5)


async def test_a_small_body_for_a_small_request(client):
    answer = await client.post("/v1/verifications", content=b" " * 5000, headers={"Content-Type": JSON})
    assert (answer.status_code, problem_of(answer)) == (413, "body-too-large")


async def test_a_slow_body(service):
    answer = await call(create_app(service, Limits(body_seconds=0.05)), 5.0)
    assert (answer.status, answer.problem) == (408, "body-too-slow")
    assert answer.headers["connection"] == "close"


async def test_bodies_in_flight_are_counted_together(service):
    app = create_app(service, Limits(bodies_in_flight=1000))
    assert (await call(app, [bytes(600)])).problem == "malformed-body"
    app.state.context.bodies.in_flight = 500
    answer = await call(app, [bytes(600)])
    assert (answer.status, answer.problem, answer.headers["retry-after"]) == (429, "too-busy", "1")
    assert app.state.context.bodies.in_flight == 500


async def test_a_body_that_breaks_off(app):
    answer = await call(app, ConnectionResetError())
    assert (answer.status, answer.problem) == (400, "malformed-request")
    assert app.state.context.bodies.in_flight == 0


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "text/plain"}, {"content_type": "application/jsonp"}, {"content_encoding": "gzip"}],
)
async def test_other_media(app, headers):
    answer = await call(app, [b"{}"], **headers)
    assert (answer.status, answer.problem, answer.asked) == (415, "unsupported-media-type", 0)


async def test_media_type_has_parameters(holder, client):
    raw = json.dumps(files_json(holder.document)).encode()
    answer = await client.post(PASSIVE, content=raw, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"sod": "AA==", "data_groups": {}} x',
        b'{"sod": NaN, "data_groups"}',
        b'{"sod": "AA==", "sod": "AQ==", "data_groups": {}}',
        b'{"sod": "AA==", "data_groups": {"1": "AA==", "1": "AQ=="}}',
        b'{"sod": "AA==", "data_groups": {"1": "AA==", "\\u0031": "AQ=="}}',
        b"[" * 100_000,
        b'{"sod":' + b"[[],{}]," * 100_000,
        b'{"sod": [' + b"1," * 3000 + b"1]}",
        b'{"sod": "AA==", "data_groups": {"' + b'":"","' * 100 + b'": ""}}',
        b'{"sod": "AA==", "data_groups": {}, "policy": "a\\"b"}',
        b'{"sod": "AA==", "data_groups": {}, "policy": "passive\\\\"}',
    ],
)
async def test_what_is_not_json_of_this_form(client, raw):
    answer = await client.post(PASSIVE, content=raw, headers={"Content-Type": JSON})
    assert (answer.status_code, problem_of(answer)) == (400, "malformed-body")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"sod": "AA ==" + CANARY}, "/sod", "bytes_invalid_encoding"),
        ({"sod": "AA==\n"}, "/sod", "bytes_invalid_encoding"),
        ({"sod": "AA==AA=="}, "/sod", "bytes_invalid_encoding"),
        ({"sod": "AB=="}, "/sod", "bytes_invalid_encoding"),
        ({"sod": ""}, "/sod", "bytes_too_short"),
        ({"sod": 1}, "/sod", "bytes_type"),
        ({"sod": encode(bytes((64 << 10) + 1))}, "/sod", "bytes_too_long"),
        ({"data_groups": {"2": encode(bytes(MIB + 1))}}, "/data_groups/2", "bytes_too_long"),
        ({"data_groups": {"17": "AA=="}}, "/data_groups/?", "literal_error"),
        ({"data_groups": {"01": "AA=="}}, "/data_groups/?", "literal_error"),
        ({"data_groups": {CANARY: "AA=="}}, "/data_groups/?", "literal_error"),
        ({"data_groups": {"1": CANARY}}, "/data_groups/1", "bytes_invalid_encoding"),
        ({"data_groups": [CANARY]}, "/data_groups", "dict_type"),
        ({"policy": CANARY}, "/policy", "string_pattern_mismatch"),
        ({"policy": "strict\n"}, "/policy", "string_pattern_mismatch"),
        ({"mrz": CANARY}, "/?", "extra_forbidden"),
        ({CANARY: 1}, "/?", "extra_forbidden"),
        ({"time": "2020-01-01T00:00:00Z"}, "/?", "extra_forbidden"),
    ],
)
async def test_departures_from_the_schema_are_named_and_never_quoted(client, change, pointer, code):
    body = {"sod": "AA==", "data_groups": {}, **change}
    answer = await client.post(PASSIVE, json=body)
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-request")
    assert {"pointer": pointer, "code": code} in [
        {"pointer": item["pointer"], "code": item["code"]} for item in answer.json()["errors"]
    ]
    assert "CANARY" not in answer.text


async def test_escapes_that_stand_for_themselves(holder, client):
    raw = (
        json.dumps({**files_json(holder.document), "policy": "passive"}).replace("/", "\\/").replace("pas", "\\u0070as")
    )
    answer = await client.post(PASSIVE, content=raw, headers={"Content-Type": JSON})
    assert (answer.status_code, answer.json()["verdict"]) == (200, "TOTAL_PASSED")


async def test_missing_members(client):
    answer = await client.post(PASSIVE, json={})
    assert [item["pointer"] for item in answer.json()["errors"]] == ["/sod", "/data_groups"]


@pytest.mark.parametrize(
    "active",
    [{}, {"signature": "AA==", "x": 1}, {"signature": CANARY}, {"signature": "AA==", "challenge": CANARY}, CANARY],
)
async def test_active_authentication_is_held_to_its_schema(holder, active):
    body = {"sod": "AA==", "data_groups": {}, "active_authentication": active}
    created = await holder.open()
    answer = await holder.send(created, json.dumps(body).encode(), JSON)
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-request")
    assert all(item["pointer"].startswith("/active_authentication") for item in answer.json()["errors"])
    assert "CANARY" not in answer.text


@pytest.mark.parametrize("body", [{"purpose": CANARY + ":", "policy": "strict"}, {"purpose": "", "policy": CANARY}])
async def test_a_new_verification_is_held_to_its_schema(client, body):
    answer = await client.post("/v1/verifications", json=body)
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-request")
    assert "CANARY" not in answer.text


async def test_files_larger_than_any_honest_one(holder, client):
    body = {"sod": "AA==", "data_groups": {"3": encode(bytes((100 << 10) + 1))}}
    answer = await client.post(PASSIVE, json=body)
    assert (answer.status_code, problem_of(answer)) == (413, "file-too-large")
    created = await holder.open()
    large = holder.document.with_files(EF_SOD=bytes((64 << 10) + 1)).evidence()
    answer = await holder.send(created, encode_evidence(large), "application/cbor")
    assert (answer.status_code, problem_of(answer)) == (413, "file-too-large")
    assert "EF.SOD" in answer.json()["detail"]


async def test_nothing_of_a_request_is_logged(holder, client, caplog):
    caplog.set_level(logging.DEBUG)
    created = await holder.open()
    await holder.send(created, holder.signed(created["challenge"]))
    await client.post(PASSIVE, json={CANARY: CANARY})
    await client.get(f"/v1/{CANARY}?mrz={CANARY}")
    await client.request("CANARY", "/healthz")
    await client.get("/openapi.json")
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    for secret in ("CANARY", created["challenge"], created["id"], "SPECIMEN", "SPEC00001"):
        assert secret not in ours
    assert "PUT /v1/verifications/{id}/evidence 200" in ours
    assert "GET (unknown) 404" in ours
    assert "GET /openapi.json 200" in ours
    counts = (await client.get("/metrics")).text
    assert "CANARY" not in counts
    assert 'eid_http_requests_total{method="PUT",route="/v1/verifications/{id}/evidence",status="200"} 1' in counts
    assert 'eid_http_requests_total{method="GET",route="(unknown)",status="404"} 1' in counts
    assert "OTHER /healthz 405" in ours
