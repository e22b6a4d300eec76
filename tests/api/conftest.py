from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from api.app import create_app
from eid.services.verifying.verification import VerificationService
from eid.store.database import open_database
from eid.store.schema_version import upgrade
from tests.builders.api_client import Clock, Holder
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


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """Made once: migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("database") / "eid.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def engine(empty_database, tmp_path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{shutil.copy(empty_database, tmp_path)}")
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
