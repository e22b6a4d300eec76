"""Money that nobody gives back by rule: a cashier's queue, what is granted, what is refused, and that each is noted."""

from __future__ import annotations

import uuid
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, update

from eid.enrolment.payment import Channel, Outcome
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.services.application.drafts import NewApplication, create_application
from eid.services.payment.payments import refund_stamp, show_payment
from eid.services.payment.refunds import grant_refund, list_refunds, refuse_refund
from eid.services.stamp import work as stamp_work
from eid.services.stamp.spending import consume_stamp, enter_stamp
from eid.services.stamp.stamps import CLERK
from eid.store.application_tables import application as application_table
from eid.store.audit import bucket_of, read_chain
from eid.store.database import in_transaction
from eid.store.outbox import Work
from eid.store.production_orders import insert_order
from eid.store.refunds import StoredRefund
from eid.store.types import new_id
from tests.builders.applicants import applicant_record
from tests.builders.stamps import AGENT, CASHIER, NOW, Till, build_till


@pytest.fixture
def till(shared_database: Engine, monkeypatch: pytest.MonkeyPatch) -> Till:
    built = build_till(shared_database)
    monkeypatch.setattr(stamp_work, "load_channels", lambda _: built.desk.channels)
    return built


def workshop(till: Till) -> Any:
    office, settings = till.office, SimpleNamespace(home=None)
    return SimpleNamespace(
        engine=till.engine, rules=office.rules, keys=office.keys, now=lambda: till.now, settings=settings
    )


def mine(till: Till) -> list[StoredRefund]:
    return [item for item in list_refunds(till.office, CASHIER, 1000) if item.stamp_id in till.made]


def events(till: Till, refund: StoredRefund) -> list[tuple[str, str]]:
    with till.engine.connect() as connection:
        rows = [row.event for row in read_chain(connection, bucket_of(refund.id))]
    return [(item.action, item.actor) for item in rows if item.subject == f"refund:{refund.id}"]


def spent(till: Till, state: str, *, consumed: bool = True) -> tuple[Any, uuid.UUID]:
    """A stamp that was entered and, unless told otherwise, consumed for an application, which is in this state."""
    stamp = till.buy()
    made = create_application(till.engine, NewApplication("first", applicant_record()), till.me, NOW, rules="morocco")
    enter_stamp(till.office, made.id, till.digits(stamp), till.me, till.now)
    if consumed:
        consume_stamp(till.office, stamp.id, made.id, CLERK, till.now)
    here = (application_table.c.bucket == bucket_of(made.id), application_table.c.id == made.id)
    in_transaction(till.engine, lambda c: c.execute(update(application_table).where(*here).values(state=state)))
    return stamp, made.id


def release(till: Till, stamp: Any, application: uuid.UUID) -> None:
    payload = {"stamp": str(stamp.id), "application": str(application)}
    stamp_work.release(workshop(till), Work(new_id(NOW), "stamp.release", payload, NOW))


def give_back(till: Till) -> None:
    for work in till.works("payment.refund"):
        stamp_work.refund(workshop(till), work)


def test_an_approval_counts_though_nobody_had_spent_its_stamp(till: Till) -> None:
    """Who approved died before he spent the stamp, the authority ends the file: the release comes before that work."""
    stamp, application = spent(till, "CANCELLED", consumed=False)
    order = partial(insert_order, application=application, profile="ma-cnie", deliver_to="rabat-1", priority=5, now=NOW)
    in_transaction(till.engine, order)
    release(till, stamp, application)
    assert till.show(stamp).state == "CONSUMED"
    assert [item.cause for item in mine(till)] == ["cancelled"]
    consume_stamp(till.office, stamp.id, application, CLERK, till.now)  # what comes too late finds it done


def test_the_price_of_a_card_that_the_authority_did_not_make(till: Till) -> None:
    stamp, application = spent(till, "CANCELLED")
    for _ in range(2):  # the worker may do it again
        release(till, stamp, application)
    (asked,) = mine(till)
    assert (asked.cause, asked.subject, till.show(stamp).state) == ("cancelled", stamp.id, "CONSUMED")
    for act in (lambda: grant_refund(till.desk, asked.id, AGENT, NOW), lambda: list_refunds(till.office, AGENT)):
        with pytest.raises(EnrolmentError) as refused:
            act()
        assert refused.value.refusal is Refusal.FORBIDDEN
    assert grant_refund(till.desk, asked.id, CASHIER, NOW).state == "GRANTED"
    give_back(till)
    payment = till.request_of(stamp)
    assert (till.show(stamp).state, show_payment(till.desk, payment.id, CASHIER).state) == ("REFUNDED", "REFUNDED")
    assert mine(till) == []
    with pytest.raises(EnrolmentError):
        grant_refund(till.desk, asked.id, CASHIER, NOW)
    assert events(till, asked) == [("refund.create", "system:stamps"), ("refund.grant", "cashier:cashier-1")]


def test_a_request_that_is_refused_changes_nothing(till: Till) -> None:
    stamp, application = spent(till, "CANCELLED")
    release(till, stamp, application)
    (asked,) = mine(till)
    with pytest.raises(RecordError):
        refuse_refund(till.office, asked.id, "Because I say so", CASHIER, NOW)
    assert refuse_refund(till.office, asked.id, "own-fault", CASHIER, NOW).state == "REFUSED"
    release(till, stamp, application)
    assert (mine(till), till.show(stamp).state) == ([], "CONSUMED")


@pytest.mark.parametrize("state", ["LAPSED", "WITHDRAWN", "IN_PRODUCTION"])
def test_only_what_the_authority_has_ended_is_asked_for(till: Till, state: str) -> None:
    stamp, application = spent(till, state)
    release(till, stamp, application)
    assert (mine(till), till.show(stamp).state) == ([], "CONSUMED")


def test_what_a_provider_declines_to_return_waits_for_somebody(till: Till) -> None:
    stamp = till.buy()
    payment = till.request_of(stamp)
    bank = till.desk.channels[Channel.BANK_BRANCH]
    bank.answer = Outcome.DECLINED
    refund_stamp(till.desk, stamp.id, CASHIER, NOW, "buyer-asked")
    give_back(till)
    give_back(till)
    (asked,) = mine(till)
    assert (asked.cause, asked.subject) == ("declined", payment.id)
    assert show_payment(till.desk, payment.id, CASHIER).state == "REFUND_DUE"
    grant_refund(till.desk, asked.id, CASHIER, NOW)
    assert mine(till) == []
    give_back(till)  # declined again
    assert mine(till) == [StoredRefund(asked.id, "ASKED", 3, stamp.id, payment.id, "declined", NOW)]
    grant_refund(till.desk, asked.id, CASHIER, NOW)
    bank.answer = Outcome.REFUNDED
    give_back(till)
    assert (mine(till), show_payment(till.desk, payment.id, CASHIER).state) == ([], "REFUNDED")
    assert [action for action, _ in events(till, asked)] == [
        "refund.create", "refund.grant", "refund.ask", "refund.grant"
    ]  # fmt: skip
