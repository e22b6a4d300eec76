"""Request heads, bounded in size and in time, on a real socket within this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from api import connection
from api.connection import MAX_HEAD, BoundedHttpProtocol

pytestmark = pytest.mark.anyio
GOOD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def port(app, monkeypatch) -> AsyncIterator[int]:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    config = Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config, state, {}), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_one_request_after_another(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for pause in (0, 0.4):  # longer than a head may take: a kept connection is idle, not slow
        await asyncio.sleep(pause)
        writer.write(GOOD)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await reader.readuntil(b'{"status":"ok"}')
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A"])
async def test_a_slow_head_ends_the_connection(port, sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_slow_second_head_ends_the_connection(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GOOD + b"GET /he")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1") == 1
    writer.close()


async def test_a_large_head_is_refused(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nX-A: ")
    for _ in range(3):
        writer.write(bytes([97]) * (MAX_HEAD // 2))
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_a_head_within_the_limit(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GOOD[:-2] + b"X-A: " + b"a" * (MAX_HEAD // 2) + b"\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
