"""Captures, searches for duplicates, holds; production orders, document numbers, blank cards.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _captures()
    _adjudication()
    _orders()
    _stock()


def _captures() -> None:
    op.create_table(
        "officer_key",
        sa.Column("key_id", sa.LargeBinary(32), nullable=False),
        sa.Column("officer", sa.String(64), nullable=False),
        sa.Column("public_key", sa.LargeBinary(256), nullable=False),
        sa.Column("noted_by", sa.String(96), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime()),
        sa.PrimaryKeyConstraint("key_id", name="pk_officer_key"),
    )
    op.create_index("ix_officer_key_officer", "officer_key", ["officer"])
    op.create_table(
        "capture",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("officer", sa.String(64), nullable=False),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("captured_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_capture"),
        sa.UniqueConstraint("bucket", "application_id", "attempt", name="uq_capture_bucket_application_id_attempt"),
    )
    op.create_table(
        "captured_item",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("capture_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("blob", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "capture_id", "name", name="pk_captured_item"),
        sa.ForeignKeyConstraint(
            ["bucket", "capture_id"],
            ["capture.bucket", "capture.id"],
            name="fk_captured_item_bucket_capture_id_capture",
        ),
    )


def _adjudication() -> None:
    op.create_table(
        "duplicate_search",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("capture_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("task", sa.String(64)),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_duplicate_search"),
        sa.UniqueConstraint("bucket", "capture_id", name="uq_duplicate_search_bucket_capture_id"),
        sa.CheckConstraint("state IN ('WAITING', 'ANSWERED')", name=op.f("ck_duplicate_search_state")),
    )
    op.create_index("ix_duplicate_search_state_asked_at", "duplicate_search", ["state", "asked_at"])
    op.create_table(
        "hold",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("candidate", sa.String(64), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("placed_by", sa.String(96), nullable=False),
        sa.Column("settled_at", UtcDateTime()),
        sa.Column("settled_by", sa.String(96)),
        sa.Column("reason", sa.String(32)),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_hold"),
        sa.UniqueConstraint(
            "bucket", "application_id", "code", "candidate", name="uq_hold_bucket_application_id_code_candidate"
        ),
        sa.CheckConstraint("state IN ('OPEN', 'CLEARED', 'CONFIRMED')", name=op.f("ck_hold_state")),
    )
    op.create_index("ix_hold_state_placed_at", "hold", ["state", "placed_at"])


def _orders() -> None:
    op.create_table(
        "production_order",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("deliver_to", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("store_id", sa.Uuid()),
        sa.Column("serial", sa.String(64)),
        sa.Column("document_number", sa.String(22)),
        sa.Column("issued_on", sa.Date()),
        sa.Column("expires_on", sa.Date()),
        sa.Column("operator", sa.String(96)),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("card_id", sa.Uuid()),
        sa.Column("sod_hash", sa.LargeBinary(32)),
        sa.Column("cause", sa.String(32)),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_production_order"),
        sa.UniqueConstraint(
            "bucket", "application_id", "attempt", name="uq_production_order_bucket_application_id_attempt"
        ),
        sa.CheckConstraint(
            "state IN ('QUEUED', 'READY', 'WRITING', 'WRITTEN', 'PASSED', 'SPOILED', 'CANCELLED')",
            name=op.f("ck_production_order_state"),
        ),
    )
    op.create_index(
        "ix_production_order_state_priority_created_at", "production_order", ["state", "priority", "created_at"]
    )
    op.create_table(
        "document_number",
        sa.Column("number", sa.String(22), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("drawn_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_document_number"),
    )


def _stock() -> None:
    op.create_table(
        "stock_store",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_stock_store"),
    )
    op.create_table(
        "stock_batch",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("received_by", sa.String(96), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_stock_batch"),
        sa.UniqueConstraint("bucket", "store_id", "name", name="uq_stock_batch_bucket_store_id_name"),
    )
    op.create_table(
        "stock_item",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("order_id", sa.Uuid()),
        sa.Column("spoiled_for", sa.Uuid()),
        sa.Column("cause", sa.String(32)),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_stock_item"),
        sa.UniqueConstraint("bucket", "serial", name="uq_stock_item_bucket_serial"),
        sa.UniqueConstraint("bucket", "order_id", name="uq_stock_item_bucket_order_id"),
        sa.ForeignKeyConstraint(
            ["bucket", "batch_id"],
            ["stock_batch.bucket", "stock_batch.id"],
            name="fk_stock_item_bucket_batch_id_stock_batch",
        ),
        sa.CheckConstraint(
            "state IN ('IN_STORE', 'RESERVED', 'CONSUMED', 'SPOILED', 'DESTROYED', 'MISSING')",
            name=op.f("ck_stock_item_state"),
        ),
    )
    op.create_index("ix_stock_item_store_id_product_state", "stock_item", ["store_id", "product", "state"])
