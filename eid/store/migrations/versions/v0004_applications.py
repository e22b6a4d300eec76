"""Persons, applications, supporting documents.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _persons()
    _applications()


def _persons() -> None:
    ordered_text = sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")
    op.create_table(
        "person",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("personal_number", sa.String(20)),
        sa.Column("date_of_birth", sa.String(10)),
        sa.Column("phone", sa.String(20)),
        sa.Column("email", sa.String(254)),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("merged_into", sa.Uuid()),
        sa.Column("deceased_on", sa.Date()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_person"),
        sa.CheckConstraint("state IN ('CLAIMED', 'VALID', 'MERGED', 'ERASED')", name=op.f("ck_person_state")),
    )
    for column in ("personal_number", "phone", "email"):
        op.create_index(f"ix_person_{column}", "person", [column])
    op.create_table(
        "person_name",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("application_id", sa.Uuid()),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.String(96), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "person_id", "version", name="pk_person_name"),
        sa.ForeignKeyConstraint(
            ["bucket", "person_id"], ["person.bucket", "person.id"], name="fk_person_name_bucket_person_id_person"
        ),
    )
    op.create_table(
        "person_search_key",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", ordered_text, nullable=False),
        sa.PrimaryKeyConstraint("bucket", "person_id", "key", name="pk_person_search_key"),
        sa.ForeignKeyConstraint(
            ["bucket", "person_id"], ["person.bucket", "person.id"], name="fk_person_search_key_bucket_person_id_person"
        ),
    )
    op.create_index("ix_person_search_key_key", "person_search_key", ["key"])
    op.create_table(
        "personal_number",
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_personal_number"),
    )


def _applications() -> None:
    op.create_table(
        "application",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("applicant", sa.String(96), nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("abroad", sa.Boolean(), nullable=False),
        sa.Column("site", sa.String(64)),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("rules", sa.String(32), nullable=False),
        sa.Column("rules_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("fee", sa.Integer()),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("stamp_id", sa.Uuid()),
        sa.Column("previous_card_id", sa.Uuid()),
        sa.Column("information_requests", sa.SmallInteger(), nullable=False),
        sa.Column("requested_papers", sa.JSON(), nullable=False),
        sa.Column("requested_at", UtcDateTime()),
        sa.Column("refusal", sa.String(32)),
        sa.Column("appeal_until", UtcDateTime()),
        sa.Column("validating_officer", sa.String(96)),
        sa.Column("capturing_officer", sa.String(96)),
        sa.Column("appointment_id", sa.Uuid()),
        sa.Column("appointment_site", sa.String(64)),
        sa.Column("submitted_at", UtcDateTime()),
        sa.Column("decide_by", UtcDateTime()),
        sa.Column("validated_at", UtcDateTime()),
        sa.Column("due_at", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_application"),
        sa.ForeignKeyConstraint(
            ["bucket", "person_id"], ["person.bucket", "person.id"], name="fk_application_bucket_person_id_person"
        ),
        sa.UniqueConstraint("bucket", "number", name="uq_application_bucket_number"),
    )
    op.create_index("ix_application_bucket_person_id", "application", ["bucket", "person_id"])
    op.create_index("ix_application_applicant", "application", ["applicant"])
    op.create_index("ix_application_state_due_at", "application", ["state", "due_at"])
    op.create_index("ix_application_site_state", "application", ["site", "state"])
    op.create_table(
        "document",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("paper", sa.String(32), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("issued_on", sa.Date()),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(64), nullable=False),
        sa.Column("uploaded_by", sa.String(96), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "id", name="pk_document"),
        sa.ForeignKeyConstraint(
            ["bucket", "application_id"],
            ["application.bucket", "application.id"],
            name="fk_document_bucket_application_id_application",
        ),
        sa.CheckConstraint("state IN ('KEPT', 'REPLACED')", name=op.f("ck_document_state")),
    )
    op.create_index("ix_document_bucket_application_id", "document", ["bucket", "application_id"])
    op.create_index("ix_document_bucket_blob", "document", ["bucket", "blob"])
