"""Blanks, on both databases: every one that was delivered is accounted for, whatever happens to it."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine

from eid.enrolment.roles import Actor, Role
from eid.errors import EidError, EnrolmentError, LifecycleError, NotStoredError, RecordError, Refusal, StoreError
from eid.services.card import stock
from eid.services.card.stock import NoBlanksError
from eid.store.audit import bucket_of, read_chain
from eid.store.stock import Store, find_reserved, list_blanks
from eid.store.types import new_id
from tests.builders.counter import MAKER
from tests.builders.sweep import examples

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STRANGER = Actor("clerk-1", frozenset((Role.ENROLMENT_OFFICER,)), "rabat-1")
PRODUCT = "ma-cnie"


def serials(count: int, first: int = 0) -> list[str]:
    return [f"{number:020X}" for number in range(first, first + count)]


@pytest.fixture
def store(any_database: Engine) -> Store:
    made = stock.open_store(any_database, "Main store", MAKER, NOW)
    stock.receive_batch(any_database, made.id, "B-1", PRODUCT, serials(8), MAKER, NOW)
    return made


def states(engine: Engine, store: Store) -> dict[str, int]:
    (balance,) = stock.balance_stock(engine, store.id)
    assert balance.is_even
    return balance.states


def test_a_blank_from_delivery_to_card_or_destruction(any_database: Engine, store: Store) -> None:
    first, second = new_id(NOW), new_id(NOW)
    blank = stock.reserve_blank(any_database, store.id, PRODUCT, first, MAKER, NOW)
    assert stock.reserve_blank(any_database, store.id, PRODUCT, first, MAKER, NOW) == blank
    other = stock.reserve_blank(any_database, store.id, PRODUCT, second, MAKER, NOW)
    assert other.serial != blank.serial
    for _ in range(2):  # again: the same
        stock.consume_blank(any_database, store.id, first, MAKER, NOW)
        stock.spoil_blank(any_database, store.id, second, "printing", MAKER, NOW)
    assert states(any_database, store) == {"IN_STORE": 6, "CONSUMED": 1, "SPOILED": 1}
    for witness in ("", " ", MAKER.id, MAKER.id.upper()):
        with pytest.raises(EnrolmentError) as refused:
            stock.destroy_blank(any_database, store.id, other.serial, witness, MAKER, NOW)
        assert refused.value.guard == "witnessed"
    stock.destroy_blank(any_database, store.id, other.serial.lower(), "witness-1", MAKER, NOW)
    third = stock.reserve_blank(any_database, store.id, PRODUCT, second, MAKER, NOW)  # the order takes another one
    assert third.serial not in (blank.serial, other.serial)
    stock.release_blank(any_database, store.id, second, MAKER, NOW)
    stock.release_blank(any_database, store.id, second, MAKER, NOW)
    assert states(any_database, store) == {"IN_STORE": 6, "CONSUMED": 1, "DESTROYED": 1}
    with pytest.raises(LifecycleError, match="no blank"):
        stock.consume_blank(any_database, store.id, second, MAKER, NOW)
    with any_database.connect() as connection:
        told = [row.event.action for row in read_chain(connection, bucket_of(store.id))]
        spoiled = list_blanks(connection, store.id, state="DESTROYED")[0]
    assert told[:3] == ["stock.open", "stock.receive", "blank.reserve"]
    assert (spoiled.spoiled_for, spoiled.cause, spoiled.order_id) == (second, "printing", None)


@pytest.mark.both_databases
def test_deliveries_are_taken_whole_or_not_at_all(any_database: Engine, store: Store) -> None:
    for name, given in (
        ("B-2", []),
        ("B-2", ["AA", "aa"]),
        ("B-2", ["no hex"]),
        ("", serials(1, 50)),
        ("a" * 65, serials(1, 50)),
    ):
        with pytest.raises(RecordError):
            stock.receive_batch(any_database, store.id, name, PRODUCT, given, MAKER, NOW)
    for name, given in (("B-1", serials(1, 50)), ("B-3", [*serials(1, 50), *serials(1)])):
        with pytest.raises(StoreError):
            stock.receive_batch(any_database, store.id, name, PRODUCT, given, MAKER, NOW)
    with pytest.raises(NotStoredError):
        stock.receive_batch(any_database, new_id(NOW), "B-4", PRODUCT, serials(1, 60), MAKER, NOW)
    assert states(any_database, store) == {"IN_STORE": 8}


def test_a_count_by_hand_finds_what_is_missing_and_what_is_back(
    any_database: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = new_id(NOW)
    reserved = stock.reserve_blank(any_database, store.id, PRODUCT, order, MAKER, NOW)
    lying = [serial for serial in serials(8) if serial != reserved.serial]
    monkeypatch.setattr("eid.store.stock.AT_ONCE", 3)
    counted = stock.take_stock(any_database, store.id, [*lying[1:], reserved.serial, "FF"], MAKER, NOW)
    assert (counted.missing, counted.found_again, counted.unknown) == ((lying[0],), (), ("FF",))
    assert states(any_database, store) == {"IN_STORE": 6, "RESERVED": 1, "MISSING": 1}
    again = stock.take_stock(any_database, store.id, lying, MAKER, NOW)
    assert (again.missing, again.found_again, again.unknown) == ((), (lying[0],), ())
    assert states(any_database, store) == {"IN_STORE": 6, "RESERVED": 1, "SPOILED": 1}
    stock.spoil_in_store(any_database, store.id, lying[1], "damaged", MAKER, NOW)
    with pytest.raises(EnrolmentError, match="with its order"):
        stock.spoil_in_store(any_database, store.id, reserved.serial, "damaged", MAKER, NOW)
    with pytest.raises(RecordError):
        stock.spoil_in_store(any_database, store.id, lying[2], "boredom", MAKER, NOW)
    with pytest.raises(NotStoredError):
        stock.spoil_in_store(any_database, store.id, "FF", "damaged", MAKER, NOW)


def test_others_keep_their_hands_off(any_database: Engine, store: Store) -> None:
    acts = (
        lambda: stock.open_store(any_database, "Another", STRANGER, NOW),
        lambda: stock.receive_batch(any_database, store.id, "B-2", PRODUCT, serials(1, 50), STRANGER, NOW),
        lambda: stock.reserve_blank(any_database, store.id, PRODUCT, new_id(NOW), STRANGER, NOW),
        lambda: stock.spoil_in_store(any_database, store.id, serials(1)[0], "damaged", STRANGER, NOW),
        lambda: stock.take_stock(any_database, store.id, [], STRANGER, NOW),
    )
    for act in acts:
        with pytest.raises(EnrolmentError) as refused:
            act()
        assert refused.value.refusal is Refusal.FORBIDDEN
    assert states(any_database, store) == {"IN_STORE": 8}


@pytest.mark.both_databases
def test_many_orders_at_once_take_a_blank_each_and_never_the_same(any_database: Engine, store: Store) -> None:
    taken: list[str] = []
    empty: list[str] = []

    def take(order: uuid.UUID) -> None:
        try:
            taken.append(stock.reserve_blank(any_database, store.id, PRODUCT, order, MAKER, NOW).serial)
        except NoBlanksError:
            empty.append(str(order))

    threads = [threading.Thread(target=take, args=(new_id(NOW),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(set(taken)), len(empty)) == (8, 8, 2)
    assert states(any_database, store) == {"RESERVED": 8}


class Keepers(RuleBasedStateMachine):
    """Whoever does whatever in whatever order, also what is refused: no blank appears, disappears or serves twice."""

    engine: Engine

    @initialize()
    def open(self) -> None:
        self.store = stock.open_store(self.engine, "Store", MAKER, NOW)
        self.orders = [new_id(NOW) for _ in range(3)]
        self.known: list[str] = []

    @rule(count=st.integers(1, 3))
    def receive(self, count: int) -> None:
        new = [f"{self.store.id.hex.upper()}{serial}" for serial in serials(count, len(self.known))]  # of this walk
        stock.receive_batch(self.engine, self.store.id, f"B-{len(self.known)}", PRODUCT, new, MAKER, NOW)
        self.known += new

    @rule(act=st.sampled_from(("reserve", "release", "consume", "spoil")), at=st.integers(0, 2))
    def serve(self, act: str, at: int) -> None:
        order, store = self.orders[at], self.store.id
        try:
            if act == "reserve":
                stock.reserve_blank(self.engine, store, PRODUCT, order, MAKER, NOW)
            elif act == "spoil":
                stock.spoil_blank(self.engine, store, order, "printing", MAKER, NOW)
            else:
                act_on = stock.release_blank if act == "release" else stock.consume_blank
                act_on(self.engine, store, order, MAKER, NOW)
        except LifecycleError:
            pass

    @rule(act=st.sampled_from(("destroy", "damage", "count")), at=st.integers(0, 20))
    def keep(self, act: str, at: int) -> None:
        if not self.known:
            return
        serial = self.known[at % len(self.known)]
        try:
            if act == "destroy":
                stock.destroy_blank(self.engine, self.store.id, serial, "witness-1", MAKER, NOW)
            elif act == "damage":
                stock.spoil_in_store(self.engine, self.store.id, serial, "damaged", MAKER, NOW)
            else:
                left_out = [item for item in self.known if item != serial]
                stock.take_stock(self.engine, self.store.id, left_out, MAKER, NOW)
        except EidError:
            pass

    @invariant()
    def every_blank_is_accounted_for(self) -> None:
        if not hasattr(self, "store") or not self.known:
            return
        (balance,) = stock.balance_stock(self.engine, self.store.id)
        assert balance.is_even
        assert balance.delivered == len(self.known)
        with self.engine.connect() as connection:
            blanks = list_blanks(connection, self.store.id)
            held = [find_reserved(connection, self.store.id, order) for order in self.orders]
        assert sorted(item.serial for item in blanks) == self.known
        assert all((item.order_id is not None) == (item.state in ("RESERVED", "CONSUMED")) for item in blanks)
        used = [item.serial for item in held if item is not None]
        assert len(set(used)) == len(used)


@pytest.mark.sweep
@pytest.mark.both_databases
def test_no_way_of_keeping_stock_loses_a_blank(any_database: Engine) -> None:
    machine = type("KeepersOf", (Keepers,), {"engine": any_database})
    bounds = settings(max_examples=examples(9), stateful_step_count=12, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=bounds)
