"""Durable work, what people were told, signed tree heads of the audit log.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _make_work()
    _make_notifications()
    _make_tree_heads()


def _make_work() -> None:
    op.create_table(
        "work_done",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_work_done"),
    )
    op.create_index("ix_work_done_done_at", "work_done", ["done_at"])
    op.create_table(
        "work_failure",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(512), nullable=False),
        sa.Column("failed_at", UtcDateTime(), nullable=False),
        sa.Column("asked_again", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_work_failure"),
    )
    op.create_index("ix_work_failure_failed_at", "work_failure", ["failed_at"])
    op.create_table(
        "work_lease",
        sa.Column("name", sa.String(96), nullable=False),
        sa.Column("holder", sa.String(96), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_work_lease"),
    )


def _make_notifications() -> None:
    op.create_table(
        "notification",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("masked_to", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", "channel", name="pk_notification"),
        sa.CheckConstraint("channel IN ('sms', 'mail')", name=op.f("ck_notification_channel")),
        sa.CheckConstraint("state IN ('SENDING', 'SENT', 'REFUSED')", name=op.f("ck_notification_state")),
    )
    op.create_index("ix_notification_bucket_subject", "notification", ["bucket", "subject"])


def _make_tree_heads() -> None:
    op.create_table(
        "tree_head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.String(1024), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_tree_head"),
        sa.UniqueConstraint("previous", name="uq_tree_head_previous"),
    )
    op.create_table(
        "sealed_chain",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name="pk_sealed_chain"),
    )
