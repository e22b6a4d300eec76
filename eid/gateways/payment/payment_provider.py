"""Cash at an agency of a payment service provider, whose own page may show the nearest one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from eid.enrolment.payment import Channel
from eid.gateways.payment.channel import Form, HttpChannel, Instruction, PaymentOrder, page_of, voucher_of


@dataclass(frozen=True, slots=True)
class ProviderAgency(HttpChannel):
    """Cash at an agency of a payment service provider, whose own page may show the nearest one."""

    name: ClassVar = Channel.PAYMENT_PROVIDER
    form: ClassVar[Form] = "voucher"

    def describe(self, order: PaymentOrder) -> dict[str, str]:
        """An agency asks for nothing more than the code."""
        return {}

    def instruct(self, answer: Mapping[str, Any], provider_reference: str) -> Instruction:
        """Say the code at the agency; the page, where there is one, lists agencies."""
        url = page_of(answer) if "url" in answer else None
        return Instruction(self.form, provider_reference, url=url, code=voucher_of(answer))
