"""The card register, status lists, what was published of them.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; lists that cards have places in are lists already."""
    op.create_table(
        "card",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Uuid()),
        sa.Column("person_id", sa.Uuid()),
        sa.Column("holder", sa.String(96)),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("document_id", sa.Uuid()),
        sa.Column("document_number", sa.String(32)),
        sa.Column("expires_on", sa.Date()),
        sa.Column("status_uri", sa.String(256)),
        sa.Column("status_place", sa.BigInteger()),
        sa.Column("cause", sa.String(16)),
        sa.Column("replaced_by", sa.Uuid()),
        sa.Column("ordered_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('ORDERED', 'PERSONALISED', 'IN_STOCK', 'ACTIVE', 'SUSPENDED', 'REVOKED', 'VOID')",
            name=op.f("ck_card_state"),
        ),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_card"),
        sa.UniqueConstraint("bucket", "job_id", name="uq_card_bucket_job_id"),
    )
    for columns in (
        ("bucket", "person_id"),
        ("bucket", "application_id"),
        ("document_number",),
        ("holder",),
        ("status_uri", "state"),
        ("status_uri", "changed_at"),
    ):
        op.create_index(f"ix_card_{'_'.join(columns)}", "card", list(columns))
    op.create_table(
        "status_list",
        sa.Column("uri", sa.String(256), nullable=False),
        sa.Column("series", sa.String(256), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name="pk_status_list"),
        sa.UniqueConstraint("series", "number", name="uq_status_list_series_number"),
    )
    op.create_table(
        "status_publication",
        sa.Column("uri", sa.String(256), nullable=False),
        sa.Column("form", sa.String(4), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ttl", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("form IN ('JWT', 'CWT')", name=op.f("ck_status_publication_form")),
        sa.PrimaryKeyConstraint("uri", "form", "issued_at", name="pk_status_publication"),
    )
    op.create_index("ix_personalization_job_state", "personalization_job", ["state"])
    op.execute(  # as large as its highest place needs, and no smaller than a list is by default
        "INSERT INTO status_list (uri, series, number, size)"
        " SELECT uri, uri, 1, CASE WHEN max(place) < 1048576 THEN 1048576 ELSE max(place) + 1 END"
        " FROM status_place GROUP BY uri"
    )
