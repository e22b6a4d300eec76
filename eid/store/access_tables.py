"""Tables of those who apply: accounts, one-time codes, sessions. A contact stands in none of them in clear."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, SmallInteger, String, Table, Uuid
from sqlalchemy.schema import UniqueConstraint

from eid.store.columns import belongs_to, family_key
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

access_account = Table(
    "access_account",
    metadata,
    *family_key(),
    Column("contact_tag", LargeBinary(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("language", String(8)),  # in which he is told things where a request names none
    UniqueConstraint("bucket", "contact_tag"),
)

access_code = Table(
    "access_code",
    metadata,
    *family_key(),
    Column("contact_tag", LargeBinary(32), nullable=False),
    Column("code_tag", LargeBinary(32), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("language", String(8), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Index(None, "bucket", "contact_tag", "created_at"),
)

access_session = Table(
    "access_session",
    metadata,
    *family_key(),
    Column("account_id", Uuid, nullable=False),
    Column("secret_tag", LargeBinary(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    belongs_to("access_account", "account_id"),
    Index(None, "bucket", "account_id"),
)
