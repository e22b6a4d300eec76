"""First tables.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables of version 0001."""
    _personalization()
    _status_place()
    _issued_document()
    _trust()
    _verification_session()


def _personalization() -> None:
    op.create_table(
        "personalization_job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("profile_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("reader", sa.String(128), nullable=False),
        sa.Column("card_serial", sa.String(64)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_personalization_job"),
        sa.CheckConstraint(
            "state IN ('PLANNED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SPOILED')",
            name=op.f("ck_personalization_job_state"),
        ),
    )
    op.create_table(
        "personalization_step",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(8), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_personalization_step"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["personalization_job.id"], name="fk_personalization_step_job_id_personalization_job"
        ),
        sa.CheckConstraint("phase IN ('intent', 'result')", name=op.f("ck_personalization_step_phase")),
    )


def _status_place() -> None:
    op.create_table(
        "status_place",
        sa.Column("uri", sa.String(256), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("uri", "place", name="pk_status_place"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["personalization_job.id"], name="fk_status_place_job_id_personalization_job"
        ),
        sa.UniqueConstraint("job_id", name="uq_status_place_job_id"),
    )


def _issued_document() -> None:
    op.create_table(
        "issued_document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("profile_name", sa.String(64), nullable=False),
        sa.Column("profile_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("sod_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("card_serial", sa.String(64), nullable=False),
        sa.Column("document_number_tag", sa.LargeBinary(32), nullable=False),
        sa.Column("key_versions", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("report_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_issued_document"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["personalization_job.id"], name="fk_issued_document_job_id_personalization_job"
        ),
        sa.UniqueConstraint("sod_hash", name="uq_issued_document_sod_hash"),
    )
    op.create_index(
        "ix_issued_document_document_number_tag_issued_at", "issued_document", ["document_number_tag", "issued_at"]
    )
    op.create_index("ix_issued_document_card_serial", "issued_document", ["card_serial"])


def _trust() -> None:
    op.create_table(
        "trust_certificate",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("subject", sa.String(1024), nullable=False),
        sa.Column("ski", sa.LargeBinary(64)),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.Column("defects", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_trust_certificate"),
        sa.CheckConstraint(
            "kind IN ('CSCA', 'LINK', 'DS', 'ML_SIGNER', 'DVL_SIGNER', 'STATION', 'OTHER')",
            name=op.f("ck_trust_certificate_kind"),
        ),
    )
    op.create_index("ix_trust_certificate_country_kind", "trust_certificate", ["country", "kind"])
    op.create_index("ix_trust_certificate_ski", "trust_certificate", ["ski"])
    op.create_table(
        "trust_crl",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("issuer", sa.String(1024), nullable=False),
        sa.Column("this_update", UtcDateTime(), nullable=False),
        sa.Column("next_update", UtcDateTime()),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.Column("defects", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_trust_crl"),
    )
    op.create_index("ix_trust_crl_country_this_update", "trust_crl", ["country", "this_update"])


def _verification_session() -> None:
    op.create_table(
        "verification_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("challenge", sa.LargeBinary(64), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime()),
        sa.Column("result", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id", name="pk_verification_session"),
        sa.CheckConstraint(
            "state IN ('CREATED', 'COLLECTING', 'DECIDED', 'EXPIRED')", name=op.f("ck_verification_session_state")
        ),
    )
    op.create_index("ix_verification_session_state_expires_at", "verification_session", ["state", "expires_at"])
