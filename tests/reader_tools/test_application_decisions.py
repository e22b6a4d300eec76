"""What follows the counter, as operators of the local database meet it: holds, approval, sending."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from eid.services.application import adjudication
from eid.store.database import open_database
from eid.store.production_orders import list_orders
from tests.builders.counter import CLOCK, Counter, build_counter

Eid = Callable[..., Any]


@pytest.fixture
def engine(eid: Eid, tmp_path: Path) -> Iterator[Engine]:
    assert eid("db", "init").code == 0
    opened = open_database(f"sqlite:///{tmp_path / 'home' / 'eid.db'}")
    yield opened
    opened.dispose()


def test_from_a_hold_to_an_order(eid: Eid, engine: Engine, tmp_path: Path) -> None:
    counter: Counter = build_counter(engine, tmp_path)
    file = counter.capture(counter.present(reason="production-defect"))
    adjudication.begin_search(engine, None, counter.blobs, file.id, CLOCK)  # no biometric system is set up
    number = file.number
    (hold,) = json.loads(eid("application", "holds", "--json").out)
    assert (hold["code"], hold["application"]) == ("not-searched", str(file.id))
    assert hold["hold"] in eid("application", "holds").out
    assert "open: not-searched" in eid("application", "clear", number).err
    assert "other roles" in eid("application", "settle", hold["hold"], "--reason", "twin", "--as", "approver").err
    assert "compared-by-hand" in eid("application", "settle", hold["hold"], "--reason", "compared-by-hand").out
    assert "AWAITING_APPROVAL" in eid("application", "clear", number).out
    assert "CHECKED_IN" in eid("application", "return", number).out
    assert "no approve of the application: it is CHECKED_IN" in eid("application", "approve", number).err
    again = counter.search(counter.capture(counter.reload(file)))
    assert again.state == "AWAITING_APPROVAL"
    approved = json.loads(eid("application", "approve", number, "--json").out)
    assert approved == {"application": str(file.id), "number": number, "state": "APPROVED"}
    for act in ("ship", "arrive"):  # no card was made yet
        told = eid("application", act, number, "--site", "rabat-1")
        assert f"no {act} of the application: it is APPROVED" in told.err
    with engine.connect() as connection:
        assert [item.application_id for item in list_orders(connection, "QUEUED")] == [file.id]
    for name in ("holds", "settle", "clear", "approve", "return", "ship", "arrive"):
        assert eid("application", name, "--help").code == 0
