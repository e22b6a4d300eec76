"""Cards written at a station that reaches the registry over HTTP only: torn, resumed, spoiled; what is not believed."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from eid.enrolment.roles import Role
from eid.errors import GatewayError, GatewayRefusedError, LifecycleError
from eid.gateways.registry import RegistryClient
from eid.profile.loader import load_profile
from eid.protocols.exchange import Connection
from eid.services.card import production, stock
from eid.services.card.station import Station, StationCard, load_order_profile, write_at_station
from eid.services.issuing.attempt import LOCK, SIGN
from eid.services.issuing.issuance import BrokenOffError
from eid.services.issuing.quality_check import QualityError
from eid.services.pki.authority import IssuingAuthority
from eid.store.audit import bucket_of, read_chain
from eid.store.cards import load_card
from eid.store.database import in_transaction
from eid.store.issued_documents import find_by_job
from eid.store.journal import read_journal
from eid.store.personalization_jobs import load_job
from eid.store.production_orders import ProductionOrder
from eid.transport.loopback import LoopbackConnection
from tests.builders.applicants import applicant_record
from tests.builders.counter import CLOCK, MAKER, build_counter
from tests.builders.databases import ready_sqlite
from tests.builders.issuing import Corrupted, Pulled, make_authority
from tests.builders.press import PROFILE, Press, build_press
from tests.builders.registry import Office, build_office, issue_token


@dataclass
class Plant:
    """A press, the registry over its database, and a station without one."""

    press: Press
    office: Office
    url: str
    clients: list[RegistryClient] = field(default_factory=list)

    def client(self, **claims: Any) -> RegistryClient:
        told = {"sub": MAKER.id, "roles": [Role.PRODUCTION_OPERATOR.value], **claims}
        made = RegistryClient(self.url, lambda: issue_token(self.office.clock(), **told))
        self.clients.append(made)
        return made

    def station(self, client: RegistryClient | None = None) -> Station:
        mine = client or self.client()
        return Station(mine, self.press.line.authority, load_profile(PROFILE), lambda: CLOCK)

    def ready(self) -> ProductionOrder:
        return self.press.reserve(self.press.counter.approved())

    def write(self, order: ProductionOrder, link: Connection | None = None) -> StationCard:
        card = link or LoopbackConnection(self.press.card(order))
        return write_at_station(self.station(), order.id, card, "a reader far away")

    def order(self, order: ProductionOrder) -> ProductionOrder:
        return production.require_order(self.press.engine, order.id)

    def job(self, order: ProductionOrder):
        job_id = self.order(order).job_id
        assert job_id is not None
        return in_transaction(self.press.engine, lambda connection: load_job(connection, job_id))

    def journal(self, order: ProductionOrder):
        job_id = self.order(order).job_id
        assert job_id is not None
        return in_transaction(self.press.engine, lambda connection: read_journal(connection, job_id))


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a socket, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> IssuingAuthority:
    return make_authority(tmp_path_factory.mktemp("authority") / "pki", PROFILE, CLOCK)


@pytest.fixture
def plant(tmp_path: Path, authority: IssuingAuthority) -> Iterator[Plant]:
    engine = ready_sqlite(tmp_path / "eid.db")
    office = build_office(engine)
    office.clock.now = CLOCK
    counter = build_counter(engine, tmp_path)
    counter.blobs = office.registry.blobs
    with served(office.app) as url:
        plant = Plant(build_press(counter, authority), office, url)
        yield plant
        for client in plant.clients:
            client.close()
    engine.dispose()


def test_a_card_is_written_by_its_orders_data_alone(plant: Plant) -> None:
    order = plant.ready()
    client = plant.client()
    assert load_order_profile(client, order.id).profile.name == PROFILE
    written = write_at_station(
        plant.station(client), order.id, LoopbackConnection(plant.press.card(order)), "a reader far away"
    )
    issued = written.issued
    assert issued is not None
    assert written.secrets == issued.data.secrets
    found, job = plant.order(order), plant.job(order)
    assert (found.state, found.sod_hash, job.state) == ("WRITTEN", issued.data.sod_hash, "SUCCEEDED")
    assert (job.id, job.reader, job.card_serial.upper()) == (written.job_id, "a reader far away", written.serial)
    assert issued.data.mrz.document_number == found.document_number
    with plant.press.engine.connect() as connection:
        document = find_by_job(connection, job.id)
        card = load_card(connection, found.card_id)
        rows = [item.event for item in read_chain(connection, bucket_of(order.id))]
    assert document is not None
    assert (document.id, document.document_number_tag) == (issued.document.id, issued.document.document_number_tag)
    assert (card.state, card.document_number, card.job_id) == ("PERSONALISED", found.document_number, job.id)
    assert (LOCK, "result") in [(item.step, item.phase) for item in plant.journal(order)]
    (handed,) = [item for item in rows if item.action == "person.read"]
    assert (handed.detail["part"], handed.detail["order"]) == ("card", str(order.id))
    # Told of a finished card again the registry answers the same; nothing is written.
    again = plant.write(order, Pulled(plant.press.card(order), 0))
    assert (again.job_id, again.secrets, again.issued) == (written.job_id, written.secrets, None)
    assert production.inspect_card(plant.press.engine, order.id, MAKER, CLOCK).state == "PASSED"
    (balance,) = stock.balance_stock(plant.press.engine, plant.press.store.id)
    assert (balance.is_even, balance.states["CONSUMED"]) == (True, 1)


def test_a_card_that_was_pulled_out_is_gone_on_with(plant: Plant) -> None:
    """Also by another process: the station keeps nothing, the registry's journal knows."""
    order = plant.ready()
    card = plant.press.card(order)
    for at, obeyed in ((16, True), (12, False), (30, True)):  # a key made and not told; before and after a file
        with pytest.raises(BrokenOffError):
            plant.write(order, Pulled(card, at, obeyed=obeyed))
        assert plant.order(order).state == "WRITING"
    before = plant.job(order)
    written = plant.write(order)
    assert (written.job_id, written.issued is not None, plant.order(order).state) == (before.id, True, "WRITTEN")
    signed = [item for item in plant.journal(order) if (item.step, item.phase) == (SIGN, "intent")]
    assert len(signed) <= 2  # what was signed and told is not signed again


def test_a_blank_that_was_not_touched_is_as_it_was(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    order = plant.ready()
    (other,) = [card for serial, card in plant.press.blanks.items() if serial != order.serial][:1]

    def be_away(*_: object) -> None:
        raise GatewayError("the registry cannot be reached")

    with monkeypatch.context() as patch:
        patch.setattr("eid.services.card.station.RemoteJob.change", be_away)
        with pytest.raises(LifecycleError, match="another blank"):
            plant.write(order, LoopbackConnection(other))  # why it was not written is told all the same
    assert plant.order(order).state == "WRITING"
    with pytest.raises(LifecycleError, match="another blank"):
        plant.write(order, LoopbackConnection(other))
    assert (plant.order(order).state, plant.order(order).job_id) == ("READY", None)
    assert begin(plant, order, plant.client())[1]["state"] == "PLANNED"


def test_a_card_that_fails_its_check_is_spoiled(plant: Plant) -> None:
    order = plant.ready()
    with pytest.raises(QualityError):
        plant.write(order, Corrupted(plant.press.card(order), 70))  # while its files are read back
    assert (plant.order(order).state, plant.job(order).state) == ("SPOILED", "SPOILED")
    assert plant.order(order).cause == "quality"


def begin(plant: Plant, order: ProductionOrder, client: RegistryClient) -> tuple[str, dict[str, Any]]:
    place = f"/v1/personalizationJobs/{order.id}"
    digest = load_profile(PROFILE).digest.hex()
    return place, client.post(f"{place}/start", {"reader": "r", "profile_digest": digest})


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(GatewayRefusedError) as refused:
        act()
    return str(refused.value)


def step(name: str, phase: str = "intent", **detail: str) -> dict[str, Any]:
    return {"step": name, "phase": phase, "detail": detail}


def test_what_is_not_believed(plant: Plant) -> None:
    order, client = plant.ready(), plant.client()
    other = f"/v1/personalizationJobs/{order.id}"
    start = {"reader": "r", "profile_digest": "00" * 32}
    assert "another version of the profile" in refusal(lambda: client.post(f"{other}/start", start))
    for act in ("retry", "record"):
        early = (lambda: client.post(f"{other}/retry")) if act == "retry" else (lambda: client.get(f"{other}/record"))
        assert "wrong-state" in refusal(early)
    place, begun = begin(plant, order, client)
    assert (begun["serial"], begun["state"], begun["events"]) == (order.serial, "PLANNED", [])
    assert begin(plant, order, client)[1] == begun
    wrong = {"events": [step("identify the card", "result", card_serial="00" * 10)]}
    assert "another blank" in refusal(lambda: client.post(f"{place}/events", wrong))
    assert "422" in refusal(lambda: client.post(f"{place}/events", {"events": [step("x", "begin")]}))
    long = {f"n{number}": "x" * 2000 for number in range(9)}
    assert "422" in refusal(lambda: client.post(f"{place}/events", {"events": [step("x", **long)]}))
    serial, ef_sod = str(order.serial).lower(), b"\x77\x00"
    report = {
        "sod_hash": hashlib.sha256(ef_sod).hexdigest(),
        "card_serial": serial,
        "document_number_tag": "11" * 32,
        "key_versions": {"scp03": 48},
        "report_digest": "22" * 32,
    }
    told: list[dict[str, Any]] = [
        step("identify the card", "result", card_serial=serial),
        step(SIGN, "result", ef_sod="no hexadecimal"),
        step(SIGN, "result", ef_sod=ef_sod.hex()),
        step(LOCK),
        step(LOCK, "result"),
    ]
    for item in told:  # each missing piece keeps the card from being believed
        assert "not read back" in refusal(lambda: client.post(f"{place}/written", report))
        client.post(f"{place}/events", {"events": [item]})
    assert "something was written" in refusal(lambda: client.post(f"{place}/retry"))
    for name, value in (("sod_hash", "33" * 32), ("card_serial", "44" * 10)):
        lie = {**report, name: value}
        assert "not read back" in refusal(lambda lie=lie: client.post(f"{place}/written", lie))  # type: ignore[misc]  # a lambda is given no type
    assert plant.order(order).state == "WRITING"
    first, again = (client.post(f"{place}/written", report) for _ in range(2))
    assert (first["job"]["state"], first) == ("WRITTEN", again)
    assert "wrong-state" in refusal(lambda: client.get(f"{place}/record"))


def test_nobody_writes_his_own_card(plant: Plant) -> None:
    order = plant.press.reserve(plant.press.counter.approved(record=applicant_record(personal_number="ZZ777001")))
    own, client = plant.client(sub="maker-6", personal_number="zz-777001"), plant.client()
    for _ in range(2):
        assert "403" in refusal(lambda: begin(plant, order, own))
        place, _begun = begin(plant, order, client)
    assert "403" in refusal(lambda: own.get(f"{place}/record"))
    assert "403" in refusal(lambda: own.post(f"{place}/events", {"events": [step("x")]}))
    assert "403" in refusal(lambda: own.post(f"{place}/retry"))
    assert client.post(f"{place}/retry")["state"] == "READY"
