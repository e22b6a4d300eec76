"""Request heads, bounded in size and in time, on a real socket within this process."""

from __future__ import annotations

import asyncio
import json
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from api import connection
from api.connection import MAX_HEAD, BoundedHttpProtocol

pytestmark = pytest.mark.anyio
GOOD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


Dial = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]


@pytest.fixture
async def dial(app, monkeypatch) -> AsyncIterator[Dial]:
    """Connect to the server; whatever becomes of the test, both ends are closed before its loop is."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    config = Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config, state, {}), "127.0.0.1", 0
    )
    writers: list[StreamWriter] = []

    async def connect() -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writers.append(writer)
        return reader, writer

    yield connect
    server.close()
    for transport in [it.transport for it in (*writers, *state.connections)]:
        transport.abort()
    await asyncio.sleep(0)  # what is aborted is closed in the loop's next turn


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


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A"])
async def test_a_slow_head_ends_the_connection(dial, sent):
    reader, writer = await dial()
    writer.write(sent)
    async with asyncio.timeout(5):
        assert await reader.read() == b""


async def test_a_slow_second_head_ends_the_connection(dial):
    reader, writer = await dial()
    writer.write(GOOD + b"GET /he")
    async with asyncio.timeout(5):
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
