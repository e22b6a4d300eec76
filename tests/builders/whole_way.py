"""The whole way of a made-up person to a card and beyond, each step a request of who takes it to a running office.

way = Way(office, RABAT, authority, "ar")
way.open_office(); way.applicant.sign_in(...); way.apply(way.buy_online()); way.review(); way.visit(way.book())
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx

from eid.enrolment.capture import CaptureRecord, sign_capture
from eid.enrolment.roles import Actor, Role
from eid.enrolment.stamp import compute_check_digit
from eid.evidence import Evidence
from eid.inspection import InspectionPlan
from eid.keystore.software import SoftwareSigner
from eid.lds.dg1 import decode_dg1
from eid.lds.dg13 import decode_dg13
from eid.pki.status_list import StatusType
from eid.pki.status_token import TokenForm, decode_status_token
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.protocols.pace.core import Password
from eid.services.emulator.virtual_cards import open_card
from eid.services.pki.authority import IssuingAuthority
from eid.services.reading.inspection import inspect_card
from eid.transport.loopback import LoopbackConnection
from reader_tools.main import run
from tests.builders.applicants import build_pdf
from tests.builders.counter import describe, take
from tests.builders.issuance import signer
from tests.builders.running_office import Caller, RunningOffice, await_something

ARABIC, LATIN = "[\u0621-\u064a]{3}", "[a-zéè]{3}"
BEGINS = timedelta(days=-4)
_ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@dataclass(frozen=True)
class Country:
    """What its files say that a visitor must know. stamp: how many digits, and whether the last one checks them."""

    name: str = "morocco"
    product: str = "ma-cnie"
    service: str = "card"
    reason: str = "first"
    asked_again: str = "photograph"
    stamp: tuple[int, bool] = (16, False)
    another_number: str = "ZZ1"
    fingers: tuple[str, ...] = ("right-index", "left-index")
    files: Path | None = None

    @property
    def digits(self) -> str:
        """Where the digits of a stamp stand in a message."""
        return rf"(?<![0-9])([0-9]{{{self.stamp[0]}}})(?![0-9])"

    @property
    def settings(self) -> dict[str, str]:
        """For the processes of its office."""
        return {"COUNTRY": self.name} | ({} if self.files is None else {"COUNTRIES": str(self.files)})

    def another_stamp(self, digits: str) -> str:
        """Digits that could be a stamp's, and are not this one's."""
        is_checked = self.stamp[1]
        body = digits[:-1] if is_checked else digits
        other = f"{(int(body) + 1) % 10 ** len(body):0{len(body)}}"
        return other + compute_check_digit(other) if is_checked else other


MOROCCO = Country()
UTOPIA = Country(
    "utopia",
    "utopia-id",
    "identity",
    "new",
    "deed",
    (14, True),
    "9999999999",
    ("right-thumb", "left-thumb"),
    Path(__file__).parents[1] / "countries",
)


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist; names that no other text of this system holds."""

    latin: tuple[str, str]
    native: tuple[str, str]
    number: str
    phone: str
    email: str

    def record(self) -> dict[str, Any]:
        return {
            "specimen": True,
            "family_name": {"arabic": self.native[0], "latin": self.latin[0]},
            "given_names": {"arabic": self.native[1], "latin": self.latin[1]},
            "date_of_birth": "1985-02-14",
            "place_of_birth": {"arabic": "الرباط", "latin": "RABAT"},
            "country_of_birth": "MAR",
            "sex": "F",
            "nationality": "MAR",
            "personal_number": self.number,
            "father": {"arabic": f"محمد {self.native[0]}", "latin": f"MOHAMMED {self.latin[0]}"},
            "mother": {"arabic": "خديجة النموذج", "latin": "KHADIJA ENNAMOUDAJ"},
            "civil_status": {"number": "123/1985", "year": 1985},
            "address": {"lines": {"arabic": "12 زنقة النموذج", "latin": "12 RUE DU MODELE"}, "country": "MAR"},
            "contact": {"phone": self.phone, "email": self.email},
        }


@dataclass(frozen=True)
class Utopian(Person):
    """Of another country: in Greek, without parents, with a blood group."""

    def record(self) -> dict[str, Any]:
        return {
            "specimen": True,
            "family_name": {"greek": self.native[0], "latin": self.latin[0]},
            "given_names": {"greek": self.native[1], "latin": self.latin[1]},
            "date_of_birth": "1985-02-14",
            "sex": "X",
            "nationality": "UTO",
            "personal_number": self.number,
            "details": {"blood_group": "AB+", "profession": "ΨΑΡΑΣ"},
            "address": {"lines": {"greek": "ΟΔΟΣ 12", "latin": "12 ODOS"}, "country": "UTO"},
            "contact": {"phone": self.phone, "email": self.email},
        }


KALLISTO = Utopian(
    ("XYLOKARPOU", "KALLISTRATI"),
    ("ΞΥΛΟΚΑΡΠΟΥ", "ΚΑΛΛΙΣΤΡΑΤΗ"),
    "9123876501",
    "+999677345",
    "kallisto.x@specimen.invalid",
)


ZOUBIDA = Person(
    ("QOUTBANIÉ", "ZOUBIDA"), ("القطبانية", "زبيدة"), "ZX987654", "+212677345698", "zoubida.q@specimen.invalid"
)


AMINA = Person(
    ("EZZOUHIRI", "AMINATOU"), ("الزوهيري", "أميناتو"), "ZY123789", "+15145557298", "aminatou.e@specimen.invalid"
)


@dataclass(frozen=True)
class Office:
    """Where somebody applies: a site, whether it is abroad, and who comes there."""

    site: Mapping[str, Any]
    abroad: bool
    person: Person
    country: Country = MOROCCO

    @property
    def code(self) -> str:
        return str(self.site["code"])


def _site(
    code: str, kind: str, zone: str, title: str, service: str = "card", languages: tuple[str, ...] = ("fr", "ar")
) -> dict[str, Any]:
    hours = [{"days": EVERY_DAY, "from": "09:00", "until": "12:00"}]
    told = {"code": code, "kind": kind, "time_zone": zone, "places": 2, "services": [service], "hours": hours}
    return {**told, "title": dict.fromkeys(languages, f"{title} (SPECIMEN)")}


RABAT = Office(_site("rabat-agdal", "centre", "Africa/Casablanca", "Rabat Agdal"), abroad=False, person=ZOUBIDA)
MONTREAL = Office(_site("montreal", "consulate", "America/Toronto", "Consulat de Montréal"), abroad=True, person=AMINA)
HARBOUR = Office(
    _site("harbour", "centre", "Pacific/Auckland", "Harbour", "identity", ("en", "el")),
    abroad=False,
    person=KALLISTO,
    country=UTOPIA,
)


@dataclass
class Way:
    """One person on the way to a card."""

    office: RunningOffice
    place: Office
    authority: IssuingAuthority
    passphrase: Path
    language: str
    stamps: list[str] = field(default_factory=list)
    application: str = ""
    stamp: str = ""
    order: dict[str, Any] = field(default_factory=dict)
    card: Path | None = None
    applicant: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.applicant = self.office.visitor(self.language)
        self.key: SoftwareSigner = signer("officer", "P-256", "sha256")

    @property
    def person(self) -> Person:
        return self.place.person

    @property
    def country(self) -> Country:
        return self.place.country

    def staff(self, name: str, role: Role, *, here: bool = False) -> Caller:
        return self.office.staff(name, role, site=self.place.code if here else None)

    @property
    def officer(self) -> Caller:
        return self.staff("officer-1", Role.ENROLMENT_OFFICER, here=True)

    @property
    def here(self) -> str:
        return f"/v1/applications/{self.application}"

    def state(self) -> str:
        return str(self.staff("admin-1", Role.ADMINISTRATOR).get(f"{self.here}/status")["state"])

    def today(self) -> datetime:
        return self.office.clock()

    def await_state(self, wanted: str) -> None:
        await_something(lambda: self.state() == wanted or None, f"an application that is {wanted}")

    # --- before anybody comes

    def open_office(self) -> None:
        """A site, an officer's key."""
        administrator = self.staff("admin-1", Role.ADMINISTRATOR)
        administrator.put(f"/v1/sites/{self.place.code}", dict(self.place.site))
        public_key = base64.b64encode(self.key.public_key_info).decode()
        administrator.post("/v1/officerKeys", {"officer": "officer-1", "public_key": public_key}, expect=201)

    # --- the stamp

    def order_stamp(self, buyer: Caller, service: str | None = None) -> str:
        body = {
            "service": service or self.country.service,
            "date_of_birth": "1985-02-14",
            "phone": self.person.phone,
            "language": self.language,
            "abroad": self.place.abroad,
        }
        return str(buyer.post("/v1/stamps", body, expect=201)["id"])

    def pay_online(self, stamp: str) -> None:
        """The payer goes to the provider's page and presses the button; the provider calls back, signed."""
        begun = self.applicant.post(f"/v1/stamps/{stamp}/payments", {"channel": "online-card"}, expect=201)
        page = httpx.post(begun["instruction"]["url"], data={"ending": "settled"}, trust_env=False, timeout=60)
        assert page.status_code == 200

    def pay_at_the_counter(self, cashier: Caller, stamp: str) -> None:
        """The terminal on the cashier's counter, at which the payer holds his card."""
        plan = httpx.put(
            f"{self.office.provider_url}/sandbox/plan", json={"ending": "settled"}, trust_env=False, timeout=60
        )
        assert plan.status_code == 200
        body = {"channel": "counter-terminal", "terminal": "T-1"}
        begun = cashier.post(f"/v1/stamps/{stamp}/payments", body, expect=201)
        assert begun["instruction"]["form"] == "terminal"

    def receive_digits(self, stamp: str, buyer: Caller, before: int) -> str:
        digits = self.office.await_message(self.person.phone, self.country.digits, before)
        self.stamps.append(digits)
        assert buyer.get(f"/v1/stamps/{stamp}")["state"] == "ISSUED"
        return digits

    def buy_online(self) -> str:
        """Ordered, paid, told by SMS."""
        before = self.office.count_messages(self.person.phone)
        self.stamp = self.order_stamp(self.applicant)
        self.pay_online(self.stamp)
        return self.receive_digits(self.stamp, self.applicant, before)

    def buy_at_the_counter(self, service: str | None = None) -> str:
        """Paid at a consulate's terminal."""
        cashier = self.staff("cashier-1", Role.CASHIER, here=True)
        before = self.office.count_messages(self.person.phone)
        self.stamp = self.order_stamp(cashier, service)
        self.pay_at_the_counter(cashier, self.stamp)
        return self.receive_digits(self.stamp, cashier, before)

    # --- the application

    def apply(self, digits: str, of_another_service: str | None = None) -> None:
        """A draft, its papers, its stamp (typed in the digits of the language), and in."""
        body = {
            "reason": self.country.reason,
            "record": self.person.record(),
            "abroad": self.place.abroad,
            "site": self.place.code,
            "language": self.language,
        }
        made = self.applicant.post("/v1/applications", body, expect=201)
        self.application = made["id"]
        self.try_what_is_refused(digits)
        for paper in self.applicant.get(f"{self.here}/needs")["papers"]:
            self.send_paper(paper["code"])
        if of_another_service is not None:
            told = self.applicant.put(f"{self.here}/stamp", {"digits": of_another_service}, expect=409)
            assert told["guard"] == "fits", told
        self.applicant.put(f"{self.here}/stamp", {"digits": self.type_in(digits)})
        submitted = self.applicant.post(f"{self.here}/submit")
        assert (submitted["state"], submitted["has_stamp"]) == ("SUBMITTED", True)

    def type_in(self, digits: str) -> str:
        typed = digits.translate(_ARABIC_INDIC) if self.language == "ar" else digits
        return " ".join(typed[at : at + 4] for at in range(0, len(typed), 4))

    def send_paper(self, code: str) -> None:
        day = self.today().date().isoformat()
        content = build_pdf(b"% " + code.encode() + day.encode() + b"\n")
        self.applicant.send(f"{self.here}/documents", "application/pdf", content, paper=code, issued_on=day)

    def try_what_is_refused(self, digits: str) -> None:
        """Requests with personal data in the wrong places: each is refused, in the caller's language."""
        name, wrong = self.person.latin[0], self.country.another_stamp(digits)
        record = {**self.person.record(), "personal_number": self.person.email, name: self.person.native[0]}
        lie, paper = b"\x89PNG\r\n\x1a\n", self.country.asked_again
        faulty = {"reason": name, "record": record, "site": name}
        refused = [
            self.applicant.post("/v1/applications", faulty, expect=422),
            self.applicant.put(f"{self.here}/stamp", {"digits": wrong}, expect=409),
            self.applicant.put(f"{self.here}/stamp", {"digits": self.person.email}, expect=422),
            self.applicant.send(f"{self.here}/documents", "application/pdf", lie, expect=422, paper=paper),
            self.applicant.post(f"{self.here}/submit", expect=409),
            self.officer.post("/v1/applications/find", {"number": self.person.number}, expect=422),
            self.officer.post("/v1/cards/search", {"document_number": self.person.email}, expect=422),
        ]
        script = ARABIC if self.language == "ar" else LATIN
        for problem in refused[:5]:
            assert re.search(script, problem["title"]), problem
            assert all(re.search(script, item["detail"]) for item in problem.get("errors", ())), problem

    def review(self) -> None:
        """The next day an officer asks for a paper once, gets it, and validates."""
        self.office.clock.set(self.today() + timedelta(days=1))
        validator = self.staff("validator-1", Role.VALIDATING_OFFICER, here=True)
        validator.post(f"{self.here}/take-up")
        validator.post(f"{self.here}/request-information", {"papers": [self.country.asked_again]})
        self.applicant.sign_in(self.person.phone)
        self.send_paper(self.country.asked_again)
        self.applicant.post(f"{self.here}/supply")
        assert validator.post(f"{self.here}/validate")["state"] == "VALIDATED"

    def book(self) -> dict[str, Any]:
        """The first time that is offered."""
        offers = self.applicant.get(f"/v1/applications/{self.application}/offers", site=self.place.code, days="3")
        body = {"application_id": self.application, "site": self.place.code, "slot": offers[0]["slot"]}
        held = self.applicant.post("/v1/appointments", body, expect=201)
        booked: dict[str, Any] = self.applicant.post(f"/v1/appointments/{held['id']}/book")
        there = datetime.fromisoformat(booked["starts_at"]).astimezone(ZoneInfo(self.place.site["time_zone"]))
        assert f"{there:%Y-%m-%dT%H:%M}" == booked["slot"]
        self.office.await_message(self.person.phone, f"({booked['slot'].replace('T', ' ')})")
        assert (booked["state"], self.state()) == ("BOOKED", "BOOKED")
        return booked

    def visit(self, booked: Mapping[str, Any]) -> None:
        """On the day: checked in, captured, searched for."""
        self.office.clock.set(datetime.fromisoformat(booked["starts_at"]) - timedelta(minutes=5))
        self.officer.post(f"/v1/appointments/{booked['id']}/check-in")
        taken = take(self.person.number, names=self.country.fingers)
        items = {name: base64.b64encode(octets).decode() for name, octets in taken.items()}
        record = base64.b64encode(self.sign_capture(taken)).decode()
        self.officer.post(f"{self.here}/capture", {"record": record, "items": items}, expect=201)
        self.officer.post(f"/v1/appointments/{booked['id']}/serve")
        self.await_state("AWAITING_APPROVAL")

    def sign_capture(self, taken: Mapping[str, bytes]) -> bytes:
        described = tuple(describe(name, octets) for name, octets in taken.items())
        moment = self.today().replace(microsecond=0)
        name = "officer-1"
        record = CaptureRecord(UUID(self.application), name, self.place.code, "station-1", moment, described)
        return sign_capture(record, self.key.sign, hashlib.sha256(self.key.public_key_info).digest())

    def approve(self) -> None:
        """Not by who captured; by a second officer, who spends the stamp."""
        self.office.clock.move(timedelta(0))
        one = self.office.staff("officer-1", Role.ENROLMENT_OFFICER, Role.APPROVER, site=self.place.code)
        assert one.post(f"{self.here}/approve", {}, expect=409)["guard"] == "second-officer"
        self.order = self.staff("approver-1", Role.APPROVER).post(f"{self.here}/approve", {})
        assert self.staff("admin-1", Role.ADMINISTRATOR).get(f"/v1/stamps/{self.stamp}")["state"] == "CONSUMED"

    # --- the card

    def make_card(self) -> None:
        """Blanks are delivered, one is reserved and written where the reader is, and found good."""
        keeper, product = self.staff("press-1", Role.PRODUCTION_OPERATOR), self.country.product
        store = keeper.post("/v1/stockStores", {"name": "Press"}, expect=201)["id"]
        blanks = {serial: self.office.home / f"{serial}.eid" for serial in (f"{number:020X}" for number in (1, 2))}
        for serial, file in blanks.items():
            command("card", "new", "--profile", product, "--out", file, "--serial", serial)
        delivery = {"store_id": store, "name": "B-1", "product": product, "serials": list(blanks)}
        keeper.post("/v1/stockBatches", delivery, expect=201)
        (queued,) = keeper.get("/v1/personalizationJobs")["jobs"]
        assert queued["id"] == self.order["id"]
        job = f"/v1/personalizationJobs/{queued['id']}"
        claimed = keeper.post(f"{job}/claim", {"store_id": store})
        self.card = blanks[claimed["serial"]]
        self.write(queued["id"], self.card)
        assert {item["phase"] for item in keeper.get(f"{job}/events")["events"]} == {"intent", "result"}
        assert keeper.post(f"{job}/pass")["state"] == "PASSED"
        balance = keeper.get(f"/v1/stockStores/{store}/balance")["products"][0]
        assert balance["is_even"]
        assert balance["states"]["CONSUMED"] == 1, balance

    def write(self, order: str, blank: Path) -> None:
        """At a station: reader and keys are there, and what it knows of the order it has over HTTP."""
        token = self.office.home / "press-token"
        token.write_text(self.office.token(Actor("press-1", frozenset((Role.PRODUCTION_OPERATOR,)))))
        there = ("--registry", self.office.url, "--token-file", token)
        keys = ("--authority", self.authority.directory, "--passphrase-file", self.passphrase)
        command("production", "write", order, *there, *keys, "--card-file", blank, "--can-out", self.can)

    @property
    def can(self) -> Path:
        """What is printed on the card."""
        return self.office.home / "can"

    def hand_over(self) -> None:
        """Sent, arrived, and given to the person whom the officer has compared with the portrait in the chip."""
        self.staff("courier-1", Role.DELIVERY_OPERATOR, here=True).post(f"{self.here}/ship")
        self.officer.post(f"{self.here}/arrive")
        sod = self.read_card().content("EF.SOD")
        assert sod is not None
        body = {
            "relation": "holder",
            "comparison": "portrait",
            "personal_number": self.person.number,
            "sod_hash": hashlib.sha256(sod).hexdigest(),
        }
        wrong = {**body, "personal_number": self.country.another_number}
        assert self.officer.post(f"{self.here}/hand-over", wrong, expect=409)["guard"] == "collector-checked"
        assert self.officer.post(f"{self.here}/hand-over", body)["state"] == "DELIVERED"
        (card,) = self.own_cards()
        assert card["state"] == "ACTIVE"

    def own_cards(self) -> list[dict[str, Any]]:
        self.applicant.sign_in(self.person.phone)
        return list(self.applicant.get("/v1/cards")["cards"])

    def report_lost(self) -> None:
        (card,) = self.own_cards()
        told = self.applicant.post(f"/v1/cards/{card['id']}/suspend", {"cause": "lost"})
        assert told["state"] == "SUSPENDED"
        asked = {"document_number": card["document_number"]}
        answer = self.staff("border-1", Role.RELYING_PARTY).post("/v1/cards/status", asked)
        assert answer["status"] == "SUSPENDED"

    def canaries(self) -> list[str]:
        """What must not come out: names, numbers, contacts, stamps, what the card's face and MRZ say."""
        person, mrz = self.person, self.read_card().content("DG1")
        assert mrz is not None
        (card,) = self.own_cards()
        said = [*person.latin, " ".join(person.latin), *person.native, " ".join(person.native), person.number]
        said += [person.phone, person.phone[1:], person.email, *self.stamps, str(card["document_number"])]
        return [*said, *decode_dg1(mrz).mrz().encode()]

    def read_card(self, challenge: bytes = bytes(8)) -> Evidence:
        """As an inspection station does, by the number that is printed on the card."""
        assert self.card is not None
        password = Password(PasswordId.CAN, self.can.read_bytes().strip())
        longest = load_profile(self.country.product).profile.chip.max_response_data
        plan = InspectionPlan(password, challenge=challenge, reader="counter", policy="national", max_response=longest)
        with open_card(self.card) as card:
            return inspect_card(LoopbackConnection(card), plan, now=datetime.now(UTC).replace(microsecond=0)).evidence

    def fetch_status(self, wanted: StatusType) -> bytes:
        """As a relying party: the list that the card names, fetched until it says what is told of the card."""
        dg13 = self.read_card().content("DG13")
        assert dg13 is not None
        place = decode_dg13(dg13).status_list
        assert place is not None
        path = f"/statuslists/{place.uri.rpartition('/')[2]}"

        def look() -> bytes | None:
            answer = self.office.http.get(path, headers={"Accept": TokenForm.CWT.value})
            if answer.status_code == 404:  # the first one is not published yet
                return None
            assert answer.headers["content-type"] == TokenForm.CWT.value
            claims = decode_status_token(answer.content).claims
            assert claims.uri == place.uri
            return answer.content if claims.statuses.status(place.index) == wanted else None

        found: bytes = await_something(look, f"a list in which the card is {wanted.name}", 0.3)
        return found


def command(*arguments: object) -> None:
    """`eid ARGUMENTS`, on a machine that is not the registry's."""
    assert run([str(argument) for argument in arguments]) == 0
