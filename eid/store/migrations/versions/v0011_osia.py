"""What other systems hold here under OSIA: records, buffers, topics, subscriptions.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "osia_record",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Uuid()),
        sa.Column("owner", sa.String(96), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('ENROLLMENT', 'REQUEST', 'CREDENTIAL', 'TASK')",
            name=op.f("ck_osia_record_kind"),
        ),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_osia_record"),
    )
    op.create_index("ix_osia_record_kind_created_at_id", "osia_record", ["kind", "created_at", "id"])
    op.create_table(
        "osia_buffer",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("blob", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "record_id"],
            ["osia_record.bucket", "osia_record.id"],
            name="fk_osia_buffer_bucket_record_id_osia_record",
        ),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_osia_buffer"),
    )
    op.create_index("ix_osia_buffer_bucket_record_id", "osia_buffer", ["bucket", "record_id"])
    op.create_table(
        "topic",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(96), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_topic"),
    )
    op.create_table(
        "subscription",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("protocol", sa.String(8), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("pause", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.String(96), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "topic_id"],
            ["topic.bucket", "topic.id"],
            name="fk_subscription_bucket_topic_id_topic",
        ),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_subscription"),
    )
    op.create_index("ix_subscription_bucket_topic_id", "subscription", ["bucket", "topic_id"])
    op.create_index("ix_subscription_owner", "subscription", ["owner"])
    op.create_table(
        "topic_message",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "topic_id"],
            ["topic.bucket", "topic.id"],
            name="fk_topic_message_bucket_topic_id_topic",
        ),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_topic_message"),
    )
    op.create_index("ix_topic_message_bucket_topic_id", "topic_message", ["bucket", "topic_id"])
    op.create_table(
        "delivery",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid()),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('WAITING', 'DONE', 'FAILED')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "message_id"],
            ["topic_message.bucket", "topic_message.id"],
            name="fk_delivery_bucket_message_id_topic_message",
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "subscription_id"],
            ["subscription.bucket", "subscription.id"],
            name="fk_delivery_bucket_subscription_id_subscription",
        ),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_bucket_message_id", "delivery", ["bucket", "message_id"])
    op.create_index("ix_delivery_bucket_subscription_id", "delivery", ["bucket", "subscription_id"])
    op.create_index("ix_delivery_state_due_at", "delivery", ["state", "due_at"])
