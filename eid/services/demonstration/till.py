"""How invented people pay for their stamps: at a sandbox provider in this process."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from eid.enrolment.payment import Channel, Money, Outcome
from eid.enrolment.roles import Actor
from eid.gateways.payment.channel import Instruction, PaymentOrder
from eid.gateways.payment.sandbox import Ending, Plan, SandboxProvider, Telling
from eid.gateways.payment.signature import sign_message
from eid.services.payment import payments
from eid.services.payment.payments import PaymentDesk, PaymentRequest
from eid.services.stamp import stamps
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.stamps import StoredStamp


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """The sandbox provider's way to pay by card, in this process."""

    provider: SandboxProvider
    secrets: tuple[bytes, ...] = field(repr=False)
    name: Channel = Channel.ONLINE_CARD

    def request(self, order: PaymentOrder) -> Instruction:
        """Have the provider expect a payment."""
        made = self.provider.request(self.name, order.reference, order.money)
        return Instruction("redirect", made.number, url=f"https://pay.invalid/{made.number}")

    def refund(self, reference: UUID, money: Money) -> Outcome:
        """Have the provider return a payment."""
        return self.provider.refund(self.name, reference, money)

    def ask(self, reference: UUID) -> Outcome | None:
        """What became of a payment."""
        return self.provider.find(self.name, reference).outcome

    def statement(self, day: date) -> bytes:
        """The movements of a day."""
        return self.provider.statement(self.name, day)


def buy_stamp(office: StampOffice, order: StampOrder, buyer: Actor, clock: Callable[[], datetime]) -> StoredStamp:
    """Order a stamp and pay for it online: the provider calls back, signed. The stamp as it was ordered."""
    tellings = list[Telling]()
    provider = SandboxProvider(tellings.append, clock=clock)
    card = SandboxCard(provider, (secrets.token_bytes(32),))
    desk = PaymentDesk(office, {card.name: card})
    ordered = stamps.order_stamp(office, order, buyer, clock())
    payment, _ = payments.request_payment(desk, ordered.id, PaymentRequest(card.name), buyer, clock())
    provider.end(card.name, payment.id, Plan(Ending.SETTLED))
    for told in tellings:
        payments.receive(
            desk, told.channel.value, sign_message(card.secrets[0], told.body, clock()), told.body, clock()
        )
    return ordered
