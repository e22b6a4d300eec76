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
from datetime import datetime
from typing import Final

from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import Engine

from eid.errors import EidError, LifecycleError, TransportError
from eid.evidence import Evidence
from eid.identity import IdentityRecord
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.keystore.card_keys import default_card_keys
from eid.keystore.ports import CardKeys, StaticKey
from eid.lds.dg13 import StatusListReference
from eid.personalization.apply import Progress, apply, collect_products
from eid.personalization.build import CardData, build_card, build_chip, build_key_orders
from eid.personalization.dialects import plan_card
from eid.personalization.open import OpenedCard, open_card
from eid.personalization.public_keys import collect_public_keys
from eid.pki.trust_store import build_trust_store
from eid.profile.card_image import ApplicationImage, CardImage, PasswordId
from eid.profile.loader import LoadedProfile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection, drive, through
from eid.protocols.pace.core import Password
from eid.protocols.scp03.core import SecurityLevel
from eid.services.authority import IssuingAuthority
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, register_document, tag_document_number
from eid.store.journal import JobProgress, Journal
from eid.store.personalization_jobs import PersonalizationJob, change_job, create_job, load_job
from eid.verification.policy import load_policy
from eid.verification.report import Verdict, VerificationReport, report_to_json
from eid.verification.verify import verify

LOCK: Final = "lock the card"
SIGN: Final = "sign EF.SOD"
PLACE: Final = "allocate status place"
QUALITY_POLICY: Final = "strict"
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

    def __init__(self, job_id: uuid.UUID, cause: EidError) -> None:
        self.job_id = job_id
        super().__init__(
            f"{cause}. The card is not operational and opens for nobody. Put the same card back and resume job "
            f"{job_id}; if the card is damaged, destroy it and begin anew with another."
        )


@dataclass(slots=True)
class Issuance:
    """One attempt at one card. Make one with `begin` or `resume`, then call `run`.

    Args:
        now: the clock, aware values. observe: told of each step, for progress.
    """

    engine: Engine
    authority: IssuingAuthority
    loaded: LoadedProfile
    job: PersonalizationJob
    now: Callable[[], datetime]
    random: Callable[[int], bytes] = os.urandom

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
            LifecycleError: it is another card than the job began with, or the card failed its quality check.
        """
        journal = _Relay(Journal(self.engine, self.job.id, self.now), sink)
        try:
            data, opened = self._write(record, connection, journal)
        except TransportError as failure:
            raise BrokenOffError(self.job.id, failure) from failure
        evidence, report = self._inspect(data, connection, journal)
        return self._register(data, opened, evidence, report)

    # --- writing

    def _write(self, record: IdentityRecord, connection: Connection, journal: _Relay) -> tuple[CardData, OpenedCard]:
        progress = journal.journal.progress()
        known = _known(progress)
        master = self.authority.master_key
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
        self._note_card(opened)
        orders = plan_card(order_keys(self.profile), self.profile.personalization.dialect)
        if opened.is_locked:
            products = collect_products(progress.results, orders.keys)
        else:
            products = drive(through(opened.channel, apply(orders.keys, known)), connection, journal)
        explicit = self.profile.authority.ec_parameters == "explicit"
        data = build_card(
            record,
            self.profile,
            can=derive_can(master.card_keys(opened.kdd, stated.key_version), self.job.id, self.profile),
            public_keys=collect_public_keys(products, explicit=explicit),
            sign=lambda security_object: self._sign(security_object, progress, journal),
            status=self._place(progress, journal),
        )
        if opened.is_locked:
            journal.record(Checkpoint(LOCK, "result", {"found": "done already"}))
        else:
            plan = plan_card(data.image, self.profile.personalization.dialect)
            drive(through(opened.channel, apply((*plan.files, *plan.lock), known)), connection, journal)
        return data, opened

    def _note_card(self, opened: OpenedCard) -> None:
        serial = opened.kdd.hex()
        self.job = in_transaction(
            self.engine,
            lambda connection: change_job(connection, self.job, "RUNNING", self.now(), card_serial=serial),
        )

    def _sign(self, security_object: bytes, progress: JobProgress, journal: _Relay) -> bytes:
        """EF.SOD; a resumed job takes the one that it signed before, since the card may hold it already."""
        digest = hashlib.sha256(security_object).hexdigest()
        before = progress.results.get(SIGN, {})
        if before.get("security_object") == digest:
            return bytes.fromhex(before["ef_sod"])
        journal.record(Checkpoint(SIGN, "intent", {"security_object": digest}))
        sod = self.authority.sign_sod(security_object, self.now())
        journal.record(Checkpoint(SIGN, "result", {"security_object": digest, "ef_sod": sod.hex()}))
        return sod

    def _place(self, progress: JobProgress, journal: _Relay) -> StatusListReference:
        """The card's place in a status list: an index drawn at random, so that it tells nothing of its neighbours."""
        stated = self.profile.authority
        before = progress.results.get(PLACE)
        if before is not None:
            return StatusListReference(before["uri"], int(before["index"]))
        index = int.from_bytes(self.random(8), "big") % stated.status_list_size
        detail = {"uri": stated.status_list_uri, "index": str(index)}
        journal.record(Checkpoint(PLACE, "intent", detail))
        journal.record(Checkpoint(PLACE, "result", detail))
        return StatusListReference(stated.status_list_uri, index)

    # --- quality

    def _inspect(self, data: CardData, connection: Connection, journal: _Relay) -> tuple[Evidence, VerificationReport]:
        """Read the locked card as a stranger would, and insist that it verifies and holds what was meant."""
        challenge = self.random(8)
        password = _password(data)
        plan = InspectionPlan(
            password,
            challenge=challenge,
            reader=self.job.reader,
            policy=QUALITY_POLICY,
            allow_bac=password.id is PasswordId.MRZ,
            max_response=self.profile.chip.max_response_data,
            aid=self.profile.application.aid,
        )
        connection.reset()
        evidence = drive(inspect(plan, self.now(), self.random), connection, journal)
        trust = build_trust_store((self.authority.csca_certificate,), (self.authority.crl,))
        report = verify(
            evidence, trust, load_policy(_quality_policy(self.profile)), time=self.now(), expected_challenge=challenge
        )
        written = {file.name: file.content for file in data.image.applications[0].files}
        differs = [name for name, content in written.items() if evidence.content(name) != content]
        if report.verdict is not Verdict.TOTAL_PASSED or differs:
            self.job = in_transaction(
                self.engine, lambda connection: change_job(connection, self.job, "SPOILED", self.now())
            )
            failing = ", ".join(item.id for item in report.failures) or ", ".join(differs) or "indeterminate"
            raise LifecycleError(f"the card failed its quality check ({failing}); it is spoiled, destroy it")
        return evidence, report

    def _register(
        self, data: CardData, opened: OpenedCard, evidence: Evidence, report: VerificationReport
    ) -> IssuedCard:
        key = self._register_key()
        tag = tag_document_number(key, data.mrz.issuing_state, data.mrz.document_number)
        digest = hashlib.sha256(json.dumps(report_to_json(report), sort_keys=True).encode()).digest()

        def work(connection: DatabaseConnection) -> tuple[IssuedDocument, PersonalizationJob]:
            document = register_document(
                connection,
                profile_name=self.profile.name,
                profile_digest=self.loaded.digest,
                sod_hash=data.sod_hash,
                card_serial=opened.kdd.hex(),
                document_number_tag=tag,
                key_versions={"scp03": opened.key_version},
                attempt=self.job.attempt,
                report_digest=digest,
                now=self.now(),
                job_id=self.job.id,
            )
            return document, change_job(connection, self.job, "SUCCEEDED", self.now())

        document, self.job = in_transaction(self.engine, work)
        return IssuedCard(document, data, evidence, report)

    def _register_key(self) -> bytes:
        """The key under which documents are found by their number: 32 octets out of the authority's master key."""
        keys = self.authority.master_key.card_keys(REGISTER_LABEL, 1)
        return keys.cmac(StaticKey.ENC, b"document register") + keys.cmac(StaticKey.MAC, b"document register")


def begin(
    engine: Engine,
    authority: IssuingAuthority,
    loaded: LoadedProfile,
    reader: str,
    now: Callable[[], datetime],
) -> Issuance:
    """A new job for a blank card."""
    job = in_transaction(
        engine,
        lambda connection: create_job(connection, profile_digest=loaded.digest, reader=reader, attempt=1, now=now()),
    )
    return Issuance(engine, authority, loaded, job, now)


def resume(
    engine: Engine,
    authority: IssuingAuthority,
    loaded: LoadedProfile,
    job_id: uuid.UUID,
    now: Callable[[], datetime],
) -> Issuance:
    """A job that broke off, to be run again with the same card and record.

    Raises:
        LifecycleError: there is no such job, it has ended, or it was begun under another profile.
    """
    job = in_transaction(engine, lambda connection: load_job(connection, job_id))
    if job is None:
        raise LifecycleError(f"there is no job {job_id}")
    if job.state not in ("PLANNED", "RUNNING"):
        raise LifecycleError(f"job {job_id} has ended: {job.state}")
    if job.profile_digest != loaded.digest:
        raise LifecycleError(f"job {job_id} was begun under another profile, or another version of it")
    return Issuance(engine, authority, loaded, job, now)


def order_keys(profile: CardProfile) -> CardImage:
    """The part of the card image that is known before the chip has made its keys."""
    application = ApplicationImage(
        profile.application.aid, (), build_key_orders(profile), basic_access_control=profile.access.bac
    )
    return CardImage(build_chip(profile), (), (application,), ())


def derive_can(keys: CardKeys, job_id: uuid.UUID, profile: CardProfile) -> str:
    """The card access number: derived from the card's own keys, so that a resumed job knows it and nobody else does."""
    number = int.from_bytes(keys.cmac(StaticKey.ENC, b"card access number" + job_id.bytes), "big")
    digits = profile.document.can_digits
    return f"{number % 10**digits:0{digits}}"


def _password(data: CardData) -> Password:
    """CAN where the card has one, else MRZ."""
    passwords = {item.id: item.value for item in data.image.passwords}
    chosen = PasswordId.CAN if PasswordId.CAN in passwords and data.image.pace else PasswordId.MRZ
    return Password(chosen, passwords[chosen])


def _quality_policy(profile: CardProfile) -> str:
    """`strict` where the chip can answer a challenge; Chip Authentication convinces this reader alone."""
    return QUALITY_POLICY if "DG15" in profile.application.data_groups else "border"


def _known(progress: JobProgress) -> Mapping[str, Progress]:
    known = dict.fromkeys(progress.results, Progress.DONE)
    if progress.unfinished is not None:
        known[progress.unfinished.step] = Progress.INTENT
    return known


@dataclass(slots=True)
class _Relay:
    """Makes a checkpoint durable, then tells whoever watches."""

    journal: Journal
    then: CheckpointSink | None

    def record(self, checkpoint: Checkpoint) -> None:
        """Return only once the fact is durable."""
        self.journal.record(checkpoint)
        if self.then is not None:
            self.then.record(checkpoint)
