"""Tables of the OSIA interfaces: what other systems hold here under identifiers of their own, and who wants to be told.

A record's identifier is a keyed hash of the sender's, so the database alone says nothing of it, and the same one again
is the same row. Bodies are sealed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Uuid

from eid.store.columns import belongs_to, family_key, one_of
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

RECORD_KINDS: Final = ("ENROLLMENT", "REQUEST", "CREDENTIAL", "TASK")
DELIVERY_STATES: Final = ("WAITING", "DONE", "FAILED")

osia_record = Table(
    "osia_record",
    metadata,
    *family_key(),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("subject", Uuid),  # the application or card that it is about
    Column("owner", String(96), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    one_of("kind", RECORD_KINDS),
    Index(None, "kind", "created_at", "id"),
    Index(None, "subject"),
)

osia_buffer = Table(  # an image that was sent by itself; its octets lie encrypted under `blob`
    "osia_buffer",
    metadata,
    *family_key(),
    Column("record_id", Uuid, nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("blob", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    belongs_to("osia_record", "record_id"),
    Index(None, "bucket", "record_id"),
)

topic = Table(
    "topic",
    metadata,
    *family_key(),
    Column("name", String(64), nullable=False),
    Column("owner", String(96), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

subscription = Table(  # lies beside its topic
    "subscription",
    metadata,
    *family_key(),
    Column("topic_id", Uuid, nullable=False),
    Column("protocol", String(8), nullable=False),
    Column("address", LargeBinary, nullable=False),  # sealed: an address may have a secret in it
    Column("pause", Integer, nullable=False),  # seconds
    Column("retries", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("owner", String(96), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    belongs_to("topic", "topic_id"),
    Index(None, "bucket", "topic_id"),
    Index(None, "owner"),
)

topic_message = Table(
    "topic_message",
    metadata,
    *family_key(),
    Column("topic_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    belongs_to("topic", "topic_id"),
    Index(None, "bucket", "topic_id"),
)

delivery = Table(  # of a message, or of the question whether a subscription is wanted (no message)
    "delivery",
    metadata,
    *family_key(),
    Column("subscription_id", Uuid, nullable=False),
    Column("message_id", Uuid),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    one_of("state", DELIVERY_STATES),
    belongs_to("subscription", "subscription_id"),
    belongs_to("topic_message", "message_id"),
    Index(None, "bucket", "subscription_id"),
    Index(None, "bucket", "message_id"),
    Index(None, "state", "due_at"),
)
