"""The registry's application: what holds for every route, whatever it does."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, Query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import Engine, select

from api.access import current_actor, require, require_scope
from api.describe import describe
from api.rates import UNLIMITED, Buckets, Rate, Rates
from api.registry import create_registry
from api.registry_problems import RegistryProblem, fault_of
from api.schemas.registry import RequestBody, Text
from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, EnrolmentError, GatewayError, NotStoredError, RecordError, Refusal, StoreError
from eid.locale import LANGUAGES, texts
from eid.locale.details import REFUSALS, detail_text
from eid.services.caller import applicants as access
from eid.services.caller.tokens import Caller
from eid.store.stamps import find_stamp
from eid.store.tables import idempotency_key
from tests.builders.api_client import problem_of
from tests.builders.registry import Office, build_office
from tests.builders.routes import share_description, share_routes
from tests.builders.sweep import examples

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}
CANARY = "AMINA-SPECIMEN"
ANY = {"Accept-Language": "*"}


class Thing(RequestBody):
    name: Text
    count: int = 1
    kind: str | None = None


FAILURES: dict[str, Exception] = {
    "bug": RuntimeError("of ours"),
    "state": EnrolmentError(Refusal.WRONG_STATE, "no submit of an application that is DRAFT"),
    "forbidden": EnrolmentError(Refusal.FORBIDDEN, "approve is for other roles"),
    "guard": EnrolmentError(Refusal.GUARD, "nobody approves his own file", guard="second-officer"),
    "event": EnrolmentError(Refusal.UNKNOWN_EVENT, "no such event"),
    "nothing": NotStoredError(f"there is no {CANARY}"),
    "done": AlreadyDoneError("done"),
    "record": RecordError("a stamp has 16 digits"),
    "store": StoreError(f"{CANARY} is locked"),
    "gateway": GatewayError(f"{CANARY} does not answer"),
}


def probe(done: list[str]) -> APIRouter:
    """Routes that tests look through at the machinery around them."""
    router = APIRouter()

    @router.post("/v1/things", status_code=201)
    def make(thing: Thing, actor: Annotated[Actor, Depends(current_actor)]) -> dict[str, str]:
        done.append(thing.name)
        if thing.kind is not None:
            raise FAILURES[thing.kind]
        return {"name": thing.name, "number": str(len(done)), "by": actor.id}

    @router.post("/v1/callbacks")
    def call_back(thing: Thing) -> dict[str, int]:
        done.append(thing.name)
        return {"number": len(done)}

    @router.get("/v1/approvals/{number}")
    def approve(number: int, actor: Annotated[Actor, Depends(require(Role.APPROVER, Role.AUDITOR))]) -> str:
        return actor.id

    @router.get("/v1/reads")
    def read(
        caller: Annotated[Caller, Depends(require_scope("id.read", "id.verify"))], name: Annotated[str, Query()] = ""
    ) -> str:
        return caller.client

    @router.get("/v1/broken")
    def broken() -> None:
        raise RuntimeError(CANARY)

    return router


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def office(engine: Engine, done: list[str]) -> Office:
    office = build_office(engine)
    app = share_routes(create_registry(office.registry, UNLIMITED), "registry")
    app.include_router(probe(done))
    office.app = share_description(app, "registry with probe")
    return office


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with office.client(raises=False) as client:
        yield client


# ------------------------------------------------------------------------------------------------------ who is calling
async def test_who_is_calling(client, office):
    for headers, challenge in (
        ({}, "Bearer"),
        ({"Authorization": "Basic YTpi"}, "Bearer"),
        ({"Authorization": "Bearer x"}, 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer eids_x"}, 'Bearer error="invalid_token"'),
    ):
        answer = await client.get("/v1/me", headers=headers)
        assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == challenge
    answer = await client.get("/v1/me", headers=office.headers(Role.AUDITOR, site="rabat", scope="a b"))
    assert answer.json() == {"id": "officer-1", "roles": ["auditor"], "site": "rabat", "scopes": ["a", "b"]}


async def test_a_token_ends(client, office):
    headers = office.headers(Role.APPROVER)
    assert (await client.get("/v1/me", headers=headers)).status_code == 200
    office.clock.advance(minutes=11)
    assert (await client.get("/v1/me", headers=headers)).status_code == 401


async def test_roles(client, office):
    statuses = {role: (await client.get("/v1/approvals/1", headers=office.headers(role))).status_code for role in Role}
    assert {role for role, status in statuses.items() if status == 200} == {Role.APPROVER, Role.AUDITOR}
    assert set(statuses.values()) == {200, 403}
    assert (await client.get("/v1/approvals/1")).status_code == 401
    # whoever may not is not told what is wrong with his request
    assert (await client.get("/v1/approvals/x", headers=office.headers(Role.CASHIER))).status_code == 403
    assert (await client.get("/v1/approvals/x", headers=office.headers(Role.AUDITOR))).status_code == 422


async def test_scopes(client, office):
    answer = await client.get("/v1/reads", headers=office.headers(Role.RELYING_PARTY, scope="id.read other"))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="id.read id.verify"'
    assert (await client.get("/v1/reads", headers=office.headers(scope="id.verify id.read"))).status_code == 200


async def test_a_session_by_one_time_code(client, office):
    contact = {"channel": "email", "contact": "amina@example.test", "language": "ar"}
    answer = await client.post("/v1/sessions/codes", json=contact)
    assert answer.status_code == 202
    wrong = await client.post("/v1/sessions", json={"id": answer.json()["id"], "code": "00000000"})
    never = await client.post("/v1/sessions", json={"id": "01a20320-a200-7ed8-80ce-6a97b8f59779", "code": "00000000"})
    assert wrong.status_code == never.status_code == 401
    assert wrong.content == never.content
    headers = office.applicant("+212600000009")
    assert (await client.get("/v1/me", headers=headers)).json()["roles"] == ["applicant"]
    assert (await client.delete("/v1/sessions/current", headers=office.headers(Role.CASHIER))).status_code == 403
    assert (await client.delete("/v1/sessions/current", headers=headers)).status_code == 204
    assert (await client.get("/v1/me", headers=headers)).status_code == 401


# --------------------------------------------------------------------------------------------------------- idempotency
def keyed(office: Office, key: str = "k1", **given: str) -> dict[str, str]:
    return {**office.headers(Role.APPROVER, **given), "Idempotency-Key": key}


async def test_a_request_that_comes_again_is_answered_the_same_and_done_once(client, office, done):
    first = await client.post("/v1/things", json={"name": "a"}, headers=keyed(office))
    office.clock.advance(seconds=5)  # another token, the same caller
    again = await client.post("/v1/things", json={"name": "a"}, headers=keyed(office, '"k1"'))
    assert (first.status_code, first.json()) == (201, {"name": "a", "number": "1", "by": "officer-1"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert done == ["a"]


async def test_another_request_under_the_key_is_refused(client, office, done):
    await client.post("/v1/things", json={"name": "a"}, headers=keyed(office))
    for place, body in (
        ("/v1/things", {"name": "b"}),
        ("/v1/things?x", {"name": "a"}),
        ("/v1/callbacks", {"name": "a"}),
    ):
        answer = await client.post(place, json=body, headers=keyed(office))
        assert (answer.status_code, problem_of(answer)) == (422, "key-reused")
    assert done == ["a"]
    for headers in (keyed(office, "k2"), keyed(office, sub="officer-2")):  # another key, another caller's key
        assert (await client.post("/v1/things", json={"name": "b"}, headers=headers)).status_code == 201
    assert done == ["a", "b", "b"]


async def test_without_a_key_everything_is_done_again(client, office, done):
    for _ in range(2):
        await client.post("/v1/things", json={"name": "a"}, headers=office.headers())
        await client.post("/v1/callbacks", json={"name": "a"}, headers={"Idempotency-Key": "k"})  # of nobody known
    assert done == ["a"] * 4


@pytest.mark.parametrize("kind", ["state", "guard", "record", "nothing"])
async def test_a_refusal_is_an_answer_too(client, office, done, kind):
    answers = [
        await client.post("/v1/things", json={"name": "a", "kind": kind}, headers=keyed(office)) for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert len(done) == 1


@pytest.mark.parametrize(("kind", "status"), [("forbidden", 403), ("store", 503)])
async def test_what_was_not_done_may_be_tried_again(client, office, done, kind, status):
    for _ in range(2):
        answer = await client.post("/v1/things", json={"name": "a", "kind": kind}, headers=keyed(office))
        assert answer.status_code == status
    assert len(done) == 2


async def test_what_broke_off_is_not_done_again(client, office, done):
    first = await client.post("/v1/things", json={"name": "a", "kind": "bug"}, headers=keyed(office))
    again = await client.post("/v1/things", json={"name": "a", "kind": "bug"}, headers=keyed(office))
    assert (first.status_code, again.status_code, problem_of(again)) == (500, 409, "unfinished")
    assert len(done) == 1


async def test_of_many_at_once_one_is_done(client, office, done):
    asked = [client.post("/v1/things", json={"name": "a"}, headers=keyed(office)) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert done == ["a"]
    assert {answer.status_code for answer in answers} <= {201, 409}


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 129, 'a"b'])
async def test_keys_that_are_none(client, office, key):
    headers = {**office.headers(), "Idempotency-Key": key.encode("latin-1")}
    answer = await client.post("/v1/things", json={"name": "a"}, headers=headers)
    assert (answer.status_code, problem_of(answer)) == (400, "malformed-request")


async def test_a_kept_answer_is_sealed(client, office):
    await client.post("/v1/things", json={"name": CANARY}, headers=keyed(office))
    with office.registry.engine.connect() as connection:
        (row,) = connection.execute(select(idempotency_key)).all()
    assert CANARY not in repr(row)


# -------------------------------------------------------------------------------------------------------------- bodies
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": "a", "count": NaN}', 400),
        (b'{"name": "a\\u0000b"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": "\xff"}', 400),
        (b'{"name": "a\x00b"}', 400),
        (b"[" * 19_000, 400),
        (b"[1," + b"1," * 25_000 + b"1]", 400),
        (b'{"name": "' + b"a" * 70_000 + b'"}', 413),
        (b'{"name": "a", "count": 1' + b"0" * 5000 + b"}", 400),
        (b'{"name": "a", "count": true}', 201),
        (b'{"name": "\\u0623\\ud83d\\ude00"}', 201),
    ],
    ids=range(15),
)
async def test_bodies(client, office, raw, status):
    answer = await client.post("/v1/things", content=raw, headers={**office.headers(), **JSON})
    assert answer.status_code == status


async def test_addresses_with_nul(client, office):
    for place in ("/v1/reads?name=a%00b", "/v1/approvals/%00"):
        assert (await client.get(place, headers=office.headers(Role.AUDITOR))).status_code == 404


async def test_a_body_without_a_type_is_refused(client, office):
    answer = await client.post("/v1/things", content=b'{"name": "a"}', headers=office.headers())
    assert answer.status_code == 422


# ------------------------------------------------------------------------------------------------------------ problems
@pytest.mark.parametrize(
    ("kind", "status", "slug"),
    [
        ("state", 409, "wrong-state"),
        ("forbidden", 403, "forbidden"),
        ("guard", 409, "condition"),
        ("event", 422, "invalid-value"),
        ("nothing", 404, "unknown"),
        ("done", 409, "already-done"),
        ("record", 422, "invalid-value"),
        ("store", 503, "store-unavailable"),
        ("gateway", 502, "gateway"),
    ],
)
async def test_errors_of_use_cases(client, office, kind, status, slug):
    answer = await client.post("/v1/things", json={"name": CANARY, "kind": kind}, headers=office.headers())
    assert (answer.status_code, problem_of(answer)) == (status, slug)
    assert CANARY not in answer.text
    if kind == "guard":
        assert (answer.json()["refusal"], answer.json()["guard"]) == ("GUARD", "second-officer")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ar", "ar"),
        ("fr-MA, en", "fr"),
        ("de, fr;q=0.5", "fr"),
        ("fr;q=0.3, en;q=0.9", "en"),
        ("fr;q=0, ar;q=0.1", "ar"),
        ("en;q=high", "en"),
        ("tlh", "fr"),  # the country's first, from here on
        ("", "fr"),
        ("*", "fr"),
        ("de, *;q=0.5, en;q=0.1", "fr"),
        (";,;;", "fr"),
    ],
)
async def test_the_callers_language(client, office, accepted, language):
    body = {"name": "", "count": "x", CANARY: 1}
    answer = await client.post("/v1/things", json=body, headers={**office.headers(), "Accept-Language": accepted})
    assert answer.status_code == 422
    assert answer.headers["content-language"] == language
    stated = answer.json()
    assert stated["title"] == texts(language)["problem"]["invalid-request"]
    faults = texts(language)["fault"]
    assert [(item["pointer"], item["code"], item["detail"]) for item in stated["errors"]] == [
        ("/name", "too-short", faults["too-short"]),
        ("/count", "number", faults["number"]),
        ("/?", "unknown-member", faults["unknown-member"]),
    ]
    assert CANARY not in answer.text


async def test_an_applicants_own_language(client, office):
    """Before he is known the country's, then that of his code, then that of his application; what he asks for first."""

    async def told(headers: dict[str, str], **more: str) -> str:
        given = {"Accept-Language": "*", **headers, **more}
        answer = await client.post("/v1/applications", json={"reason": ""}, headers=given)
        assert answer.json()["title"] == texts(answer.headers["content-language"])["problem"][problem_of(answer)]
        return answer.headers["content-language"]

    async def code(**body: str) -> str:
        body = {"channel": "sms", "contact": "+212600000077", **body}
        sent = await client.post("/v1/sessions/codes", json=body, headers={"Accept-Language": body.pop("said", "*")})
        with office.registry.engine.connect() as connection:
            message = access.read_message(office.registry, connection, UUID(sent.json()["id"]))
        assert message is not None
        return message.language

    assert await told({}) == "fr"
    assert [await code(), await code(said="ar"), await code(language="en", said="ar")] == ["fr", "ar", "en"]
    me = office.applicant("+212600000078", "ar")
    assert await told(me) == "ar"
    assert await told(me, **{"Accept-Language": "en"}) == "en"
    refused = await client.post("/v1/applications", json={"reason": "none", "record": {}}, headers={**me, **ANY})
    assert refused.json()["detail"] == detail_text("ar", "the rules know no such reason for a card", REFUSALS)[0]
    begun = await client.post("/v1/applications", json={"reason": "first", "record": {}}, headers=me)
    assert begun.json()["language"] == "ar"
    order = {"service": "card", "date_of_birth": "1985-02-14", "phone": "+212600000078"}
    stamp = await client.post("/v1/stamps", json=order, headers=me)
    with office.registry.engine.connect() as connection:
        assert find_stamp(connection, UUID(stamp.json()["id"])).language == "ar"
    english = {"reason": "first", "record": {}, "language": "en"}
    assert (await client.post("/v1/applications", json=english, headers=me)).status_code == 201
    assert await told(me) == "en"
    again = office.applicant("+212600000078")  # whose code was asked for in no language
    assert await told(again) == "en"
    assert await told(office.headers(Role.ENROLMENT_OFFICER, site="rabat-1")) == "fr"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_its_title(language):
    from api.problems import Problem

    verification = {"malformed-evidence", "unknown-verification", "already-submitted", "expired"}
    slugs = {item.slug for item in (*Problem, *RegistryProblem)} - verification
    assert set(texts(language)["problem"]) == slugs
    if language == "en":
        assert all(texts("en")["problem"][item.slug] == item.title for item in RegistryProblem)


async def test_a_condition_in_the_callers_language(client, office):
    body = {"name": "a", "kind": "guard"}
    answer = await client.post("/v1/things", json=body, headers={**office.headers(), "Accept-Language": "ar"})
    said = "nobody approves his own file"
    assert answer.json()["detail"] == detail_text("ar", said, REFUSALS)[0] != said


def test_every_fault_has_its_sentence():
    codes = [
        "missing",
        "uuid_parsing",
        "date_from_datetime_parsing",
        "int_parsing",
        "greater_than_equal",
        "string_type",
    ]
    assert [fault_of(code) for code in codes] == ["missing", "identifier", "date", "number", "number", "text"]
    assert fault_of("never_heard_of") == "other"


async def test_an_error_of_ours_tells_nothing(client, caplog):
    answer = await client.get("/v1/broken")
    assert (answer.status_code, problem_of(answer)) == (500, "internal-error")
    assert CANARY not in answer.text


async def test_addresses_that_there_are_not(client):
    for method, path, status in (("GET", "/", 404), ("GET", "/docs", 404), ("DELETE", "/healthz", 405)):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


# ------------------------------------------------------------------------------------------- headers, logs, counts
async def test_headers_of_every_answer(client):
    for path in ("/healthz", "/v1/me", "/nowhere"):
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_logs_and_counts_hold_nothing_of_a_request(client, office, caplog):
    caplog.set_level(logging.DEBUG)
    await client.get(f"/v1/reads?name={CANARY}", headers=office.headers(Role.APPROVER))
    await client.get(f"/{CANARY}")
    await client.request(CANARY, "/healthz")
    answer = await client.post(
        "/v1/things", json={"name": CANARY}, headers={**keyed(office, CANARY), "X-Request-Id": CANARY}
    )
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("eid")]
    assert any(answer.headers["x-request-id"] in line and "POST /v1/things 201" in line for line in ours)
    counts = (await client.get("/metrics")).text
    assert CANARY not in "\n".join(ours) + counts
    assert 'eid_http_requests_total{method="GET",route="/v1/reads",status="403"} 1' in counts
    assert 'eid_http_requests_total{method="OTHER",route="/healthz",status="405"} 1' in counts
    assert 'eid_http_request_seconds_bucket{route="/v1/things",le="+Inf"} 1' in counts
    assert "eid_http_requests_in_flight 1" in counts


async def test_a_database_that_does_not_answer_is_told(client, engine):
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert (await client.get("/healthz")).status_code == 503


# -------------------------------------------------------------------------------------------------------------- rates
def test_buckets_fill_again():
    now = [0.0]
    buckets = Buckets(Rates(Rate(2, 1), Rate(1, 0.1), Rate(1, 0.01)), lambda: now[0])
    assert [buckets.take("a", "x", "GET", "/v1/me") for _ in range(3)] == [0, 0, 1]
    assert buckets.take("b", "x", "GET", "/v1/me") == 0
    assert [buckets.take(None, "x", "GET", "/v1/me") for _ in range(2)] == [0, 10]
    assert [buckets.take("a", "y", "POST", "/v1/sessions") for _ in range(2)] == [0, 100]  # whoever asks
    assert buckets.take(None, "z", "POST", "/v1/sessions/codes") == 0
    now[0] = 1.0
    assert [buckets.take("a", "x", "GET", "/v1/me") for _ in range(2)] == [0, 1]


def test_callers_are_forgotten_in_turn(monkeypatch):
    monkeypatch.setattr("api.rates.MAX_CALLERS", 2)
    buckets = Buckets(Rates(Rate(1, 0), Rate(1, 0.001), Rate(1, 0.001)), lambda: 0.0)
    assert [buckets.take(None, name, "GET", "/") for name in "abca"] == [0, 0, 0, 0]


async def test_who_asks_too_often_waits(office):
    slow = 0.001  # a second: nothing comes back while the test lasts
    app = create_registry(office.registry, Rates(Rate(2, slow), Rate(1, slow), Rate(1, slow)), proxy="127.0.0.1")
    share_description(share_routes(app, "registry"), "registry")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://registry.test") as client:
        headers = office.headers(Role.AUDITOR)
        answers = [await client.get("/v1/me", headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 900 < int(answers[-1].headers["retry-after"]) <= 1000
        assert problem_of(answers[-1]) == "too-many-requests"
        assert "x-request-id" in answers[-1].headers
        # behind the proxy everybody has his own address, and only the proxy's own word on it counts
        for stated, status in (("1.1.1.1", 200), ("1.1.1.1", 429), ("2.2.2.2", 200), ("3.3.3.3, 2.2.2.2", 429)):
            answer = await client.get("/healthz", headers={"X-Forwarded-For": stated})
            assert answer.status_code == status


# ------------------------------------------------------------------------------------------------------------- OpenAPI
async def test_the_document_is_valid(client):
    contract = (await client.get("/openapi.json")).json()
    OpenAPIV31SpecValidator(contract).validate()
    assert "HTTPValidationError" not in json.dumps(contract)
    assert contract["components"]["securitySchemes"]["BearerAuth"]["scheme"] == "bearer"
    things = contract["paths"]["/v1/things"]["post"]
    assert {"401", "403", "409", "413", "422", "429", "503"} <= things["responses"].keys()
    assert [item["name"] for item in things["parameters"]] == ["Idempotency-Key"]
    name = things["responses"]["422"]["$ref"].removeprefix("#/components/responses/")
    assert "urn:eid:problem:key-reused" in contract["components"]["responses"][name]["description"]


def test_the_published_document_is_this_one():
    """Write it anew: `python -m api.describe > docs/registry.openapi.json`."""
    published = Path(__file__).parents[2] / "docs" / "registry.openapi.json"
    assert published.read_text("utf-8") == describe()


JUNK = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"name": st.text(max_size=210), "count": st.integers() | st.text(max_size=3)}).map(
        lambda value: json.dumps(value).encode()
    ),
)


@pytest.fixture
def once(office: Office) -> Iterator[object]:
    client = office.client()
    with asyncio.Runner() as runner:
        yield lambda raw: runner.run(client.post("/v1/things", content=raw, headers={**office.headers(), **JSON}))


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=JUNK)
def test_no_body_is_our_error(once, raw):
    assert once(raw).status_code in (201, 400, 413, 422)
