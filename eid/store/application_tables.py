"""The tables of a citizen's affairs: who he is, what he applies for, the papers that he sent.

They lie together by `bucket`. Personal data stand here in clear, for they are searched; nowhere else (audit log,
outbox, logs) do they stand at all. The papers themselves lie encrypted outside the database (`eid.gateways.blobs`).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from eid.store.columns import belongs_to, bucket, family_key, one_of
from eid.store.tables import metadata
from eid.store.types import LANGUAGE, UtcDateTime

PERSON_STATES: Final = ("CLAIMED", "VALID", "MERGED", "ERASED")
DOCUMENT_STATES: Final = ("KEPT", "REPLACED")
ORDERED_TEXT: Final = String(256).with_variant(String(256, collation="C"), "postgresql")
"""A text compared octet by octet on both databases, so that a prefix is a range."""

person = Table(
    "person",
    metadata,
    *family_key(),
    Column("state", String(8), nullable=False),
    Column("version", Integer, nullable=False),
    Column("personal_number", String(20)),
    Column("date_of_birth", String(10)),
    Column("phone", String(20)),
    Column("email", String(254)),
    Column("record", JSON, nullable=False),  # eid.enrolment.person
    Column("merged_into", Uuid),
    Column("deceased_on", Date),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    one_of("state", PERSON_STATES),
    Index(None, "personal_number"),
    Index(None, "phone"),
    Index(None, "email"),
)

person_name = Table(  # every name that somebody had, and the paper that it was copied from
    "person_name",
    metadata,
    bucket(),
    Column("person_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", JSON, nullable=False),
    Column("source", String(32), nullable=False),
    Column("application_id", Uuid),
    Column("effective_from", Date, nullable=False),
    Column("recorded_by", String(96), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    belongs_to("person", "person_id"),
)

person_search_key = Table(  # folded names, both scripts, family name first and given names first
    "person_search_key",
    metadata,
    bucket(),
    Column("person_id", Uuid, primary_key=True),
    Column("key", ORDERED_TEXT, primary_key=True),
    belongs_to("person", "person_id"),
    Index(None, "key", "person_id"),  # in the order in which they are told: of a common name the first ones alone
)

personal_number = Table(  # a family of its own: a number belongs to one person
    "personal_number",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("person_id", Uuid, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
)

application = Table(
    "application",
    metadata,
    *family_key(),
    Column("number", String(16), nullable=False),
    Column("state", String(24), nullable=False),
    Column("version", Integer, nullable=False),
    Column("person_id", Uuid, nullable=False),
    Column("applicant", String(96), nullable=False),
    Column("service", String(32), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("category", String(32)),  # of those who come first
    Column("abroad", Boolean, nullable=False),
    Column("site", String(64)),
    Column("language", LANGUAGE, nullable=False),
    Column("rules", String(32), nullable=False),
    Column("rules_digest", LargeBinary(32), nullable=False),
    Column("fee", Integer),
    Column("currency", String(3), nullable=False),
    Column("stamp_id", Uuid),
    Column("previous_card_id", Uuid),
    Column("information_requests", SmallInteger, nullable=False),
    Column("requested_papers", JSON, nullable=False),
    Column("requested_at", UtcDateTime),
    Column("refusal", String(32)),
    Column("appeal_until", UtcDateTime),
    Column("validating_officer", String(96)),
    Column("capturing_officer", String(96)),
    Column("appointment_id", Uuid),
    Column("appointment_site", String(64)),
    Column("submitted_at", UtcDateTime),
    Column("decide_by", UtcDateTime),
    Column("validated_at", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    belongs_to("person", "person_id"),
    UniqueConstraint("bucket", "number"),
    Index(None, "bucket", "person_id"),
    Index(None, "applicant"),
    Index(None, "state", "due_at"),
    Index(None, "site", "state"),
    Index(None, "stamp_id"),
)

document = Table(  # a supporting document; its octets lie encrypted under `blob`
    "document",
    metadata,
    *family_key(),
    Column("application_id", Uuid, nullable=False),
    Column("paper", String(32), nullable=False),
    Column("state", String(8), nullable=False),
    Column("issued_on", Date),
    Column("media_type", String(32), nullable=False),
    Column("octets", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("blob", String(64), nullable=False),
    Column("uploaded_by", String(96), nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    belongs_to("application", "application_id"),
    one_of("state", DOCUMENT_STATES),
    Index(None, "bucket", "application_id"),
    Index(None, "bucket", "blob"),
)
