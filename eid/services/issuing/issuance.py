"""Issue one card: open, keys, build, write, lock, then read it back and verify it before it is registered.

Everything that touches the card or the signer is journalled, intent before and result after. A job that broke off is
taken up again with the same card: the journal and the card together decide what is left to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final, TypeVar

from sqlalchemy import Engine

from eid.codec.apdu import MAX_SHORT_DATA
from eid.codec.x509 import decode_certificate
from eid.errors import (
    EidError,
    GatewayError,
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
from eid.personalization.apply import apply, collect_products
from eid.personalization.build import (
    CardData,
    build_card,
    build_chip,
    build_key_orders,
    build_ordered_applications,
    verify_record,
)
from eid.personalization.dialects import plan_card
from eid.personalization.open import REPLACE_KEYS, OpenedCard, open_card
from eid.personalization.public_keys import collect_public_keys
from eid.profile.card_image import CardImage
from eid.profile.loader import LoadedProfile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import CheckpointSink, Connection, Exchange, drive, through
from eid.protocols.scp03.core import SecurityLevel
from eid.services.issuing.attempt import LOCK, PLACE, SIGN, SIGN_CARD_SECURITY, TRUST, Attempt, Stage
from eid.services.issuing.card_material import derive_secrets, require_trust_points
from eid.services.issuing.job_book import FinishedCard, JobBook, StoredJob
from eid.services.issuing.quality_check import QualityError, check_quality
from eid.services.pki.authority import IssuingAuthority
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, tag_document_number
from eid.store.personalization_jobs import PersonalizationJob, create_job, load_job
from eid.verification.report import VerificationReport, report_to_json

T = TypeVar("T")
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
        attempt = Attempt(self.book, self.book.progress(), sink)
        is_new = self.job.state == "PLANNED"
        try:
            self._require_possible(record)
            data, opened = self._write(record, connection, attempt)
            evidence, report = self._check_quality(data, connection, attempt)
        except TransportError as failure:
            raise BrokenOffError(self.job.id, attempt.stage, failure) from failure
        except EidError:
            if is_new and attempt.stage is Stage.UNTOUCHED:
                with suppress(GatewayError):  # a registry that is away is told when the job is taken up again
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
        # Doc 9303-12 4.1.4: a certificate outlives what was signed under it, which is good to the end of its last day
        if datetime.combine(record.expires_on, time(23, 59, 59), UTC) > until:
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

    def _write(self, record: IdentityRecord, connection: Connection, attempt: Attempt) -> tuple[CardData, OpenedCard]:
        known = attempt.known
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
        opened = drive(opening, connection, attempt)
        attempt.close(REPLACE_KEYS)  # it opened under its own keys
        orders = plan_card(order_keys(self.profile), self.profile.personalization.dialect)
        if opened.is_locked:
            products = collect_products(attempt.progress.results, orders.keys)
        else:
            products = drive(self._channel(opened, apply(orders.keys, known)), connection, attempt)
        explicit = self.profile.authority.ec_parameters == "explicit"
        data = build_card(
            record,
            self.profile,
            can=derive_secrets(master.card_keys(opened.kdd, stated.key_version), self.job.id, self.profile),
            public_keys=collect_public_keys(products, explicit=explicit, orders=build_key_orders(self.profile)),
            sign=lambda security_object: self._sign(security_object, attempt),
            sign_card_security=lambda infos: self._sign_card_security(infos, attempt),
            status=self._place(attempt),
            trust_points=self.trust_points,
            trust_date=self._note_trust_points(attempt),
        )
        if opened.is_locked:
            attempt.close(LOCK)
        else:
            plan = plan_card(data.image, self.profile.personalization.dialect)
            drive(self._channel(opened, apply((*plan.files, *plan.lock), known)), connection, attempt)
        return data, opened

    def _channel(self, opened: OpenedCard, steps: Exchange[T]) -> Exchange[T]:
        """Steps in the channel; a chip without extended length is sent a long command as a chain."""
        max_link = None if self.profile.chip.extended_length else MAX_SHORT_DATA
        return through(opened.channel, steps, max_link=max_link)

    def _note_trust_points(self, attempt: Attempt) -> date | None:
        """The date that the card will believe in: the day on which it was first told whom to trust.

        Raises:
            LifecycleError: the job was begun with other trust points.
        """
        if not self.trust_points:
            return None
        digest = hashlib.sha256(b"".join(self.trust_points)).hexdigest()
        settled = attempt.settle(TRUST, {"trust_points": digest, "date": self.now().date().isoformat()})
        if settled["trust_points"] != digest:
            raise LifecycleError("the job was begun with other trust points: resume it with the same ones")
        return date.fromisoformat(settled["date"])

    def _sign(self, security_object: bytes, attempt: Attempt) -> bytes:
        """EF.SOD, of the LDS security object."""
        names = "security_object", "ef_sod"
        return attempt.sign_once(SIGN, names, security_object, self.authority.sign_sod, self.now)

    def _sign_card_security(self, infos: tuple[SecurityInfo, ...], attempt: Attempt) -> bytes:
        """EF.CardSecurity, of the chip's announcements."""

        def sign(_: bytes, now: datetime) -> bytes:
            return self.authority.sign_card_security(infos, now)

        names, content = ("security_infos", "ef_card_security"), encode_security_infos(infos)
        return attempt.sign_once(SIGN_CARD_SECURITY, names, content, sign, self.now)

    def _place(self, attempt: Attempt) -> StatusListReference:
        """The card's place in a status list, which no other card has."""
        uri, place = self.book.allocate_place()
        attempt.settle(PLACE, {"uri": uri, "index": str(place)})
        return StatusListReference(uri, place)

    # --- after the lock

    def _check_quality(
        self, data: CardData, connection: Connection, attempt: Attempt
    ) -> tuple[Evidence, VerificationReport]:
        try:
            return check_quality(
                data, self.profile, self.authority, connection, self.job.reader, self.now(), self.random, attempt
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
