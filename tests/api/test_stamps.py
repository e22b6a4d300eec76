"""Fees, stamps and payments over HTTP, on both databases: from order to application, and what is refused."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import Engine

from eid.enrolment.payment import Channel, Money, Outcome
from eid.enrolment.roles import Actor, Role
from eid.gateways.payment.callback import Callback, encode_callback
from eid.gateways.payment.signature import HEADER, sign_message
from eid.gateways.payment.statement import COLUMNS
from eid.services.application.drafts import NewApplication, create_application
from eid.services.stamp.stamps import TRIES_AN_HOUR, StampOffice, open_message
from tests.builders.applicants import applicant_record
from tests.builders.registry import Office, build_office
from tests.builders.stamps import SECRET, BookkeepingChannel

pytestmark = pytest.mark.anyio
ORDER = {"service": "card", "date_of_birth": "1985-02-14", "phone": "+212600000001", "language": "ar"}
CARD = Channel.ONLINE_CARD.value
MONEY = Money(75, "MAD")


@pytest.fixture
def office(engine: Engine) -> Office:
    return build_shop(engine)


def build_shop(engine: Engine) -> Office:
    """An office with every way to pay."""
    office = build_office(engine)
    channels = {name: BookkeepingChannel(name) for name in Channel}
    return Office(replace(office.registry, channels=channels), office.clock)


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with office.client() as client:
        yield client


async def begin(client: httpx.AsyncClient, me: dict[str, str], channel: str = CARD) -> tuple[dict, dict]:
    ordered = await client.post("/v1/stamps", json=ORDER, headers=me)
    assert ordered.status_code == 201, ordered.text
    stamp = ordered.json()
    begun = await client.post(f"/v1/stamps/{stamp['id']}/payments", json={"channel": channel}, headers=me)
    assert begun.status_code == 201, begun.text
    return stamp, begun.json()["payment"]


async def tell(
    client, office: Office, payment: dict, outcome: Outcome = Outcome.SETTLED, event: str = "evt-1", money=MONEY
):
    callback = Callback(event, uuid.UUID(payment["id"]), "PSP-1", outcome, money, office.clock.now)
    body = encode_callback(callback)
    headers = {HEADER: sign_message(SECRET, body, office.clock.now), "Content-Type": "application/json"}
    return await client.post(f"/v1/payment-callbacks/{payment['channel']}", content=body, headers=headers)


@pytest.mark.both_databases
async def test_from_order_to_application(any_database: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    office = build_shop(any_database)
    async with office.client() as client:
        await go_from_order_to_application(client, office, caplog)


async def go_from_order_to_application(client, office: Office, caplog: pytest.LogCaptureFixture) -> None:
    me, agent = office.applicant(), office.headers(Role.CALL_CENTRE_AGENT)
    assert (await client.get("/v1/payment-channels")).json() == {"channels": sorted(Channel)}
    stamp, payment = await begin(client, me)
    assert (stamp["state"], stamp["amount"], stamp["last_four"]) == ("ORDERED", 75, None)
    for _ in range(2):
        assert (await tell(client, office, payment)).json() == {"result": "applied"}
    assert (await tell(client, office, payment, Outcome.DECLINED, "evt-2")).json() == {"result": "unchanged"}
    shown = (await client.get(f"/v1/stamps/{stamp['id']}", headers=me)).json()
    digits = open_message(StampOffice.of(office.registry), uuid.UUID(stamp["id"])).digits
    assert (shown["state"], shown["last_four"]) == ("ISSUED", digits[-4:])
    assert (await client.get("/v1/stamps", headers=me)).json()["stamps"] == [shown]
    assert (await client.get(f"/v1/payments/{payment['id']}", headers=me)).json()["state"] == "SETTLED"
    office.clock.advance(minutes=5)
    waiting = (await client.get("/v1/stamps/unsent", headers=agent)).json()["stamps"]
    assert [item["id"] for item in waiting] == [stamp["id"]]
    again = await client.post(f"/v1/stamps/{stamp['id']}/resend", headers=agent)
    assert (again.status_code, again.json()["messages"]) == (200, 2)
    looked = await client.post("/v1/stamps/look-up", json={"digits": digits}, headers=me)
    assert looked.json() == {"usable": True, "service": "card", "amount": 75, "currency": "MAD"}
    account = (await client.get("/v1/me", headers=me)).json()["id"]
    application = make_application(office, account)
    typed = " ".join(digits.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    entered = await client.put(f"/v1/applications/{application}/stamp", json={"digits": typed}, headers=me)
    assert (entered.status_code, entered.json()["state"]) == (200, "RESERVED")
    looked = await client.post("/v1/stamps/look-up", json={"digits": digits}, headers=me)
    assert looked.json() == {"usable": False, "service": None, "amount": None, "currency": None}
    assert (await client.delete(f"/v1/applications/{application}/stamp", headers=me)).status_code == 204
    assert (await client.get(f"/v1/stamps/{stamp['id']}", headers=me)).json()["state"] == "ISSUED"
    assert digits not in caplog.text
    assert digits not in str(shown)


def make_application(office: Office, account: str) -> uuid.UUID:
    actor = Actor(account, frozenset((Role.APPLICANT,)))
    new = NewApplication("first", applicant_record())
    return create_application(office.registry.engine, new, actor, office.clock.now, rules="morocco").id


async def test_a_counters_terminal_and_a_refund(client, office: Office) -> None:
    me, cashier = office.applicant(), office.headers(Role.CASHIER, sub="cashier-1")
    stamp = (await client.post("/v1/stamps", json=ORDER, headers=me)).json()
    address = f"/v1/stamps/{stamp['id']}/payments"
    refused = await client.post(address, json={"channel": "counter-terminal", "terminal": "T-1"}, headers=me)
    assert refused.status_code == 403
    begun = await client.post(address, json={"channel": "counter-terminal", "terminal": "T-1"}, headers=cashier)
    assert begun.status_code == 201
    assert (await tell(client, office, begun.json()["payment"])).json() == {"result": "applied"}
    because = {"reason": "unused"}
    for action, who, state in (
        ("block", office.headers(Role.CALL_CENTRE_AGENT), "BLOCKED"),
        ("unblock", office.headers(Role.ADMINISTRATOR), "ISSUED"),
        ("refund", cashier, "REFUNDED"),
    ):
        done = await client.post(f"/v1/stamps/{stamp['id']}/{action}", json=because, headers=who)
        assert (done.status_code, done.json()["state"]) == (200, state), action
    again = await client.post(f"/v1/stamps/{stamp['id']}/refund", json=because, headers=cashier)
    assert (again.status_code, again.json()["refusal"]) == (409, "WRONG_STATE")


async def test_callbacks_that_are_refused(client, office: Office) -> None:
    _, payment = await begin(client, office.applicant())
    address = f"/v1/payment-callbacks/{CARD}"
    now = office.clock.now

    async def send(body: bytes, header: str | None, where: str = address) -> int:
        headers = {"Content-Type": "application/json"} | ({} if header is None else {HEADER: header})
        return (await client.post(where, content=body, headers=headers)).status_code

    body = encode_callback(Callback("evt-1", uuid.UUID(payment["id"]), "PSP-1", Outcome.SETTLED, Money(75, "MAD"), now))
    assert await send(body, None) == 401
    assert await send(body, sign_message(b"x" * 32, body, now)) == 401
    assert await send(body, sign_message(SECRET, body, datetime(2026, 11, 22, 11, 0, tzinfo=UTC))) == 401
    assert await send(b"{}", sign_message(SECRET, b"{}", now)) == 422
    assert await send(b"\xff", sign_message(SECRET, b"\xff", now)) in (400, 422)
    assert await send(body, sign_message(SECRET, body, now), "/v1/payment-callbacks/barter") == 422
    assert await send(body, sign_message(SECRET, body, now), "/v1/payment-callbacks/bank-branch") == 404
    assert await send(body, sign_message(SECRET, body, now)) == 200
    other = encode_callback(
        Callback("evt-1", uuid.UUID(payment["id"]), "PSP-1", Outcome.DECLINED, Money(75, "MAD"), now)
    )
    assert await send(other, sign_message(SECRET, other, now)) == 409


async def test_an_order_that_is_repeated_under_its_key_is_one(client, office: Office) -> None:
    me = office.applicant() | {"Idempotency-Key": "order-1"}
    first = await client.post("/v1/stamps", json=ORDER, headers=me)
    second = await client.post("/v1/stamps", json=ORDER, headers=me)
    assert first.json() == second.json()
    other = await client.post("/v1/stamps", json=ORDER | {"language": "fr"}, headers=me)
    assert other.status_code == 422
    assert len((await client.get("/v1/stamps", headers=me)).json()["stamps"]) == 1


async def test_orders_with_faulty_fields(client, office: Office) -> None:
    me = office.applicant()
    faults = ({"service": "moon"}, {"phone": "0600"}, {"date_of_birth": "soon"}, {"date_of_birth": "2100-01-01"})
    for change in (*faults, {"more": "canary"}):
        refused = await client.post("/v1/stamps", json=ORDER | change, headers=me)
        assert refused.status_code == 422
        assert not any(value in refused.text for value in change.values())


async def test_looking_up_is_limited(client, office: Office) -> None:
    me = office.applicant()
    for _ in range(TRIES_AN_HOUR):
        looked = await client.post("/v1/stamps/look-up", json={"digits": "0" * 16}, headers=me)
        assert (looked.status_code, looked.json()["usable"]) == (200, False)
    refused = await client.post("/v1/stamps/look-up", json={"digits": "0" * 16}, headers=me)
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:eid:problem:too-many-requests")


async def test_what_services_cost(client, office: Office) -> None:
    def priced(answer: httpx.Response) -> list[tuple[str, int | None, int]]:
        return [(row["service"], row["below_age"], row["amount"]) for row in answer.json()["fees"]]

    assert len(priced(await client.get("/v1/fees"))) == 6
    assert priced(await client.get("/v1/fees?service=card&age=11")) == [("card", 12, 50)]
    assert priced(await client.get("/v1/fees?service=card&age=12")) == [("card", None, 75)]
    assert priced(await client.get("/v1/fees?service=passport&age=30&date=2017-06-01")) == [("passport", None, 300)]
    assert priced(await client.get("/v1/fees?age=0&date=0001-01-01")) == []
    assert priced(await client.get("/v1/fees?age=150&date=0100-01-01")) == []
    assert len(priced(await client.get("/v1/fees?date=2020-12-31"))) == 4
    assert (await client.get("/v1/fees?age=-1")).status_code == 422


async def test_a_day_is_reconciled_and_read(client, office: Office) -> None:
    _, payment = await begin(client, office.applicant())
    day, cashier = office.clock.now.date().isoformat(), office.headers(Role.CASHIER)
    lines = [",".join(COLUMNS), f"{payment['id']},P-1,payment,75,MAD,{office.clock.now.isoformat()}"]
    csv = "\r\n".join(lines).encode()
    address = f"/v1/reconciliations/{CARD}/{day}"
    early = await client.post(address, content=csv, headers=cashier | {"Content-Type": "text/csv"})
    assert early.status_code == 422
    office.clock.advance(days=1)
    cashier = office.headers(Role.CASHIER)
    forged = await client.post(address, content=csv, headers=cashier | {"Content-Type": "text/csv"})
    assert (forged.status_code, forged.json()["differences"], forged.json()["repaired"]) == (201, 1, 0)
    office.registry.channels[Channel.ONLINE_CARD].knows = Outcome.SETTLED
    office.clock.advance(minutes=1)
    made = await client.post(address, content=csv, headers=cashier | {"Content-Type": "text/csv"})
    assert (made.status_code, made.json()["differences"], made.json()["repaired"]) == (201, 1, 1)
    assert made.json()["rows"][0]["difference"] == "NOT_SETTLED_HERE"
    auditor = office.headers(Role.AUDITOR)
    assert (await client.get(f"/v1/reconciliations/{made.json()['id']}", headers=auditor)).json() == made.json()
    assert (await client.get("/v1/reconciliations", headers=auditor)).json() == {
        "reconciliations": [made.json(), forged.json()]
    }
    fetched = await client.post(address, headers=cashier)
    assert [row["difference"] for row in fetched.json()["rows"]] == ["NOT_AT_PROVIDER"]
    assert (await client.post(address, content=b"junk", headers=cashier)).status_code == 422
    for edge in ("0001-01-01", "9999-12-31"):
        assert (await client.post(f"/v1/reconciliations/{CARD}/{edge}", headers=cashier)).status_code == 422


async def test_spent_at_a_counter_and_by_a_partner(
    client: httpx.AsyncClient, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    me, clerk = office.applicant(), office.headers(Role.ENROLMENT_OFFICER, site="paris-1")
    ordered = (await client.post("/v1/stamps", json={**ORDER, "service": "passport"}, headers=me)).json()
    begun = await client.post(f"/v1/stamps/{ordered['id']}/payments", json={"channel": CARD}, headers=me)
    told = await tell(client, office, begun.json()["payment"], money=Money(500, "MAD"))
    assert told.json() == {"result": "applied"}
    digits = open_message(StampOffice.of(office.registry), uuid.UUID(ordered["id"])).digits
    body = {"digits": digits, "service": "passport", "amount": 500, "reference": "P-2026-000123"}
    assert (await client.post("/v1/stamps/spend", json=body, headers=me)).status_code == 403
    partner = {"sub": "passport-office", "scope": "stamp.spend"}
    for claims, status in (({**partner, "scope": "id.verify"}, 403), (partner, 409)):
        headers = office.headers(Role.RELYING_PARTY, **claims)
        refused = await client.post("/v1/stamps/spend", json={**body, "amount": 300}, headers=headers)
        assert refused.status_code == status
    assert (refused.json()["guard"], digits in refused.text) == ("fits", False)
    key = {"Idempotency-Key": "case-1"}
    spent = await client.post("/v1/stamps/spend", json=body, headers={**clerk, **key})
    assert (spent.status_code, spent.json()["last_four"]) == (200, digits[-4:])
    again = await client.post("/v1/stamps/spend", json=body, headers={**clerk, **key})
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (spent.json(), "true")
    assert (await client.post("/v1/stamps/spend", json=body, headers=clerk)).json() == spent.json()
    taken = await client.post("/v1/stamps/spend", json=body, headers=office.headers(Role.RELYING_PARTY, **partner))
    assert (taken.status_code, taken.json()["guard"]) == (409, "usable")
    assert (await client.get(f"/v1/stamps/{ordered['id']}", headers=me)).json()["state"] == "CONSUMED"
    for fault in ({"digits": "12"}, {"amount": 0}, {"amount": "500"}, {"reference": "a b"}, {"service": "Passport"}):
        answer = await client.post("/v1/stamps/spend", json={**body, **fault}, headers=clerk)
        assert (answer.status_code, digits in answer.text) == (422, False)
    assert digits not in caplog.text
    assert "P-2026-000123" not in caplog.text
