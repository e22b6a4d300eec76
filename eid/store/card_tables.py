"""Tables of the card register and of the status lists that are published from it.

`card` lies with its citizen's affairs by `bucket`; the lists are a family of their own, by `uri`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary, String, Table, UniqueConstraint, Uuid

from eid.store.columns import family_key, one_of
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

CARD_STATES: Final = ("ORDERED", "PERSONALISED", "IN_STOCK", "ACTIVE", "SUSPENDED", "REVOKED", "VOID")
TOKEN_FORMS: Final = ("JWT", "CWT")


card = Table(
    "card",
    metadata,
    *family_key(),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("application_id", Uuid),
    Column("person_id", Uuid),
    Column("holder", String(96)),  # the identifier under which its holder acts
    Column("job_id", Uuid),
    Column("document_id", Uuid),
    Column("document_number", String(32)),
    Column("expires_on", Date),  # the last day on which it is valid
    Column("status_uri", String(256)),
    Column("status_place", BigInteger),
    Column("cause", String(16)),  # why it is suspended or revoked; relying parties never see it
    Column("replaced_by", Uuid),
    Column("ordered_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    one_of("state", CARD_STATES),
    UniqueConstraint("bucket", "job_id"),
    Index(None, "bucket", "person_id"),
    Index(None, "bucket", "application_id"),
    Index(None, "document_number"),
    Index(None, "holder"),
    Index(None, "cause", "changed_at"),
    Index(None, "status_uri", "state"),
    Index(None, "status_uri", "changed_at"),
)

status_list = Table(  # the lists that have been begun; the cards of a series go to its newest
    "status_list",
    metadata,
    Column("uri", String(256), primary_key=True),
    Column("series", String(256), nullable=False),
    Column("number", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    UniqueConstraint("series", "number"),
)

status_publication = Table(  # what was signed: the newest is served, earlier ones answer for their time
    "status_publication",
    metadata,
    Column("uri", String(256), primary_key=True),
    Column("form", String(4), primary_key=True),
    Column("issued_at", UtcDateTime, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ttl", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("token", LargeBinary, nullable=False),
    one_of("form", TOKEN_FORMS),
)
