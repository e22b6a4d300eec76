from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from api.app import create_app
from eid.services.verifying.verification import VerificationService
from tests.builders.api_client import Clock, Holder
from tests.builders.databases import ready_sqlite
from tests.builders.document import Document, build_document
from tests.builders.routes import share_description, share_routes


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def document() -> Document:
    return build_document()


@pytest.fixture
def clock() -> Clock:
    return Clock()


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
