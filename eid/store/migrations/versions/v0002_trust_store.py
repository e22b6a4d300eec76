"""The trust store keeps its material, sources, relations and decisions in the database.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from eid.store.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the trust tables anew: those of version 0001 were an index of files, for looking at only."""
    op.drop_table("trust_crl")
    op.drop_table("trust_certificate")
    _sources()
    _certificates()
    _lists()
    _decisions()


def _sources() -> None:
    op.create_table(
        "trust_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trust_import"),
    )
    op.create_table(
        "trust_source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("signer", sa.String(1024), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("signed_at", UtcDateTime()),
        sa.Column("refusal", sa.String(1024), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trust_source"),
        sa.ForeignKeyConstraint(["import_id"], ["trust_import.id"], name="fk_trust_source_import_id_trust_import"),
        sa.CheckConstraint(
            "kind IN ('MASTER_LIST', 'DEVIATION_LIST', 'LDIF', 'BUNDLE', 'FILE')", name=op.f("ck_trust_source_kind")
        ),
    )
    op.create_index("ix_trust_source_import_id", "trust_source", ["import_id"])


def _certificates() -> None:
    op.create_table(
        "trust_certificate",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("subject", sa.String(1024), nullable=False),
        sa.Column("issuer", sa.String(1024), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("ski", sa.LargeBinary(64)),
        sa.Column("subject_id", sa.LargeBinary(32), nullable=False),
        sa.Column("issuer_id", sa.LargeBinary(32), nullable=False),
        sa.Column("key_id", sa.LargeBinary(32), nullable=False),
        sa.Column("name_id", sa.LargeBinary(32), nullable=False),
        sa.Column("not_before", UtcDateTime()),
        sa.Column("not_after", UtcDateTime()),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(1024), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("held_for", sa.String(1024), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_trust_certificate"),
        sa.CheckConstraint(
            "kind IN ('CSCA', 'LINK', 'DS', 'ML_SIGNER', 'DVL_SIGNER', 'STATION', 'OTHER')",
            name=op.f("ck_trust_certificate_kind"),
        ),
        sa.CheckConstraint("state IN ('ACCEPTED', 'HELD', 'REJECTED')", name=op.f("ck_trust_certificate_state")),
    )
    op.create_index("ix_trust_certificate_country_kind", "trust_certificate", ["country", "kind"])
    op.create_index("ix_trust_certificate_kind_subject_id", "trust_certificate", ["kind", "subject_id"])
    op.create_index("ix_trust_certificate_ski", "trust_certificate", ["ski"])
    op.create_index("ix_trust_certificate_name_id", "trust_certificate", ["name_id"])
    op.create_index("ix_trust_certificate_key_id", "trust_certificate", ["key_id"])
    op.create_table(
        "trust_relation",
        sa.Column("certificate", sa.LargeBinary(32), nullable=False),
        sa.Column("issuer", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("certificate", "issuer", name="pk_trust_relation"),
    )


def _lists() -> None:
    op.create_table(
        "trust_crl",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("issuer", sa.String(1024), nullable=False),
        sa.Column("issuer_id", sa.LargeBinary(32), nullable=False),
        sa.Column("number", sa.String(64)),
        sa.Column("this_update", UtcDateTime()),
        sa.Column("next_update", UtcDateTime()),
        sa.Column("signer_key", sa.LargeBinary(32)),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(1024), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_trust_crl"),
    )
    op.create_index("ix_trust_crl_country_this_update", "trust_crl", ["country", "this_update"])
    op.create_index("ix_trust_crl_issuer_id", "trust_crl", ["issuer_id"])
    op.create_table(
        "trust_deviation_list",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("signed_at", UtcDateTime()),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_trust_deviation_list"),
    )
    op.create_table(
        "trust_sighting",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "source_id", name="pk_trust_sighting"),
        sa.ForeignKeyConstraint(["source_id"], ["trust_source.id"], name="fk_trust_sighting_source_id_trust_source"),
    )
    op.create_index("ix_trust_sighting_source_id", "trust_sighting", ["source_id"])


def _decisions() -> None:
    op.create_table(
        "trust_pin",
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("pinned_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_trust_pin"),
        sa.ForeignKeyConstraint(
            ["fingerprint"], ["trust_certificate.fingerprint"], name="fk_trust_pin_fingerprint_trust_certificate"
        ),
    )
    op.create_table(
        "trust_distrust",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(256), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("lifted_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_trust_distrust"),
        sa.ForeignKeyConstraint(
            ["fingerprint"], ["trust_certificate.fingerprint"], name="fk_trust_distrust_fingerprint_trust_certificate"
        ),
    )
