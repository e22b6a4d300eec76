"""Requests of the plainest form are answered as the ordinary way answers them, in as many pieces as they come."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from asyncio import StreamReader
from typing import Any

import pytest

from api import connection
from api.routes.passive_authentication import PATH
from api.whole import WholeRequests
from tests.builders.api_client import files_json

pytestmark = pytest.mark.anyio
JSON = ("Content-Type: application/json",)
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def answered(monkeypatch) -> list[bytes]:
    """The bodies that were answered whole."""
    found: list[bytes] = []
    answer = WholeRequests.answer

    def noted(self: WholeRequests, body: bytes, headers: Any) -> bytes:
        response = answer(self, body, headers)
        found.append(body)
        return response

    monkeypatch.setattr(WholeRequests, "answer", noted)
    return found


@pytest.fixture
def body(document) -> bytes:
    return json.dumps({**files_json(document), "policy": "passive"}).encode()


def request(body: bytes, *headers: str, line: str = f"POST {PATH} HTTP/1.1") -> bytes:
    return "\r\n".join((line, "Host: x", *headers, f"Content-Length: {len(body)}", "", "")).encode() + body


async def read(reader: StreamReader) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Status line, headers and body of an answer."""
    async with asyncio.timeout(60):
        line, *fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (field.partition(b": ") for field in fields)}
        return line, headers, await reader.readexactly(int(headers.get(b"content-length", b"0")))


def without_the_moment(headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: value for name, value in headers.items() if name not in (b"x-request-id", b"date")}


async def test_at_once_and_the_ordinary_way(dial, answered, body, app, caplog, monkeypatch):
    """The same status, headers, report, count and log line, whichever way a request went."""
    caplog.set_level(logging.INFO, "eid.api")
    reader, writer = await dial()
    raw = request(body, *JSON)
    writer.write(raw)
    whole = await read(reader)
    assert answered == [body]
    monkeypatch.setattr(connection, "GATHER_SECONDS", 0.05)
    writer.write(raw[:-7])
    await asyncio.sleep(0.2)  # it dawdles
    writer.write(raw[-7:])
    parts = await read(reader)
    assert len(answered) == 1
    assert (whole[0], whole[2]) == (parts[0], parts[2])
    assert whole[0] == b"HTTP/1.1 200 OK"
    assert without_the_moment(whole[1]) == without_the_moment(parts[1])
    assert re.fullmatch(rb"[0-9a-f]{16}", whole[1][b"x-request-id"])
    first, second = (record.getMessage() for record in caplog.records if record.name == "eid.api")
    assert re.sub(r"[\d.]+ ms \w+", "", first) == re.sub(r"[\d.]+ ms \w+", "", second) == f"POST {PATH} 200 "
    assert f'route="{PATH}",status="200"}} 2' in app.state.whole.metrics.render()


async def test_in_many_pieces(dial, answered, body, app):
    """As a network delivers it; nothing is held when the answer is given."""
    bodies = app.state.context.bodies
    reader, writer = await dial()
    raw = request(body, *JSON)
    for _ in range(2):
        for start in range(0, len(raw), 1500):
            assert (bodies.in_flight > 0) == (start > 0)
            writer.write(raw[start : start + 1500])
            await asyncio.sleep(0.02)
        assert (await read(reader))[0] == b"HTTP/1.1 200 OK"
        assert bodies.in_flight == 0
    assert answered == [body, body]


async def test_without_room_for_it_the_application_says_so(dial, answered, body, app):
    """What is gathered counts among the octets in flight, as everybody's bodies do."""
    bodies = app.state.context.bodies
    bodies.in_flight = others = bodies.limits.bodies_in_flight - 100
    reader, writer = await dial()
    raw = request(body, *JSON)
    writer.write(raw[:-7])
    assert (await read(reader))[0].split()[1] == b"429"
    assert (answered, bodies.in_flight) == ([], others)


async def test_who_goes_away_in_between_leaves_nothing(dial, body, app):
    bodies = app.state.context.bodies
    _, writer = await dial()
    writer.write(request(body, *JSON)[:-7])
    await asyncio.sleep(0.05)
    assert bodies.in_flight > 0
    writer.close()
    await asyncio.sleep(0.05)
    assert bodies.in_flight == 0


async def test_a_server_that_stops_lets_a_request_finish(dial, answered, body, server_state):
    reader, writer = await dial()
    raw = request(body, *JSON)
    writer.write(raw[:-7])
    await asyncio.sleep(0.05)
    (one,) = server_state.connections
    one.shutdown()
    writer.write(raw[-7:])
    line, headers, _ = await read(reader)
    assert (line, headers[b"connection"], answered) == (b"HTTP/1.1 200 OK", b"close", [])


async def test_a_body_far_larger_than_a_head_may_be(dial, answered, document):
    """Its octets are not those of a head."""
    groups = {**files_json(document)["data_groups"], "13": "A" * 60_000}
    reader, writer = await dial()
    for _ in range(2):
        writer.write(request(json.dumps({**files_json(document), "data_groups": groups}).encode(), *JSON))
        assert (await read(reader))[0] == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda raw: raw[:-1], b"400"),
        (lambda raw: raw.replace(b"passive", b"lenient"), b"422"),
        (lambda raw: raw.replace(b'"sod"', b'"dos"'), b"422"),
    ],
)
async def test_what_is_refused_is_said_by_the_application_and_counted_once(dial, answered, body, app, change, status):
    reader, writer = await dial()
    writer.write(request(change(body), *JSON))
    line, headers, told = await read(reader)
    assert line.split()[1] == status
    assert headers[b"content-type"] == b"application/problem+json"
    assert json.loads(told)["status"] == int(status)
    assert answered == []
    assert f'status="{status.decode()}"}} 1' in app.state.whole.metrics.render()


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        (("Content-Type: application/json; charset=utf-8",), f"POST {PATH} HTTP/1.1"),
        ((*JSON, "Expect: 100-continue"), f"POST {PATH} HTTP/1.1"),
        ((*JSON, "Connection: close"), f"POST {PATH} HTTP/1.1"),
        ((*JSON, "Content-Encoding: identity"), f"POST {PATH} HTTP/1.1"),
        ((*JSON, *JSON), f"POST {PATH} HTTP/1.1"),
        (JSON, f"POST {PATH} HTTP/1.0"),
        (JSON, f"POST {PATH}?x HTTP/1.1"),
    ],
)
async def test_unusual_requests_go_the_ordinary_way(dial, answered, body, headers, line):
    reader, writer = await dial()
    writer.write(request(body, *headers, line=line))
    status, _, told = await read(reader)
    if status.endswith(b"100 Continue"):
        status, _, told = await read(reader)
    assert (status.split()[1], answered) == (b"200", [])
    assert json.loads(told)["verdict"] == "TOTAL_PASSED"


async def test_another_method_and_what_is_too_large(dial, answered, body):
    reader, writer = await dial()
    writer.write(request(body, *JSON, line=f"PUT {PATH} HTTP/1.1"))
    assert (await read(reader))[0].split()[1] == b"405"
    reader, writer = await dial()
    writer.write(request(b"{}", *JSON).replace(b"Length: 2", b"Length: 99999999"))
    assert (await read(reader))[0].split()[1] == b"413"
    assert answered == []


async def test_requests_that_follow_each_other_at_once_are_answered_in_order(dial, answered, body):
    reader, writer = await dial()
    one = request(body, *JSON)
    writer.write(one + one + GET + one + GET)
    told = [json.loads((await read(reader))[2]) for _ in range(5)]
    assert ["verdict" in item for item in told] == [True, True, False, True, False]
    assert len(answered) == 2  # behind one that the application has, nothing overtakes


async def test_a_request_behind_one_that_was_answered_at_once_is_no_idle_connection(dial, answered, body, server_state):
    reader, writer = await dial()
    one = request(body, *JSON)
    writer.write(GET)
    await read(reader)
    (connected,) = server_state.connections
    connected.timeout_keep_alive = 0.05
    writer.write(one + one[:-7])
    await asyncio.sleep(0.2)
    writer.write(one[-7:])
    assert [(await read(reader))[0] for _ in range(2)] == [b"HTTP/1.1 200 OK"] * 2
    assert answered == [body, body]


async def test_what_nobody_expected_is_a_problem_response_and_logged(dial, body, monkeypatch, app, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr(app.state.context.service, "authenticate_passively", fail)
    reader, writer = await dial()
    writer.write(request(body, *JSON))
    line, headers, told = await read(reader)
    assert (line.split()[1], headers[b"content-type"]) == (b"500", b"application/problem+json")
    assert b"CANARY" not in told
    assert any(record.exc_info for record in caplog.records)
