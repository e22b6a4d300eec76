"""Stamps, payments, callbacks, reconciliations.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _stamps()
    _payments()
    _records()


def _stamps() -> None:
    op.create_table(
        "stamp",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("fee_version", sa.String(16), nullable=False),
        sa.Column("ordered_by", sa.String(96), nullable=False),
        sa.Column("language", sa.String(3), nullable=False),
        sa.Column("sealed_phone", sa.LargeBinary(), nullable=False),
        sa.Column("ordered_at", UtcDateTime(), nullable=False),
        sa.Column("pay_before", UtcDateTime(), nullable=False),
        sa.Column("paid_at", UtcDateTime()),
        sa.Column("tag", sa.LargeBinary(32)),
        sa.Column("last_four", sa.String(4)),
        sa.Column("sealed_digits", sa.LargeBinary()),
        sa.Column("message_asked_at", UtcDateTime()),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("message_sent_at", UtcDateTime()),
        sa.Column("application_id", sa.Uuid()),
        sa.Column("reserved_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_stamp"),
        sa.UniqueConstraint("bucket", "tag", name="uq_stamp_bucket_tag"),
        sa.CheckConstraint(
            "state IN ('ORDERED', 'PAID', 'ISSUED', 'RESERVED', 'CONSUMED', 'REFUNDED', 'BLOCKED', 'EXPIRED',"
            " 'CANCELLED')",
            name=op.f("ck_stamp_state"),
        ),
    )
    op.create_index("ix_stamp_state_pay_before", "stamp", ["state", "pay_before"])
    op.create_index("ix_stamp_application_id", "stamp", ["application_id"])
    op.create_index("ix_stamp_ordered_by", "stamp", ["ordered_by"])


def _payments() -> None:
    op.create_table(
        "payment",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stamp_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("requested_by", sa.String(96), nullable=False),
        sa.Column("provider_reference", sa.String(64)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime()),
        sa.Column("refunded_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_payment"),
        sa.ForeignKeyConstraint(["bucket", "stamp_id"], ["stamp.bucket", "stamp.id"], name="fk_payment_bucket_stamp"),
        sa.CheckConstraint(
            "state IN ('OPEN', 'SETTLED', 'DECLINED', 'EXPIRED', 'CANCELLED', 'REFUND_DUE', 'REFUNDED')",
            name=op.f("ck_payment_state"),
        ),
    )
    op.create_index("ix_payment_bucket_stamp_id", "payment", ["bucket", "stamp_id"])
    op.create_index("ix_payment_state_created_at", "payment", ["state", "created_at"])
    op.create_index("ix_payment_settled", "payment", ["channel", "settled_at"])
    op.create_index("ix_payment_refunded", "payment", ["channel", "refunded_at"])


def _records() -> None:
    op.create_table(
        "payment_callback",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "channel", "event_id", name="pk_payment_callback"),
        sa.CheckConstraint("result IN ('applied', 'unchanged', 'refused')", name=op.f("ck_payment_callback_result")),
    )
    op.create_table(
        "stamp_try",
        sa.Column("caller", sa.String(96), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "hour", name="pk_stamp_try"),
    )
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("movements", sa.Integer(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(96), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliation"),
    )
    op.create_index("ix_reconciliation_channel_day", "reconciliation", ["channel", "day"])
