"""The demonstration's office: the whole way from the order of a stamp to the card in its holder's hand.

Whose card it is, and by which rules, the country's files say. The services are those of the registry; whoever stands
outside (payment provider, SMS gateway, biometric system) is a sandbox. Reviews and appointments take days, so the
office's clock begins some days ago and catches up with the machine's before the card is approved.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
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
from eid.enrolment.deadlines import local_day
from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import LoadedRules, load_rules
from eid.enrolment.site import decode_site
from eid.enrolment.stamp import stamp_length
from eid.errors import EnrolmentError, LifecycleError, StoreError
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.abis.server import serve_sandbox as serve_abis
from eid.gateways.blobs import BlobStore
from eid.gateways.sandbox_sms import SmsSandbox, serve_sms
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
from eid.services.demonstration.people import MadeUpDemonstration, MadeUpOffice, load_made_up_office
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
EVERY_DAY: Final = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "08:30", "until": "16:30"}
APPLICANT: Final = Actor("applicant-1", frozenset((Role.APPLICANT,)))
APPROVER: Final = Actor("approver-1", frozenset((Role.APPROVER,)))
MAKER: Final = Actor("press-1", frozenset((Role.PRODUCTION_OPERATOR,)))
COURIER: Final = Actor("courier-1", frozenset((Role.DELIVERY_OPERATOR,)))
ADMINISTRATOR: Final = Actor("admin-1", frozenset((Role.ADMINISTRATOR,)))
ES256: Final = SignatureAlgorithm("ecdsa-plain", "sha256")
GOOD: Final = 90  # NFIQ 2 of a drawn finger


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
    """An office with one applicant.

    Args:
        made_up: its site, and who is to get a card. key: with which the officer signs captures.
    """

    engine: Engine = field(repr=False)
    blobs: BlobStore = field(repr=False)
    workshop: Workshop = field(repr=False)
    clock: MovedClock = field(repr=False)
    sms: SmsSandbox = field(repr=False)
    teller: Teller = field(repr=False)
    key: Signer = field(repr=False)
    country: str
    loaded: LoadedRules = field(repr=False)
    made_up: MadeUpOffice = field(repr=False)
    plan: MadeUpDemonstration = field(repr=False)

    # --- from the stamp to the order of a card

    def apply(self) -> StoredApplication:
        """A stamp is bought where a fee is due, an application made with it, and validated."""
        self.teller.chapter("Application")
        site = {
            **self.made_up.site[0].model_dump(),
            "places": 2,
            "services": [self.loaded.rules.service],
            "hours": [EVERY_DAY],
        }
        put_site(self._desk, decode_site(site), ADMINISTRATOR, self.clock())
        made = self._begin()
        needs = views.requirements(self.engine, made.id, APPLICANT, self.clock())
        digits = self._buy_stamp() if needs.fee else None
        submitted = self._submit(made, needs.papers, digits)
        self._review(made.id)
        return submitted

    @property
    def person(self) -> PersonRecord:
        """Who is to get the card, as he states it."""
        return decode_person(self.plan.describe_person(local_day(self.clock.machine(), self.loaded.rules)))

    def _buy_stamp(self) -> str:
        rules, born, contact = self.loaded.rules, self.person.born, self.person.contact
        if born is None or contact is None or contact.phone is None:
            raise LifecycleError("the specimen has no date of birth, or no telephone")
        order = StampOrder(rules.service, born, contact.phone, rules.language)
        ordered = buy_stamp(self._stamps, order, APPLICANT, self.clock)
        self._work()
        length = stamp_length(rules.stamps.scheme)
        sought = re.compile(rf"(?<!\d)\d{{{length}}}(?!\d)", re.ASCII)
        digits = next(found[0] for text in self._texts() if (found := sought.search(text)))
        price = f"{rules.show_amount(ordered.amount)} {ordered.currency}"
        self._tell(f"a stamp of {price} is ordered and paid online; the provider calls back, signed")
        self._tell(f"an SMS brings its {length} digits, the last four of which are {digits[-4:]}")
        return digits

    def _begin(self) -> StoredApplication:
        rules = self.loaded.rules
        new = NewApplication(self.plan.reason, self.person, False, self.site, rules.language, rules.service)
        return drafts.create_application(self.engine, new, APPLICANT, self.clock(), rules=self.country)

    def _submit(self, made: StoredApplication, papers: tuple[str, ...], digits: str | None) -> StoredApplication:
        for code in papers:
            self._attach(made.id, code)
        if digits is not None:
            spending.enter_stamp(self._stamps, made.id, digits, APPLICANT, self.clock())
        submitted = acts.submit(self.engine, made.id, APPLICANT, self.clock())
        paid = "no fee is due" if digits is None else "the stamp is reserved for it"
        self._tell(f"application {made.number} is submitted: {', '.join(papers)}; {paid}")
        return submitted

    def _attach(self, application_id: UUID, code: str) -> None:
        content = build_specimen_paper(f"{code}, {self.clock():%Y-%m-%d %H:%M}")
        upload = Upload(code, "application/pdf", content, local_day(self.clock(), self.loaded.rules))
        documents.attach(self.engine, self.blobs, application_id, upload, APPLICANT, self.clock())

    def _review(self, application_id: UUID) -> None:
        self.clock.wait_until(self.clock() + timedelta(days=1))
        again = self.plan.asked_again
        acts.take_up(self.engine, application_id, self.validator, self.clock())
        acts.request_information(self.engine, application_id, (again,), self.validator, self.clock())
        self._tell(f"an officer takes it up and asks, once, for a better {again}")
        self.clock.wait_until(self.clock() + timedelta(hours=2))
        self._attach(application_id, again)
        acts.supply(self.engine, application_id, APPLICANT, self.clock())
        review.validate(self.engine, application_id, self.validator, self.clock())
        self._work()
        self._tell(f"the {again} has come; the officer validates, and the person is in the register")

    def enrol(self, application: StoredApplication, portrait: bytes) -> None:
        """An appointment is chosen and kept; at the counter the person is captured. portrait: JPEG."""
        self.teller.chapter("Enrolment")
        desk = self._desk
        offers = appointments.offer_times(desk, application.id, self.site, None, 3, APPLICANT, self.clock())
        held = appointments.hold(desk, application.id, self.site, offers[0].slot, APPLICANT, self.clock())
        booked = appointments.book(desk, held.id, APPLICANT, self.clock())
        titles = self.made_up.site[0].title
        place = f"{booked.slot.replace('T', ' ')} at {titles.get('en') or next(iter(titles.values()))}"
        self._tell(f"of {len(offers)} times that are offered one is booked: {place}")
        self.clock.wait_until(booked.starts_at - timedelta(minutes=5))
        officer = self.officer
        appointments.check_in(desk, booked.id, officer, self.clock())
        enrolment.register_officer_key(self.engine, officer.id, self.key.public_key_info, ADMINISTRATOR, self.clock())
        items, record = self._capture(application.id, portrait)
        enrolment.record_capture(self.engine, self.blobs, record, items, officer, self.clock())
        appointments.serve(desk, booked.id, officer, self.clock())
        taken = f"portrait and {len(items) - 1} fingers are" if len(items) > 1 else "the portrait is"
        self._tell(f"checked in; {taken} taken, and signed for by the officer")
        self._work()
        self._tell("the biometric system knows nobody like that; the file awaits approval")

    def _capture(self, application_id: UUID, portrait: bytes) -> tuple[dict[str, bytes], bytes]:
        fingers = self._fingers()
        items = {"portrait": portrait}
        items |= {finger: draw_specimen_fingerprint(seed) for seed, finger in enumerate(fingers)}
        face = CapturedItem("portrait", ItemFormat.JPEG, digest_item(portrait))
        described = (
            CapturedItem(name, ItemFormat.JPEG2000, digest_item(items[name]), GOOD, QualityFormat.NFIQ2)
            for name in fingers
        )
        moment = self.clock().replace(microsecond=0)
        taken = CaptureRecord(application_id, self.officer.id, self.site, "station-1", moment, (face, *described))
        return items, sign_capture(taken, self.key.sign, hashlib.sha256(self.key.public_key_info).digest())

    def _fingers(self) -> tuple[str, ...]:
        """Those that the rules want of somebody of this age."""
        rules, born = self.loaded.rules, self.person.born
        if born is None or not rules.needs_fingerprints(born, local_day(self.clock(), rules)):
            return ()
        return rules.capture.fingers[: rules.capture.fingers_wanted]

    def approve(self, application: StoredApplication) -> ProductionOrder:
        """Not by who captured: by a second officer. The stamp is spent, a card is ordered."""
        self.teller.chapter("Approval")
        self.clock.by = timedelta(0)
        same = replace(self.officer, roles=self.officer.roles | APPROVER.roles)
        try:
            approval.approve(self._stamps, application.id, same, self.clock())
        except EnrolmentError as refused:
            self._tell(f"who captured the person may not approve ({refused.guard})")
        else:
            raise LifecycleError("an officer has approved his own file")
        order = approval.approve(self._stamps, application.id, APPROVER, self.clock())
        self._work()
        self._tell(f"a second officer approves: {'the stamp is spent, ' if application.fee else ''}a card is ordered")
        return order

    def reserve_blank(self, order: ProductionOrder, serial: bytes) -> ProductionOrder:
        """A delivery of one blank, which is reserved for the order with a document number."""
        store = stock.open_store(self.engine, "Press", MAKER, self.clock())
        product = self.loaded.rules.issuer.profile
        stock.receive_batch(self.engine, store.id, "B-1", product, (serial.hex().upper(),), MAKER, self.clock())
        return production.reserve(self.engine, order.id, store.id, MAKER, self.clock())

    # --- from the card to its holder

    def hand_over(self, application: StoredApplication, order: ProductionOrder, sod: bytes) -> None:
        """The card is found good, sent, and given to its holder, or to whoever applied for a minor.

        Args:
            sod: EF.SOD, as it was read at the counter.
        """
        self.teller.chapter("Hand-over")
        production.inspect_card(self.engine, order.id, MAKER, self.clock())
        delivery.ship(self.engine, application.id, COURIER, self.clock())
        delivery.arrive(self.engine, application.id, self.officer, self.clock())
        self._tell("the card is looked at, sent and received; its holder is told")
        digest, guardian = hashlib.sha256(sod).digest(), self.person.guardian
        if guardian is None:
            number = self.person.personal_number or ""
            check = CollectorCheck(Relation.HOLDER, Comparison.PORTRAIT, number, digest)
            compared = "compares the portrait"
        else:
            check = CollectorCheck(Relation.GUARDIAN, Comparison.CARD, guardian.personal_number, digest)
            compared = f"sees the card of the {guardian.capacity}"
        delivery.hand_over(self.engine, application.id, check, self.officer, self.clock())
        self._work()
        self._tell(f"the officer reads the card and {compared}: handed over, the card is active")

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
    def site(self) -> str:
        """Where the person is seen: the first of the made-up sites."""
        return self.made_up.site[0].code

    @property
    def validator(self) -> Actor:
        """Who validates."""
        return Actor("validator-1", frozenset((Role.VALIDATING_OFFICER,)), self.site)

    @property
    def officer(self) -> Actor:
        """Who captures, and hands the card over."""
        return Actor("officer-1", frozenset((Role.ENROLMENT_OFFICER,)), self.site)

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
        there = self.clock().astimezone(ZoneInfo(self.made_up.site[0].time_zone))
        self.teller.done(f"{there:%Y-%m-%d %H:%M}  {text}")


def load_demonstration(country: str) -> tuple[MadeUpOffice, MadeUpDemonstration]:
    """The country's made-up office, and whose card it makes to show.

    Raises:
        StoreError: it has none.
    """
    made_up = load_made_up_office(country)
    if made_up.demonstration is None:
        raise StoreError(f"the made-up office of {country} says nothing of a [demonstration]")
    return made_up, made_up.demonstration


@contextmanager
def open_office(
    home: Path, engine: Engine, key: Signer, teller: Teller, machine: Callable[[], datetime], country: str
) -> Iterator[DemonstrationOffice]:
    """The office, with the sandboxes that it needs, while the context lasts. home: where papers and keys lie.

    Raises:
        StoreError: there are no rules of the country, or it has no made-up office with a demonstration.
    """
    loaded, clock = load_rules(country), MovedClock(machine, BEGINS)
    made_up, plan = load_demonstration(country)
    with ExitStack() as stack:
        token = secrets.token_hex(16)
        sms, sms_url = stack.enter_context(serve_sms(token))
        abis = stack.enter_context(serve_abis(SandboxAbis()))
        (home / "sms-token").write_text(f"{token}\n", "utf-8")
        (home / "sms-token").chmod(0o600)
        settings = Settings(
            home=home,
            country=country,
            sms=sms_url,
            sms_token_file=str(home / "sms-token"),
            abis=f"http://127.0.0.1:{abis.port}",
        )
        workshop = open_workshop(settings, engine, now=clock)
        blobs = BlobStore(settings.documents_address, load_keys(settings))
        yield DemonstrationOffice(engine, blobs, workshop, clock, sms, teller, key, country, loaded, made_up, plan)
