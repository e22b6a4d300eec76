"""The tables. Migrations carry the same definitions; a test compares the two.

No column holds personal data in clear: a document is found by a keyed hash of its number, and details of steps are
digests, versions and public keys.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Uuid,
)

from eid.store.columns import bucket, family_key, one_of
from eid.store.types import UtcDateTime

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
JOB_STATES: Final = ("PLANNED", "RUNNING", "SUCCEEDED", "FAILED", "SPOILED")
STEP_PHASES: Final = ("intent", "result")
CERTIFICATE_KINDS: Final = ("CSCA", "LINK", "DS", "ML_SIGNER", "DVL_SIGNER", "STATION", "OTHER")
SOURCE_KINDS: Final = ("MASTER_LIST", "DEVIATION_LIST", "LDIF", "BUNDLE", "FILE")
TRUST_STATES: Final = ("ACCEPTED", "HELD", "REJECTED")
SESSION_STATES: Final = ("CREATED", "COLLECTING", "DECIDED", "EXPIRED")

metadata = MetaData(naming_convention=NAMING)


personalization_job = Table(
    "personalization_job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("profile_digest", LargeBinary(32), nullable=False),
    Column("reader", String(128), nullable=False),
    Column("card_serial", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    one_of("state", JOB_STATES),
    Index(None, "state"),
)

personalization_step = Table(  # append-only: eid.store.triggers
    "personalization_step",
    metadata,
    Column("job_id", Uuid, ForeignKey("personalization_job.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("step", String(64), nullable=False),
    Column("phase", String(8), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    one_of("phase", STEP_PHASES),
)

status_place = Table(  # one place belongs to one card for ever: to revoke it must not revoke another
    "status_place",
    metadata,
    Column("uri", String(256), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", Uuid, ForeignKey("personalization_job.id"), nullable=False, unique=True),
)

issued_document = Table(
    "issued_document",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, ForeignKey("personalization_job.id")),
    Column("profile_name", String(64), nullable=False),
    Column("profile_digest", LargeBinary(32), nullable=False),
    Column("sod_hash", LargeBinary(32), nullable=False, unique=True),
    Column("card_serial", String(64), nullable=False),
    Column("document_number_tag", LargeBinary(32), nullable=False),
    Column("key_versions", JSON, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("report_digest", LargeBinary(32), nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Index(None, "document_number_tag", "issued_at"),
    Index(None, "card_serial"),
)

trust_import = Table(
    "trust_import",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

trust_source = Table(  # a file of an import, or a list inside one; who signed it is never forgotten
    "trust_source",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("import_id", Integer, ForeignKey("trust_import.id"), nullable=False),
    Column("name", String(1024), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("signed", Boolean, nullable=False),
    Column("signer", String(1024), nullable=False),
    Column("country", String(3), nullable=False),
    Column("signed_at", UtcDateTime),
    Column("refusal", String(1024), nullable=False),
    Column("findings", JSON, nullable=False),
    one_of("kind", SOURCE_KINDS),
    Index(None, "import_id"),
)

trust_certificate = Table(
    "trust_certificate",
    metadata,
    Column("fingerprint", LargeBinary(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("country", String(3), nullable=False),
    Column("subject", String(1024), nullable=False),
    Column("issuer", String(1024), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("ski", LargeBinary(64)),
    Column("subject_id", LargeBinary(32), nullable=False),
    Column("issuer_id", LargeBinary(32), nullable=False),
    Column("key_id", LargeBinary(32), nullable=False),
    Column("name_id", LargeBinary(32), nullable=False),
    Column("not_before", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("raw", LargeBinary, nullable=False),
    Column("usable", Boolean, nullable=False),
    Column("why", String(1024), nullable=False),
    Column("state", String(8), nullable=False),
    Column("held_for", String(1024), nullable=False),
    Column("findings", JSON, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    one_of("kind", CERTIFICATE_KINDS),
    one_of("state", TRUST_STATES),
    Index(None, "country", "kind"),
    Index(None, "kind", "subject_id"),
    Index(None, "ski"),
    Index(None, "name_id"),
    Index(None, "key_id"),
)

trust_relation = Table(  # whose key signed an authority's certificate; a root is not its own
    "trust_relation",
    metadata,
    Column("certificate", LargeBinary(32), primary_key=True),
    Column("issuer", LargeBinary(32), primary_key=True),
)

trust_crl = Table(
    "trust_crl",
    metadata,
    Column("fingerprint", LargeBinary(32), primary_key=True),
    Column("country", String(3), nullable=False),
    Column("issuer", String(1024), nullable=False),
    Column("issuer_id", LargeBinary(32), nullable=False),
    Column("number", String(64)),
    Column("this_update", UtcDateTime),
    Column("next_update", UtcDateTime),
    Column("signer_key", LargeBinary(32)),
    Column("raw", LargeBinary, nullable=False),
    Column("usable", Boolean, nullable=False),
    Column("why", String(1024), nullable=False),
    Column("findings", JSON, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Index(None, "country", "this_update"),
    Index(None, "issuer_id"),
)

trust_deviation_list = Table(
    "trust_deviation_list",
    metadata,
    Column("fingerprint", LargeBinary(32), primary_key=True),
    Column("country", String(3), nullable=False),
    Column("signed_at", UtcDateTime),
    Column("raw", LargeBinary, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
)

trust_sighting = Table(  # which source had which certificate, CRL or deviation list
    "trust_sighting",
    metadata,
    Column("fingerprint", LargeBinary(32), primary_key=True),
    Column("source_id", Integer, ForeignKey("trust_source.id"), primary_key=True, autoincrement=False),
    Index(None, "source_id"),
)

trust_pin = Table(  # anchors at which the signers of lists must end
    "trust_pin",
    metadata,
    Column("fingerprint", LargeBinary(32), ForeignKey("trust_certificate.fingerprint"), primary_key=True),
    Column("pinned_at", UtcDateTime, nullable=False),
)

trust_distrust = Table(  # an entry is lifted, never taken away
    "trust_distrust",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", LargeBinary(32), ForeignKey("trust_certificate.fingerprint"), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("reason", String(256), nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    Column("lifted_at", UtcDateTime),
)

verification_session = Table(
    "verification_session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("challenge", LargeBinary(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("purpose", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("result", JSON(none_as_null=True)),
    one_of("state", SESSION_STATES),
    Index(None, "state", "expires_at"),
)

# The tables below lie together by `bucket` (eid.store.columns).

audit_row = Table(  # append-only: eid.store.triggers
    "audit_row",
    metadata,
    bucket(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(96), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(96), nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "subject"),
)

audit_chain = Table(  # the head of each chain: who appends locks it
    "audit_chain",
    metadata,
    bucket(),
    Column("size", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

outbox = Table(  # work that a committed transaction has caused, until somebody has taken it over
    "outbox",
    metadata,
    *family_key(),
    Column("kind", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("caller", String(96), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("reply", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "created_at"),
)
