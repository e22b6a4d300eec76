"""The register of issued documents: what makes an issue traceable, and no personal data.

A document is found by the tag of its number, HMAC-SHA-256 under a key that is not in the database: document numbers are
few enough to be guessed, so a plain hash of one would give it away.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select

from eid.store.tables import issued_document as table
from eid.store.types import new_id


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """One issued document.

    Args:
        profile_digest, sod_hash, report_digest: SHA-256, 32 octets. card_serial: hexadecimal. attempt: from 1.
        document_number_tag: `tag_document_number`. key_versions: e.g. {"scp03": 48}.
    """

    id: uuid.UUID
    profile_name: str
    profile_digest: bytes
    sod_hash: bytes
    card_serial: str
    document_number_tag: bytes = field(repr=False)
    key_versions: dict[str, int]
    attempt: int
    report_digest: bytes
    issued_at: datetime
    job_id: uuid.UUID | None = None


def tag_document_number(key: bytes, issuing_state: str, document_number: str) -> bytes:
    """The keyed hash by which a document is found, 32 octets.

    Args:
        key: the register's key, at least 32 octets.
    """
    if len(key) < 32:
        raise ValueError("the register's key has fewer than 32 octets")
    return hmac.digest(key, f"{issuing_state}\0{document_number}".encode(), hashlib.sha256)


def register_document(
    connection: Connection,
    *,
    profile_name: str,
    profile_digest: bytes,
    sod_hash: bytes,
    card_serial: str,
    document_number_tag: bytes,
    key_versions: dict[str, int],
    attempt: int,
    report_digest: bytes,
    now: datetime,
    job_id: uuid.UUID | None = None,
) -> IssuedDocument:
    """Enter a document.

    Raises (out of `in_transaction`):
        StoreError: a document with this SOD is registered already.
    """
    values = {
        "id": new_id(now),
        "job_id": job_id,
        "profile_name": profile_name,
        "profile_digest": profile_digest,
        "sod_hash": sod_hash,
        "card_serial": card_serial,
        "document_number_tag": document_number_tag,
        "key_versions": key_versions,
        "attempt": attempt,
        "report_digest": report_digest,
        "issued_at": now,
    }
    connection.execute(insert(table).values(**values))
    return IssuedDocument(**values)  # type: ignore[arg-type]  # the mapping above is the dataclass, field by field


def find_documents(connection: Connection, document_number_tag: bytes) -> tuple[IssuedDocument, ...]:
    """All issues of a document number, oldest first."""
    query = select(table).where(table.c.document_number_tag == document_number_tag)
    rows = connection.execute(query.order_by(table.c.issued_at, table.c.id)).mappings()
    return tuple(_document(row) for row in rows)


def load_document(connection: Connection, document_id: uuid.UUID) -> IssuedDocument | None:
    """The document with this identifier, or None."""
    row = connection.execute(select(table).where(table.c.id == document_id)).mappings().one_or_none()
    return None if row is None else _document(row)


def find_by_job(connection: Connection, job_id: uuid.UUID) -> IssuedDocument | None:
    """The document that a personalisation job made, or None."""
    row = connection.execute(select(table).where(table.c.job_id == job_id)).mappings().one_or_none()
    return None if row is None else _document(row)


def find_by_sod(connection: Connection, sod_hash: bytes) -> IssuedDocument | None:
    """The document with this security object (SHA-256 of EF.SOD), or None."""
    row = connection.execute(select(table).where(table.c.sod_hash == sod_hash)).mappings().one_or_none()
    return None if row is None else _document(row)


def _document(row: RowMapping) -> IssuedDocument:
    return IssuedDocument(**row)
