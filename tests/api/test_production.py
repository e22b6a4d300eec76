"""From the counter to the card in its holder's hand, through HTTP, with the biometric system answering by a call."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine

from eid.enrolment.capture import ItemFormat, digest_item
from eid.enrolment.roles import Role
from eid.gateways.abis.sandbox import SandboxAbis
from eid.services.application import adjudication
from eid.services.card import card_writing
from eid.store.captures import list_late_searches
from eid.transport.loopback import LoopbackConnection
from tests.builders.counter import ADJUDICATOR, APPROVER, CLOCK, COURIER, MAKER, OFFICER, build_counter, portrait, take
from tests.builders.issuing import make_authority
from tests.builders.press import build_press
from tests.builders.registry import Office, build_office

pytestmark = pytest.mark.anyio


@pytest.fixture
def office(engine: Engine) -> Office:
    found = build_office(engine)
    found.clock.now = CLOCK
    return found


class Caller:
    """Somebody with a role, who calls the office."""

    def __init__(self, office: Office, client: httpx.AsyncClient) -> None:
        self.office, self.client = office, client

    async def post(self, address: str, who: Any, body: Any = None, *, expect: int = 200, **more: Any) -> Any:
        headers = self.office.headers(*who.roles, sub=who.id, site=who.site, scope=more.pop("scope", ""))
        answer = await self.client.post(address, json={} if body is None else body, headers=headers, **more)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    async def get(self, address: str, who: Any, *, expect: int = 200) -> Any:
        headers = self.office.headers(*who.roles, sub=who.id, site=who.site)
        answer = await self.client.get(address, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer


def encoded(record: bytes, items: dict[str, bytes]) -> dict[str, Any]:
    told = {name: base64.b64encode(raw).decode() for name, raw in items.items()}
    return {"record": base64.b64encode(record).decode(), "items": told}


async def test_from_the_counter_to_the_holders_hand(office: Office, engine: Engine, tmp_path: Path) -> None:
    counter = build_counter(engine, tmp_path)
    counter.blobs = office.registry.blobs
    press = build_press(counter, make_authority(tmp_path / "pki", "ma-cnie", CLOCK))
    application = counter.present()
    at = f"/v1/applications/{application.id}"
    async with office.client() as client:
        caller = Caller(office, client)
        await _capture(caller, counter, application, at)
        await _adjudicate(caller, counter, application, at)
        order = await caller.post(f"{at}/approve", APPROVER, {"priority": 7})
        job = f"/v1/personalizationJobs/{order['id']}"
        assert (order["state"], order["priority"], "document_number" in order) == ("QUEUED", 7, False)
        (listed,) = (await caller.get("/v1/personalizationJobs", MAKER)).json()["jobs"]
        assert listed == order
        await caller.post(f"{job}/pass", MAKER, expect=409)
        ready = await caller.post(f"{job}/claim", MAKER, {"store_id": str(press.store.id)})
        assert ready["state"] == "READY"
        await caller.post(f"{job}/release", MAKER)
        ready = await caller.post(f"{job}/claim", MAKER, {"store_id": str(press.store.id)})
        line = replace(press.line, blobs=office.registry.blobs)
        card = LoopbackConnection(press.blanks[ready["serial"]])
        written, _ = card_writing.write(line, UUID(order["id"]), card, "reader", MAKER)
        events = (await caller.get(f"{job}/events", MAKER)).json()["events"]
        assert {item["phase"] for item in events} == {"intent", "result"}
        assert (await caller.post(f"{job}/pass", MAKER))["state"] == "PASSED"
        await caller.post(f"{job}/reject", MAKER, {"cause": "printing"}, expect=409)
        balance = (await caller.get(f"/v1/stockStores/{press.store.id}/balance", MAKER)).json()["products"]
        assert balance[0]["states"] == {"CONSUMED": 1, "IN_STORE": 2}
        await caller.post(f"{at}/ship", COURIER)
        assert (await caller.post(f"{at}/arrive", OFFICER))["state"] == "READY"
        check = {"relation": "holder", "comparison": "portrait", "personal_number": "ZZ123456"}
        await caller.post(f"{at}/hand-over", COURIER, {**check, "sod_hash": "00" * 32}, expect=409)
        assert written.sod_hash is not None
        told = {**check, "sod_hash": written.sod_hash.hex(), "old_card_returned": False}
        assert (await caller.post(f"{at}/hand-over", COURIER, told))["state"] == "DELIVERED"


async def _capture(caller: Caller, counter: Any, application: Any, at: str) -> None:
    poor = {**take(), "portrait": portrait(200, 258)}
    body = encoded(counter.sign(counter.record(application, poor)), poor)
    refused = await caller.post(f"{at}/capture", OFFICER, body, expect=409)
    assert refused["errors"] == [
        {"pointer": "/items/portrait", "code": "PORTRAIT_TOO_SMALL", "detail": "to be taken again"}
    ]
    items = take("via http")
    record = counter.record(application, items)
    lie = tuple(replace(item, format=ItemFormat.PNG) if item.name == "portrait" else item for item in record.items)
    body = encoded(counter.sign(replace(record, items=lie)), items)
    await caller.post(f"{at}/capture", OFFICER, body, expect=422)
    body = encoded(counter.sign(record), items)
    await caller.post(f"/v1/applications/{application.person_id}/capture", OFFICER, body, expect=422)
    await caller.post(f"{at}/capture", OFFICER, {**body, "items": {"nose": "AAAA"}}, expect=422)
    kept = await caller.post(f"{at}/capture", OFFICER, body, expect=201)
    assert (kept["state"], kept["findings"]) == ("CAPTURED", [])
    shown = (await caller.get(f"{at}/capture", ADJUDICATOR)).json()
    assert (shown["id"], shown["officer"], set(shown["items"])) == (kept["id"], OFFICER.id, set(items))
    image = await caller.get(f"{at}/capture/items/portrait", APPROVER)
    assert (image.headers["content-type"], digest_item(image.content)) == ("image/jpeg", digest_item(items["portrait"]))
    await caller.get(f"{at}/capture/items/left-thumb", APPROVER, expect=404)


async def _adjudicate(caller: Caller, counter: Any, application: Any, at: str) -> None:
    adjudication.begin_search(counter.engine, SandboxAbis(later=True), counter.blobs, application.id, CLOCK)
    with counter.engine.connect() as connection:
        (search,) = list_late_searches(connection, CLOCK.replace(year=2027))
    query = {"transactionId": str(search.id), "taskId": search.task}
    found = [
        {"personId": str(application.person_id), "rank": 1, "score": 3000},
        {"personId": "0198-somebody", "rank": 2, "score": 2950.5},
    ]
    system = replace(MAKER, id="abis-1", roles=frozenset((Role.RELYING_PARTY,)))
    await caller.post("/v1/abis/answers", system, found, params=query, expect=403)
    more = {"params": query, "scope": "abis.answer"}
    await caller.post("/v1/abis/answers", system, [{"rank": 1}], expect=422, **more)
    for _ in range(2):
        await caller.post("/v1/abis/answers", system, found, expect=204, **more)
    (hold,) = (await caller.get("/v1/holds", ADJUDICATOR)).json()["holds"]
    assert (hold["code"], hold["candidate"], hold["score"]) == ("duplicate", "0198-somebody", 2950.5)
    await caller.post(f"{at}/clear", ADJUDICATOR, expect=409)
    settled = await caller.post(f"/v1/holds/{hold['id']}/settle", ADJUDICATOR, {"reason": "twin"})
    assert settled["state"] == "CLEARED"
    assert (await caller.post(f"{at}/clear", ADJUDICATOR))["state"] == "AWAITING_APPROVAL"
    await caller.post(f"{at}/holds", APPROVER, {"code": "document-doubt"}, expect=204)
    await caller.post(f"{at}/approve", APPROVER, expect=409)
    holds = (await caller.get(f"{at}/holds", APPROVER)).json()["holds"]
    open_one = next(item["id"] for item in holds if item["state"] == "OPEN")
    await caller.post(f"/v1/holds/{open_one}/settle", ADJUDICATOR, {"reason": "explained"})


async def test_stock_and_keys_through_http(office: Office) -> None:
    administrator = replace(MAKER, id="admin-1", roles=frozenset((Role.ADMINISTRATOR,)))
    async with office.client() as client:
        caller = Caller(office, client)
        store = (await caller.post("/v1/stockStores", MAKER, {"name": "Main store"}, expect=201))["id"]
        assert [item["id"] for item in (await caller.get("/v1/stockStores", MAKER)).json()["stores"]] == [store]
        batch = {"store_id": store, "name": "B-1", "product": "ma-cnie", "serials": ["00aa", "00BB"]}
        assert (await caller.post("/v1/stockBatches", MAKER, batch, expect=201))["size"] == 2
        await caller.post("/v1/stockBatches", MAKER, {**batch, "serials": ["xx"]}, expect=422)
        for again in (batch, {**batch, "name": "B-2"}):  # of that name, or with blanks that are there
            told = await caller.post("/v1/stockBatches", MAKER, again, expect=409)
            assert told["type"] == "urn:eid:problem:already-done"
        await caller.post("/v1/stockItems/00AA/spoil", MAKER, {"store_id": store, "cause": "damaged"}, expect=204)
        gone = {"store_id": store, "witness": MAKER.id}
        await caller.post("/v1/stockItems/00AA/destroy", MAKER, gone, expect=409)
        await caller.post("/v1/stockItems/00AA/destroy", MAKER, {**gone, "witness": "witness-1"}, expect=204)
        counted = await caller.post(f"/v1/stockStores/{store}/counts", MAKER, {"serials": ["00CC"]})
        assert counted == {"missing": ["00BB"], "found_again": [], "unknown": ["00CC"]}
        items = (await caller.get(f"/v1/stockItems?store_id={store}", MAKER)).json()["items"]
        assert {item["serial"]: item["state"] for item in items} == {"00AA": "DESTROYED", "00BB": "MISSING"}
        await caller.get(f"/v1/stockItems?store_id={office.registry.now().timestamp()}", MAKER, expect=422)
        await caller.get(f"/v1/stockStores/{store[:-4]}ffff/balance", MAKER, expect=404)
        body = {"officer": "officer-1", "public_key": "AAAA"}
        await caller.post("/v1/officerKeys", administrator, body, expect=422)
        gone_key = await client.delete(
            f"/v1/officerKeys/{'00' * 32}", headers=office.headers(Role.ADMINISTRATOR, sub="admin-1")
        )
        assert gone_key.status_code == 404
