"""A payment card on the provider's page: its number is never seen here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from eid.enrolment.payment import Channel
from eid.gateways.payment.channel import Form, HttpChannel, Instruction, PaymentOrder, page_of


@dataclass(frozen=True, slots=True)
class OnlineCard(HttpChannel):
    """A payment card on the provider's page."""

    name: ClassVar = Channel.ONLINE_CARD
    form: ClassVar[Form] = "redirect"

    def describe(self, order: PaymentOrder) -> dict[str, str]:
        """Where the payer's browser goes afterwards."""
        return {} if order.return_url is None else {"return_url": order.return_url}

    def instruct(self, answer: Mapping[str, Any], provider_reference: str) -> Instruction:
        """Go to the provider's page."""
        return Instruction(self.form, provider_reference, url=page_of(answer))
