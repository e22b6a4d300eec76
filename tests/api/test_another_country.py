"""Another country is a directory of files: nothing of the code changes, none of the Morocco model's rules shows."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select

from eid import locale
from eid.country_files import VARIABLE
from eid.enrolment.payment import Channel, Money, Outcome
from eid.enrolment.roles import Role
from eid.enrolment.rules import EnrolmentRules, load_rules
from eid.enrolment.stamp import compute_check_digit
from eid.gateways.payment.callback import Callback, encode_callback
from eid.gateways.payment.signature import HEADER, sign_message
from eid.services.demonstration import seed
from eid.services.settings import Settings
from eid.services.stamp.stamps import StampOffice, open_message
from eid.store.application_tables import application, person
from tests.builders.applicants import DOCUMENT, build_pdf
from tests.builders.registry import Office, build_office
from tests.builders.stamps import SECRET, BookkeepingChannel

pytestmark = pytest.mark.anyio
COUNTRIES = Path(__file__).parents[1] / "countries"
PHONE = "+999123456"
NAME = {"greek": "ΔΕΙΓΜΑ", "latin": "DEIGMA"}
PERSON = {
    "specimen": True,
    "family_name": NAME,
    "given_names": {"greek": "ΕΛΕΝΗ", "latin": "ELENI"},
    "date_of_birth": "1985-02-14",
    "place_of_birth": NAME,
    "sex": "F",
    "nationality": "UTO",
    "country_of_birth": "UTO",
    "details": {"blood_group": "0-"},
    "address": {"lines": {"greek": "ΟΔΟΣ ΔΕΙΓΜΑΤΟΣ 12", "latin": "12 ODOS DEIGMATOS"}, "country": "UTO"},
    "personal_number": "9000000001",
    "contact": {"phone": PHONE},
}
HOURS = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "09:00", "until": "10:00"}]
SITE = {"code": "harbour", "kind": "centre", "title": {"en": "Harbour (SPECIMEN)"}, "time_zone": "Pacific/Auckland",
        "places": 1, "services": ["identity"], "hours": HOURS}  # fmt: skip
LEASE = {"paper": "lease", "issued_on": "2020-01-01"}


@pytest.fixture
def utopia(monkeypatch: pytest.MonkeyPatch) -> EnrolmentRules:
    """Its files lie in a directory of their own, a language more among them."""
    monkeypatch.setenv(VARIABLE, str(COUNTRIES))
    assert locale.find_languages() == ("en", "ar", "el", "fr")
    return load_rules("utopia").rules


@pytest.fixture
def office(utopia: EnrolmentRules, engine: Engine) -> Office:
    made = build_office(engine, "utopia")
    channels = {name: BookkeepingChannel(name) for name in Channel}
    return Office(replace(made.registry, channels=channels), made.clock)


def test_its_rules(utopia: EnrolmentRules) -> None:
    day = date(2026, 11, 23)
    assert (utopia.language, utopia.show_amount(2280), utopia.show_amount(5)) == ("en", "22.80", "0.05")
    assert utopia.papers_for("new", abroad=False, minor=True) == ("deed", "lease")
    wanted = utopia.papers_for("new", abroad=False, minor=True, capacity="custodian")
    assert wanted == ("deed", "lease", "custody-order")
    assert utopia.last_valid_day(date(1950, 1, 1), day) == date(2076, 11, 22)
    assert utopia.last_valid_day(date(2024, 1, 1), day) == date(2029, 11, 22)
    assert [utopia.is_mandatory(date(2012, 11, born), day) for born in (23, 24)] == [True, False]
    assert [utopia.needs_fingerprints(date(2020, 11, born), day) for born in (23, 24)] == [True, False]


def test_its_made_up_office(
    utopia: EnrolmentRules, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`eid seed` fills it as it does any other, in its own script; cards of its product the demonstration makes."""
    monkeypatch.setattr(seed, "WEIGHTS", {"rejected": 1, "booked": 1})
    settings = Settings(home=tmp_path / "home", country="utopia")
    settings.home.mkdir()
    *_, made = seed.seed_office(engine, settings, 2, datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert made.states == {"BOOKED": 1, "REJECTED": 1}
    with engine.connect() as connection:
        found = connection.execute(select(application.c.reason, application.c.currency)).all()
        assert {tuple(row) for row in found} == {("new", "XTS")}
        records = [row.record for row in connection.execute(select(person.c.record))]
    assert all(set(record["family_name"]) == {"greek", "latin"} for record in records)
    assert not any(record.keys() & {"father", "mother", "civil_status"} for record in records)
    assert {record["details"]["blood_group"] for record in records} <= {"A+", "0-", "AB+"}
    assert {record["nationality"] for record in records} == {"UTO"}


async def test_an_application_goes_its_way(office: Office) -> None:
    async with office.client() as client:
        await go(client, office)


async def go(client: httpx.AsyncClient, office: Office) -> None:
    me = office.applicant(PHONE)
    officer = office.headers(Role.VALIDATING_OFFICER, sub="validator-1", site="harbour")
    chief = office.headers(Role.ADMINISTRATOR, sub="chief-1")

    async def ask(method: str, path: str, expect: int = 200, who: dict[str, str] = me, **how: Any) -> Any:
        answer = await client.request(method, path, headers={**who, **how.pop("headers", {})}, **how)
        assert answer.status_code == expect, answer.text
        return answer.json()

    services = await ask("GET", "/v1/services", headers={"Accept-Language": "ar"})
    assert [(item["code"], item["title"], item["minutes"]) for item in services["services"]] == [
        ("identity", "Identity card", 20)  # there is nothing in Arabic here
    ]
    assert services["services"][0]["papers"] == [{"code": "deed", "title": "Deed"}]
    assert [item["code"] for item in services["categories"]] == ["parents"]
    assert {item["code"]: (item["title"], item["has_end"]) for item in services["capacities"]} == {
        "custodian": ("Custodian", True),
        "grandparent": ("Grandparent", False),
    }
    stated = services["record"]
    assert ("father" in stated["required"], stated["scripts"]) == (False, ["greek", "latin"])
    assert {item["code"]: item["required"] for item in stated["details"]} == {
        "blood_group": True,
        "profession": False,
        "parish": False,
    }
    assert (await ask("GET", "/v1/fees", params={"age": 30}))["decimals"] == 2

    refused = await client.post("/v1/applications", json={"reason": "first"}, headers={**me, "Accept-Language": "el"})
    assert refused.headers["content-language"] == "el"
    assert refused.json()["title"] == "Το αίτημα δεν έχει τη σωστή μορφή"
    for wrong in (
        {"reason": "new", "record": DOCUMENT},  # whose names stand in Arabic
        {"reason": "first"},
        {"reason": "new", "service": "fishing-licence"},
        {"reason": "new", "language": "ar"},
        {"reason": "new", "record": {**PERSON, "father": NAME}},  # which no record of this country has
        {"reason": "new", "record": {**PERSON, "details": {"blood_group": "blue"}}},
        {"reason": "new", "record": {**PERSON, "details": {"blood_group": "0-", "tribe": "none"}}},
    ):
        await ask("POST", "/v1/applications", 422, json={"record": PERSON, **wrong})
    odd = await ask("POST", "/v1/applications", 422, json={"reason": "new", "record": DOCUMENT})
    assert {"pointer": "/family_name/arabic", "code": "other-script"}.items() <= odd["errors"][0].items()
    guardian = {"capacity": "custodian", "name": NAME, "personal_number": "9000000002"}
    child = {**PERSON, "date_of_birth": "2015-01-01", "guardian": guardian}
    mother = {**child, "guardian": {**guardian, "capacity": "mother"}}  # none of this country's
    odd = await ask("POST", "/v1/applications", 422, json={"reason": "new", "record": mother})
    assert [(item["pointer"], item["code"]) for item in odd["errors"]] == [("/guardian/capacity", "choice")]
    made = await ask("POST", "/v1/applications", 201, json={"reason": "new", "record": child})
    needs = await ask("GET", f"/v1/applications/{made['id']}/needs")
    assert (needs["fee"], needs["is_mandatory"], needs["needs_fingerprints"]) == (0, False, True)
    assert [item["code"] for item in needs["papers"]] == ["deed", "lease", "custody-order"]
    assert "/guardian/valid_until" in needs["missing"]

    made = await ask("POST", "/v1/applications", 201, json={"reason": "new", "record": PERSON, "site": "harbour"})
    assert (made["service"], made["language"], made["fee"], made["currency"]) == ("identity", "en", 2280, "XTS")
    where = f"/v1/applications/{made['id']}"
    assert made["due_at"].startswith("2026-11-28T11:00")  # five days, to their end in Auckland
    pdf = {"headers": {"Content-Type": "application/pdf"}, "content": build_pdf()}
    old = await ask("POST", f"{where}/documents", 422, params={"paper": "deed", "issued_on": "2026-10-20"}, **pdf)
    assert old["refusal"] == "too-old"
    await ask("POST", f"{where}/documents", 201, params={"paper": "deed", "issued_on": "2026-10-25"}, **pdf)
    await ask("POST", f"{where}/documents", 201, params=LEASE, **pdf)
    digits = await buy(office, ask)
    assert (len(digits), compute_check_digit(digits[:-1])) == (14, digits[-1])
    await ask("PUT", f"{where}/stamp", json={"digits": digits})
    await ask("POST", f"{where}/submit")
    await ask("POST", f"{where}/take-up", who=officer)
    for _ in range(2):  # as often as these rules allow
        await ask("POST", f"{where}/request-information", who=officer, json={"papers": ["lease"]})
        office.clock.advance(minutes=1)
        await ask("POST", f"{where}/documents", 201, params=LEASE, **pdf)
        await ask("POST", f"{where}/supply")
    refused = await ask("POST", f"{where}/request-information", 409, who=officer, json={"papers": ["lease"]})
    assert refused["guard"] == "one-request-only"
    assert (await ask("POST", f"{where}/validate", who=officer))["state"] == "VALIDATED"

    await ask("PUT", "/v1/sites/harbour", who=chief, json=SITE)
    offers = await ask("GET", f"{where}/offers", params={"site": "harbour", "days": 1})
    assert [item["slot"] for item in offers] == ["2026-11-23T09:00", "2026-11-23T09:20", "2026-11-23T09:40"]
    wanted = {"application_id": made["id"], "site": "harbour", "slot": offers[0]["slot"]}
    held = await ask("POST", "/v1/appointments", 201, json=wanted)
    assert datetime.fromisoformat(held["expires_at"]) == office.clock() + timedelta(minutes=5)
    assert (await ask("POST", f"/v1/appointments/{held['id']}/book"))["state"] == "BOOKED"


async def buy(office: Office, ask: Any) -> str:
    order = {"service": "identity", "date_of_birth": "1985-02-14", "phone": PHONE}
    stamp = await ask("POST", "/v1/stamps", 201, json=order)
    begun = await ask("POST", f"/v1/stamps/{stamp['id']}/payments", 201, json={"channel": "bank-branch"})
    price, now = Money(2280, "XTS"), office.clock.now
    told = Callback("evt-1", uuid.UUID(begun["payment"]["id"]), "PSP-1", Outcome.SETTLED, price, now)
    body = encode_callback(told)
    signed = {HEADER: sign_message(SECRET, body, now), "Content-Type": "application/json"}
    answer = await ask("POST", "/v1/payment-callbacks/bank-branch", who={}, content=body, headers=signed)
    assert answer == {"result": "applied"}
    message = open_message(StampOffice.of(office.registry), uuid.UUID(stamp["id"]))
    assert message is not None
    assert message.language == "en"
    return message.digits
