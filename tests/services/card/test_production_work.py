"""What captures and approvals cause is done by the worker's handlers, once or again, with a system over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from eid.errors import EnrolmentError, NotStoredError, ProfileError
from eid.gateways.abis.osia import OsiaAbis
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.abis.server import serve_sandbox
from eid.gateways.messages import SpooledMessages
from eid.services.application import acts, adjudication, approval
from eid.services.application.abis import open_abis
from eid.services.card import production, stock
from eid.services.durable.handlers import HANDLERS
from eid.services.durable.work import Outcome, Workshop, perform
from eid.services.settings import Settings
from eid.store.database import in_transaction
from eid.store.outbox import Work, waiting
from eid.store.stamps import find_stamp
from tests.builders.applicants import ADMINISTRATOR
from tests.builders.counter import CLOCK, MAKER, Counter, build_counter


@pytest.fixture
def counter(any_database: Engine, tmp_path: Path) -> Counter:
    return build_counter(any_database, tmp_path)


def workshop(counter: Counter, directory: Path, abis: str) -> Workshop:
    office = counter.till.office
    settings = Settings(home=directory, documents=counter.blobs.address, abis=abis)
    spool = SpooledMessages(directory / "spool")
    return Workshop(counter.engine, settings, office.rules, office.keys, lambda: CLOCK, spool, spool)


def works(counter: Counter, kind: str) -> list[Work]:
    return [item for item in in_transaction(counter.engine, lambda c: waiting(c, 1000)) if item.kind == kind]


@pytest.mark.both_databases
def test_the_worker_brings_a_file_on(counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = counter.capture(counter.present())
    (search,) = works(counter, "abis.search")
    nowhere = workshop(counter, tmp_path, "http://127.0.0.1:1")
    assert perform(nowhere, HANDLERS, search, 0) is Outcome.AGAIN
    assert counter.reload(application).state == "IN_ADJUDICATION"
    adjudication.chase(nowhere)  # nothing is late, so nobody is asked
    with serve_sandbox(SandboxAbis()) as server:
        shop = workshop(counter, tmp_path, f"http://127.0.0.1:{server.port}")
        for attempt in range(2):
            assert perform(shop, HANDLERS, search, attempt) is Outcome.DONE
    assert counter.reload(application).state == "AWAITING_APPROVAL"

    def lose(*_: object) -> None:
        raise NotStoredError("the process died")

    with monkeypatch.context() as patched:
        patched.setattr(approval, "consume_stamp", lose)
        counter.approve(application)
    stamp = counter.reload(application).stamp_id
    assert stamp is not None
    (consume,) = works(counter, "stamp.consume")
    for expected in ("RESERVED", "CONSUMED", "CONSUMED"):
        assert in_transaction(counter.engine, lambda c: find_stamp(c, stamp)).state == expected
        assert perform(shop, HANDLERS, consume, 0) is Outcome.DONE


def test_a_cancelled_file_is_not_produced(counter: Counter, tmp_path: Path) -> None:
    order = counter.approved()
    store = stock.open_store(counter.engine, "Press", MAKER, CLOCK)
    stock.receive_batch(counter.engine, store.id, "B-1", order.profile, ["00AA"], MAKER, CLOCK)
    acts.cancel(counter.engine, order.application_id, ADMINISTRATOR, CLOCK)
    with pytest.raises(EnrolmentError, match="CANCELLED"):
        production.reserve(counter.engine, order.id, store.id, MAKER, CLOCK)
    (cancel,) = works(counter, "production.cancel")
    for _ in range(2):
        assert perform(workshop(counter, tmp_path, ""), HANDLERS, cancel, 0) is Outcome.DONE
    assert production.require_order(counter.engine, order.id).state == "CANCELLED"
    (balance,) = stock.balance_stock(counter.engine, store.id)
    assert balance.states == {"IN_STORE": 1}


def test_the_system_that_the_settings_name(tmp_path: Path) -> None:
    assert open_abis(Settings()) is None
    (tmp_path / "token").write_text("s3cret\n")
    named = open_abis(
        Settings(
            abis="https://abis.example.org/osia",
            abis_token_file=str(tmp_path / "token"),
            abis_callback="https://registry.example.org/",
        )
    )
    assert isinstance(named, OsiaAbis)
    assert (named.place.port, named.place.target, named.token) == (443, "/osia", "s3cret")
    assert named.callback == "https://registry.example.org/v1/abis/answers"
    assert "s3cret" not in repr(named)
    for faulty in ("ftp://abis", "https://", "https://abis:99999", "https://abis?x=1", "http://abis"):
        with pytest.raises(ProfileError):
            open_abis(Settings(abis=faulty))
    with pytest.raises(ProfileError):
        open_abis(Settings(abis="https://abis", abis_token_file=str(tmp_path / "none")))
