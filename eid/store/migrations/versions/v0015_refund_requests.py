"""Requests to give money back.

Revision ID: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "refund_request",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stamp_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_refund_request"),
        sa.UniqueConstraint("bucket", "subject", name="uq_refund_request_bucket_subject"),
        sa.ForeignKeyConstraint(
            ["bucket", "stamp_id"], ["stamp.bucket", "stamp.id"], name="fk_refund_request_bucket_stamp_id_stamp"
        ),
        sa.CheckConstraint("state IN ('ASKED', 'GRANTED', 'REFUSED')", name=op.f("ck_refund_request_state")),
    )
    op.create_index("ix_refund_request_state_asked_at", "refund_request", ["state", "asked_at"])
