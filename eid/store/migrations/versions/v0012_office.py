"""Callers of the call centre, and what was counted for the statistics.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; what others hold about an application is found by it, to be erased with it."""
    op.create_index("ix_osia_record_subject", "osia_record", ["subject"])
    op.create_table(
        "caller_check",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(96), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_caller_check"),
        sa.ForeignKeyConstraint(
            ["bucket", "person_id"], ["person.bucket", "person.id"], name="fk_caller_check_bucket_person_id_person"
        ),
    )
    op.create_index("ix_caller_check_bucket_person_id_at", "caller_check", ["bucket", "person_id", "at"])
    op.create_table(
        "statistics_count",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "site", "service", "event", "bucket", name="pk_statistics_count"),
    )
    op.create_table(
        "statistics_mark",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name="pk_statistics_mark"),
    )
