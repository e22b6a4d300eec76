"""Issue one card: open, keys, build, write, lock, then read it back and verify it before it is registered.

Everything that touches the card or the signer is journalled, intent before and result after. A job that broke off is
taken up again with the same card: the journal and the card together decide what is left to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, unique
from typing import Final, TypeVar

from sqlalchemy import Engine

from eid.codec.apdu import MAX_SHORT_DATA
from eid.codec.x509 import decode_certificate
from eid.errors import (
    EidError,
    LifecycleError,
    NotStoredError,
    RecordError,
    TransportError,
)
from eid.evidence import Evidence
from eid.identity import IdentityRecord
from eid.keystore.card_keys import default_card_keys
from eid.keystore.ports import KeySetSource, StaticKey
from eid.lds.dg13 import StatusListReference
from eid.lds.security_infos import SecurityInfo, encode_security_infos
from eid.mrz import Mrz
from eid.personalization.apply import Progress, apply, collect_products
from eid.personalization.build import (
    CardData,
    build_card,
    build_chip,
    build_key_orders,
    build_ordered_applications,
    verify_record,
)
from eid.personalization.dialects import plan_card
from eid.personalization.open import IDENTIFY, REPLACE_KEYS, OpenedCard, open_card
from eid.personalization.public_keys import collect_public_keys
from eid.profile.card_image import CardImage
from eid.profile.loader import LoadedProfile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection, Exchange, drive, through
from eid.protocols.scp03.core import SecurityLevel
from eid.services.issuing.card_material import derive_secrets, require_trust_points
from eid.services.issuing.job_book import FinishedCard, JobBook, StoredJob
from eid.services.issuing.quality_check import QualityError, check_quality
from eid.services.pki.authority import IssuingAuthority
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, tag_document_number
from eid.store.journal import JobProgress
from eid.store.personalization_jobs import PersonalizationJob, create_job, load_job
from eid.verification.report import VerificationReport, report_to_json

T = TypeVar("T")
LOCK: Final = "lock the card"
SIGN: Final = "sign EF.SOD"
TRUST: Final = "choose trust points"
SIGN_CARD_SECURITY: Final = "sign EF.CardSecurity"
PLACE: Final = "allocate status place"
FOUND: Final = {"found": "done already"}
REGISTER_LABEL: Final = b"register\0\0"  # in place of a card's diversification data, 10 octets


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """A card that left the personalisation.

    Args:
        data: what is on it. evidence, report: of the reading that checked its quality. can: to be printed.
    """

    document: IssuedDocument
    data: CardData = field(repr=False)
    evidence: Evidence = field(repr=False)
    report: VerificationReport


@unique
class Stage(Enum):
    """How far a card came before it was lost; the value says what that means for it."""

    UNTOUCHED = "Nothing was written to the card yet"
    WRITING = "The card is not operational and opens for nobody"
    LOCKING = "The card may be locked already, but it was not checked and is not registered: do not hand it out"


class BrokenOffError(TransportError):
    """The card or the link was lost while the card was being written; the text says how to go on.

    Args:
        job_id: to be given to the next attempt.
    """

    def __init__(self, job_id: uuid.UUID, stage: Stage, cause: EidError) -> None:
        self.job_id = job_id
        self.stage = stage
        super().__init__(
            f"{cause}. {stage.value}. Put the same card back and resume job {job_id}; "
            "if the card is damaged, destroy it and begin anew with another."
        )


@dataclass(slots=True)
class Issuance:
    """One attempt at one card. Make one with `begin` or `resume`, then call `run`.

    Args:
        book: keeps what is done. now: the clock, aware values. trust_points: CVCA certificates, newest first, where the
            profile has Terminal Authentication.
    """

    book: JobBook
    authority: IssuingAuthority
    loaded: LoadedProfile
    now: Callable[[], datetime]
    trust_points: tuple[bytes, ...] = ()
    random: Callable[[int], bytes] = os.urandom
    _master: KeySetSource | None = field(default=None, repr=False)

    @property
    def job(self) -> PersonalizationJob:
        """The job as it stands."""
        return self.book.job

    @property
    def master_key(self) -> KeySetSource:
        """The authority's master key, opened once: each opening of a software key costs scrypt's time."""
        if self._master is None:
            self._master = self.authority.master_key
        return self._master

    @property
    def profile(self) -> CardProfile:
        """The card profile."""
        return self.loaded.profile

    def run(self, record: IdentityRecord, connection: Connection, sink: CheckpointSink | None = None) -> IssuedCard:
        """Write the card, lock it, read it back, verify it, register it.

        Args:
            sink: is told every checkpoint after it is durable, e.g. to meter the steps.

        Raises:
            BrokenOffError: the card was lost; resume. RecordError: the record does not fit the profile.
            LifecycleError: the authority cannot sign now, or it is another card or another record than the job began
                with. QualityError: the card failed its quality check; the job is spoiled.
            StatusWordError, ProtocolError: the card refused a command, or is not under the authority's keys.
        """
        journal = _Relay(self.book, sink)
        progress = self.book.progress()
        journal.remember(progress)
        is_new = self.job.state == "PLANNED"
        try:
            self._require_possible(record)
            data, opened = self._write(record, connection, journal, progress)
            evidence, report = self._check_quality(data, connection, journal)
        except TransportError as failure:
            raise BrokenOffError(self.job.id, journal.stage, failure) from failure
        except EidError:
            if is_new and journal.stage is Stage.UNTOUCHED:
                self.book.change("FAILED")
            raise
        return self._register(data, opened, evidence, report)

    # --- before the card is touched

    def _require_possible(self, record: IdentityRecord) -> None:
        """Whatever would spoil the card, or leave it half written, is found before it is touched."""
        self._require_fitting_authority()
        mrz = verify_record(record, self.profile)
        now = self.now()
        require_trust_points(self.profile, self.trust_points, now.date())
        if record.expires_on < now.date():
            raise RecordError("expires_on has passed")
        until = decode_certificate(self.authority.signer_certificate).not_after
        if record.expires_on > until.date():  # Doc 9303-12 4.1.4: a certificate outlives what was signed under it
            raise RecordError(f"expires_on lies after the end of the document signer's certificate, {until:%Y-%m-%d}")
        self.book.require_unissued(self._tag(mrz))
        self.book.allocate_place()

    def _require_fitting_authority(self) -> None:
        self.authority.require_ready(self.now())
        document = self.profile.document
        if document.issuing_state != self.authority.profile.document.issuing_state:
            raise LifecycleError(f"the authority does not sign for {document.issuing_state}")
        types = decode_certificate(self.authority.signer_certificate).extensions.document_types()
        code = document.code.rstrip("<")
        if types is not None and code not in types:  # Doc 9303-12 7.1.1
            raise LifecycleError(f"the document signer signs documents of type {', '.join(types)}, not {code}")
        if self.master_key.card_keys(REGISTER_LABEL, 1).key_length != self.profile.security_domain.key_length:
            raise LifecycleError("the profile wants card keys of another length than the authority's master key")

    # --- writing

    def _write(
        self, record: IdentityRecord, connection: Connection, journal: _Relay, progress: JobProgress
    ) -> tuple[CardData, OpenedCard]:
        known = _known(progress)
        master = self.master_key
        domain = build_chip(self.profile).security_domain
        stated = self.profile.security_domain
        opening = open_card(
            domain,
            master,
            default_card_keys(domain.key_length),
            key_version=stated.key_version,
            level=SecurityLevel(stated.security_level),
            accept_locked=LOCK in known,
            random=self.random,
        )
        opened = drive(opening, connection, journal)
        if known.get(REPLACE_KEYS) is Progress.INTENT and REPLACE_KEYS not in journal.finished:
            journal.record(Checkpoint(REPLACE_KEYS, "result", FOUND))  # it opened under its own keys
        orders = plan_card(order_keys(self.profile), self.profile.personalization.dialect)
        if opened.is_locked:
            products = collect_products(progress.results, orders.keys)
        else:
            products = drive(self._channel(opened, apply(orders.keys, known)), connection, journal)
        explicit = self.profile.authority.ec_parameters == "explicit"
        data = build_card(
            record,
            self.profile,
            can=derive_secrets(master.card_keys(opened.kdd, stated.key_version), self.job.id, self.profile),
            public_keys=collect_public_keys(products, explicit=explicit, orders=build_key_orders(self.profile)),
            sign=lambda security_object: self._sign(security_object, progress, journal),
            sign_card_security=lambda infos: self._sign_card_security(infos, progress, journal),
            status=self._place(progress, journal),
            trust_points=self.trust_points,
            trust_date=self._note_trust_points(progress, journal),
        )
        if opened.is_locked:
            if known[LOCK] is Progress.INTENT:
                journal.record(Checkpoint(LOCK, "result", FOUND))
        else:
            plan = plan_card(data.image, self.profile.personalization.dialect)
            drive(self._channel(opened, apply((*plan.files, *plan.lock), known)), connection, journal)
        return data, opened

    def _channel(self, opened: OpenedCard, steps: Exchange[T]) -> Exchange[T]:
        """Steps in the channel; a chip without extended length is sent a long command as a chain."""
        max_link = None if self.profile.chip.extended_length else MAX_SHORT_DATA
        return through(opened.channel, steps, max_link=max_link)

    def _note_trust_points(self, progress: JobProgress, journal: _Relay) -> date | None:
        """The date that the card will believe in: the day on which it was first told whom to trust.

        Raises:
            LifecycleError: the job was begun with other trust points.
        """
        if not self.trust_points:
            return None
        digest = hashlib.sha256(b"".join(self.trust_points)).hexdigest()
        before = progress.results.get(TRUST)
        if before is None:
            before = {"trust_points": digest, "date": self.now().date().isoformat()}
            journal.record(Checkpoint(TRUST, "intent", before))
            journal.record(Checkpoint(TRUST, "result", before))
        if before["trust_points"] != digest:
            raise LifecycleError("the job was begun with other trust points: resume it with the same ones")
        return date.fromisoformat(before["date"])

    def _sign(self, security_object: bytes, progress: JobProgress, journal: _Relay) -> bytes:
        """EF.SOD, of the LDS security object."""
        names = "security_object", "ef_sod"
        return self._sign_once(SIGN, names, security_object, self.authority.sign_sod, progress, journal)

    def _sign_card_security(self, infos: tuple[SecurityInfo, ...], progress: JobProgress, journal: _Relay) -> bytes:
        """EF.CardSecurity, of the chip's announcements."""

        def sign(_: bytes, now: datetime) -> bytes:
            return self.authority.sign_card_security(infos, now)

        names, content = ("security_infos", "ef_card_security"), encode_security_infos(infos)
        return self._sign_once(SIGN_CARD_SECURITY, names, content, sign, progress, journal)

    def _sign_once(
        self,
        step: str,
        names: tuple[str, str],
        content: bytes,
        sign: Callable[[bytes, datetime], bytes],
        progress: JobProgress,
        journal: _Relay,
    ) -> bytes:
        """A signed file; a resumed job takes the one that it signed before, since the card may hold it already.

        Args:
            names: under which the journal keeps the content's digest and the file.

        Raises:
            LifecycleError: what was signed before is not what is to be written now.
        """
        digest_name, file_name = names
        digest = hashlib.sha256(content).hexdigest()
        before = progress.results.get(step)
        if before is not None:
            if before[digest_name] != digest:
                raise LifecycleError("the job was begun with another record: resume it with the same one")
            return bytes.fromhex(before[file_name])
        journal.record(Checkpoint(step, "intent", {digest_name: digest}))
        signed = sign(content, self.now())
        journal.record(Checkpoint(step, "result", {digest_name: digest, file_name: signed.hex()}))
        return signed

    def _place(self, progress: JobProgress, journal: _Relay) -> StatusListReference:
        """The card's place in a status list, which no other card has."""
        uri, place = self.book.allocate_place()
        if PLACE not in progress.results:
            detail = {"uri": uri, "index": str(place)}
            journal.record(Checkpoint(PLACE, "intent", detail))
            journal.record(Checkpoint(PLACE, "result", detail))
        return StatusListReference(uri, place)

    # --- after the lock

    def _check_quality(
        self, data: CardData, connection: Connection, journal: _Relay
    ) -> tuple[Evidence, VerificationReport]:
        try:
            return check_quality(
                data, self.profile, self.authority, connection, self.job.reader, self.now(), self.random, journal
            )
        except QualityError:
            self.book.change("SPOILED")
            raise

    def _register(
        self, data: CardData, opened: OpenedCard, evidence: Evidence, report: VerificationReport
    ) -> IssuedCard:
        digest = hashlib.sha256(json.dumps(report_to_json(report), sort_keys=True).encode()).digest()
        versions = {"scp03": opened.key_version}
        finished = FinishedCard(data.sod_hash, opened.kdd.hex(), self._tag(data.mrz), versions, digest)
        return IssuedCard(self.book.register(finished), data, evidence, report)

    def _tag(self, mrz: Mrz) -> bytes:
        """By what the document is found in the register; the key is 32 octets out of the authority's master key."""
        keys = self.master_key.card_keys(REGISTER_LABEL, 1)
        key = keys.cmac(StaticKey.ENC, b"document register") + keys.cmac(StaticKey.MAC, b"document register")
        return tag_document_number(key, mrz.issuing_state, mrz.document_number)


def begin(
    engine: Engine,
    authority: IssuingAuthority,
    loaded: LoadedProfile,
    reader: str,
    now: Callable[[], datetime],
    trust_points: tuple[bytes, ...] = (),
) -> Issuance:
    """A new job for a blank card."""
    job = in_transaction(
        engine,
        lambda connection: create_job(connection, profile_digest=loaded.digest, reader=reader, attempt=1, now=now()),
    )
    return Issuance(StoredJob(engine, loaded, job, now), authority, loaded, now, trust_points)


def resume(
    engine: Engine,
    authority: IssuingAuthority,
    loaded: LoadedProfile,
    job_id: uuid.UUID,
    now: Callable[[], datetime],
    trust_points: tuple[bytes, ...] = (),
) -> Issuance:
    """A job that broke off, to be run again with the same card and record.

    Raises:
        NotStoredError: there is no such job. LifecycleError: it has ended, or it was begun under another profile.
    """
    job = in_transaction(engine, lambda connection: load_job(connection, job_id))
    if job is None:
        raise NotStoredError(f"there is no job {job_id}")
    if job.state not in ("PLANNED", "RUNNING"):
        raise LifecycleError(f"job {job_id} has ended: {job.state}")
    if job.profile_digest != loaded.digest:
        raise LifecycleError(f"job {job_id} was begun under another profile, or another version of it")
    return Issuance(StoredJob(engine, loaded, job, now), authority, loaded, now, trust_points)


def order_keys(profile: CardProfile) -> CardImage:
    """The part of the card image that is known before the chip has made its keys."""
    return CardImage(build_chip(profile), (), build_ordered_applications(profile), ())


def _known(progress: JobProgress) -> Mapping[str, Progress]:
    known = dict.fromkeys(progress.results, Progress.DONE)
    if progress.unfinished is not None:
        known[progress.unfinished.step] = Progress.INTENT
    return known


@dataclass(slots=True)
class _Relay:
    """Makes a checkpoint durable, then tells whoever watches; knows how far the card has come.

    Args:
        finished: steps that this attempt saw finished.
    """

    book: JobBook
    then: CheckpointSink | None
    stage: Stage = Stage.UNTOUCHED
    finished: set[str] = field(default_factory=set)

    def remember(self, progress: JobProgress) -> None:
        """Take over what an earlier attempt has done to the card."""
        known = _known(progress)
        if known.keys() - {IDENTIFY}:
            self.stage = Stage.LOCKING if LOCK in known else Stage.WRITING

    def record(self, checkpoint: Checkpoint) -> None:
        """Return only once the fact is durable."""
        if checkpoint.step == IDENTIFY:
            self.book.bind(checkpoint.detail["card_serial"])
        self.book.record(checkpoint)
        if checkpoint.phase == "intent" and self.stage is not Stage.LOCKING:
            self.stage = Stage.LOCKING if checkpoint.step == LOCK else Stage.WRITING
        elif checkpoint.phase == "result":
            self.finished.add(checkpoint.step)
        if self.then is not None:
            self.then.record(checkpoint)
