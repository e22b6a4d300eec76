"""A payment institution's wallet: it asks for consent on the telephone of that number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eid.enrolment.payment import Channel
from eid.errors import RecordError
from eid.gateways.payment.channel import Form, HttpChannel, PaymentOrder


@dataclass(frozen=True, slots=True)
class MobileWallet(HttpChannel):
    """A payment institution's wallet."""

    name: ClassVar = Channel.MOBILE_WALLET
    form: ClassVar[Form] = "push"

    def describe(self, order: PaymentOrder) -> dict[str, str]:
        """The wallet's number."""
        if order.phone is None:
            raise RecordError("a payment by wallet names the telephone")
        return {"phone": order.phone}
