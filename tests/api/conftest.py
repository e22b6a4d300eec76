from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from uvicorn import Config
from uvicorn.server import ServerState

from api import connection
from api.app import create_app
from api.connection import BoundedHttpProtocol
from eid.services.verifying.verification import VerificationService
from tests.builders.api_client import Holder
from tests.builders.clock import Clock
from tests.builders.databases import ready_sqlite
from tests.builders.document import NOW, Document, build_document
from tests.builders.routes import share_description, share_routes


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def document() -> Document:
    return build_document()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def engine(tmp_path) -> Iterator[Engine]:
    engine = ready_sqlite(tmp_path / "eid.db")
    yield engine
    engine.dispose()


@pytest.fixture
def service(engine, document, clock) -> VerificationService:
    stations = {document.key_id: document.station.public_key()}
    return VerificationService(engine, document.trust(), stations, clock=clock)


@pytest.fixture
def app(service) -> FastAPI:
    return share_description(share_routes(create_app(service), "verification"), "verification")


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://eid.test") as client:
        yield client


@pytest.fixture
def holder(document, client) -> Holder:
    return Holder(document, client)


Dial = Callable[[], Awaitable[tuple[StreamReader, StreamWriter]]]


@pytest.fixture
def server_state() -> ServerState:
    return ServerState()


@pytest.fixture
async def dial(app, server_state, monkeypatch) -> AsyncIterator[Dial]:
    """Connect to the server; whatever becomes of the test, both ends are closed before its loop is."""
    monkeypatch.setattr(connection, "GATHER_SECONDS", 60)  # on a busy machine as on an idle one
    config = Config(app, ws="none", lifespan="off", log_config=None, proxy_headers=False)
    config.load()
    state = server_state
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
