"""Whatever is sent, it is never our error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders.api_client import encode, files_json, problem_of
from tests.builders.sweep import examples

JSON = "application/json"
PASSIVE = "/v1/passive-authentication"


def honest_but_wrong(draw: st.DrawFn) -> Any:
    value = st.one_of(st.binary(max_size=200).map(encode), st.text(max_size=20), st.integers(), st.none())
    group = st.one_of(st.sampled_from([str(number) for number in range(1, 17)]), st.text(max_size=3))
    body: dict[str, Any] = {"sod": draw(value), "data_groups": draw(st.dictionaries(group, value, max_size=4))}
    extra = st.sampled_from(["policy", "active_authentication", "x"])
    return {**body, **draw(st.dictionaries(extra, st.one_of(value, st.dictionaries(st.text(), value)), max_size=2))}


JUNK = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
    st.composite(honest_but_wrong)().map(lambda value: json.dumps(value).encode()),
)
QUIET = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def send(app) -> Iterator[Callable[..., int]]:
    """Sends one request to the application and answers the status; an error of ours would be raised."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    client = httpx.AsyncClient(transport=transport, base_url="http://eid.test")

    async def once(method: str, place: str, raw: bytes, kind: str) -> int:
        answer = await client.request(method, place, content=raw, headers={"Content-Type": kind})
        if answer.status_code >= 400:
            problem_of(answer)
        return answer.status_code

    with asyncio.Runner() as runner:
        yield lambda *request: runner.run(once(*request))


@QUIET
@given(raw=JUNK)
def test_no_body_of_passive_authentication_is_our_error(send, raw):
    assert send("POST", PASSIVE, raw, JSON) in (200, 400, 413, 422)


@QUIET
@given(raw=JUNK)
def test_no_body_of_a_new_verification_is_our_error(send, raw):
    assert send("POST", "/v1/verifications", raw, JSON) in (201, 400, 413, 422)


@settings(QUIET, max_examples=examples(60))
@given(raw=JUNK, kind=st.sampled_from([JSON, "application/cbor", "application/cose"]))
def test_no_evidence_is_our_error(send, service, raw, kind):
    created = service.create("test", "kyc-remote")
    place = f"/v1/verifications/{created.id}/evidence"
    assert send("PUT", place, raw, kind) in (200, 400, 413, 422)


@QUIET
@given(data=st.data())
def test_no_altered_file_is_our_error(send, document, data):
    """Mutations of genuine files: they reach the checks, unlike junk."""
    files = dict(document.files)
    name = data.draw(st.sampled_from(sorted(files)))
    raw = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(raw)))
    changed = document.with_files(**{name.replace(".", "_"): bytes(raw[:cut] if data.draw(st.booleans()) else raw)})
    body = json.dumps({**files_json(changed), "policy": data.draw(st.sampled_from(["passive", "strict"]))}).encode()
    assert send("POST", PASSIVE, body, JSON) == 200


@settings(QUIET, max_examples=examples(60))
@given(place=st.text(st.characters(codec="utf-8")), method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]))
def test_no_address_is_our_error(send, place, method):
    path = f"/v1/verifications/{quote(place, safe='')}?{quote(place, safe='')}"
    assert send(method, path, b"", JSON) in (404, 405)
