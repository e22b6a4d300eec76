"""Request heads, bounded in size and in time, on a real socket within this process."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress

import pytest

from api import connection
from api.connection import MAX_HEAD, MAX_WAITING
from api.routes.passive_authentication import PATH

pytestmark = pytest.mark.anyio
GOOD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
NOWHERE = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


@pytest.fixture
def soon(monkeypatch) -> None:
    """A head may take a fifth of a second."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)


@pytest.mark.usefixtures("soon")
async def test_one_request_after_another(dial):
    reader, writer = await dial()
    for pause in (0, 0.4):  # longer than a head may take: a kept connection is idle, not slow
        await asyncio.sleep(pause)
        writer.write(GOOD)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 ")
        (length,) = re.findall(rb"\r\ncontent-length: (\d+)\r\n", head)
        body = json.loads(await reader.readexactly(int(length)))
        assert body["status"] in ("ok", "degraded")


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A"])
async def test_a_slow_head_ends_the_connection(dial, sent):
    reader, writer = await dial()
    writer.write(sent)
    async with asyncio.timeout(60):
        assert await reader.read() == b""


@pytest.mark.usefixtures("soon")
async def test_a_slow_second_head_ends_the_connection(dial):
    reader, writer = await dial()
    writer.write(GOOD + b"GET /he")
    async with asyncio.timeout(60):
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_large_head_is_refused(dial):
    reader, writer = await dial()
    writer.write(b"GET /healthz HTTP/1.1\r\nX-A: ")
    for _ in range(3):
        writer.write(bytes([97]) * (MAX_HEAD // 2))
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_head_within_the_limit(dial):
    reader, writer = await dial()
    writer.write(GOOD[:-2] + b"X-A: " + b"a" * (MAX_HEAD // 2) + b"\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("soon")
async def test_who_has_his_answer_may_not_hold_the_connection_with_a_body_that_nobody_reads(dial):
    reader, writer = await dial()
    writer.write(NOWHERE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    for _ in range(3):
        writer.write(b"x")
        await asyncio.sleep(0.01)
    with suppress(ConnectionError):
        async with asyncio.timeout(60):
            await reader.read()


async def test_the_rest_of_such_a_body_may_come_and_another_request_after_it(dial):
    reader, writer = await dial()
    writer.write(NOWHERE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    writer.write(bytes(1000) + GOOD)
    async with asyncio.timeout(60):
        assert b"HTTP/1.1 200 " in await reader.readuntil(b"HTTP/1.1 200 ")


async def test_many_requests_at_once_wait_in_a_short_queue(dial, server_state):
    """Each that waits holds memory; who sends thousands is cut off, and who sends some is answered."""
    reader, writer = await dial()
    writer.write(GOOD * MAX_WAITING)
    for _ in range(MAX_WAITING):
        assert b"HTTP/1.1 200 " in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
    (one,) = server_state.connections
    writer.write(GOOD * 3000)
    with suppress(ConnectionError):
        async with asyncio.timeout(60):
            await reader.read()
    assert len(one.pipeline) <= MAX_WAITING


async def test_nothing_more_is_read_while_requests_wait(dial, server_state):
    _, writer = await dial()
    writer.write(GOOD * 3)
    while not server_state.connections or not (waiting := next(iter(server_state.connections))).pipeline:
        await asyncio.sleep(0)
    assert waiting.flow.read_paused
    waiting.flow.resume_reading()
    assert waiting.flow.read_paused


@pytest.mark.parametrize("sent", [b"1;a=", b"0\r\nX-A: "])
async def test_what_stands_in_a_body_and_is_none_of_it_is_bounded(dial, sent):
    """Extensions of a chunk, and trailers."""
    reader, writer = await dial()
    writer.write(CHUNKED.replace(b"Host: x", b"Content-Type: application/json") + sent)
    for _ in range(3):
        writer.write(b"a" * (MAX_HEAD // 2))
        await asyncio.sleep(0.01)
    with suppress(ConnectionError):  # closed while more was on its way
        async with asyncio.timeout(60):
            assert await reader.read() == b""


async def test_a_trailer_is_no_header(dial):
    reader, writer = await dial()
    writer.write(CHUNKED + b"2\r\n{}\r\n0\r\nContent-Type: application/json\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 415")


async def test_the_end_of_a_large_body_is_none_of_the_next_head(dial):
    reader, writer = await dial()
    writer.write(NOWHERE.replace(b"1000", b"60000") + bytes(60_000) + GOOD[:9])
    assert (await reader.readline()).startswith(b"HTTP/1.1 404")
