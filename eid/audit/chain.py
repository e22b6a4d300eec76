"""Audit rows chained by hashes: each row's hash covers the one before it, so none can be changed, dropped or moved.

There are 256 chains (buckets), so that writers do not wait for each other. A chain shows tampering with any row but its
last ones, which could be cut off together; signed tree heads (`eid.audit.merkle`) show that too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from eid.codec.cbor import CborKey, CborValue, encode_cbor
from eid.errors import Reason, VerificationError

BUCKETS: Final = 256
VERSION: Final = 1
Fact: TypeAlias = "str | int | bool | None"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What somebody did, without any personal data: identifiers, states, codes, digests.

    Args:
        at: when, UTC, whole microseconds. actor: who, as "role:identifier". action: dotted name.
        subject: what it was done to, as "kind:identifier". detail: further facts.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Fact] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event in its place: chain, number in it from 1, the hash before it, and its own hash (32 octets each)."""

    bucket: int
    seq: int
    previous: bytes
    event: AuditEvent
    hash: bytes


def genesis(bucket: int) -> bytes:
    """What stands in the place of a previous hash before the first row of a chain."""
    return hashlib.sha256(b"eid-audit-chain" + bytes((VERSION, bucket))).digest()


def hash_row(bucket: int, seq: int, previous: bytes, event: AuditEvent) -> bytes:
    """SHA-256 over the previous hash and the event in deterministic CBOR."""
    return hashlib.sha256(previous + _encode(bucket, seq, event)).digest()


def link(bucket: int, seq: int, previous: bytes, event: AuditEvent) -> AuditRow:
    """The next row of a chain."""
    return AuditRow(bucket, seq, previous, event, hash_row(bucket, seq, previous, event))


class Chain:
    """Reads a chain's rows in order and refuses the first that does not follow from those before it."""

    def __init__(self, bucket: int) -> None:
        self.bucket = bucket
        self.size = 0
        self.hash = genesis(bucket)

    def accept(self, row: AuditRow) -> None:
        """Take the next row.

        Raises:
            VerificationError: HASH_FAILURE; its detail names the chain and the number of the row.
        """
        where = f"row {self.size + 1} of chain {self.bucket}"
        if (row.bucket, row.seq) != (self.bucket, self.size + 1):
            raise VerificationError(Reason.HASH_FAILURE, f"{where} is missing: row {row.seq} stands in its place")
        if row.previous != self.hash:
            raise VerificationError(Reason.HASH_FAILURE, f"{where} does not follow the row before it")
        if row.hash != hash_row(row.bucket, row.seq, row.previous, row.event):
            raise VerificationError(Reason.HASH_FAILURE, f"{where} was altered")
        self.size, self.hash = row.seq, row.hash


def _encode(bucket: int, seq: int, event: AuditEvent) -> bytes:
    if event.at.tzinfo is None:
        raise ValueError("an event has a moment with a zone")
    moment = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    detail: dict[CborKey, CborValue] = {name: fact for name, fact in event.detail.items()}  # noqa: C416 - wider types
    return encode_cbor([VERSION, bucket, seq, moment, event.actor, event.action, event.subject, detail])
