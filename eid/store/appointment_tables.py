"""Sites and their places. What belongs to a site lies in one bucket, so that one transaction touches one family.

`appointment_place` is the guard against two people in one place: its primary key is the site, the cell of time and the
place, and the code only chooses which to try. Which appointment counts for an application is written in its own row.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from eid.store.columns import belongs_to, bucket, family_key
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

site = Table(
    "site",
    metadata,
    bucket(),
    Column("code", String(32), primary_key=True),
    Column("definition", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

site_closure = Table(  # by the site's own calendar
    "site_closure",
    metadata,
    bucket(),
    Column("site", String(32), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("reason", String(32), nullable=False),
    Column("closed_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["bucket", "site"], ["site.bucket", "site.code"]),
)

appointment = Table(
    "appointment",
    metadata,
    *family_key(),
    Column("site", String(32), nullable=False),
    Column("application_id", Uuid, nullable=False),
    Column("service", String(32), nullable=False),
    Column("minutes", SmallInteger, nullable=False),
    Column("category", String(32)),
    Column("slot", String(17), nullable=False),  # what people are told: the site's wall time
    Column("place", SmallInteger, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),  # computed from the slot
    Column("ends_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),  # of a hold
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("live", SmallInteger),  # 1 while it keeps its place, else NULL, of which there may be many
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["bucket", "site"], ["site.bucket", "site.code"]),
    UniqueConstraint("bucket", "site", "application_id", "live"),
    CheckConstraint("live = 1", name="live"),
    Index(None, "bucket", "site", "starts_at"),
    Index(None, "state", "expires_at"),
    Index(None, "state", "ends_at"),
)

appointment_place = Table(
    "appointment_place",
    metadata,
    bucket(),
    Column("site", String(32), primary_key=True),
    Column("slot", String(17), primary_key=True),  # a cell of five minutes
    Column("place", SmallInteger, primary_key=True, autoincrement=False),
    Column("appointment_id", Uuid, nullable=False),
    belongs_to("appointment", "appointment_id"),
    CheckConstraint("place >= 1", name="place"),
    Index(None, "bucket", "appointment_id"),
)

appointment_hold = Table(  # in the application's bucket: what the applicant has chosen last, and not booked yet
    "appointment_hold",
    metadata,
    bucket(),
    Column("application_id", Uuid, primary_key=True),
    Column("appointment_id", Uuid, nullable=False),
    Column("held_at", UtcDateTime, nullable=False),
)
