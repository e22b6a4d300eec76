"""The table of what people were told: which text, by which way, when; never the text, nor the whole address."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, String, Table, Uuid

from eid.store.columns import bucket, one_of
from eid.store.tables import metadata
from eid.store.types import LANGUAGE, UtcDateTime

CHANNELS: Final = ("sms", "mail")
NOTIFICATION_STATES: Final = ("SENDING", "SENT", "REFUSED")

notification = Table(
    "notification",
    metadata,
    bucket(),
    Column("id", Uuid, primary_key=True),  # of the work that it is
    Column("channel", String(8), primary_key=True),
    Column("subject", Uuid, nullable=False),  # whose affair: an application, a stamp, a card
    Column("template", String(64), nullable=False),
    Column("language", LANGUAGE, nullable=False),
    Column("masked_to", String(64), nullable=False),
    Column("state", String(8), nullable=False),
    Column("reference", String(128), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    one_of("channel", CHANNELS),
    one_of("state", NOTIFICATION_STATES),
    Index(None, "bucket", "subject"),
)
