"""An office that sells stamps, on any database, and a provider whose callbacks a test writes itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count

from sqlalchemy import Engine

from eid.enrolment.payment import Channel, Money, Outcome
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.gateways.payment.callback import Callback, encode_callback
from eid.gateways.payment.channel import Instruction, PaymentOrder
from eid.gateways.payment.signature import sign_message
from eid.gateways.payment.statement import encode_statement
from eid.keystore.service_keys import ServiceKeys
from eid.services.payment import payments
from eid.services.payment.payments import PaymentDesk, PaymentRequest, Result
from eid.services.stamp import stamps
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.outbox import Work, waiting
from eid.store.payments import StoredPayment, payments_of
from eid.store.stamps import StoredStamp, find_stamp

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = b"s" * 32
BUYER = Actor("buyer-1", frozenset((Role.APPLICANT,)))
OTHER = Actor("buyer-2", frozenset((Role.APPLICANT,)))
CASHIER = Actor("cashier-1", frozenset((Role.CASHIER,)))
AGENT = Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))
CHIEF = Actor("chief-1", frozenset((Role.ADMINISTRATOR,)))
PHONE = "+212600000001"
ORDER = StampOrder("card", date(1990, 5, 1), PHONE, "fr")


@dataclass
class BookkeepingChannel:
    """A way to pay that moves nothing and remembers what it was asked."""

    name: Channel
    secrets: tuple[bytes, ...] = (SECRET,)
    asked: list[PaymentOrder] = field(default_factory=list)
    refunds: list[uuid.UUID] = field(default_factory=list)
    answer: Outcome = Outcome.REFUNDED
    knows: Outcome | None = None
    told: bytes = encode_statement(())

    def request(self, order: PaymentOrder) -> Instruction:
        self.asked.append(order)
        return Instruction("voucher", f"PSP-{order.reference.hex[:8]}", code="123456789")

    def refund(self, reference: uuid.UUID, money: Money) -> Outcome:
        self.refunds.append(reference)
        return self.answer

    def ask(self, reference: uuid.UUID) -> Outcome | None:
        return self.knows

    def statement(self, day: date) -> bytes:
        return self.told


@dataclass
class Till:
    """An office with all ways to pay."""

    engine: Engine
    desk: PaymentDesk
    now: datetime = NOW
    events: count = field(default_factory=lambda: count(1))
    made: list[uuid.UUID] = field(default_factory=list)
    me: Actor = field(default_factory=lambda: Actor(f"applicant-{uuid.uuid4()}", frozenset((Role.APPLICANT,))))

    @property
    def office(self) -> StampOffice:
        return self.desk.office

    def order(self, order: StampOrder = ORDER, actor: Actor = BUYER) -> StoredStamp:
        made = stamps.order_stamp(self.office, order, actor, self.now)
        self.made.append(made.id)
        return made

    def request(
        self, stamp: StoredStamp, channel: Channel = Channel.BANK_BRANCH, actor: Actor = BUYER
    ) -> StoredPayment:
        wanted = PaymentRequest(channel.value, phone=PHONE, terminal="T-1")
        return payments.request_payment(self.desk, stamp.id, wanted, actor, self.now)[0]

    def tell(self, payment: StoredPayment, outcome: Outcome = Outcome.SETTLED, **changes: object) -> Result:
        return self.send(payment, self.write(payment, outcome, **changes))

    def write(self, payment: StoredPayment, outcome: Outcome = Outcome.SETTLED, **changes: object) -> bytes:
        told = {
            "event_id": f"{self.me.id}.{next(self.events)}",
            "reference": payment.id,
            "provider_reference": "PSP-1",
            "outcome": outcome,
            "money": Money(payment.amount, payment.currency),
            "at": self.now,
            **changes,
        }
        return encode_callback(Callback(**told))

    def send(self, payment: StoredPayment, body: bytes) -> Result:
        header = sign_message(SECRET, body, self.now)
        return payments.receive(self.desk, payment.channel, header, body, self.now)

    def buy(self, order: StampOrder = ORDER, actor: Actor = BUYER) -> StoredStamp:
        """A stamp, paid and issued."""
        ordered = self.order(order, actor)
        assert self.tell(self.request(ordered, actor=actor)) is Result.APPLIED
        return self.show(ordered)

    def request_of(self, stamp: StoredStamp) -> StoredPayment:
        """The payment that a stamp was first asked for with."""
        with self.engine.connect() as connection:
            return payments_of(connection, stamp.id)[0]

    def show(self, stamp: StoredStamp) -> StoredStamp:
        return self.show_id(stamp.id)

    def show_id(self, stamp_id: uuid.UUID) -> StoredStamp:
        return stamps.show_stamp(self.office, stamp_id, CHIEF)

    def digits(self, stamp: StoredStamp) -> str:
        found = stamps.open_message(self.office, stamp.id)
        assert found is not None
        return found.digits

    def works(self, kind: str) -> list[Work]:
        """Work of a kind about the stamps that were ordered here, or their payments."""
        with self.engine.connect() as connection:
            mine = {str(item) for item in self.made}
            mine |= {str(item.id) for stamp in self.made for item in payments_of(connection, stamp)}
            found = [item for item in waiting(connection, 10_000) if item.kind == kind]
        return [item for item in found if mine & set(item.payload.values())]

    def states(self) -> list[str]:
        """Where the stamps stand that were ordered here, in that order."""
        with self.engine.connect() as connection:
            return [find_stamp(connection, item).state for item in self.made]

    def later(self, **step: float) -> None:
        self.now += timedelta(**step)


def build_till(engine: Engine) -> Till:
    office = StampOffice(engine, load_rules("morocco").rules, ServiceKeys(bytes(range(32))))
    return Till(engine, PaymentDesk(office, {name: BookkeepingChannel(name) for name in Channel}))
