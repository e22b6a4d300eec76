"""Tables of enrolment at the counter and of production: captures, searches, holds, production orders, blanks.

All but stock and keys lie by the bucket of the citizen's affairs. Blanks lie together by their store, whose identifier
they share the last octet with, so that a serial is unique in a store and an order holds one blank of it at most.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Column,
    Date,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from eid.store.columns import belongs_to, bucket, family_key, one_of
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

SEARCH_STATES: Final = ("WAITING", "ANSWERED")
HOLD_STATES: Final = ("OPEN", "CLEARED", "CONFIRMED")
ORDER_STATES: Final = ("QUEUED", "READY", "WRITING", "WRITTEN", "PASSED", "SPOILED", "CANCELLED")
BLANK_STATES: Final = ("IN_STORE", "RESERVED", "CONSUMED", "SPOILED", "DESTROYED", "MISSING")


officer_key = Table(  # keys with which officers sign captures; one is ended, never taken away
    "officer_key",
    metadata,
    Column("key_id", LargeBinary(32), primary_key=True),
    Column("officer", String(64), nullable=False),
    Column("public_key", LargeBinary(256), nullable=False),
    Column("noted_by", String(96), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Index(None, "officer"),
)

capture = Table(
    "capture",
    metadata,
    *family_key(),
    Column("application_id", Uuid, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("officer", String(64), nullable=False),
    Column("site", String(64), nullable=False),
    Column("captured_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("findings", JSON, nullable=False),
    UniqueConstraint("bucket", "application_id", "attempt"),
)

captured_item = Table(  # where the things themselves are; a name and the digest stand in the signed record
    "captured_item",
    metadata,
    bucket(),
    Column("capture_id", Uuid, primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("blob", String(128), nullable=False),
    belongs_to("capture", "capture_id"),
)

duplicate_search = Table(
    "duplicate_search",
    metadata,
    *family_key(),
    Column("application_id", Uuid, nullable=False),
    Column("capture_id", Uuid, nullable=False),
    Column("state", String(16), nullable=False),
    Column("task", String(64)),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    UniqueConstraint("bucket", "capture_id"),
    one_of("state", SEARCH_STATES),
    Index(None, "state", "asked_at"),
)

hold = Table(  # an open question about a file; candidate: a person of another file
    "hold",
    metadata,
    *family_key(),
    Column("application_id", Uuid, nullable=False),
    Column("code", String(32), nullable=False),
    Column("candidate", String(64), nullable=False),
    Column("score", Float),
    Column("state", String(16), nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("placed_by", String(96), nullable=False),
    Column("settled_at", UtcDateTime),
    Column("settled_by", String(96)),
    Column("reason", String(32)),
    UniqueConstraint("bucket", "application_id", "code", "candidate"),
    one_of("state", HOLD_STATES),
    Index(None, "state", "placed_at"),
)

production_order = Table(
    "production_order",
    metadata,
    *family_key(),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("application_id", Uuid, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("profile", String(64), nullable=False),
    Column("deliver_to", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("store_id", Uuid),
    Column("serial", String(64)),
    Column("document_number", String(22)),
    Column("issued_on", Date),
    Column("expires_on", Date),
    Column("operator", String(96)),
    Column("job_id", Uuid),
    Column("card_id", Uuid),
    Column("sod_hash", LargeBinary(32)),
    Column("cause", String(32)),
    UniqueConstraint("bucket", "application_id", "attempt"),
    one_of("state", ORDER_STATES),
    Index(None, "state", "priority", "created_at"),
)

document_number = Table(  # every number that was ever given out; one that was not used is used up all the same
    "document_number",
    metadata,
    Column("number", String(22), primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("drawn_at", UtcDateTime, nullable=False),
)

stock_store = Table(
    "stock_store",
    metadata,
    *family_key(),
    Column("name", String(64), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
)

stock_batch = Table(
    "stock_batch",
    metadata,
    *family_key(),
    Column("store_id", Uuid, nullable=False),
    Column("name", String(64), nullable=False),
    Column("product", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("received_by", String(96), nullable=False),
    UniqueConstraint("bucket", "store_id", "name"),
)

stock_item = Table(
    "stock_item",
    metadata,
    *family_key(),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("store_id", Uuid, nullable=False),
    Column("batch_id", Uuid, nullable=False),
    Column("product", String(64), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("order_id", Uuid),
    Column("spoiled_for", Uuid),
    Column("cause", String(32)),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("bucket", "serial"),
    UniqueConstraint("bucket", "order_id"),
    belongs_to("stock_batch", "batch_id"),
    one_of("state", BLANK_STATES),
    Index(None, "store_id", "product", "state"),
)
