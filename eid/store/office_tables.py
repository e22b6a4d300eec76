"""Tables of the office's own work: whom the call centre has verified, and what was counted for the statistics.

Both lie by the bucket of what they are about, so that one transaction touches one family.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, String, Table, Uuid

from eid.store.columns import belongs_to, bucket, family_key
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

caller_check = Table(  # a try to prove who is calling; a passed one is the call itself, until it expires
    "caller_check",
    metadata,
    *family_key(),
    Column("person_id", Uuid, nullable=False),
    Column("agent", String(96), nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    belongs_to("person", "person_id"),
    Index(None, "bucket", "person_id", "at"),
)

statistics_count = Table(  # how often what happened where on a day, of the affairs of one bucket
    "statistics_count",
    metadata,
    Column("day", Date, primary_key=True),
    Column("site", String(64), primary_key=True),
    Column("service", String(32), primary_key=True),
    Column("event", String(16), primary_key=True),
    bucket(),
    Column("count", Integer, nullable=False),
)

statistics_mark = Table(  # how far a chain of the audit log has been counted
    "statistics_mark",
    metadata,
    bucket(),
    Column("seq", BigInteger, nullable=False),
)
