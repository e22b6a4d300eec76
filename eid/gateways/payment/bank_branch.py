"""Cash or a transfer at a branch of a bank: the payer says a code there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from eid.enrolment.payment import Channel
from eid.gateways.payment.channel import Form, HttpChannel, Instruction, PaymentOrder, voucher_of


@dataclass(frozen=True, slots=True)
class BankBranch(HttpChannel):
    """Cash or a transfer at a branch of a bank."""

    name: ClassVar = Channel.BANK_BRANCH
    form: ClassVar[Form] = "voucher"

    def describe(self, order: PaymentOrder) -> dict[str, str]:
        """A branch asks for nothing more than the code."""
        return {}

    def instruct(self, answer: Mapping[str, Any], provider_reference: str) -> Instruction:
        """Say the code at the branch."""
        return Instruction(self.form, provider_reference, code=voucher_of(answer))
