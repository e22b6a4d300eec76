"""The demonstration: issue a specimen card of a country, verify it through the API, and have four frauds refused.

It runs the product's own parts and nothing made for show: the authority, the personalisation, the inspection station,
the API in a process of its own.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from eid.card import VirtualCard
from eid.enrolment.rules import load_rules
from eid.errors import LifecycleError
from eid.evidence import Evidence, ReadFile
from eid.identity import IdentityRecord, encode_identity_record
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.inspection import InspectionPlan
from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import Signer
from eid.keystore.software import SoftwareKeyStore
from eid.personalization.build import CardData, build_chip
from eid.pki.crl import RevocationReason
from eid.printing.faces import Faces, render_faces
from eid.printing.printed_card import build_printed_card
from eid.profile.card_image import KeyPurpose, PasswordId
from eid.profile.layout import decode_face_layout
from eid.profile.loader import LoadedProfile, load_profile
from eid.protocols.exchange import Checkpoint, CheckpointSink
from eid.protocols.pace.core import Password
from eid.services.card.card_writing import Line, write
from eid.services.card.writing_desk import build_record
from eid.services.demonstration.api_process import ApiClient, start_api
from eid.services.demonstration.frauds import alter_data_group_1, copy_card
from eid.services.demonstration.office import MAKER, DemonstrationOffice, load_demonstration, open_office
from eid.services.emulator.card_slot import Slot, open_slot
from eid.services.issuing.issuance import IssuedCard
from eid.services.pki.authority import KEYS, IssuingAuthority
from eid.services.pki.authority_creation import create_authority
from eid.services.reading.holder import describe_holder
from eid.services.reading.inspection import Inspected, inspect_card
from eid.services.reading.station_key import CURVE, ES256, PUBLIC_KEYS, StationKeys, sign_by_station
from eid.services.trust.imports import import_trust
from eid.store.database import locate_file, open_database
from eid.store.production_orders import ProductionOrder
from eid.store.schema_version import upgrade
from eid.transport.metered import MeteredConnection, StepMeter

COUNTRY: Final = "morocco"
POLICY: Final = "strict"
MARK: Final = ".eid-demo"
REVOKED: Final = "trust-revoked"
PORTRAIT_OCTETS: Final = 40_000  # as it is captured; the card has a smaller one
MAX_READER_NAME: Final = 128  # characters that a job keeps
CHEAP: Final = ScryptCost(n=1 << 12)  # keys of a demonstration; the default cost is for those that matter


class Narrator(Protocol):
    """Who tells the user what happens."""

    def chapter(self, title: str) -> None:
        """A new part begins."""

    def done(self, text: str) -> None:
        """Something was achieved."""

    def step(self, name: str) -> None:
        """A step on the card begins."""


@dataclass(frozen=True, slots=True)
class Fraud:
    """One fraud and how it fared.

    Args:
        expected: ids of the checks that must fail, and no others. found: check ids with their reasons.
    """

    name: str
    story: str
    expected: tuple[str, ...]
    verdict: str
    found: tuple[tuple[str, str], ...]
    evidence_file: str
    challenge: str
    trust: str

    @property
    def refused(self) -> bool:
        """Whether it was refused by exactly the checks that are meant for it."""
        return self.verdict == "TOTAL_FAILED" and tuple(sorted(name for name, _ in self.found)) == self.expected


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """All that the demonstration has to show.

    Args:
        transport: "PC/SC" or "in-process", and how. report: the API's answer for the genuine card.
        personalization, inspection: what each step cost. application: the way of the application that it comes from.
        faces: None where the product has no face layout. holder: what the chip says of its holder, by label.
        unexpected: labels of what it should say otherwise, by the country's made-up office.
    """

    home: Path
    transport: str
    report: dict[str, Any]
    frauds: tuple[Fraud, ...]
    issued: IssuedCard = field(repr=False)
    faces: Faces | None = field(repr=False)
    inspected: Inspected = field(repr=False)
    challenge: str
    personalization: tuple[StepMeter, ...]
    application: dict[str, Any]
    missing: tuple[str, ...]
    country: str
    product: str
    holder: Mapping[str, tuple[str, ...]] = field(repr=False)
    unexpected: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        """Whether every outcome was the one it had to be."""
        passed = self.report.get("verdict") == "TOTAL_PASSED" and not self.unexpected
        return passed and all(fraud.refused for fraud in self.frauds)


@dataclass(frozen=True, slots=True)
class _Made:
    """A card that was made and handed over, and the way to it."""

    issued: IssuedCard
    meters: tuple[StepMeter, ...]
    card: VirtualCard
    faces: Faces | None
    told: dict[str, Any]


@dataclass(slots=True)
class Demonstration:
    """One run.

    Args:
        home: a directory of its own, emptied first. now: the clock, aware values. country: whose card is made, by the
            country's files alone.
    """

    home: Path
    narrator: Narrator
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC).replace(microsecond=0))
    fonts: tuple[Path, ...] | None = None
    country: str = COUNTRY

    def run(self, transport: str | None = None) -> Demonstrated:
        """Do all of it.

        Raises:
            LifecycleError: `home` holds something that is no demonstration, or one runs there now. StoreError: there
                are no rules of the country, or no made-up office with a demonstration.
            ReaderUnavailableError: see `open_slot`. GatewayError: the API did not start, or broke off.
        """
        with ExitStack() as stack:
            stack.enter_context(occupy(self.home))
            loaded = load_profile(load_rules(self.country).rules.issuer.profile)
            expected = load_demonstration(self.country)[1].expected
            slot, why = stack.enter_context(open_slot(transport))
            self.narrator.chapter(f"Transport: {slot.way}")
            authority = self._authority(loaded.profile.name)
            station = self._station()
            # An API takes a second or two to start: each does so while there is other work.
            api = stack.enter_context(start_api(self.home / "api", self.home / "trust", self.home / PUBLIC_KEYS))
            made = self._make_card(slot, authority, loaded)
            issued, card, faces = made.issued, made.card, made.faces
            client = api.await_ready()
            self.narrator.chapter("Verification")
            self.narrator.done(f"the API runs in process {client.pid} at {client.url}")
            report, inspected, challenge = self._verify(client, slot, card, issued.data, station)
            self._revoke(authority)
            strict_api = stack.enter_context(
                start_api(self.home / "api-revoked", self.home / REVOKED, self.home / PUBLIC_KEYS)
            )
            frauds = (
                *self._frauds(client, slot, card, issued.data, station, inspected),
                self._revoked(strict_api.await_ready(), slot, card, issued.data, station),
            )
        without = ("a face layout of this product",) if faces is None else faces.missing_fonts
        missing = tuple(filter(None, (f"PC/SC: {why}" if why else "", *without)))
        holder = _by_label(inspected)
        return Demonstrated(
            self.home,
            slot.way,
            report,
            frauds,
            issued,
            faces,
            inspected,
            challenge,
            made.meters,
            made.told,
            missing,
            self.country,
            loaded.profile.name,
            holder,
            tuple(label for label, texts in expected.items() if holder.get(label) != texts),
        )

    # --- issuing

    def _authority(self, product: str) -> IssuingAuthority:
        self.narrator.chapter("Authority")
        passphrase = secrets.token_urlsafe(24).encode()
        _write(self.home / "passphrase", passphrase + b"\n", 0o600)
        place = self.home / "pki"
        place.mkdir()
        keys = SoftwareKeyStore(place / KEYS, passphrase, cost=CHEAP)
        authority = create_authority(place, product, keys, self.now())
        stated = authority.profile.authority
        self.narrator.done(f"CSCA on {stated.csca_curve}, EC parameters {stated.ec_parameters}")
        self.narrator.done(f"document signer on {stated.signer_curve}, CRL number {authority.register.crl_number}")
        self._import(self.home / "trust", authority)
        return authority

    def _import(self, store: Path, authority: IssuingAuthority) -> None:
        crl = authority.directory / f"crl-{authority.register.crl_number:06}.crl"
        import_trust(store, (authority.directory / "csca-001.cer", crl), unsigned=False, now=self.now())

    def _make_card(self, slot: Slot, authority: IssuingAuthority, loaded: LoadedProfile) -> _Made:
        """The whole way of an application, from the order of a stamp to the card in its holder's hand."""
        engine = open_database(locate_file(self.home / "eid.db"))
        upgrade(engine)
        officer = SoftwareKeyStore(self.home / "officer", secrets.token_bytes(24), cost=CHEAP)
        key = officer.generate_ec("officer-1", CURVE, ES256)
        with open_office(self.home, engine, key, self.narrator, self.now, self.country) as office:
            portrait = encode_portrait(draw_specimen_portrait(), ImageFormat.JPEG, PORTRAIT_OCTETS)
            application = office.apply()
            office.enrol(application, portrait)
            order = office.approve(application)
            issued, meters, card, record = self._issue(slot, authority, loaded, office, order)
            faces = self._print(loaded, record, issued.data)
            sod = self._inspect(slot, card, issued.data, "00" * 8, tell=False).evidence.content("EF.SOD")
            office.hand_over(application, order, sod or b"")
            told = office.summarize(application)
        engine.dispose()
        self.narrator.done(f"{told['messages']} messages were sent, {told['audit_rows']} rows stand in the audit log")
        return _Made(issued, meters, card, faces, told)

    def _issue(
        self,
        slot: Slot,
        authority: IssuingAuthority,
        loaded: LoadedProfile,
        office: DemonstrationOffice,
        order: ProductionOrder,
    ) -> tuple[IssuedCard, tuple[StepMeter, ...], VirtualCard, IdentityRecord]:
        self.narrator.chapter("Personalisation")
        serial = secrets.token_bytes(10)
        card = VirtualCard.blank(build_chip(loaded.profile), serial=serial)
        order = office.reserve_blank(order, serial)
        if order.store_id is None:
            raise LifecycleError("no blank was reserved")
        line = Line(office.engine, office.blobs, authority, loaded, order.store_id, self.now)
        record = build_record(line.desk, order)
        _write(self.home / "record.json", encode_identity_record(record), 0o600)
        metered = MeteredConnection(slot.insert(card), checkpoints=_Steps(self.narrator))
        _, issued = write(line, order.id, metered, slot.way[:MAX_READER_NAME], MAKER, metered)
        slot.remove()
        if issued is None:
            raise LifecycleError("the card was written before")
        total = metered.total
        self.narrator.done(
            f"card written, locked, read back and verified: {total.commands} APDUs, {total.sent} octets sent, "
            f"{total.received} received, {total.seconds * 1000:.0f} ms"
        )
        _write(self.home / "card.eid", card.state(), 0o600)
        return issued, metered.steps, card, record

    def _print(self, loaded: LoadedProfile, record: IdentityRecord, data: CardData) -> Faces | None:
        if loaded.layout is None:
            return None
        self.narrator.chapter("Faces")
        layout = decode_face_layout(loaded.layout)
        printed = build_printed_card(record, data.mrz, data.can, layout)
        small = render_faces(printed, layout, 300, self.fonts)
        large = render_faces(printed, layout, 600, self.fonts)
        for name, picture in (
            ("card-front.png", small.front),
            ("card-back.png", small.back),
            ("card-front-600dpi.png", large.front),
            ("card-back-600dpi.png", large.back),
        ):
            _write(self.home / name, picture)
        self.narrator.done("card-front.png and card-back.png at 300 dpi, and at 600 dpi beside them")
        for name in small.missing_fonts:
            self.narrator.done(f"without {name}: another typeface, or a notice, stands in place of its texts")
        return small

    # --- inspecting

    def _station(self) -> Signer:
        passphrase = secrets.token_bytes(24)
        return StationKeys(self.home, lambda: passphrase, CHEAP).make()

    def _inspect(self, slot: Slot, card: VirtualCard, data: CardData, challenge: str, *, tell: bool) -> Inspected:
        plan = InspectionPlan(
            _password(data),
            challenge=bytes.fromhex(challenge),
            reader=slot.way,
            policy=POLICY,
            max_response=data.image.chip.max_response_data,
        )
        connection = slot.insert(card)
        try:
            return inspect_card(connection, plan, now=self.now(), progress=_Steps(self.narrator) if tell else None)
        finally:
            slot.remove()

    def _verify(
        self, client: ApiClient, slot: Slot, card: VirtualCard, data: CardData, station: Signer
    ) -> tuple[dict[str, Any], Inspected, str]:
        session = client.create_verification("demonstration", POLICY)
        inspected = self._inspect(slot, card, data, session["challenge"], tell=True)
        signed = sign_by_station(inspected.evidence, station)
        _write(self.home / "card.evidence", signed)
        report = client.submit_evidence(session["id"], signed)
        self.narrator.done(f"verdict {report['verdict']}")
        return report, inspected, session["challenge"]

    # --- frauds

    def _frauds(
        self,
        client: ApiClient,
        slot: Slot,
        card: VirtualCard,
        data: CardData,
        station: Signer,
        genuine: Inspected,
    ) -> tuple[Fraud, ...]:
        self.narrator.chapter("Frauds")
        forged = alter_data_group_1(data)
        altered_dg1 = next(file.content for file in forged.applications[0].files if file.name == "DG1")
        clone, proofs = copy_card(data.image), _proofs(data)
        return (
            self._fraud(
                client, station, "altered", "one octet of DG1 is altered", ("sod.dg_hashes.dg1",),
                lambda challenge: _replace_file(
                    self._inspect(slot, card, data, challenge, tell=False).evidence, "DG1", altered_dg1
                ),
            ),
            self._fraud(
                client, station, "cloned", "all files are copied to a chip without the private keys",
                proofs,
                lambda challenge: self._inspect(slot, clone, data, challenge, tell=False).evidence,
            ),
            self._fraud(
                client, station, "replayed", "yesterday's evidence is sent for today's challenge", proofs[:1],
                lambda _: genuine.evidence,
            ),
        )  # fmt: skip

    def _revoke(self, authority: IssuingAuthority) -> None:
        """Revoke the document signer, for a trust store of its own."""
        (_, certificate), *_ = authority.signers()
        authority.revoke(certificate.serial, RevocationReason.KEY_COMPROMISE, self.now())
        self._import(self.home / REVOKED, authority)

    def _revoked(self, client: ApiClient, slot: Slot, card: VirtualCard, data: CardData, station: Signer) -> Fraud:
        return self._fraud(
            client,
            station,
            "revoked",
            "the document signer is revoked by a CRL",
            ("ds.revocation",),
            lambda challenge: self._inspect(slot, card, data, challenge, tell=False).evidence,
            trust=REVOKED,
        )

    def _fraud(
        self,
        client: ApiClient,
        station: Signer,
        name: str,
        story: str,
        expected: tuple[str, ...],
        gather: Callable[[str], Evidence],
        trust: str = "trust",
    ) -> Fraud:
        session = client.create_verification("demonstration", POLICY)
        signed = sign_by_station(gather(session["challenge"]), station)
        file = f"fraud-{name}.evidence"
        _write(self.home / file, signed)
        report = client.submit_evidence(session["id"], signed)
        found = tuple((item["id"], str(item["reason"])) for item in report["checks"] if item["outcome"] == "FAILED")
        fraud = Fraud(name, story, expected, report["verdict"], found, file, session["challenge"], trust)
        self.narrator.done(f"{story}: {fraud.verdict}, {', '.join(f'{check} {reason}' for check, reason in found)}")
        return fraud


@contextmanager
def occupy(home: Path) -> Iterator[None]:
    """Empty the demonstration's directory, make it where it is missing, and keep others out of it.

    Raises:
        LifecycleError: there is something in it that no demonstration put there, or one runs there now.
    """
    mark = home / MARK
    if home.exists() and any(home.iterdir()) and not mark.is_file():
        raise LifecycleError(f"{home} is not empty and not of an earlier demonstration; name another with --home")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with mark.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LifecycleError(f"a demonstration runs in {home} now; name another directory with --home") from None
        for entry in home.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != mark:
                entry.unlink()
        yield


def _proofs(data: CardData) -> tuple[str, ...]:
    """The checks by which this chip proves that it is no copy, in the order of their names."""
    checks = {KeyPurpose.ACTIVE_AUTHENTICATION: "chip.aa", KeyPurpose.CHIP_AUTHENTICATION: "chip.ca"}
    return tuple(sorted(checks[key.purpose] for key in data.image.applications[0].keys if key.purpose in checks))


def _password(data: CardData) -> Password:
    """The card access number where the chip knows it, else what the machine-readable zone says."""
    if any(password.id is PasswordId.CAN for password in data.image.passwords):
        return Password(PasswordId.CAN, data.can.encode("ascii"))
    return Password(PasswordId.MRZ, data.mrz.information.encode("ascii"))


def _by_label(inspected: Inspected) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for label, text in describe_holder(inspected.evidence):
        found[label] = (*found.get(label, ()), text)
    return found


def _replace_file(evidence: Evidence, name: str, content: bytes) -> Evidence:
    files = tuple(ReadFile(name, content) if file.name == name else file for file in evidence.files)
    return Evidence(
        evidence.origin,
        evidence.gathered_at,
        evidence.challenge,
        evidence.reader,
        evidence.policy,
        files,
        evidence.transcripts,
    )


def _write(path: Path, raw: bytes, mode: int = 0o644) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Tells the narrator where steps begin."""

    narrator: Narrator

    def record(self, checkpoint: Checkpoint) -> None:
        """Pass a step's beginning on."""
        if checkpoint.phase in ("begin", "intent"):
            self.narrator.step(checkpoint.step)


_: type[CheckpointSink] = _Steps
