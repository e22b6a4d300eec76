"""The tables of stamps and of the payments for them: a family of its own, which lies together by the stamp's bucket.

The digits of a stamp stand nowhere: a keyed hash finds it, and what is needed to send them again is sealed. The last
octet of that hash is the stamp's bucket, so that one place alone need be asked for it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, Date, Index, Integer, LargeBinary, String, Table, UniqueConstraint, Uuid

from eid.store.columns import belongs_to, bucket, family_key, one_of
from eid.store.tables import metadata
from eid.store.types import UtcDateTime

STAMP_STATES: Final = (
    "ORDERED",
    "PAID",
    "ISSUED",
    "RESERVED",
    "CONSUMED",
    "REFUNDED",
    "BLOCKED",
    "EXPIRED",
    "CANCELLED",
)
PAYMENT_STATES: Final = ("OPEN", "SETTLED", "DECLINED", "EXPIRED", "CANCELLED", "REFUND_DUE", "REFUNDED")
REFUND_STATES: Final = ("ASKED", "GRANTED", "REFUSED")
CALLBACK_RESULTS: Final = ("applied", "unchanged", "refused")

stamp = Table(
    "stamp",
    metadata,
    *family_key(),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("service", String(32), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("fee_version", String(16), nullable=False),  # the day from which the fee that was paid is in force
    Column("ordered_by", String(96), nullable=False),
    Column("language", String(3), nullable=False),
    Column("sealed_phone", LargeBinary, nullable=False),
    Column("ordered_at", UtcDateTime, nullable=False),
    Column("pay_before", UtcDateTime, nullable=False),
    Column("paid_at", UtcDateTime),
    Column("tag", LargeBinary(32)),
    Column("last_four", String(4)),
    Column("sealed_digits", LargeBinary),
    Column("message_asked_at", UtcDateTime),
    Column("messages", Integer, nullable=False),  # how often the digits were to be sent
    Column("message_sent_at", UtcDateTime),
    Column("application_id", Uuid),
    Column("reserved_at", UtcDateTime),
    one_of("state", STAMP_STATES),
    UniqueConstraint("bucket", "tag"),
    Index(None, "state", "pay_before"),
    Index(None, "application_id"),
    Index(None, "ordered_by"),
)

payment = Table(
    "payment",
    metadata,
    *family_key(),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("stamp_id", Uuid, nullable=False),
    Column("channel", String(32), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("requested_by", String(96), nullable=False),
    Column("provider_reference", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),  # by the provider's clock
    Column("refunded_at", UtcDateTime),
    one_of("state", PAYMENT_STATES),
    belongs_to("stamp", "stamp_id"),
    Index(None, "bucket", "stamp_id"),
    Index(None, "state", "created_at"),
    Index("ix_payment_settled", "channel", "settled_at"),
    Index("ix_payment_refunded", "channel", "refunded_at"),
)

refund_request = Table(  # money that somebody must decide to give back; subject: the stamp, or the payment
    "refund_request",
    metadata,
    *family_key(),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("stamp_id", Uuid, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("cause", String(16), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    one_of("state", REFUND_STATES),
    UniqueConstraint("bucket", "subject"),
    belongs_to("stamp", "stamp_id"),
    Index(None, "state", "asked_at"),
)

payment_callback = Table(  # what providers told us: the same event changes nothing twice
    "payment_callback",
    metadata,
    bucket(),
    Column("channel", String(32), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("payment_id", Uuid, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("result", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    one_of("result", CALLBACK_RESULTS),
)

stamp_try = Table(  # how often somebody has tried digits in an hour; a family of its own
    "stamp_try",
    metadata,
    Column("caller", String(96), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("tries", Integer, nullable=False),
)

reconciliation = Table(  # a provider's statement of a day beside our register
    "reconciliation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("day", Date, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # of the statement
    Column("movements", Integer, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("made_by", String(96), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index(None, "channel", "day"),
)
