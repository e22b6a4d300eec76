"""Stamps, approvals, blanks and cards together, on both databases: no order of acts, and no process that dies between
two of them, leaves a stamp spent for nothing, a card unpaid, or a blank unaccounted for."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, update

from eid.enrolment.production import OrderFacts
from eid.errors import EidError, StoreError
from eid.services.application import acts, approval, lapses, views
from eid.services.card import delivery, production, stock
from eid.services.card.cards import ProducedCard, record_personalised
from eid.services.card.delivery import CollectorCheck, Comparison, Relation
from eid.services.card.production import advance_order, load_order
from eid.services.durable.relay import drain
from eid.services.durable.workshop import open_workshop
from eid.services.settings import Settings
from eid.services.stamp.spending import enter_stamp
from eid.services.stamp.stamps import StampOrder, block_stamp, unblock_stamp
from eid.store.application_tables import application as application_table
from eid.store.applications import load_application
from eid.store.cards import find_by_application, load_card
from eid.store.database import in_transaction
from eid.store.production_orders import ProductionOrder, orders_of
from eid.store.stamps import find_stamp
from eid.store.stock import list_blanks
from tests.builders.applicants import ADMINISTRATOR, APPLICANT, NOW, applicant_record, begin_application
from tests.builders.cards import EXPIRES, personalised_job
from tests.builders.counter import APPROVER, COURIER, MAKER, SITE
from tests.builders.stamps import CHIEF, PHONE, Till, build_till
from tests.builders.sweep import examples

WHICH = st.integers(0, 2)
DIES = st.booleans()
APPROVED = frozenset(("APPROVED", "IN_PRODUCTION", "PRODUCED", "SHIPPED", "READY", "DELIVERED"))
LIVE = frozenset(("QUEUED", "READY", "WRITING", "WRITTEN", "PASSED"))
SOD = bytes(32)
BLANK_OF = {"PASSED": "CONSUMED", "SPOILED": "SPOILED"} | dict.fromkeys(("READY", "WRITING", "WRITTEN"), "RESERVED")
PLACES = count(1)


class Files(RuleBasedStateMachine):
    """Three files with stamps reserved, an office that decides on them, a press, a counter."""

    engine: Engine
    home: Path

    @initialize()
    def open(self) -> None:
        self.till: Till = build_till(self.engine)
        workshop = open_workshop(Settings(home=self.home), self.engine, now=lambda: NOW)
        self.workshop = replace(workshop, keys=self.till.office.keys)
        self.store = stock.open_store(self.engine, f"Store {uuid.uuid4()}"[:40], MAKER, NOW)
        self.serials: list[str] = []
        self.files = [self._file() for _ in range(3)]
        self.receive()
        self.press_before_it_is_paid(0)
        self.go_on(1, 4, dies=False)  # one card is made, so that every walk has one

    def _file(self) -> uuid.UUID:
        """A file that awaits approval, without its way there; its stamp was bought and entered."""
        person = applicant_record(personal_number=f"Z{uuid.uuid4().int % 9_000_000 + 1_000_000}")
        made = begin_application(self.engine, NOW, record=person)
        stamp = self.till.buy(StampOrder("card", person.born, PHONE, "fr"))
        enter_stamp(self.till.office, made.id, self.till.digits(stamp), APPLICANT, NOW)
        values = {
            "state": "AWAITING_APPROVAL",
            "appointment_site": SITE,
            "validating_officer": "validator-1",
            "capturing_officer": "officer-1",
        }
        here = (application_table.c.bucket == made.id.bytes[15], application_table.c.id == made.id)
        in_transaction(self.engine, lambda c: c.execute(update(application_table).where(*here).values(values)))
        return made.id

    def attempt(self, act: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        try:
            act(*arguments, **named)
        except EidError:
            pass

    def order(self, at: int) -> ProductionOrder | None:
        with self.engine.connect() as connection:
            found = orders_of(connection, self.files[at])
        return found[-1] if found else None

    # --- what may happen

    @rule(at=WHICH, dies=DIES)
    def approve(self, at: int, dies: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if dies:
                patch.setattr(approval, "spend_stamp", _die)
            self.attempt(approval.approve, self.till.office, self.files[at], APPROVER, NOW)

    @rule(at=WHICH)
    def press_before_it_is_paid(self, at: int) -> None:
        """The process that approves dies before it has spent the stamp, and the press is quicker than the worker."""
        self.approve(at, dies=True)
        order, application = self.order(at), self._application(at)
        if order is None or order.state != "QUEUED":
            return
        unpaid = application.stamp_id is None or self._stamp_state(application) != "CONSUMED"
        self.press(at, False, "reserve")
        after = self.order(at)
        assert after is not None
        assert not unpaid or (after.state, after.serial) == ("QUEUED", order.serial), "a card for a fee not paid"

    @rule(at=WHICH, back=st.booleans())
    def block(self, at: int, back: bool) -> None:
        stamp = self._application(at).stamp_id
        if stamp is not None:
            self.attempt(unblock_stamp if back else block_stamp, self.till.office, stamp, CHIEF, NOW, "overheard")

    @rule(at=WHICH, seriously=st.integers(0, 5))
    def cancel(self, at: int, seriously: int) -> None:
        if seriously == 5:
            self.attempt(acts.cancel, self.engine, self.files[at], ADMINISTRATOR, NOW)

    @rule()
    def receive(self) -> None:
        new = [f"{uuid.uuid4().hex[:20].upper()}" for _ in range(2)]
        stock.receive_batch(self.engine, self.store.id, f"B-{len(self.serials)}", "ma-cnie", new, MAKER, NOW)
        self.serials += new

    @rule(at=WHICH, dies=DIES, act=st.sampled_from(("reserve", "release", "write", "pass", "spoil")))
    def press(self, at: int, dies: bool, act: str) -> None:
        order = self.order(at)
        if order is None:
            return
        with pytest.MonkeyPatch.context() as patch:
            if dies:
                patch.setattr(production, "settle_stock", _die)
            match act:
                case "reserve":
                    self.attempt(production.reserve, self.engine, order.id, self.store.id, MAKER, NOW)
                case "release":
                    self.attempt(production.release, self.engine, order.id, MAKER, NOW)
                case "write":
                    self.attempt(self._write, order)
                case "pass":
                    self.attempt(production.inspect_card, self.engine, order.id, MAKER, NOW)
                case "spoil":
                    self.attempt(production.spoil, self.engine, order.id, "printing", MAKER, NOW)

    def _write(self, order: ProductionOrder) -> None:
        """What `card_writing` notes of a chip that was written and verified."""

        def work(connection: Connection) -> None:
            job, document = personalised_job(connection, str(order.document_number), next(PLACES), size=1 << 20)
            started = advance_order(
                connection, load_order(connection, order.id), "start", OrderFacts(), MAKER, NOW, job_id=job
            )
            assert started.card_id is not None
            produced = ProducedCard(job, document, str(started.document_number), EXPIRES)
            record_personalised(connection, started.card_id, produced, MAKER, NOW)
            facts = OrderFacts(chip_verified=True)
            advance_order(connection, started, "write", facts, MAKER, NOW, sod_hash=SOD)

        in_transaction(self.engine, work)

    @rule(at=WHICH, steps=st.integers(1, 6), dies=DIES)
    def go_on(self, at: int, steps: int, dies: bool) -> None:
        """Do what is next, some times, so that walks get somewhere."""
        for _ in range(steps):
            self._do_next(at, dies)

    def _do_next(self, at: int, dies: bool) -> None:
        order = self.order(at)
        following = {"QUEUED": "reserve", "READY": "write", "WRITTEN": "pass"}
        if order is None:
            self.approve(at, dies)
        elif order.state in following:
            self.press(at, False, following[order.state])
        else:
            self.deliver(at)

    @rule(at=WHICH)
    def deliver(self, at: int) -> None:
        file, person = self.files[at], self._application(at)
        number = views.view_application(self.engine, person.id, APPLICANT, NOW).record.personal_number
        check = CollectorCheck(Relation.HOLDER, Comparison.PORTRAIT, str(number), SOD)
        self.attempt(delivery.ship, self.engine, file, COURIER, NOW)
        self.attempt(delivery.arrive, self.engine, file, COURIER, NOW)
        self.attempt(delivery.hand_over, self.engine, file, check, COURIER, NOW)

    @rule(dies=DIES)
    def nobody_comes(self, dies: bool) -> None:
        """Cards that wait to be collected lapse, and some are destroyed."""
        late = NOW + timedelta(days=120)
        for file in self.files:
            in_transaction(self.engine, partial(lapses._end, application_id=file, now=late))
        with pytest.MonkeyPatch.context() as patch:
            if dies:
                patch.setattr(delivery, "settle_stock", _die)
            for card in delivery.list_uncollected(self.engine, COURIER):
                if card.application_id in self.files:
                    self.attempt(delivery.destroy_uncollected, self.engine, card.id, "witness-1", COURIER, NOW)

    # --- what holds

    @invariant()
    def nothing_is_done_twice_or_unpaid(self) -> None:
        if not hasattr(self, "files"):
            return
        with self.engine.connect() as connection:
            for file in self.files:
                application, orders = load_application(connection, file), orders_of(connection, file)
                assert application is not None
                stamp = None if application.stamp_id is None else find_stamp(connection, application.stamp_id)
                if stamp is not None and stamp.state == "CONSUMED":
                    assert stamp.application_id == file
                    assert orders, "a stamp was spent for a file that nobody approved"
                assert len([item for item in orders if item.state in LIVE]) <= 1
                assert all(
                    item.state in ("QUEUED", "CANCELLED") or (stamp is not None and stamp.state == "CONSUMED")
                    for item in orders
                )
                cards = find_by_application(connection, file)
                assert len([item for item in cards if item.state == "ACTIVE"]) == (application.state == "DELIVERED")
            blanks = list_blanks(connection, self.store.id)
        assert sorted(item.serial for item in blanks) == sorted(self.serials)
        assert all(item.is_even for item in stock.balance_stock(self.engine, self.store.id))

    @rule()
    def work_is_done(self) -> None:
        """After the worker has done what was left over, stamps, orders and blanks agree to the last one."""
        drain(self.workshop)
        with self.engine.connect() as connection:
            blanks = {item.serial: item for item in list_blanks(connection, self.store.id)}
            expected: Counter[str] = Counter()
            for file in self.files:
                application = load_application(connection, file)
                assert application is not None
                approved = bool(orders_of(connection, file)) and application.state in APPROVED
                if application.stamp_id is not None:
                    state = find_stamp(connection, application.stamp_id).state
                    assert (state == "CONSUMED") >= (approved and state not in ("BLOCKED", "ISSUED")), state
                for order in orders_of(connection, file):
                    if order.serial is not None and order.state in BLANK_OF:
                        card = None if order.card_id is None else load_card(connection, order.card_id)
                        is_gone = card is not None and card.cause == "destroyed"
                        target = "DESTROYED" if is_gone else BLANK_OF[order.state]
                        assert blanks[order.serial].state == target
                        expected[target] += 1
            found = Counter(item.state for item in blanks.values() if item.state != "IN_STORE")
            assert found == expected

    def teardown(self) -> None:
        """However a walk ends, its books are even."""
        if hasattr(self, "files"):
            self.work_is_done()

    def _stamp_state(self, application: Any) -> str:
        with self.engine.connect() as connection:
            return find_stamp(connection, application.stamp_id).state

    def _application(self, at: int) -> Any:
        with self.engine.connect() as connection:
            return load_application(connection, self.files[at])


def _die(*_: object) -> None:
    raise StoreError("the process died here")


@pytest.mark.sweep
def test_no_way_through_the_office_breaks_its_books(shared_database: Engine, tmp_path: Path) -> None:
    machine = type("FilesOf", (Files,), {"engine": shared_database, "home": tmp_path})
    bounds = settings(
        max_examples=examples(6), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=bounds)
