"""Rows of supporting documents: which paper, how old, how large, under which name its octets lie."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from eid.store.application_tables import document as table
from eid.store.audit import bucket_of

_KEPT: Final = (  # made once: every step of an application runs it
    select(table)
    .where(table.c.bucket == bindparam("of_bucket"), table.c.application_id == bindparam("of_application"))
    .where(table.c.state == "KEPT")
    .order_by(table.c.id)
)
_INSERT: Final = insert(table)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One file. issued_on: the day that stands on the paper. blob: `eid.gateways.blobs`."""

    id: uuid.UUID
    application_id: uuid.UUID
    paper: str
    state: str
    issued_on: date | None
    media_type: str
    octets: int
    pages: int
    blob: str = field(repr=False)
    uploaded_by: str
    uploaded_at: datetime


def insert_document(connection: Connection, document: StoredDocument) -> None:
    """Enter a file."""
    values = {name: getattr(document, name) for name in StoredDocument.__dataclass_fields__}
    connection.execute(_INSERT, {"bucket": bucket_of(document.id), **values})


def load_document(connection: Connection, document_id: uuid.UUID) -> StoredDocument | None:
    """The file, or None."""
    query = select(table).where(table.c.bucket == bucket_of(document_id), table.c.id == document_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _document(row)


def documents_of(connection: Connection, application_id: uuid.UUID) -> tuple[StoredDocument, ...]:
    """The files of an application that count, oldest first."""
    which = {"of_bucket": bucket_of(application_id), "of_application": application_id}
    return tuple(_document(row) for row in connection.execute(_KEPT, which).mappings())


def replace_document(connection: Connection, document: StoredDocument) -> None:
    """Count a file no more; another one stands in its place, or the applicant took it back."""
    connection.execute(
        update(table)
        .where(table.c.bucket == bucket_of(document.id), table.c.id == document.id)
        .values(state="REPLACED")
    )


def _document(row: RowMapping) -> StoredDocument:
    return StoredDocument(**{name: row[name] for name in StoredDocument.__dataclass_fields__})
