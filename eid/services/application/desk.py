"""The desk at which applications are worked on without a server: the local database, the papers, the rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine

from eid.gateways.blobs import BlobStore
from eid.services.application.lapses import end_overdue
from eid.services.database import ready_database
from eid.services.durable.work import Workshop
from eid.services.registry import load_keys
from eid.services.settings import Settings


@dataclass(frozen=True, slots=True)
class ApplicationDesk:
    """Database, papers, and the name of the country's rules."""

    engine: Engine = field(repr=False)
    blobs: BlobStore
    rules: str


@contextmanager
def application_desk(settings: Settings) -> Iterator[ApplicationDesk]:
    """The desk that the settings describe; the database is made on first use.

    Raises:
        StoreError: the database cannot be opened. KeyStoreError: the service's keys cannot be used.
    """
    with ready_database(settings) as engine:
        yield ApplicationDesk(engine, BlobStore(settings.documents_address, load_keys(settings)), settings.country)


def sweep(workshop: Workshop) -> None:
    """Let lapse what nothing happened to in time; for the worker, at an interval."""
    while end_overdue(workshop.engine, workshop.now()):
        pass
