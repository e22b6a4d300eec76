"""Request heads, bounded in size and in time, on a real socket within this process."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from api.connection import MAX_HEAD

pytestmark = pytest.mark.anyio
GOOD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


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
