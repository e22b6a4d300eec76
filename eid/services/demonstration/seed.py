"""A made-up country office in a database: sites, officers, and applications in every state, through the real services.

Everything that happens is done by the services that do it in earnest, at believable moments of the last weeks; only the
people outside are invented: a sandbox takes the payments, minutiae are noise, portraits are drawn. What the acts cause
(messages above all) waits in the outbox for a worker.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine

from eid.card import VirtualCard
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
from eid.enrolment.documents import PDF
from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.enrolment.site import decode_site
from eid.errors import LifecycleError
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.blobs import BlobStore
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.keystore.ports import Signer
from eid.keystore.software import SoftwareKeyStore, SoftwareSigner
from eid.personalization.build import build_chip
from eid.profile.loader import load_profile
from eid.services.application import acts, adjudication, approval, documents, drafts, enrolment, lapses, review, views
from eid.services.application.documents import Upload
from eid.services.application.drafts import NewApplication
from eid.services.appointment import appointments
from eid.services.appointment.desk import Desk
from eid.services.appointment.sites import put_site
from eid.services.card import card_writing, delivery, production, stock
from eid.services.card.card_writing import Line
from eid.services.card.delivery import CollectorCheck, Comparison, Relation
from eid.services.demonstration.demo import CHEAP
from eid.services.demonstration.office import ADMINISTRATOR, APPROVER, COURIER, MAKER
from eid.services.demonstration.people import MadeUpOffice, People, load_made_up_office
from eid.services.demonstration.specimen_paper import build_specimen_paper
from eid.services.demonstration.till import buy_stamp
from eid.services.pki.authority import KEYS
from eid.services.pki.authority_creation import create_authority
from eid.services.registry import load_keys
from eid.services.settings import Settings
from eid.services.stamp import spending, stamps
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.applications import StoredApplication
from eid.store.production_orders import ProductionOrder
from eid.transport.loopback import LoopbackConnection

DAYS: Final = 45  # back to which applications were begun
LAPSE: Final = timedelta(days=60)  # further back, so that the time for sending papers is over
CARDS: Final = 25  # written at most: each takes as long as a real one
WEEK: Final = ["mon", "tue", "wed", "thu", "fri"]
WEIGHTS: Final = {
    "draft": 6,
    "submitted": 8,
    "under-review": 5,
    "information-requested": 4,
    "validated": 8,
    "booked": 14,
    "checked-in": 3,
    "captured": 2,
    "in-adjudication": 2,
    "awaiting-approval": 6,
    "approved": 5,
    "in-production": 2,
    "produced": 2,
    "shipped": 2,
    "ready": 3,
    "delivered": 14,
    "rejected": 5,
    "withdrawn": 4,
    "lapsed": 3,
    "cancelled": 2,
}
"""How many of a hundred applications come to a stand where."""
_WRITTEN: Final = ("in-production", "produced", "shipped", "ready", "delivered")
_ORDER: Final = tuple(WEIGHTS)
_ENDS: Final = {"rejected": "under-review", "withdrawn": "validated", "lapsed": "information-requested",
                "cancelled": "validated"}  # fmt: skip
AGENT: Final = Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made: how many applications stand where."""

    sites: int
    states: dict[str, int]


@dataclass(slots=True)
class SeedOffice:
    """The office while it is being filled. now: the machine's clock; choose: chance that repeats itself."""

    engine: Engine = field(repr=False)
    blobs: BlobStore = field(repr=False)
    stamps: StampOffice = field(repr=False)
    country: str
    made_up: MadeUpOffice = field(repr=False)
    home: Path
    now: datetime
    choose: Random = field(repr=False)
    people: People = field(repr=False)
    officer_keys: dict[str, Signer] = field(default_factory=dict, repr=False)
    abis: SandboxAbis = field(default_factory=SandboxAbis, repr=False)
    portrait: bytes = field(default=b"", repr=False)
    taken: list[dict[str, bytes]] = field(default_factory=list, repr=False)
    line: Line | None = field(default=None, repr=False)

    def open_sites(self) -> None:
        """Sites, and an officer with a key at each."""
        services, hours = [self.stamps.rules.service], [{"days": WEEK, "from": "08:30", "until": "16:30"}]
        for made_up in self.made_up.site:
            code = made_up.code
            site = {**made_up.model_dump(), "places": 6, "services": services, "hours": hours}
            put_site(self.desk, decode_site(site), ADMINISTRATOR, self.now - timedelta(days=DAYS))
            key = SoftwareSigner(code, ec.generate_private_key(ec.SECP256R1()), SignatureAlgorithm("ecdsa", "sha256"))
            since = self.now - timedelta(days=DAYS)
            enrolment.register_officer_key(
                self.engine, self.officer(code).id, key.public_key_info, ADMINISTRATOR, since
            )
            self.officer_keys[code] = key

    def make(self, goal: str) -> StoredApplication:
        """One application, begun some weeks ago, brought as far as its goal (a key of WEIGHTS)."""
        post = self.choose.choice(self.made_up.site).code
        record = decode_person(self.people.invent())
        long_ago = LAPSE if goal == "lapsed" else timedelta(0)
        at = self.now - long_ago - timedelta(minutes=self.choose.randrange(20 * 1440, DAYS * 1440))
        account = Actor(str(uuid.UUID(int=self.choose.getrandbits(128), version=4)), frozenset((Role.APPLICANT,)))
        stops = _ENDS.get(goal, goal)
        way = _Way(self, post, record, account, at, stops)
        for step in _ORDER[: _ORDER.index(stops) + 1]:
            way.steps[step]()
        if goal in _ENDS:
            way.end(goal)
        return way.reload()

    @property
    def desk(self) -> Desk:
        """Where appointments are made."""
        return Desk(self.engine, self.stamps.rules.appointments)

    @staticmethod
    def officer(post: str) -> Actor:
        """Who captures at a post."""
        return Actor(f"officer-{post}", frozenset((Role.ENROLMENT_OFFICER,)), post)

    @staticmethod
    def validator(post: str) -> Actor:
        """Who validates at a post."""
        return Actor(f"validator-{post}", frozenset((Role.VALIDATING_OFFICER,)), post)

    def press(self) -> Line:
        """The place where cards are written, with an authority that nobody can use afterwards."""
        if self.line is None:
            place = self.home / f"seed-authority-{secrets.token_hex(4)}"
            place.mkdir(mode=0o700)
            keys = SoftwareKeyStore(place / KEYS, secrets.token_bytes(24), cost=CHEAP)
            loaded = load_profile(self.stamps.rules.issuer.profile)
            authority = create_authority(place, loaded.profile.name, keys, self.now)
            store = stock.open_store(self.engine, "Press", MAKER, self.now)
            self.line = Line(self.engine, self.blobs, authority, loaded, store.id, lambda: self.now)
        return self.line


@dataclass(slots=True)
class _Way:
    """One application on its way; each step is named for the state that it leads to."""

    office: SeedOffice
    post: str
    record: PersonRecord
    account: Actor
    at: datetime
    goal: str
    application: StoredApplication | None = None
    order: ProductionOrder | None = None
    visit: uuid.UUID | None = None
    asked: tuple[str, ...] = ()

    @property
    def steps(self) -> dict[str, Callable[[], None]]:
        """In the order of WEIGHTS."""
        return {
            "draft": self._draft,
            "submitted": self._submit,
            "under-review": self._take_up,
            "information-requested": self._ask,
            "validated": self._validate,
            "booked": self._book,
            "checked-in": self._check_in,
            "captured": self._capture,
            "in-adjudication": self._search,
            "awaiting-approval": lambda: None,
            "approved": self._approve,
            "in-production": self._write,
            "produced": self._inspect,
            "shipped": self._ship,
            "ready": self._arrive,
            "delivered": self._hand_over,
        }

    @property
    def id(self) -> uuid.UUID:
        """Of the application."""
        if self.application is None:
            raise LifecycleError("nothing was begun")
        return self.application.id

    def reload(self) -> StoredApplication:
        """The application as it stands."""
        return views.read_status(self.office.engine, self.id, ADMINISTRATOR)

    def end(self, goal: str) -> None:
        """Let it end before its time."""
        engine, later = self.office.engine, self._later(4)
        if goal == "rejected":
            code = self.office.choose.choice(self.office.stamps.rules.refusal).code
            acts.reject(engine, self.id, code, SeedOffice.validator(self.post), later)
        elif goal == "withdrawn":
            acts.withdraw(engine, self.id, self.account, later)
        elif goal == "lapsed":
            lapses.end_overdue(engine, self.office.now)
        elif goal == "cancelled":
            acts.cancel(engine, self.id, ADMINISTRATOR, later)

    def _later(self, hours: float) -> datetime:
        """Some time passes, as much as said or less; never beyond the present."""
        self.at = min(self.at + timedelta(hours=hours * self.office.choose.uniform(0.3, 1)), self.office.now)
        return self.at

    def _draft(self) -> None:
        reason = self.office.choose.choice(self.office.made_up.reasons)
        language = self.office.choose.choice(self.office.stamps.rules.languages)
        new = NewApplication(reason, self.record, False, self.post, language)
        self.application = drafts.create_application(
            self.office.engine, new, self.account, self.at, rules=self.office.country
        )

    def _submit(self) -> None:
        office, moment = self.office, self._later(30)
        needs = views.requirements(office.engine, self.id, self.account, moment)
        for code in needs.papers:
            self._attach(code, moment)
        if needs.fee:
            spending.enter_stamp(office.stamps, self.id, self._buy_stamp(moment), self.account, moment)
        acts.submit(office.engine, self.id, self.account, moment)

    def _attach(self, code: str, moment: datetime) -> None:
        content = build_specimen_paper(f"{code}, {self.id}")
        upload = Upload(code, PDF, content, local_day(moment, self.office.stamps.rules) - timedelta(days=3))
        documents.attach(self.office.engine, self.office.blobs, self.id, upload, self.account, moment)

    def _buy_stamp(self, moment: datetime) -> str:
        phone = None if self.record.contact is None else self.record.contact.phone
        order = StampOrder(self.office.stamps.rules.service, self.record.born or date.min, phone or "")
        ordered = buy_stamp(self.office.stamps, order, self.account, lambda: moment)
        sent = stamps.open_message(self.office.stamps, ordered.id)
        if sent is None:
            raise LifecycleError("the stamp was not issued")
        return sent.digits

    def _take_up(self) -> None:
        acts.take_up(self.office.engine, self.id, SeedOffice.validator(self.post), self._later(60))

    def _ask(self) -> None:
        """One in three is asked for a better copy of a paper; whoever is to stand there, in any case."""
        if self.goal != "information-requested" and self.office.choose.random() > 1 / 3:
            return
        officer, moment = SeedOffice.validator(self.post), self._later(8)
        self.asked = views.requirements(self.office.engine, self.id, officer, moment).papers[:1]
        acts.request_information(self.office.engine, self.id, self.asked, officer, moment)

    def _validate(self) -> None:
        office, moment = self.office, self._later(48)
        if self.asked:
            self._attach(self.asked[0], moment)
            acts.supply(office.engine, self.id, self.account, moment)
        review.validate(office.engine, self.id, SeedOffice.validator(self.post), self._later(20))

    def _book(self) -> None:
        desk, moment = self.office.desk, self._later(12)
        offers = appointments.offer_times(desk, self.id, self.post, None, 14, AGENT, moment)
        offer = self.office.choose.choice(offers)
        self.visit = appointments.hold(desk, self.id, self.post, offer.slot, self.account, moment).id
        booked = appointments.book(desk, self.visit, self.account, moment)
        self.at = max(self.at, booked.starts_at - timedelta(minutes=5))

    def _check_in(self) -> None:
        appointments.check_in(self.office.desk, self._visit, SeedOffice.officer(self.post), self.at)

    def _capture(self) -> None:
        office, officer, key = self.office, SeedOffice.officer(self.post), self.office.officer_keys[self.post]
        items = {"portrait": office.portrait}
        wanted = office.stamps.rules.capture
        for finger in wanted.fingers[: wanted.fingers_wanted]:
            items[finger] = b"FMR\x00 20\x00" + hashlib.sha256(finger.encode() + self.id.bytes).digest()
        if self.goal == "in-adjudication" and office.taken:
            items = office.taken[-1]  # somebody else's fingers: a question for an adjudicator
        office.taken.append(items)
        described = (
            CapturedItem("portrait", ItemFormat.JPEG, digest_item(items["portrait"])),
            *(
                CapturedItem(name, ItemFormat.ISO_19794_2, digest_item(octets), 70, QualityFormat.NFIQ2)
                for name, octets in items.items()
                if name != "portrait"
            ),
        )
        moment = self.at.replace(microsecond=0)
        record = CaptureRecord(self.id, officer.id, self.post, "station-1", moment, described)
        signed = sign_capture(record, key.sign, hashlib.sha256(key.public_key_info).digest())
        enrolment.record_capture(office.engine, office.blobs, signed, items, officer, self.at)
        appointments.serve(office.desk, self._visit, officer, self.at)

    def _search(self) -> None:
        adjudication.begin_search(self.office.engine, self.office.abis, self.office.blobs, self.id, self.at)

    def _approve(self) -> None:
        self.order = approval.approve(self.office.stamps, self.id, APPROVER, self._later(24))

    def _write(self) -> None:
        office, line, serial = self.office, self.office.press(), secrets.token_bytes(10)
        self.at = office.now
        product, batch = line.loaded.profile.name, f"B-{serial.hex()[:8]}"
        stock.receive_batch(office.engine, line.store_id, batch, product, (serial.hex().upper(),), MAKER, self.at)
        order = production.reserve(office.engine, self._order.id, line.store_id, MAKER, self.at)
        blank = VirtualCard.blank(build_chip(line.loaded.profile), serial=serial)
        self.order, _ = card_writing.write(line, order.id, LoopbackConnection(blank), "seed", MAKER)

    def _inspect(self) -> None:
        self.order = production.inspect_card(self.office.engine, self._order.id, MAKER, self.at)

    def _ship(self) -> None:
        delivery.ship(self.office.engine, self.id, COURIER, self.at)

    def _arrive(self) -> None:
        delivery.arrive(self.office.engine, self.id, SeedOffice.officer(self.post), self.at)

    def _hand_over(self) -> None:
        number, sod = self.record.personal_number, self._order.sod_hash
        if number is None or sod is None:
            raise LifecycleError("there is no card to hand over")
        check = CollectorCheck(Relation.HOLDER, Comparison.PORTRAIT, number, sod)
        delivery.hand_over(self.office.engine, self.id, check, SeedOffice.officer(self.post), self.at)

    @property
    def _order(self) -> ProductionOrder:
        if self.order is None:
            raise LifecycleError("no card was ordered")
        return self.order

    @property
    def _visit(self) -> uuid.UUID:
        if self.visit is None:
            raise LifecycleError("nothing was booked")
        return self.visit


def plan_goals(count: int, choose: Random) -> tuple[str, ...]:
    """Where each application is to stand: one in each state as far as they go, then by weight; few cards."""
    goals = list(WEIGHTS)[:count]
    goals += choose.choices(list(WEIGHTS), list(WEIGHTS.values()), k=max(count - len(goals), 0))
    written = [place for place, goal in enumerate(goals) if goal in _WRITTEN]
    for place in written[CARDS:]:
        goals[place] = "approved"
    choose.shuffle(goals)
    goals.sort(key=lambda goal: goal == "in-adjudication")  # whose fingers are like those of somebody before
    return tuple(goals)


def seed_office(engine: Engine, settings: Settings, count: int, now: datetime, seed: int = 1) -> Iterator[Seeded]:
    """Fill a database with an office; yields how far it is after each application.

    Args:
        settings: where papers and keys lie. seed: the same one makes the same people and ways.

    Raises:
        EidError: a service refuses what it should not; the database is not empty enough, or cannot be used.
    """
    choose = Random(seed)  # noqa: S311  # nobody is to be surprised
    made_up = load_made_up_office(settings.country)
    loaded, keys = load_rules(settings.country), load_keys(settings)
    office = SeedOffice(
        engine,
        BlobStore(settings.documents_address, keys),
        StampOffice(engine, loaded.rules, keys),
        settings.country,
        made_up,
        settings.home,
        now,
        choose,
        People(made_up, loaded.rules, choose, local_day(now, loaded.rules)),
        portrait=encode_portrait(draw_specimen_portrait(), ImageFormat.JPEG, 30_000),
    )
    office.open_sites()
    states: Counter[str] = Counter()
    for goal in plan_goals(count, choose):
        states[office.make(goal).state] += 1
        yield Seeded(len(made_up.site), dict(sorted(states.items())))
