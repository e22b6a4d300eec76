"""`eid production` as operators use it: blanks come in, an approved file becomes a card, every blank is told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import load_service_keys
from eid.services.application import lapses
from eid.services.card import delivery, production
from eid.services.reading.station_key import encode_pem
from eid.services.stamp.stamps import StampOffice
from eid.store.database import open_database
from reader_tools.acting import current_moment
from tests.builders.counter import COURIER, Counter, build_counter
from tests.builders.issuance import signer
from tests.builders.issuing import PASSPHRASE, make_authority


def read(result) -> dict:
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_blanks_come_in_and_are_counted(eid, tmp_path: Path) -> None:
    assert eid("db", "init").code == 0
    store = read(eid("production", "open-store", "Main store", "--json"))["id"]
    (tmp_path / "serials").write_text("00aa\n00bb\n\n00cc\n")
    batch = (
        "production",
        "receive",
        "B-1",
        "--store",
        store,
        "--product",
        "ma-cnie",
        "--serials",
        tmp_path / "serials",
    )
    assert "size: 3" in eid(*batch).out
    assert eid(*batch).code == 73
    assert "Main store" in eid("production", "stores").out
    assert "00AA: spoiled" in eid("production", "damage", "00aa", "--store", store).out
    refused = eid("production", "destroy", "00AA", "--store", store, "--witness", "")
    assert (refused.code, "second person" in refused.err) == (73, True)
    assert "destroyed" in eid("production", "destroy", "00AA", "--store", store, "--witness", "witness-1").out
    (tmp_path / "lying").write_text("00BB\n")
    counted = eid("production", "count", "--store", store, "--serials", tmp_path / "lying")
    assert (counted.code, "missing: 00CC" in counted.out) == (1, True)
    (row,) = json.loads(eid("production", "balance", "--store", store, "--json").out)["rows"]
    assert (row["delivered"], row["IN_STORE"], row["MISSING"], row["DESTROYED"]) == (3, 1, 1, 1)
    assert "00BB" in eid("production", "blanks", "--store", store, "--state", "IN_STORE").out
    assert eid("production", "orders").out == "none\n"
    forbidden = eid("production", "open-store", "Other", "--as", "call-centre-agent")
    assert (forbidden.code, "FORBIDDEN" in forbidden.err) == (73, True)
    (tmp_path / "lying").write_bytes(b"\xff\n")
    assert eid("production", "count", "--store", store, "--serials", tmp_path / "lying").code == 65


def test_an_approved_file_becomes_a_card(eid, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert eid("db", "init").code == 0
    (tmp_path / "passphrase").write_bytes(PASSPHRASE + b"\n")
    keys = ("--passphrase-file", tmp_path / "passphrase")
    make_authority(tmp_path / "pki", "ma-cnie", current_moment())
    order = _approve(home)
    assert order in eid("production", "orders").out
    store = read(eid("production", "open-store", "Main store", "--json"))["id"]
    serial = "00112233445566778899"
    assert eid("card", "new", "--profile", "ma-cnie", "--out", tmp_path / "card.bin", "--serial", serial).code == 0
    (tmp_path / "serials").write_text(serial)
    receive = ("receive", "B-1", "--store", store, "--product", "ma-cnie", "--serials", tmp_path / "serials")
    assert eid("production", *receive).code == 0
    writing = (
        "production",
        "write",
        order,
        "--authority",
        tmp_path / "pki",
        "--card-file",
        tmp_path / "card.bin",
        *keys,
    )
    assert eid(*writing).code == 64  # no blank yet
    assert "state: READY" in eid("production", "reserve", order, "--store", store).out
    written = eid(*writing, "--can-out", tmp_path / "can")
    assert (written.code, "state: WRITTEN" in written.out) == (0, True), written.err
    assert len((tmp_path / "can").read_text()) == 7
    shown = read(eid("production", "show", order, "--json"))
    assert {"intent", "result"} == {item["phase"] for item in shown["steps"]}
    assert "state: PASSED" in eid("production", "pass", order).out
    assert eid("production", "spoil", order, "--cause", "printing").code == 73
    (row,) = json.loads(eid("production", "balance", "--store", store, "--json").out)["rows"]
    assert (row["CONSUMED"], row["IN_STORE"]) == (1, 0)
    _leave_uncollected(home, order)
    there = ("--site", "rabat-1")
    assert eid("card", "uncollected", "--site", "paris-1").out == "none\n"
    (waiting,) = [json.loads(line) for line in eid("card", "uncollected", *there, "--json").out.splitlines()]
    number = waiting["document_number"]
    assert f"{waiting['id']}  {number}  since" in eid("card", "uncollected", *there).out
    for wrong, told in (
        (("--site", "paris-1", "--witness", "officer-2"), "another site"),
        ((*there, "--witness", ""), "second person"),
        ((*there, "--witness", "officer-2", "--as", "call-centre-agent"), "FORBIDDEN"),
    ):
        refused = eid("card", "destroy", *wrong, number)
        assert (refused.code, told in refused.err) == (73, True), refused.err
    destroyed = json.loads(eid("card", "destroy", *there, "--witness", "officer-2", "--json", number).out)
    assert (destroyed["id"], destroyed["cause"]) == (waiting["id"], "destroyed")
    assert eid("card", "uncollected", *there).out == "none\n"
    (row,) = json.loads(eid("production", "balance", "--store", store, "--json").out)["rows"]
    assert (row["CONSUMED"], row["DESTROYED"]) == (0, 1)


def test_a_station_is_told_of_its_registry_whole(eid, tmp_path: Path) -> None:
    """Both or none; one that does not answer, and a token that is none."""
    order = "01a202e4-8748-70c9-8090-4489a405cdfe"
    writing = ("production", "write", order, "--authority", tmp_path, "--registry", "http://127.0.0.1:9")
    assert eid(*writing).code == 64
    (tmp_path / "token").write_text("a\nb\n")
    assert eid(*writing, "--token-file", tmp_path / "token").code == 65
    (tmp_path / "token").write_text("a-token\n")
    unreachable = eid(*writing, "--token-file", tmp_path / "token")
    assert (unreachable.code, "cannot be reached" in unreachable.err) == (69, True), unreachable


def test_an_officers_key(eid, tmp_path: Path) -> None:
    assert eid("db", "init").code == 0
    (tmp_path / "key.pem").write_text(encode_pem(signer("o", "P-256", "sha256").public_key_info))
    assert len(read(eid("production", "officer-key", "officer-1", tmp_path / "key.pem", "--json"))["key_id"]) == 64
    (tmp_path / "key.pem").write_text("no key")
    assert eid("production", "officer-key", "officer-1", tmp_path / "key.pem").code == 73


def _leave_uncollected(home: Path, order: str) -> None:
    """The card arrives, and nobody comes for it."""
    engine = open_database(f"sqlite:///{home / 'eid.db'}")
    application = production.require_order(engine, UUID(order)).application_id
    for move in (delivery.ship, delivery.arrive):
        move(engine, application, COURIER, current_moment())
    assert lapses.end_overdue(engine, current_moment() + timedelta(days=400)) == (application,)
    engine.dispose()


def _approve(home: Path) -> str:
    """An approved file in the database of the commands."""
    engine = open_database(f"sqlite:///{home / 'eid.db'}")
    service_keys = load_service_keys(home / "keys" / "service.key")
    counter: Counter = build_counter(engine, home)
    office = counter.till.desk.office
    counter.till.desk = type(counter.till.desk)(
        StampOffice(engine, office.rules, service_keys), counter.till.desk.channels
    )
    counter.blobs = BlobStore(str(home / "documents"), service_keys)
    order = counter.approved()
    engine.dispose()
    return str(order.id)
