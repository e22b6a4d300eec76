"""Those who apply: accounts, one-time codes, sessions.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "access_account",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_tag", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_access_account"),
        sa.UniqueConstraint("bucket", "contact_tag", name="uq_access_account_bucket_contact_tag"),
    )
    op.create_table(
        "access_code",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_tag", sa.LargeBinary(32), nullable=False),
        sa.Column("code_tag", sa.LargeBinary(32), nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_access_code"),
    )
    op.create_index(
        "ix_access_code_bucket_contact_tag_created_at", "access_code", ["bucket", "contact_tag", "created_at"]
    )
    op.create_table(
        "access_session",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("secret_tag", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_access_session"),
        sa.ForeignKeyConstraint(
            ["bucket", "account_id"],
            ["access_account.bucket", "access_account.id"],
            name="fk_access_session_bucket_account_id_access_account",
        ),
    )
    op.create_index("ix_access_session_bucket_account_id", "access_session", ["bucket", "account_id"])
