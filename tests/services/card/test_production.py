"""From approval to a card in its holder's hand, on both databases and virtual cards: torn, resumed, spoiled."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from eid.card.memory import LifeCycle
from eid.enrolment.card_status import RevocationCause
from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, LifecycleError, NotStoredError, RecordError, Refusal, StoreError
from eid.services.application import approval, lapses
from eid.services.card import card_writing, delivery, production, stock
from eid.services.card.delivery import Comparison, Relation
from eid.services.card.stock import NoBlanksError
from eid.services.issuing.attempt import Stage
from eid.services.issuing.issuance import BrokenOffError
from eid.services.issuing.quality_check import QualityError
from eid.services.pki.authority import IssuingAuthority
from eid.services.stamp.stamps import StampOffice, block_stamp
from eid.store.cards import find_by_application, load_card
from eid.store.database import in_transaction
from eid.store.outbox import waiting
from eid.store.personalization_jobs import load_job
from eid.store.persons import holder_of_number
from eid.store.production_orders import ProductionOrder, orders_of
from eid.store.stamps import find_stamp
from eid.transport.loopback import LoopbackConnection
from eid.verification.report import Verdict
from tests.builders.applicants import GUARDIAN, VALIDATOR, applicant_record
from tests.builders.counter import (
    CLOCK,
    COURIER,
    MAKER,
    OFFICER,
    Counter,
    build_counter,
    take,
)
from tests.builders.databases import ready_sqlite
from tests.builders.issuing import Pulled, make_authority
from tests.builders.press import Press, build_press
from tests.builders.stamps import CHIEF

ELSEWHERE = replace(COURIER, site="paris-1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> IssuingAuthority:
    return make_authority(tmp_path_factory.mktemp("authority") / "pki", "ma-cnie", CLOCK)


@pytest.fixture
def counter(any_database: Engine, tmp_path: Path) -> Counter:
    return build_counter(any_database, tmp_path)


@pytest.fixture
def press(counter: Counter, authority: IssuingAuthority) -> Press:
    return build_press(counter, authority)


@pytest.fixture
def one_press(tmp_path: Path, authority: IssuingAuthority) -> Iterator[Press]:
    """On the embedded database alone, for what is the card's business more than the database's."""
    engine = ready_sqlite(tmp_path / "eid.db")
    yield build_press(build_counter(engine, tmp_path), authority)
    engine.dispose()


def blanks(press: Press) -> dict[str, int]:
    (balance,) = stock.balance_stock(press.engine, press.store.id)
    assert balance.is_even
    return balance.states


def state_of(press: Press, order: ProductionOrder) -> str:
    return press.counter.reload(_application(press, order)).state


def _application(press: Press, order: ProductionOrder):
    class _Id:
        id = order.application_id

    return _Id


def card_of(press: Press, order: ProductionOrder):
    with press.engine.connect() as connection:
        assert order.card_id is not None
        return load_card(connection, order.card_id)


def refused(error: pytest.ExceptionInfo[EnrolmentError]) -> tuple[Refusal, str | None]:
    return error.value.refusal, error.value.guard


@pytest.mark.both_databases
def test_the_whole_way_to_an_active_card(press: Press) -> None:
    counter = press.counter
    order = counter.approved()
    assert (order.state, order.deliver_to, order.attempt, order.priority) == ("QUEUED", "rabat-1", 1, 5)
    application = counter.reload(_application(press, order))
    assert application.stamp_id is not None
    with press.engine.connect() as connection:
        assert find_stamp(connection, application.stamp_id).state == "CONSUMED"
        assert any(work.kind == "stamp.consume" for work in waiting(connection, 100))
    ready = press.reserve(order)
    assert press.reserve(order) == ready
    assert (ready.state, state_of(press, order), blanks(press)) == (
        "READY",
        "IN_PRODUCTION",
        {"IN_STORE": 2, "RESERVED": 1},
    )
    assert ready.document_number is not None
    assert ready.document_number.startswith("SP")
    assert len(ready.document_number) == 8
    with pytest.raises(EnrolmentError, match="no pass"):
        production.inspect_card(press.engine, order.id, MAKER, CLOCK)
    written, issued = press.write(ready)
    assert issued is not None
    assert issued.report.verdict is Verdict.TOTAL_PASSED
    assert press.card(ready).life_cycle is LifeCycle.OPERATIONAL
    assert issued.data.mrz.document_number == ready.document_number
    assert (written.serial, written.job_id) == (ready.serial, issued.document.job_id)
    made_by = (press.line.authority, press.line.loaded, str(written.serial), issued.document.job_id)
    assert card_writing.card_secrets(*made_by) == issued.data.secrets
    card = card_of(press, written)
    assert (written.state, written.sod_hash) == ("WRITTEN", issued.data.sod_hash)
    assert (card.state, card.document_number, card.expires_on) == (
        "PERSONALISED",
        ready.document_number,
        ready.expires_on,
    )
    passed = production.inspect_card(press.engine, order.id, MAKER, CLOCK)
    assert (passed.state, state_of(press, order), card_of(press, passed).state) == ("PASSED", "PRODUCED", "IN_STOCK")
    assert blanks(press) == {"IN_STORE": 2, "CONSUMED": 1}
    _hand_over(press, passed)


def _hand_over(press: Press, order: ProductionOrder) -> None:
    engine, application = press.engine, order.application_id
    assert delivery.ship(engine, application, COURIER, CLOCK).state == "SHIPPED"
    with pytest.raises(EnrolmentError):  # cross-office
        delivery.arrive(engine, application, ELSEWHERE, CLOCK)
    assert delivery.arrive(engine, application, OFFICER, CLOCK).state == "READY"
    good = press.check(order)
    for check, actor, expected in (
        (replace(good, sod_hash=bytes(32)), COURIER, (Refusal.GUARD, "collector-checked")),
        (replace(good, personal_number="ZZ1"), COURIER, (Refusal.GUARD, "collector-checked")),
        (replace(good, relation=Relation.GUARDIAN), COURIER, (Refusal.GUARD, "collector-checked")),
        (good, MAKER, (Refusal.FORBIDDEN, None)),
        (good, ELSEWHERE, (Refusal.FORBIDDEN, None)),
        (good, replace(COURIER, site=None), (Refusal.GUARD, "same-site")),
    ):
        with pytest.raises(EnrolmentError) as error:
            delivery.hand_over(engine, application, check, actor, CLOCK)
        assert refused(error) == expected
    with pytest.raises(RecordError):
        delivery.hand_over(engine, application, replace(good, comparison=Comparison.CARD), COURIER, CLOCK)
    assert card_of(press, order).state == "IN_STOCK"
    typed = replace(good, personal_number=" zz 123456 ")
    assert delivery.hand_over(engine, application, typed, COURIER, CLOCK).state == "DELIVERED"
    assert card_of(press, order).state == "ACTIVE"
    with pytest.raises(EnrolmentError):
        delivery.hand_over(engine, application, good, COURIER, CLOCK)
    _replace(press, order)


def _replace(press: Press, old: ProductionOrder) -> None:
    """The holder reports theft and gets another card: the old one ends with the hand-over of the new one."""
    counter = press.counter
    application = counter.present(reason="theft")
    order = counter.approve(counter.search(counter.capture(application, take(str(application.person_id)))))
    passed = press.make(order)
    for move in (delivery.ship, delivery.arrive):
        move(press.engine, order.application_id, COURIER, CLOCK)
    assert card_of(press, old).state == "ACTIVE"
    delivery.hand_over(press.engine, order.application_id, press.check(passed), COURIER, CLOCK)
    former, new = card_of(press, old), card_of(press, passed)
    assert (former.state, former.cause, former.replaced_by) == ("REVOKED", RevocationCause.STOLEN, new.id)
    assert new.state == "ACTIVE"
    assert blanks(press) == {"IN_STORE": 1, "CONSUMED": 2}


def test_a_card_that_nobody_collects_ends_and_so_does_its_blank(
    one_press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, late = one_press.engine, CLOCK + timedelta(days=120)
    order = one_press.make(one_press.counter.approved())
    for move in (delivery.ship, delivery.arrive):
        move(engine, order.application_id, COURIER, CLOCK)
    assert delivery.list_uncollected(engine, COURIER) == ()
    assert lapses.end_overdue(engine, CLOCK + timedelta(days=60)) == ()
    assert lapses.end_overdue(engine, late) == (order.application_id,)  # the timer
    card = card_of(one_press, order)
    assert (state_of(one_press, order), card.state, card.cause) == ("LAPSED", "REVOKED", "uncollected")
    assert (delivery.list_uncollected(engine, COURIER), delivery.list_uncollected(engine, ELSEWHERE)) == ((card,), ())
    for actor, witness, expected in (
        (COURIER, COURIER.id, (Refusal.GUARD, "witnessed")),
        (COURIER, "", (Refusal.GUARD, "witnessed")),
        (ELSEWHERE, "officer-2", (Refusal.GUARD, "same-site")),
        (MAKER, "officer-2", (Refusal.FORBIDDEN, None)),
    ):
        with pytest.raises(EnrolmentError) as error:
            delivery.destroy_uncollected(engine, card.id, witness, actor, late)
        assert refused(error) == expected
    assert blanks(one_press)["CONSUMED"] == 1
    with monkeypatch.context() as dying:
        dying.setattr(delivery, "settle_stock", _die)
        assert delivery.destroy_uncollected(engine, card.id, "officer-2", COURIER, late).cause == "destroyed"
    assert blanks(one_press)["CONSUMED"] == 1
    with engine.connect() as connection:
        works = [item for item in waiting(connection, 1000) if item.kind == production.SETTLE]
    for _ in range(2):  # the worker makes up for it, however often
        for item in works:
            made = production.require_order(engine, uuid.UUID(item.payload["order"]))
            production.settle_stock(engine, made, production.MAKER, late)
    assert blanks(one_press) == {"IN_STORE": 2, "DESTROYED": 1}
    (balance,) = stock.balance_stock(engine, order.store_id)
    assert balance.is_even
    assert delivery.list_uncollected(engine, COURIER) == ()
    with pytest.raises(EnrolmentError):
        delivery.destroy_uncollected(engine, card.id, "officer-2", COURIER, late)


def _die(*_: object) -> None:
    raise StoreError("the process died here")


def test_a_torn_card_is_resumed_and_a_broken_one_is_made_anew(one_press: Press) -> None:
    order = one_press.reserve(one_press.counter.approved())
    wrong = next(card for serial, card in one_press.blanks.items() if serial != order.serial)
    with pytest.raises(LifecycleError, match="another blank"):
        one_press.write(order, LoopbackConnection(wrong))
    order = production.require_order(one_press.engine, order.id)
    assert (order.state, order.job_id) == ("READY", None)
    with pytest.raises(BrokenOffError) as torn:
        one_press.write(order, Pulled(one_press.card(order), 25))
    assert torn.value.stage is Stage.WRITING
    torn_order = production.require_order(one_press.engine, order.id)
    assert (torn_order.state, blanks(one_press)["RESERVED"]) == ("WRITING", 1)
    written, _ = one_press.write(torn_order)
    assert (written.state, written.job_id) == ("WRITTEN", torn_order.job_id)
    with pytest.raises(EnrolmentError):
        one_press.write(written)
    with pytest.raises(RecordError):
        production.inspect_card(one_press.engine, order.id, MAKER, CLOCK, defect="ugly")
    spoiled = production.inspect_card(one_press.engine, order.id, MAKER, CLOCK, defect="printing")
    assert (spoiled.state, spoiled.cause, state_of(one_press, order)) == ("SPOILED", "printing", "APPROVED")
    assert (card_of(one_press, spoiled).state, blanks(one_press)) == ("VOID", {"IN_STORE": 2, "SPOILED": 1})
    (again,) = production.queued_orders(one_press.engine, "QUEUED", MAKER)
    assert (again.application_id, again.attempt, again.priority) == (order.application_id, 2, 6)
    passed = one_press.make(again)
    assert passed.document_number != spoiled.document_number
    assert blanks(one_press) == {"IN_STORE": 1, "SPOILED": 1, "CONSUMED": 1}
    with one_press.engine.connect() as connection:
        cards = find_by_application(connection, order.application_id)
    assert sorted(item.state for item in cards) == ["IN_STOCK", "VOID"]


@pytest.mark.both_databases
def test_what_a_dead_process_left_behind_is_settled(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    order = press.reserve(press.counter.approved())

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(card_writing, "note_written", die)  # between the register and the order
        with pytest.raises(KeyboardInterrupt):
            press.write(order)
    left = production.require_order(press.engine, order.id)
    assert left.state == "WRITING"
    assert left.job_id is not None
    job = left.job_id
    assert in_transaction(press.engine, lambda c: load_job(c, job)).state == "SUCCEEDED"
    written, issued = press.write(left)  # the card is not touched again
    assert (written.state, issued) == ("WRITTEN", None)
    with monkeypatch.context() as patched:
        patched.setattr(production, "settle_stock", die)  # between the order and its blank
        with pytest.raises(KeyboardInterrupt):
            production.inspect_card(press.engine, order.id, MAKER, CLOCK)
    assert blanks(press) == {"IN_STORE": 2, "RESERVED": 1}
    with press.engine.connect() as connection:
        (work,) = [item for item in waiting(connection, 1000) if item.kind == "stock.settle"]
    done = production.require_order(press.engine, order.id)
    assert work.payload == {"order": str(done.id)}
    for _ in range(2):
        production.settle_stock(press.engine, done, production.MAKER, CLOCK)
    assert blanks(press) == {"IN_STORE": 2, "CONSUMED": 1}


def test_a_card_that_fails_its_check_is_spoiled_at_once(one_press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    order = one_press.reserve(one_press.counter.approved())

    def fail(*_: object, **__: object) -> None:
        raise QualityError("sod.signature")

    monkeypatch.setattr("eid.services.issuing.issuance.check_quality", fail)
    with pytest.raises(QualityError):
        one_press.write(order)
    spoiled = production.require_order(one_press.engine, order.id)
    assert (spoiled.state, spoiled.cause, blanks(one_press)) == ("SPOILED", "quality", {"IN_STORE": 2, "SPOILED": 1})
    assert spoiled.job_id is not None
    job = spoiled.job_id
    assert in_transaction(one_press.engine, lambda c: load_job(c, job)).state == "SPOILED"
    with one_press.engine.connect() as connection:
        assert [item.state for item in orders_of(connection, order.application_id)] == ["SPOILED", "QUEUED"]


def test_who_approves_and_what_must_be_there(counter: Counter) -> None:
    application = counter.present(record=applicant_record(personal_number=None))
    with pytest.raises(EnrolmentError):
        counter.approve(application)
    application = counter.search(counter.capture(application))
    one_of_them = Actor(OFFICER.id, frozenset((Role.APPROVER,)))
    other = Actor(VALIDATOR.id, frozenset((Role.APPROVER,)))
    for actor, expected in (
        (one_of_them, (Refusal.GUARD, "second-officer")),
        (other, (Refusal.GUARD, "second-officer")),
        (OFFICER, (Refusal.FORBIDDEN, None)),
    ):
        with pytest.raises(EnrolmentError) as error:
            approval.approve(counter.till.office, application.id, actor, CLOCK, personal_number="ZZ900001")
        assert refused(error) == expected
    with counter.engine.connect() as connection:
        assert holder_of_number(connection, "ZZ900001") is None  # who may not approve takes no number either
    known = counter.present(record=applicant_record(personal_number="ZZ900002"))
    for given, kind in ((None, EnrolmentError), ("ZZ900002", EnrolmentError), ("zz", RecordError)):
        with pytest.raises(kind):
            counter.approve(application, personal_number=given)
    with pytest.raises(RecordError):
        counter.approve(application, priority=10)
    assert known.state == "CHECKED_IN"
    assert application.stamp_id is not None
    order = counter.approve(application, personal_number="ZZ900001")
    with pytest.raises(EnrolmentError):
        counter.approve(application, personal_number="ZZ900001")
    with counter.engine.connect() as connection:
        assert [item.id for item in orders_of(connection, application.id)] == [order.id]


def test_a_blocked_stamp_is_no_fee(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    office, application = counter.till.office, counter.search(counter.capture(counter.present()))
    assert application.stamp_id is not None
    block_stamp(office, application.stamp_id, CHIEF, CLOCK, "overheard")
    with pytest.raises(EnrolmentError) as error:
        counter.approve(application)
    assert refused(error) == (Refusal.GUARD, "stamp-reserved")
    counter.pay(application)
    with monkeypatch.context() as patched:  # it is blocked between approval and spending

        def block(at: StampOffice, stamp_id: uuid.UUID, *_: object) -> None:
            block_stamp(at, stamp_id, CHIEF, CLOCK, "overheard")
            raise NotStoredError("too late")

        patched.setattr(approval, "consume_stamp", block)
        counter.approve(application)
    counter.pay(application)
    approved = counter.reload(application)
    with counter.engine.connect() as connection:
        work = [
            item
            for item in waiting(connection, 1000)
            if item.kind == "stamp.consume" and item.payload["stamp"] == str(approved.stamp_id)
        ]
    assert len(work) == 1
    approval.spend_stamp(office, approved, production.MAKER, CLOCK)
    with counter.engine.connect() as connection:
        assert approval.is_paid(connection, approved)


def test_no_blank_is_touched_before_the_stamp_is_consumed(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = press.counter
    application = counter.search(counter.capture(counter.present()))
    assert application.stamp_id is not None
    with monkeypatch.context() as patched:

        def lose(*_: object) -> None:
            raise NotStoredError("the database went away")

        patched.setattr(approval, "consume_stamp", lose)
        order = counter.approve(application)
    with pytest.raises(EnrolmentError) as error:
        press.reserve(order)
    assert refused(error) == (Refusal.GUARD, "stamp-consumed")
    assert blanks(press) == {"IN_STORE": 3}
    approval.spend_stamp(counter.till.office, counter.reload(application), production.MAKER, CLOCK)
    empty = build_press(counter, press.line.authority, blanks=1)
    stock.reserve_blank(press.engine, empty.store.id, "ma-cnie", application.id, MAKER, CLOCK)
    with pytest.raises(NoBlanksError):
        empty.reserve(order)
    ready = press.reserve(order)
    released = production.release(press.engine, order.id, MAKER, CLOCK)
    assert (released.state, blanks(press)) == ("QUEUED", {"IN_STORE": 3})
    assert press.reserve(order).document_number == ready.document_number
    with pytest.raises(EnrolmentError):
        block_stamp(counter.till.office, application.stamp_id, CHIEF, CLOCK, "stolen")


def test_a_childs_card_is_handed_to_the_guardian(one_press: Press) -> None:
    counter = one_press.counter
    child = counter.present(record=applicant_record(date_of_birth="2020-05-01", guardian=GUARDIAN))
    order = one_press.make(counter.approve(counter.search(counter.capture(child, take(fingers=False)))))
    assert order.expires_on is not None
    assert order.expires_on.isoformat() == "2032-04-30"
    for move in (delivery.ship, delivery.arrive):
        move(one_press.engine, order.application_id, COURIER, CLOCK)
    with pytest.raises(EnrolmentError, match="guardian"):
        delivery.hand_over(one_press.engine, order.application_id, one_press.check(order), COURIER, CLOCK)
    guardian = one_press.check(
        order,
        relation=Relation.GUARDIAN,
        comparison=Comparison.CARD,
        personal_number=GUARDIAN["personal_number"],
    )
    assert delivery.hand_over(one_press.engine, order.application_id, guardian, COURIER, CLOCK).state == "DELIVERED"
