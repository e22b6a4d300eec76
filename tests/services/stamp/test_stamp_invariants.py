"""Whatever happens in whatever order: money in is stamps, each is spent once, nothing is half done.

Hypothesis plays buyers, providers who tell things late, twice and out of order, officers who reserve, release and
consume, and cashiers who refund; after every step the books must balance. The same on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from eid.enrolment.payment import Channel, Money, Outcome
from eid.errors import EnrolmentError
from eid.services.payment.payments import Result, refund_stamp, return_money
from eid.services.stamp.spending import Due, consume_stamp, release_stamp, reserve_stamp
from eid.services.stamp.stamps import CLERK, DIGITS, block_stamp, cancel_order, expire_orders, unblock_stamp
from eid.store.audit import bucket_of, read_chain
from eid.store.payments import payments_of
from eid.store.stamps import find_stamp
from tests.builders.stamps import BUYER, CASHIER, CHIEF, Till, build_till
from tests.builders.sweep import examples

DUE = Due("card", 75, "MAD")
ENDS = {"CONSUMED", "REFUNDED", "EXPIRED", "CANCELLED"}
PAID_FOR = {"PAID", "ISSUED", "RESERVED", "CONSUMED", "BLOCKED"}
WAYS = st.sampled_from([Channel.ONLINE_CARD, Channel.BANK_BRANCH])
OUTCOMES = st.sampled_from([Outcome.SETTLED, Outcome.SETTLED, Outcome.PENDING, Outcome.DECLINED, Outcome.REFUNDED])
APPLICATIONS = (uuid.uuid4(), uuid.uuid4())


class StampShop(RuleBasedStateMachine):
    """What the rules below have done, beside what the database says."""

    engine: Engine
    stamps = Bundle("stamps")
    told = Bundle("told")

    def __init__(self) -> None:
        super().__init__()
        self.till: Till = build_till(self.engine)
        self.settled: set[uuid.UUID] = set()  # payments whose money has come in, by the provider's own books
        self.holder: dict[uuid.UUID, uuid.UUID] = {}  # for which application a stamp is reserved
        self.consumed: list[tuple[uuid.UUID, uuid.UUID]] = []
        self.known_digits: dict[uuid.UUID, str] = {}
        self.ended: dict[uuid.UUID, str] = {}

    @initialize(target=stamps)
    def open_shop(self):
        late = self.till.order()
        self.pay_when_the_order_has_expired(late)
        ordered, bought, spent = self.till.order(), self.till.order(), self.till.order()
        for stamp in (bought, spent):
            self.pay(stamp, Channel.ONLINE_CARD)
        self.all_is_well()
        self.refund_what_was_spent(spent)
        return multiple(late, ordered, bought, spent)

    @rule(target=stamps)
    def order(self):
        return self.till.order()

    @rule(target=told, stamp=stamps, way=WAYS, outcome=OUTCOMES, wrong=st.booleans(), now=st.booleans())
    def begin(self, stamp, way, outcome, wrong, now):
        """Pay, so that the provider tells at once, or later."""
        payment = self.request(stamp, way)
        if payment is None:
            return multiple()
        body = self.till.write(payment, outcome, money=Money(75 + wrong, "MAD"))
        event = payment, body, outcome, wrong
        if now:
            self.tell(event)
        return event

    @rule(event=told)
    def tell_again_or_late(self, event):
        self.tell(event)

    @rule(stamp=stamps, way=WAYS)
    def pay_another_amount(self, stamp, way):
        payment = self.request(stamp, way)
        if payment is not None:
            body = self.till.write(payment, money=Money(76, "MAD"))
            self.tell((payment, body, Outcome.SETTLED, True))

    @rule(stamp=stamps, cancelled=st.booleans())
    def pay_twice_or_too_late(self, stamp, cancelled):
        first, second = (self.request(stamp, way) for way in (Channel.ONLINE_CARD, Channel.BANK_BRANCH))
        if cancelled and first is not None:
            cancel_order(self.till.office, stamp.id, BUYER, self.till.now)
        for payment in (first, second):
            if payment is not None:
                self.tell((payment, self.till.write(payment), Outcome.SETTLED, False))

    @rule(stamp=stamps)
    def pay_when_the_order_has_expired(self, stamp):
        """Money that comes after its time is owed back: an order that is over is over."""
        payment = self.request(stamp, Channel.ONLINE_CARD)
        if payment is not None:
            self.end_order(stamp, by_time=True)
            self.tell((payment, self.till.write(payment), Outcome.SETTLED, False))
            assert self.till.show(stamp).state == "EXPIRED"

    @rule(stamp=stamps)
    def refund_what_was_spent(self, stamp):
        self.spend_as(stamp, APPLICATIONS[0], "r")
        self.spend_as(stamp, APPLICATIONS[0], "c")
        if self.till.show(stamp).state == "CONSUMED":
            assert not self.attempt(lambda: refund_stamp(self.till.desk, stamp.id, CASHIER, self.till.now, "test"))

    @rule(stamp=stamps)
    def reserve_for_one_and_consume_for_another(self, stamp):
        self.spend_as(stamp, APPLICATIONS[0], "r")
        self.spend_as(stamp, APPLICATIONS[1], "c")

    @rule(stamp=stamps, by_time=st.booleans())
    def end_order(self, stamp, by_time):
        if by_time:
            self.till.later(hours=30)
            expire_orders(self.till.office, self.till.now)
        else:
            self.attempt(lambda: cancel_order(self.till.office, stamp.id, BUYER, self.till.now))

    @rule(stamp=stamps, application=st.sampled_from(APPLICATIONS), event=st.sampled_from("rrccx"))
    def spend(self, stamp, application, event):
        self.spend_as(stamp, application, event)

    def spend_as(self, stamp, application, event):
        """Reserve, consume or release: for its own application, or for another that must not get it."""
        office, now, digits = self.till.office, self.till.now, self.known_digits.get(stamp.id)
        if event == "x":
            release_stamp(office, stamp.id, application, CLERK, now)
            if self.holder.get(stamp.id) == application and (stamp.id, application) not in self.consumed:
                del self.holder[stamp.id]  # what is spent stays spent for whom it was
        elif event == "c":
            if self.attempt(lambda: consume_stamp(office, stamp.id, application, CLERK, now)):
                assert self.holder[stamp.id] == application
                self.consumed.append((stamp.id, application))
        elif digits is not None and self.attempt(lambda: reserve_stamp(office, application, DUE, digits, BUYER, now)):
            assert self.holder.setdefault(stamp.id, application) == application

    @rule(stamp=stamps, event=st.sampled_from(["block", "unblock"]))
    def block(self, stamp, event):
        act = block_stamp if event == "block" else unblock_stamp
        if self.attempt(lambda: act(self.till.office, stamp.id, CHIEF, self.till.now, "test")):
            self.holder.pop(stamp.id, None)

    @rule(stamp=stamps, back=st.booleans())
    def refund(self, stamp, back):
        self.attempt(lambda: refund_stamp(self.till.desk, stamp.id, CASHIER, self.till.now, "test"))
        for work in self.till.works("payment.refund") if back else ():
            return_money(self.till.desk, uuid.UUID(work.payload["payment"]), self.till.now)

    def request(self, stamp, way):
        try:
            return self.till.request(stamp, way)
        except EnrolmentError:
            return None

    def pay(self, stamp, way):
        payment = self.request(stamp, way)
        if payment is not None:
            self.tell((payment, self.till.write(payment), Outcome.SETTLED, False))

    def tell(self, event):
        payment, body, outcome, wrong = event
        result = self.till.send(payment, body)
        if outcome is Outcome.SETTLED and not wrong:
            self.settled.add(payment.id)
        assert not (wrong and result is Result.APPLIED and outcome in (Outcome.SETTLED, Outcome.REFUNDED))

    @invariant()
    def all_is_well(self):
        with self.till.engine.connect() as connection:
            stamps = [find_stamp(connection, item) for item in self.till.made]
            payments = [item for stamp in stamps for item in payments_of(connection, stamp.id)]
        self.check_books(stamps, payments)
        self.check_ends(stamps)
        self.check_digits(stamps)
        self.check_consumed({item.id: item for item in stamps})

    def check_books(self, stamps, payments):
        """Money in is stamps that are worth something, money that is owed, and money that went back."""
        came_in = {item.id for item in payments if item.state in ("SETTLED", "REFUND_DUE", "REFUNDED")}
        assert came_in == self.settled
        alive = [item for item in stamps if item.state in PAID_FOR]
        owed_or_back = [item for item in payments if item.state in ("REFUND_DUE", "REFUNDED")]
        money_in = sum(item.amount for item in payments if item.id in came_in)
        assert money_in == sum(item.amount for item in (*alive, *owed_or_back))
        assert {item.stamp_id for item in payments if item.state == "SETTLED"} == {item.id for item in alive}

    def check_ends(self, stamps):
        """What is over stays so."""
        for found in stamps:
            assert self.ended.setdefault(found.id, found.state) == found.state
        self.ended = {found.id: found.state for found in stamps if found.state in ENDS}

    def check_digits(self, stamps):
        """They never change, and are nobody else's."""
        for found in stamps:
            if found.state in ("ISSUED", "RESERVED"):
                sealed = self.till.office.keys.unseal(DIGITS, found.sealed_digits, found.id.bytes).decode()
                assert self.known_digits.setdefault(found.id, sealed) == sealed
            assert (found.tag is None) == (found.state in ("ORDERED", "EXPIRED", "CANCELLED"))
        assert len(set(self.known_digits.values())) == len(self.known_digits)

    def check_consumed(self, stamps):
        """Each once, for one application."""
        consumed = dict(self.consumed)
        for stamp_id, application in consumed.items():
            found = stamps[stamp_id]
            assert (found.state, found.application_id, found.sealed_digits) == ("CONSUMED", application, None)
        assert len(set(self.consumed)) == len(consumed)

    def teardown(self) -> None:
        """Every change of state stands in the audit log, once."""
        for stamp_id in self.till.made:
            with self.till.engine.connect() as connection:
                rows = [row.event for row in read_chain(connection, bucket_of(stamp_id))]
            mine = [row for row in rows if row.subject == f"stamp:{stamp_id}" and "version" in row.detail]
            assert [row.detail["version"] for row in mine] == list(range(1, self.till.show_id(stamp_id).version + 1))
            assert sum(row.action == "stamp.consume" for row in mine) <= 1

    @staticmethod
    def attempt(act) -> bool:
        """Do something that the rules may refuse."""
        try:
            act()
        except EnrolmentError:
            return False
        return True


@pytest.mark.sweep
def test_no_order_of_events_breaks_the_books(shared_database: Engine) -> None:
    machine = type("Shop", (StampShop,), {"engine": shared_database})
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(12), stateful_step_count=20, deadline=None, suppress_health_check=checks
        ),
    )
