"""Enrolment at the counter: an officer's key is known, and what he captured and signed is judged and kept.

The signed record and the digests in it stay; the things themselves lie encrypted, named by their content, and may be
erased. What the card will carry (the portrait in the chip's size) is made here, once: a card that is written a second
time must carry the same octets.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import SignatureAlgorithm, verify_signature
from eid.enrolment.capture import (
    PORTRAIT,
    SIGNATURE,
    CapturedItem,
    CaptureRecord,
    ItemFormat,
    SignedCapture,
    decode_signed_capture,
    digest_item,
    find_differences,
)
from eid.enrolment.quality import (
    Finding,
    Measured,
    are_fingers_settled,
    assess_quality,
    describe_findings,
    is_accepted,
)
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules
from eid.errors import (
    DecodeError,
    EnrolmentError,
    NotStoredError,
    RecordError,
    Refusal,
    VerificationError,
)
from eid.gateways.blobs import BlobStore
from eid.imaging.decode import decode_image
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat, inspect_image
from eid.imaging.measure import measure_image
from eid.services.application.kept_files import name_or_drop
from eid.services.application.steps import facts_of, load_seen, rules_of, step
from eid.services.audit.log import note_reading
from eid.services.stamp.spending import holds_stamp
from eid.store.applications import StoredApplication, require_application
from eid.store.audit import append_event, bucket_of
from eid.store.captures import (
    OfficerKey,
    StoredCapture,
    captured_blobs,
    count_captures,
    end_officer_key,
    find_officer_key,
    insert_capture,
    insert_officer_key,
    last_capture,
)
from eid.store.database import in_transaction, reading
from eid.store.outbox import Work
from eid.store.types import new_id_like

ES256: Final = SignatureAlgorithm("ecdsa-plain", "sha256")  # RFC 9053 2.1
EARLY: Final = timedelta(minutes=5)  # by which a station's clock may be ahead
SEARCH: Final = "abis.search"  # the work that a capture causes
CARD_PORTRAIT: Final = "card-portrait"
CARD_SIGNATURE: Final = "card-signature"
CARD_SIGNATURE_OCTETS: Final = 8000
KEYS_BUCKET: Final = 0  # of the audit log: officers' keys are nobody's file
_VIEWERS: Final = frozenset((Role.ENROLMENT_OFFICER, Role.ADJUDICATOR, Role.APPROVER))
_FORMATS: Final = {
    ImageFormat.JPEG: ItemFormat.JPEG,
    ImageFormat.JPEG2000: ItemFormat.JPEG2000,
    ImageFormat.JPEG2000_CODESTREAM: ItemFormat.JPEG2000,
    ImageFormat.PNG: ItemFormat.PNG,
}


class CaptureRefusedError(EnrolmentError):
    """What was captured is not good enough: it is to be taken again.

    Args:
        findings: what is not as it should be, warnings among them.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        told = ", ".join(f"{item.item} {item.code.value}" for item in findings if not item.is_warning)
        super().__init__(Refusal.GUARD, f"the capture is not good enough: {told}", guard="quality")


@dataclass(frozen=True, slots=True)
class KeptCapture:
    """A capture that was taken in."""

    id: uuid.UUID
    application: StoredApplication
    findings: tuple[Finding, ...]


# --- officers' keys


def register_officer_key(engine: Engine, officer: str, public_key: bytes, actor: Actor, now: datetime) -> OfficerKey:
    """Let an officer's key count from now on.

    Args:
        public_key: SubjectPublicKeyInfo, DER, of a P-256 key.

    Raises:
        EnrolmentError: FORBIDDEN. RecordError: it is no P-256 key, or the officer's identifier is malformed.
            StoreError: the key is known already.
    """
    role = actor.require(frozenset((Role.ADMINISTRATOR,)))
    if not 1 <= len(officer) <= 64 or not officer.isprintable():
        raise RecordError("an officer's identifier has 1 to 64 characters")
    try:
        key = load_public_key(public_key)
    except DecodeError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise RecordError("an officer signs with a P-256 key (RFC 9053 2.1)")
    kept = OfficerKey(hashlib.sha256(public_key).digest(), officer, public_key, now, None)

    def work(connection: Connection) -> None:
        insert_officer_key(connection, kept, actor.tag(role))
        _audit_key(connection, "officer-key.register", kept.key_id, actor.tag(role), now, officer)

    in_transaction(engine, work)
    return kept


def end_key(engine: Engine, key_id: bytes, actor: Actor, now: datetime) -> None:
    """Let a key count no more; what was captured before stays signed.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: there is no such key that counts.
    """
    role = actor.require(frozenset((Role.ADMINISTRATOR,)))

    def work(connection: Connection) -> None:
        if not end_officer_key(connection, key_id, now):
            raise NotStoredError("there is no such key that counts")
        _audit_key(connection, "officer-key.end", key_id, actor.tag(role), now, "")

    in_transaction(engine, work)


def _audit_key(connection: Connection, action: str, key_id: bytes, actor: str, now: datetime, officer: str) -> None:
    detail = {"officer": officer} if officer else {}
    append_event(connection, KEYS_BUCKET, AuditEvent(now, actor, action, f"officer-key:{key_id.hex()}", detail))


# --- capturing


def record_capture(
    engine: Engine, blobs: BlobStore, signed: bytes, items: Mapping[str, bytes], actor: Actor, now: datetime
) -> KeptCapture:
    """Take in what an officer captured of the person of an application.

    Args:
        signed: the record with his signature. items: what it names, by those names, as they were taken.

    Raises:
        DecodeError: the record or an image is malformed. EnrolmentError: the signature or its key does not count, it is
            another's, or the life cycle forbids a capture now. CaptureRefusedError: something must be taken again.
            NotStoredError: there is no such application.
    """
    capture = decode_signed_capture(signed)
    record = capture.record
    _verify_who(engine, capture, actor, now)
    differing = find_differences(record, items)
    if differing:
        raise EnrolmentError(
            Refusal.GUARD, f"not what the officer signed: {', '.join(differing)}", guard="captured-items"
        )
    with reading(engine) as connection:
        application = load_seen(connection, record.application, actor)
        with_fingers = facts_of(connection, application, now).fingerprints_expected
    rules = rules_of(application)
    _require_recent(record, rules, now)
    pictures = _decode_images(record, items)
    findings = assess_quality(record, _measure(pictures), rules.capture, with_fingers=with_fingers)
    if not is_accepted(findings):
        raise CaptureRefusedError(findings)
    owner = str(application.person_id)
    kept = {name: blobs.put(owner, raw) for name, raw in {**items, **_build_card_images(pictures, rules)}.items()}
    capture_id = new_id_like(record.application, now)

    def name_them(connection: Connection) -> KeptCapture:
        return _keep(connection, capture_id, record, signed, kept, findings, actor, now)

    return name_or_drop(engine, blobs, bucket_of(record.application), kept.values(), name_them)


def load_captured(engine: Engine, blobs: BlobStore, application: uuid.UUID) -> dict[str, bytes]:
    """What was captured last of the person of an application, as far as it is not erased.

    It is held against the officer's signature once more, for whoever may write into the database could have put
    another's face in its place meanwhile.

    Raises:
        NotStoredError: nothing was captured. EnrolmentError: it is not what the officer signed.
    """

    def work(connection: Connection) -> tuple[StoredCapture, OfficerKey | None, str, dict[str, str]]:
        stored = last_capture(connection, application)
        if stored is None:
            raise NotStoredError("nothing was captured for this application")
        key = find_officer_key(connection, decode_signed_capture(stored.record).key_id)
        owner = str(require_application(connection, application).person_id)
        return stored, key, owner, captured_blobs(connection, stored)

    stored, key, owner, names = in_transaction(engine, work)
    record = _verify_stored(stored, key)
    found = {name: blobs.get(blob) for name, blob in names.items()}
    for name, octets in found.items():
        if name not in (CARD_PORTRAIT, CARD_SIGNATURE):
            require_signed(record, name, octets)
        elif blobs.name_of(owner, octets) != names[name]:  # made here of what was signed; the name is a keyed hash
            raise EnrolmentError(Refusal.GUARD, f"{name} is another person's", guard="captured-items")
    return found


def require_signed(record: CaptureRecord, name: str, octets: bytes) -> None:
    """Insist that something is what the officer signed under this name.

    Raises:
        EnrolmentError: GUARD captured-items, it is not.
    """
    item = record.find(name)
    if item is None or item.digest != digest_item(octets):
        raise EnrolmentError(Refusal.GUARD, f"not what the officer signed: {name}", guard="captured-items")


def view_capture(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredCapture:
    """The newest capture of an application, without the images; that somebody looked at it stands in the audit log.

    Raises:
        EnrolmentError: FORBIDDEN, or another office's. NotStoredError: nothing was captured, or no such application.
    """
    role = actor.require(_VIEWERS)

    def work(connection: Connection) -> StoredCapture:
        stored = _require_capture(connection, application_id, actor)
        note_reading(connection, stored.id, "capture", actor, role, now, part="findings")
        return stored

    return in_transaction(engine, work)


def view_item(
    engine: Engine, blobs: BlobStore, application_id: uuid.UUID, name: str, actor: Actor, now: datetime
) -> tuple[CapturedItem, bytes]:
    """One thing that was captured; that somebody looked at it stands in the audit log.

    Raises:
        EnrolmentError: FORBIDDEN, or another office's; GUARD, it is not what the officer signed. NotStoredError: there
            is no such thing, or it was erased.
    """
    role = actor.require(_VIEWERS)

    def work(connection: Connection) -> tuple[CapturedItem, CaptureRecord, str]:
        stored = _require_capture(connection, application_id, actor)
        record = decode_signed_capture(stored.record).record
        item = record.find(name)
        blob = captured_blobs(connection, stored).get(name)
        if item is None or blob is None:
            raise NotStoredError("there is no such thing, or it was erased")
        note_reading(connection, stored.id, "capture", actor, role, now, item=name)
        return item, record, blob

    item, record, blob = in_transaction(engine, work)
    octets = blobs.get(blob)
    require_signed(record, name, octets)
    return item, octets


def _require_capture(connection: Connection, application_id: uuid.UUID, actor: Actor) -> StoredCapture:
    load_seen(connection, application_id, actor)
    stored = last_capture(connection, application_id)
    if stored is None:
        raise NotStoredError("nothing was captured for this application")
    return stored


def _verify_who(engine: Engine, capture: SignedCapture, actor: Actor, now: datetime) -> None:
    """The officer who sends it is the one who captured and signed it, at his site, with a key that counts."""
    record = capture.record
    if record.officer != actor.id or record.site != actor.site:
        raise EnrolmentError(Refusal.FORBIDDEN, "the capture is another officer's, or of another site")
    key = in_transaction(engine, lambda connection: find_officer_key(connection, capture.key_id))
    _verify_signature(capture, key, now)


def _verify_stored(stored: StoredCapture, key: OfficerKey | None) -> CaptureRecord:
    """The record of a capture that was taken in, if it is that application's and its officer signed it."""
    capture = decode_signed_capture(stored.record)
    if capture.record.application != stored.application_id:
        raise EnrolmentError(Refusal.GUARD, "the record is of another application", guard="officer-signature")
    _verify_signature(capture, key, stored.received_at)
    return capture.record


def _verify_signature(capture: SignedCapture, key: OfficerKey | None, at: datetime) -> None:
    """The record is signed with a key of the officer that it names, which counted at that time."""
    envelope = capture.envelope
    if key is None or key.officer != capture.record.officer:
        raise EnrolmentError(Refusal.GUARD, "the officer has no such key", guard="officer-signature")
    if key.until is not None and key.until <= at:
        raise EnrolmentError(Refusal.GUARD, "the officer's key counts no more", guard="officer-signature")
    try:
        verify_signature(load_public_key(key.public_key), ES256, envelope.to_be_signed, envelope.signature)
    except VerificationError as failure:
        raise EnrolmentError(Refusal.GUARD, "the officer's signature is wrong", guard="officer-signature") from failure


def _require_recent(record: CaptureRecord, rules: EnrolmentRules, now: datetime) -> None:
    oldest = now - timedelta(days=rules.capture.days_late)
    if not oldest <= record.captured_at <= now + EARLY:
        raise EnrolmentError(Refusal.GUARD, "the time of the capture is not believable", guard="captured-at")


def _decode_images(record: CaptureRecord, items: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every image as a PNG of ours, by name; what lies about its format is refused before it is decoded."""
    pictures = {}
    for item in record.items:
        if not item.format.is_image:
            continue
        raw = items[item.name]
        if _FORMATS[inspect_image(raw).format] is not item.format:
            raise DecodeError(f"{item.name} is not of the format that the record says")
        pictures[item.name] = decode_image(raw)
    return pictures


def _measure(pictures: Mapping[str, bytes]) -> dict[str, Measured]:
    figures = {name: measure_image(png) for name, png in pictures.items()}
    return {name: Measured(item.width, item.height, item.grey_levels, item.sharpness) for name, item in figures.items()}


def _build_card_images(pictures: Mapping[str, bytes], rules: EnrolmentRules) -> dict[str, bytes]:
    """Portrait and signature as the card will carry them."""
    built = {}
    if PORTRAIT in pictures:
        limit = rules.capture.card_portrait_octets
        built[CARD_PORTRAIT] = encode_portrait(pictures[PORTRAIT], ImageFormat.JPEG2000, limit)
    if SIGNATURE in pictures:
        built[CARD_SIGNATURE] = encode_portrait(pictures[SIGNATURE], ImageFormat.JPEG, CARD_SIGNATURE_OCTETS)
    return built


def _keep(
    connection: Connection,
    capture_id: uuid.UUID,
    record: CaptureRecord,
    signed: bytes,
    blobs: Mapping[str, str],
    findings: tuple[Finding, ...],
    actor: Actor,
    now: datetime,
) -> KeptCapture:
    application = load_seen(connection, record.application, actor)
    rules = rules_of(application)
    facts = replace(
        facts_of(connection, application, now),
        stamp_reserved=holds_stamp(connection, application),
        portrait_captured=record.find(PORTRAIT) is not None,
        fingerprints_captured=bool(record.fingers or record.missing) and are_fingers_settled(record, rules.capture),
    )
    stored = StoredCapture(
        capture_id,
        application.id,
        count_captures(connection, application.id) + 1,
        record.officer,
        record.site,
        record.captured_at,
        now,
        signed,
        describe_findings(findings),
    )
    insert_capture(connection, stored, blobs)
    changed = step(
        connection,
        application,
        "capture",
        actor,
        now,
        facts=facts,
        values={"capturing_officer": record.officer},
        detail={"capture": str(capture_id), "record": hashlib.sha256(signed).hexdigest()},
        work=(Work(new_id_like(application.id, now), SEARCH, {"application": str(application.id)}, now),),
    )
    return KeptCapture(capture_id, changed, findings)
