"""An office at work: invented people buy stamps, apply, come, are approved, get a card, lose it, through the services.

Whatever a worker does in earnest it does here, too: nobody has the digits of his stamp before the message has come, no
file goes to approval before the biometric system has answered, and where a process dies between two transactions (one
act in four is cut short there) the work that it left behind brings stamps and blanks into line.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any, TypeVar
from unittest import mock

from sqlalchemy import Connection, Engine

from eid.enrolment.capture import CaptureRecord, sign_capture
from eid.enrolment.card_status import RevocationCause, SuspensionCause
from eid.enrolment.payment import Channel, Outcome
from eid.enrolment.person import PersonRecord
from eid.enrolment.production import OrderFacts
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.enrolment.wall_time import WallTime
from eid.errors import EnrolmentError, StoreError
from eid.gateways.blobs import BlobStore
from eid.gateways.local_server import HOST, LocalServer, serving
from eid.gateways.payment.sandbox import Ending, Plan, SandboxProvider
from eid.gateways.payment.sandbox_server import SandboxSettings, serve_sandbox
from eid.gateways.payment.signature import HEADER
from eid.gateways.sandbox_sms import SmsSandbox
from eid.keystore.software import SoftwareSigner
from eid.services.application import acts, approval, documents, enrolment, review, views
from eid.services.appointment import appointments
from eid.services.appointment.desk import Desk
from eid.services.card import delivery, production, stock
from eid.services.card.cards import ProducedCard, Register, record_personalised
from eid.services.card.delivery import CollectorCheck, Comparison, Relation
from eid.services.card.production import advance_order, load_order
from eid.services.payment import payments
from eid.services.payment.channels import configure_sandbox, load_channels, prepare_secret
from eid.services.payment.payments import PaymentDesk, PaymentRequest
from eid.services.registry import load_keys
from eid.services.settings import Settings
from eid.services.stamp import spending, stamps
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.applications import StoredApplication, load_application
from eid.store.cards import find_by_application
from eid.store.database import in_transaction
from eid.store.production_orders import ProductionOrder, orders_of
from eid.store.stamps import find_stamp
from tests.builders.applicants import ADMINISTRATOR, VALIDATOR, applicant_record, begin_application, paper
from tests.builders.booking import RABAT, build_desk
from tests.builders.cards import EXPIRES, personalised_job
from tests.builders.counter import APPROVER, COURIER, MAKER, describe, take
from tests.builders.issuance import signer
from tests.builders.stamps import AGENT, CASHIER, CHIEF

T = TypeVar("T")
SITES = ("site-0", "site-1", "site-2")
PLACES = 2
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HOURS = [{"days": EVERY_DAY, "from": "09:00", "until": "16:00"}]
CHOICE = 6  # of so many free times one is wanted, so that people want the same
PATIENCE = 180.0  # seconds for something that a worker does
DIGITS = re.compile(r"(?<!\d)\d{16}(?!\d)", re.ASCII)
GATEWAY = ("000", "003", "001", "003", "004", "003", "005")  # taken; slow; away twice; answer lost; asked to wait
FATES = {"collected": 10, "lost": 5, "stolen": 2, "withdrawn": 4, "cancelled": 2}  # and how many of each there are
SOD = bytes(32)
LIST_SIZE = 1 << 16


@dataclass
class Affair:
    """One person's affair: how it is to end, and what of it is known."""

    number: int
    fate: str
    phone: str
    me: Actor
    person: PersonRecord
    stamp: uuid.UUID | None = None
    application: uuid.UUID | None = None


@dataclass
class Office:
    """The office, its till, its desk, its press; who calls does so from any thread."""

    engine: Engine
    blobs: BlobStore
    desk: Desk
    till: PaymentDesk
    provider: SandboxProvider
    sms: SmsSandbox
    officer_keys: dict[str, SoftwareSigner]
    store: uuid.UUID
    chance: random.Random
    stopped: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    begun: list[Affair] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: dict[str, set[str]] = field(default_factory=dict)  # by key, whom the gateway was asked to tell

    @property
    def stamps(self) -> StampOffice:
        return self.till.office

    # --- affair after affair

    def work(self, until: float) -> None:
        """What one clerk does: affair after affair until a moment of the monotonic clock; what is begun is ended."""
        while time.monotonic() < until and not self.stopped.is_set():
            with self.lock:
                affair = self._begin()
            try:
                self._live(affair)
            except Exception as failure:  # noqa: BLE001  # whatever it is, the run has found something
                self.broken.append(f"affair {affair.number} ({affair.fate}): {type(failure).__name__}: {failure}")
            else:
                with self.lock:
                    self.ended[affair.fate] += 1

    def _begin(self) -> Affair:
        number = next(self.numbers)
        (fate,) = self.chance.choices(list(FATES), list(FATES.values()))
        me = Actor(f"applicant-{number}", frozenset((Role.APPLICANT,)))
        phone = f"+2126{number:05}{GATEWAY[number % len(GATEWAY)]}"
        person = applicant_record(personal_number=f"ZZ{100_000 + number}", contact={"phone": phone})
        affair = Affair(number, fate, phone, me, person)
        self.begun.append(affair)
        return affair

    def _live(self, affair: Affair) -> None:
        digits = self._buy(affair)
        application = self._apply(affair, digits)
        if affair.fate == "withdrawn":
            return self._withdraw(affair, application)
        self._visit(affair, application)
        approval.approve(self.stamps, application, APPROVER, _now())
        if affair.fate == "cancelled":
            return self._cancel(affair, application)
        self._make_card(application)
        return self._hand_over(affair, application)

    # --- the stamp, the application

    def _buy(self, affair: Affair) -> str:
        """Ordered, paid at the provider, who calls back more than once; the digits come by SMS."""
        assert affair.person.born is not None
        order = StampOrder("card", affair.person.born, affair.phone, "fr")
        affair.stamp = stamps.order_stamp(self.stamps, order, affair.me, _now()).id
        way = PaymentRequest(Channel.ONLINE_CARD.value, phone=affair.phone)
        payments.request_payment(self.till, affair.stamp, way, affair.me, _now())
        return self._await(lambda: self._find_digits(affair.phone), "the digits of a stamp")

    def _find_digits(self, phone: str) -> str | None:
        with self.sms.lock:
            texts = [item["text"] for item in self.sms.messages.values() if item["to"] == phone]
        found = [match[0] for text in texts if (match := DIGITS.search(text))]
        return found[0] if found else None

    def _apply(self, affair: Affair, digits: str) -> uuid.UUID:
        made = begin_application(self.engine, _now(), affair.me, record=affair.person, site=SITES[0])
        affair.application = made.id
        for code in views.requirements(self.engine, made.id, affair.me, _now()).papers:
            sent = paper(code, issued_on=_now().date(), marker=str(affair.number).encode())
            documents.attach(self.engine, self.blobs, made.id, sent, affair.me, _now())
        spending.enter_stamp(self.stamps, made.id, digits, affair.me, _now())
        acts.submit(self.engine, made.id, affair.me, _now())
        return made.id

    def _withdraw(self, affair: Affair, application: uuid.UUID) -> None:
        """The stamp is given back by a worker, and its price then."""
        acts.withdraw(self.engine, application, affair.me, _now())
        assert affair.stamp is not None
        self._await_stamp(affair.stamp, "ISSUED")
        payments.refund_stamp(self.till, affair.stamp, CASHIER, _now(), "withdrawn")

    def _cancel(self, affair: Affair, application: uuid.UUID) -> None:
        """The authority ends it after its approval: the stamp is spent all the same, and no card is made."""
        acts.cancel(self.engine, application, ADMINISTRATOR, _now())

    # --- the visit

    def _visit(self, affair: Affair, application: uuid.UUID) -> None:
        acts.take_up(self.engine, application, CENTRAL, _now())
        review.validate(self.engine, application, CENTRAL, _now())
        held = self._hold(affair, application)
        appointments.book(self.desk, held.id, affair.me, _now())
        officer, then = _officer(held.site), held.starts_at
        appointments.check_in(self.desk, held.id, officer, then)
        self._capture(affair, application, officer, then)
        appointments.serve(self.desk, held.id, officer, then)
        self._await(lambda: self._is_in(application, "AWAITING_APPROVAL") or None, "the biometric system's answer")

    def _hold(self, affair: Affair, application: uuid.UUID) -> Any:
        """One of the first free times, which somebody else may be quicker to take."""
        while True:
            site = SITES[affair.number % len(SITES)]
            offers = appointments.offer_times(self.desk, application, site, None, 14, affair.me, _now())
            wanted: WallTime = self.chance.choice(offers[:CHOICE]).slot
            try:
                return appointments.hold(self.desk, application, site, wanted, affair.me, _now())
            except EnrolmentError:
                continue

    def _capture(self, affair: Affair, application: uuid.UUID, officer: Actor, then: datetime) -> None:
        items = take(f"person {affair.number}")
        described = tuple(describe(name, octets) for name, octets in items.items())
        assert officer.site is not None
        record = CaptureRecord(
            application, officer.id, officer.site, "station-1", then.replace(microsecond=0), described
        )
        key = self.officer_keys[officer.site]
        signed = sign_capture(record, key.sign, hashlib.sha256(key.public_key_info).digest())
        enrolment.record_capture(self.engine, self.blobs, signed, items, officer, then)

    # --- the card

    def _make_card(self, application: uuid.UUID) -> None:
        """A blank is written; one in eight is spoiled at the printer, and the next one taken."""
        while True:
            order = self._await(lambda: self._reserve(application), "a stamp that is consumed")
            in_transaction(self.engine, partial(self._write, order_id=order.id))
            if self.chance.random() > 1 / 8:
                production.inspect_card(self.engine, order.id, MAKER, _now())
                return
            production.spoil(self.engine, order.id, "printing", MAKER, _now())

    def _reserve(self, application: uuid.UUID) -> ProductionOrder | None:
        """A blank for the order, as soon as the fee is paid for good: a worker sees to that."""
        with self.engine.connect() as connection:
            order = orders_of(connection, application)[-1]
        try:
            return production.reserve(self.engine, order.id, self.store, MAKER, _now())
        except EnrolmentError:
            return None

    def _write(self, connection: Connection, order_id: uuid.UUID) -> None:
        """What `card_writing` notes of a chip that was written and verified."""
        order = load_order(connection, order_id)
        place = uuid.uuid4().int % LIST_SIZE
        job, document = personalised_job(connection, str(order.document_number), place, size=LIST_SIZE)
        started = advance_order(connection, order, "start", OrderFacts(), MAKER, _now(), job_id=job)
        assert started.card_id is not None
        produced = ProducedCard(job, document, str(started.document_number), EXPIRES)
        record_personalised(connection, started.card_id, produced, MAKER, _now())
        advance_order(connection, started, "write", OrderFacts(chip_verified=True), MAKER, _now(), sod_hash=SOD)

    def _hand_over(self, affair: Affair, application: uuid.UUID) -> None:
        site = self._application(application).appointment_site
        courier = Actor(COURIER.id, COURIER.roles, site)
        check = CollectorCheck(Relation.HOLDER, Comparison.PORTRAIT, str(affair.person.personal_number), SOD)
        delivery.ship(self.engine, application, courier, _now())
        delivery.arrive(self.engine, application, courier, _now())
        delivery.hand_over(self.engine, application, check, courier, _now())
        with self.engine.connect() as connection:
            (card,) = (item for item in find_by_application(connection, application) if item.state == "ACTIVE")
        if affair.fate == "lost":
            Register(self.engine).suspend(card.id, SuspensionCause.LOST, AGENT, _now())
        elif affair.fate == "stolen":
            Register(self.engine).revoke(card.id, RevocationCause.STOLEN, CHIEF, _now())

    # --- what it looks at

    def _application(self, application: uuid.UUID) -> StoredApplication:
        with self.engine.connect() as connection:
            found = load_application(connection, application)
        assert found is not None
        return found

    def _is_in(self, application: uuid.UUID, state: str) -> bool:
        return self._application(application).state == state

    def _await_stamp(self, stamp: uuid.UUID, state: str) -> None:
        def look() -> bool | None:
            with self.engine.connect() as connection:
                return find_stamp(connection, stamp).state == state or None

        self._await(look, f"a stamp that is {state}")

    def _await(self, look: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(0.25)
        raise TimeoutError(f"waited in vain for {what}")


CENTRAL = Actor(VALIDATOR.id, VALIDATOR.roles)


def _officer(site: str) -> Actor:
    return Actor(f"officer-{site}", frozenset((Role.ENROLMENT_OFFICER,)), site)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_office(settings: Settings, engine: Engine, sms: SmsSandbox, seed: int, blanks: int) -> Iterator[Office]:
    """The office, with a provider to pay at, whose callbacks it takes."""
    keys, now, chance = load_keys(settings), _now(), random.Random(seed)
    rules = load_rules(settings.country).rules
    office = StampOffice(engine, rules, keys)
    sites = ({**RABAT, "code": code, "places": PLACES, "hours": HOURS} for code in SITES)
    desk = build_desk(engine, *sites, now=now)
    officer_keys = {site: signer(f"officer-{site}", "P-256", "sha256") for site in SITES}
    for site, key in officer_keys.items():
        enrolment.register_officer_key(engine, _officer(site).id, key.public_key_info, ADMINISTRATOR, now)
    store = stock.open_store(engine, "Press", MAKER, now)
    serials = tuple(f"{number:020X}" for number in range(1, blanks + 1))
    stock.receive_batch(engine, store.id, "B-1", rules.issuer.profile, serials, MAKER, now)
    with ExitStack() as stack:
        provider, till = stack.enter_context(_open_till(settings, office))
        blobs = BlobStore(settings.documents_address, keys)
        for module, name in ((approval, "spend_stamp"), (production, "settle_stock")):
            dying = _dying_now_and_then(getattr(module, name), random.Random(seed))
            stack.enter_context(mock.patch.object(module, name, dying))
        ready = Office(engine, blobs, desk, till, provider, sms, officer_keys, store.id, chance)
        stack.enter_context(mock.patch.object(sms, "take", _listening(sms.take, ready.asked)))
        yield ready


@contextmanager
def _open_till(settings: Settings, office: StampOffice) -> Iterator[tuple[SandboxProvider, PaymentDesk]]:
    """A provider that tells of a payment twice and in the wrong order, and of a refund later; and who hears it."""
    desk = PaymentDesk(office, {})
    handler = type("Hearing", (_Callbacks,), {"desk": desk})
    with serving(server := LocalServer((HOST, 0), handler)):
        told = SandboxSettings(f"{server.url}/v1/payment-callbacks", prepare_secret(settings.home))
        with serve_sandbox(told) as (url, provider):
            provider.plan = Plan(Ending.SETTLED, duplicates=1, out_of_order=True, refund=Outcome.PENDING)
            configure_sandbox(settings.home, url)
            ready = PaymentDesk(office, load_channels(settings.home))
            handler.desk = ready  # type: ignore[attr-defined]  # that of the class made above
            yield provider, ready


class _Callbacks(BaseHTTPRequestHandler):
    """Where the provider tells of payments, as the registry's address for it."""

    desk: PaymentDesk

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        channel = self.path.rpartition("/")[2]
        try:
            payments.receive(self.desk, channel, self.headers.get(HEADER), body, _now())
            status = 200
        except StoreError:
            status = 503  # he comes again
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def _listening(take: Callable[..., Any], asked: dict[str, set[str]]) -> Callable[..., Any]:
    """The gateway, and whom it is asked to tell under each key, also where it refuses or knows the key."""

    def run(key: str, to: str, said: str) -> Any:
        asked.setdefault(key, set()).add(to)
        return take(key, to, said)

    return run


def _dying_now_and_then(act: Callable[..., Any], chance: random.Random) -> Callable[..., Any]:
    """An act before which the process dies, one time in four; work that was caused before is left over."""

    def run(*arguments: Any, **named: Any) -> Any:
        if chance.random() < 1 / 4:
            raise StoreError("the process died here")
        return act(*arguments, **named)

    return run
