"""Sites, their closures, appointments, the places that these take.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "site",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "code", name="pk_site"),
    )
    op.create_table(
        "site_closure",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("site", sa.String(32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "site", "day", name="pk_site_closure"),
        sa.ForeignKeyConstraint(
            ["bucket", "site"], ["site.bucket", "site.code"], name="fk_site_closure_bucket_site_site"
        ),
    )
    op.create_table(
        "appointment",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(32), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("minutes", sa.SmallInteger(), nullable=False),
        sa.Column("category", sa.String(32)),
        sa.Column("slot", sa.String(17), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("live", sa.SmallInteger()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_appointment"),
        sa.ForeignKeyConstraint(
            ["bucket", "site"], ["site.bucket", "site.code"], name="fk_appointment_bucket_site_site"
        ),
        sa.UniqueConstraint(
            "bucket", "site", "application_id", "live", name="uq_appointment_bucket_site_application_id_live"
        ),
        sa.CheckConstraint("live = 1", name=op.f("ck_appointment_live")),
    )
    op.create_index("ix_appointment_bucket_site_starts_at", "appointment", ["bucket", "site", "starts_at"])
    op.create_index("ix_appointment_state_expires_at", "appointment", ["state", "expires_at"])
    op.create_index("ix_appointment_state_ends_at", "appointment", ["state", "ends_at"])
    op.create_table(
        "appointment_place",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("site", sa.String(32), nullable=False),
        sa.Column("slot", sa.String(17), nullable=False),
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "site", "slot", "place", name="pk_appointment_place"),
        sa.ForeignKeyConstraint(
            ["bucket", "appointment_id"],
            ["appointment.bucket", "appointment.id"],
            name="fk_appointment_place_bucket_appointment_id_appointment",
        ),
        sa.CheckConstraint("place >= 1", name=op.f("ck_appointment_place_place")),
    )
    op.create_index("ix_appointment_place_bucket_appointment_id", "appointment_place", ["bucket", "appointment_id"])
    op.create_table(
        "appointment_hold",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("held_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "application_id", name="pk_appointment_hold"),
    )
