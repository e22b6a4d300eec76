"""Tables of durable work: what was done once, what failed for good, who works and who does what at intervals."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table

from eid.store.columns import family_key
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

work_done = Table(  # the mark that an effect leaves in its own transaction, so that it counts once
    "work_done",
    metadata,
    *family_key(),
    Column("done_at", UtcDateTime, nullable=False),
    Index(None, "done_at"),
)

work_failure = Table(  # work that is left to a person
    "work_failure",
    metadata,
    *family_key(),
    Column("kind", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("why", String(512), nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
    Column("asked_again", Boolean, nullable=False),
    Index(None, "failed_at"),
)

work_lease = Table(  # who holds what until when: a worker its name, one worker the relay, a timer its next turn
    "work_lease",
    metadata,
    Column("name", String(96), primary_key=True),
    Column("holder", String(96), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
