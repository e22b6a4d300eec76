"""The demonstration's office: the whole way from the order of a stamp to the card in its holder's hand.

The services are those of the registry; whoever stands outside (payment provider, SMS gateway, biometric system) is a
sandbox. Reviews and appointments take days, so the office's clock begins some days ago and catches up with the
machine's before the card is approved.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from eid.crypto.signatures import SignatureAlgorithm
from eid.enrolment.capture import (
    CapturedItem,
    CaptureRecord,
    ItemFormat,
    QualityFormat,
    digest_item,
    sign_capture,
)
from eid.enrolment.person import decode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import LoadedRules, load_rules
from eid.enrolment.site import decode_site
from eid.errors import EnrolmentError, LifecycleError
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.abis.server import serve_sandbox as serve_abis
from eid.gateways.blobs import BlobStore
from eid.gateways.sandbox_sms import SmsSandbox, serve_sms
from eid.identity import IdentityRecord
from eid.imaging.fingerprint import draw_specimen_fingerprint
from eid.keystore.ports import Signer
from eid.services.application import acts, approval, documents, drafts, enrolment, review, views
from eid.services.application.documents import Upload
from eid.services.application.drafts import NewApplication
from eid.services.appointment import appointments
from eid.services.appointment.desk import Desk
from eid.services.appointment.sites import put_site
from eid.services.card import delivery, production, stock
from eid.services.card.delivery import CollectorCheck, Comparison, Relation
from eid.services.demonstration.specimen_paper import build_specimen_paper
from eid.services.demonstration.till import buy_stamp
from eid.services.durable.relay import drain
from eid.services.durable.work import Workshop
from eid.services.durable.workshop import open_workshop
from eid.services.registry import load_keys
from eid.services.settings import Settings
from eid.services.stamp import spending
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.applications import StoredApplication
from eid.store.audit import bucket_of, read_chain, read_heads
from eid.store.database import reading
from eid.store.production_orders import ProductionOrder

BEGINS: Final = timedelta(days=-4)
RULES: Final = "morocco"
PHONE: Final = "+212600000100"
SITE: Final[dict[str, Any]] = {
    "code": "rabat-agdal",
    "kind": "centre",
    "time_zone": "Africa/Casablanca",
    "places": 2,
    "services": ["card"],
    "title": {"fr": "Rabat Agdal (SPECIMEN)", "ar": "الرباط أكدال (SPECIMEN)", "en": "Rabat Agdal (SPECIMEN)"},
    "hours": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "08:30", "until": "16:30"}],
}
FINGERS: Final = ("right-index", "left-index")
APPLICANT: Final = Actor("applicant-1", frozenset((Role.APPLICANT,)))
VALIDATOR: Final = Actor("validator-1", frozenset((Role.VALIDATING_OFFICER,)), SITE["code"])
OFFICER: Final = Actor("officer-1", frozenset((Role.ENROLMENT_OFFICER,)), SITE["code"])
APPROVER: Final = Actor("approver-1", frozenset((Role.APPROVER,)))
MAKER: Final = Actor("press-1", frozenset((Role.PRODUCTION_OPERATOR,)))
COURIER: Final = Actor("courier-1", frozenset((Role.DELIVERY_OPERATOR,)))
ADMINISTRATOR: Final = Actor("admin-1", frozenset((Role.ADMINISTRATOR,)))
ES256: Final = SignatureAlgorithm("ecdsa-plain", "sha256")
_DIGITS: Final = re.compile(r"(?<!\d)\d{16}(?!\d)", re.ASCII)


class Teller(Protocol):
    """Who tells the user what happens."""

    def chapter(self, title: str) -> None:
        """A new part begins."""

    def done(self, text: str) -> None:
        """Something was achieved."""


@dataclass(slots=True)
class MovedClock:
    """The machine's clock, moved."""

    machine: Callable[[], datetime]
    by: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        """The moment in the office."""
        return self.machine() + self.by

    def wait_until(self, moment: datetime) -> None:
        """Let time pass until then."""
        self.by = max(self.by, moment - self.machine())


@dataclass(slots=True)
class DemonstrationOffice:
    """An office with one applicant. person: who is to get a card; key: with which the officer signs captures."""

    engine: Engine = field(repr=False)
    blobs: BlobStore = field(repr=False)
    workshop: Workshop = field(repr=False)
    clock: MovedClock = field(repr=False)
    sms: SmsSandbox = field(repr=False)
    teller: Teller = field(repr=False)
    key: Signer = field(repr=False)
    loaded: LoadedRules = field(repr=False)

    # --- from the stamp to the order of a card

    def apply(self, person: IdentityRecord) -> StoredApplication:
        """A stamp is bought, an application made with it, and validated."""
        self.teller.chapter("Application")
        put_site(self._desk, decode_site(SITE), ADMINISTRATOR, self.clock())
        digits = self._buy_stamp(person)
        made = self._submit(person, digits)
        self._review(made.id)
        return made

    def _buy_stamp(self, person: IdentityRecord) -> str:
        born = decode_person(describe_person(person)).born
        if born is None:
            raise LifecycleError("the specimen has no date of birth")
        ordered = buy_stamp(self._stamps, StampOrder("card", born, PHONE, "fr"), APPLICANT, self.clock)
        self._work()
        digits = next(found[0] for text in self._texts() if (found := _DIGITS.search(text)))
        price = f"{ordered.amount} {ordered.currency}"
        self._tell(f"a stamp of {price} is ordered and paid online; the provider calls back, signed")
        self._tell(f"an SMS brings its sixteen digits, the last four of which are {digits[-4:]}")
        return digits

    def _submit(self, person: IdentityRecord, digits: str) -> StoredApplication:
        new = NewApplication("first", decode_person(describe_person(person)), False, SITE["code"], "fr", "card")
        made = drafts.create_application(self.engine, new, APPLICANT, self.clock(), rules=RULES)
        papers = views.requirements(self.engine, made.id, APPLICANT, self.clock()).papers
        for code in papers:
            self._attach(made.id, code)
        spending.enter_stamp(self._stamps, made.id, digits, APPLICANT, self.clock())
        submitted = acts.submit(self.engine, made.id, APPLICANT, self.clock())
        self._tell(f"application {made.number} is submitted: {', '.join(papers)}; the stamp is reserved for it")
        return submitted

    def _attach(self, application_id: UUID, code: str) -> None:
        content = build_specimen_paper(f"{code}, {self.clock():%Y-%m-%d %H:%M}")
        upload = Upload(code, "application/pdf", content, self.clock().date())
        documents.attach(self.engine, self.blobs, application_id, upload, APPLICANT, self.clock())

    def _review(self, application_id: UUID) -> None:
        self.clock.wait_until(self.clock() + timedelta(days=1))
        acts.take_up(self.engine, application_id, VALIDATOR, self.clock())
        acts.request_information(self.engine, application_id, ("photograph",), VALIDATOR, self.clock())
        self._tell("an officer takes it up and asks, once, for a better photograph")
        self.clock.wait_until(self.clock() + timedelta(hours=2))
        self._attach(application_id, "photograph")
        acts.supply(self.engine, application_id, APPLICANT, self.clock())
        review.validate(self.engine, application_id, VALIDATOR, self.clock())
        self._work()
        self._tell("the photograph has come; the officer validates, and the person is in the register")

    def enrol(self, application: StoredApplication, portrait: bytes) -> None:
        """An appointment is chosen and kept; at the counter the person is captured. portrait: JPEG."""
        self.teller.chapter("Enrolment")
        desk, today = self._desk, self.clock().date()
        offers = appointments.offer_times(desk, application.id, SITE["code"], today, 3, APPLICANT, self.clock())
        held = appointments.hold(desk, application.id, SITE["code"], offers[0].slot, APPLICANT, self.clock())
        booked = appointments.book(desk, held.id, APPLICANT, self.clock())
        place = f"{booked.slot.replace('T', ' ')} at {SITE['title']['en']}"
        self._tell(f"of {len(offers)} times that are offered one is booked: {place}")
        self.clock.wait_until(booked.starts_at - timedelta(minutes=5))
        appointments.check_in(desk, booked.id, OFFICER, self.clock())
        enrolment.register_officer_key(self.engine, OFFICER.id, self.key.public_key_info, ADMINISTRATOR, self.clock())
        items, record = self._capture(application.id, portrait)
        enrolment.record_capture(self.engine, self.blobs, record, items, OFFICER, self.clock())
        appointments.serve(desk, booked.id, OFFICER, self.clock())
        self._tell("checked in; portrait and two fingers are taken, and signed for by the officer")
        self._work()
        self._tell("the biometric system knows nobody like that; the file awaits approval")

    def _capture(self, application_id: UUID, portrait: bytes) -> tuple[dict[str, bytes], bytes]:
        items = {"portrait": portrait}
        items |= {finger: draw_specimen_fingerprint(seed) for seed, finger in enumerate(FINGERS)}
        face = CapturedItem("portrait", ItemFormat.JPEG, digest_item(portrait))
        fingers = [
            CapturedItem(name, ItemFormat.JPEG2000, digest_item(items[name]), 70, QualityFormat.NFIQ2)
            for name in FINGERS
        ]
        moment = self.clock().replace(microsecond=0)
        taken = CaptureRecord(application_id, OFFICER.id, SITE["code"], "station-1", moment, (face, *fingers))
        return items, sign_capture(taken, self.key.sign, hashlib.sha256(self.key.public_key_info).digest())

    def approve(self, application: StoredApplication) -> ProductionOrder:
        """Not by who captured: by a second officer. The stamp is spent, a card is ordered."""
        self.teller.chapter("Approval")
        self.clock.by = timedelta(0)
        same = replace(OFFICER, roles=OFFICER.roles | APPROVER.roles)
        try:
            approval.approve(self._stamps, application.id, same, self.clock())
        except EnrolmentError as refused:
            self._tell(f"who captured the person may not approve ({refused.guard})")
        else:
            raise LifecycleError("an officer has approved his own file")
        order = approval.approve(self._stamps, application.id, APPROVER, self.clock())
        self._work()
        self._tell("a second officer approves: the stamp is spent, a card is ordered")
        return order

    def reserve_blank(self, order: ProductionOrder, serial: bytes) -> ProductionOrder:
        """A delivery of one blank, which is reserved for the order with a document number."""
        store = stock.open_store(self.engine, "Press", MAKER, self.clock())
        product = self.loaded.rules.issuer.profile
        stock.receive_batch(self.engine, store.id, "B-1", product, (serial.hex().upper(),), MAKER, self.clock())
        return production.reserve(self.engine, order.id, store.id, MAKER, self.clock())

    # --- from the card to its holder

    def hand_over(
        self, application: StoredApplication, order: ProductionOrder, person: IdentityRecord, sod: bytes
    ) -> None:
        """The card is found good, sent, and given to its holder. sod: EF.SOD, as it was read at the counter."""
        self.teller.chapter("Hand-over")
        production.inspect_card(self.engine, order.id, MAKER, self.clock())
        delivery.ship(self.engine, application.id, COURIER, self.clock())
        delivery.arrive(self.engine, application.id, OFFICER, self.clock())
        self._tell("the card is looked at, sent and received; its holder is told")
        digest = hashlib.sha256(sod).digest()
        check = CollectorCheck(Relation.HOLDER, Comparison.PORTRAIT, person.personal_number, digest)
        delivery.hand_over(self.engine, application.id, check, OFFICER, self.clock())
        self._work()
        self._tell("the officer reads the card and compares the portrait: handed over, the card is active")

    def summarize(self, application: StoredApplication) -> dict[str, Any]:
        """Where the application stands, what was done to it, how many messages went out, how long the audit log is."""
        found = views.read_status(self.engine, application.id, APPLICANT)
        with reading(self.engine) as connection:
            rows = sum(size for size, _ in read_heads(connection).values())
            chain = [row.event for row in read_chain(connection, bucket_of(application.id))]
        steps = [item for item in chain if item.subject == f"application:{application.id}"]
        return {
            "number": found.number,
            "state": found.state,
            "steps": [{"at": item.at.isoformat(), "actor": item.actor, "action": item.action} for item in steps],
            "messages": len(self._texts()),
            "audit_rows": rows,
        }

    # --- what it works with

    @property
    def _desk(self) -> Desk:
        return Desk(self.engine, self.loaded.rules.appointments)

    @property
    def _stamps(self) -> StampOffice:
        return StampOffice(self.engine, self.loaded.rules, self.workshop.keys)

    def _work(self) -> None:
        """Do what a worker would."""
        drain(self.workshop)

    def _texts(self) -> list[str]:
        with self.sms.lock:
            return [message["text"] for message in self.sms.messages.values()]

    def _tell(self, text: str) -> None:
        there = self.clock().astimezone(ZoneInfo(SITE["time_zone"]))
        self.teller.done(f"{there:%Y-%m-%d %H:%M}  {text}")


@contextmanager
def open_office(
    home: Path, engine: Engine, key: Signer, teller: Teller, machine: Callable[[], datetime]
) -> Iterator[DemonstrationOffice]:
    """The office, with the sandboxes that it needs, while the context lasts. home: where papers and keys lie."""
    loaded, clock = load_rules(RULES), MovedClock(machine, BEGINS)
    with ExitStack() as stack:
        token = secrets.token_hex(16)
        sms, sms_url = stack.enter_context(serve_sms(token))
        abis = stack.enter_context(serve_abis(SandboxAbis()))
        (home / "sms-token").write_text(f"{token}\n", "utf-8")
        (home / "sms-token").chmod(0o600)
        settings = Settings(
            home=home, sms=sms_url, sms_token_file=str(home / "sms-token"), abis=f"http://127.0.0.1:{abis.port}"
        )
        workshop = open_workshop(settings, engine, now=clock)
        blobs = BlobStore(settings.documents_address, load_keys(settings))
        yield DemonstrationOffice(engine, blobs, workshop, clock, sms, teller, key, loaded)


def describe_person(person: IdentityRecord) -> Mapping[str, Any]:
    """What an applicant states of himself, of a record that was approved."""

    def two_scripts(name: str) -> dict[str, str]:
        found = getattr(person, name)
        return {found.script: found.native, "latin": found.latin}

    names = ("family_name", "given_names", "place_of_birth", "father", "mother")
    born = person.date_of_birth
    return {
        **{name: two_scripts(name) for name in names},
        "specimen": True,
        "date_of_birth": f"{born.year:04}-{born.month:02}-{born.day:02}",
        "sex": person.sex,
        "nationality": person.nationality,
        "personal_number": person.personal_number,
        "civil_status": {"number": person.civil_status_number},
        "address": {"lines": two_scripts("address"), "country": person.nationality},
        "contact": {"phone": PHONE},
    }
