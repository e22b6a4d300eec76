"""The port to payment providers, and what all of its adapters share."""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Final, Literal, Protocol

from eid.enrolment.payment import Channel, Money, Outcome
from eid.errors import GatewayError, NotStoredError, ProfileError
from eid.gateways.payment.link import ProviderLink, check_url
from eid.gateways.payment.statement import MAX_STATEMENT

Form = Literal["redirect", "voucher", "terminal", "push"]
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z0-9 -]{4,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """A payment that somebody wants to make.

    Args:
        reference: our payment; the provider makes no second one of the same reference. service: what for.
        phone: of the wallet, in international form. terminal: the one on the counter. return_url: where the payer's
            browser goes afterwards.
    """

    reference: uuid.UUID
    money: Money
    service: str
    expires_at: datetime
    phone: str | None = field(default=None, repr=False)
    terminal: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the payer does next.

    Args:
        form: go to `url` (redirect), say `code` at the counter (voucher), use the terminal, or confirm on the
            telephone (push).
    """

    form: Form
    provider_reference: str
    url: str | None = None
    code: str | None = field(default=None, repr=False)


class PaymentChannel(Protocol):
    """A way to pay. Every method raises GatewayError where the provider fails."""

    @property
    def name(self) -> Channel:
        """Which way."""

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secrets under which callbacks of this way are signed."""

    def request(self, order: PaymentOrder) -> Instruction:
        """Have the provider expect a payment; the same order again is answered the same."""

    def refund(self, reference: uuid.UUID, money: Money) -> Outcome:
        """Have the provider return a payment, once: REFUNDED, or PENDING where a callback will tell."""

    def ask(self, reference: uuid.UUID) -> Outcome | None:
        """What the provider knows of a payment, None where he knows none."""

    def statement(self, day: date) -> bytes:
        """The provider's CSV of a day."""


@dataclass(frozen=True, slots=True)
class HttpChannel(ABC):
    """What the adapters share: one provider's HTTP interface, under /v1/<channel>."""

    link: ProviderLink
    name: ClassVar[Channel]
    form: ClassVar[Form]

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secrets under which callbacks are signed."""
        return self.link.secrets

    def request(self, order: PaymentOrder) -> Instruction:
        """Have the provider expect a payment.

        Raises:
            RecordError: the order lacks what this way needs. GatewayError: the provider fails.
        """
        message = {
            "reference": str(order.reference),
            "amount": order.money.amount,
            "currency": order.money.currency,
            "service": order.service,
            "expires_at": order.expires_at.astimezone(UTC).isoformat(),
            **self.describe(order),
        }
        answer = self.link.post(f"/v1/{self.name.value}/payments", message)
        return self.instruct(answer, _member(answer, "provider_reference", _TOKEN))

    @abstractmethod
    def describe(self, order: PaymentOrder) -> dict[str, str]:
        """What this way needs besides; RecordError where the order has it not."""

    def instruct(self, answer: Mapping[str, Any], provider_reference: str) -> Instruction:
        """What the payer is to do, out of the provider's answer."""
        return Instruction(self.form, provider_reference)

    def refund(self, reference: uuid.UUID, money: Money) -> Outcome:
        """Have the provider return a payment; once, however often it is asked."""
        message = {"reference": str(reference), "amount": money.amount, "currency": money.currency}
        return _outcome(self.link.post(f"/v1/{self.name.value}/refunds", message))

    def ask(self, reference: uuid.UUID) -> Outcome | None:
        """What the provider knows of a payment."""
        try:
            return _outcome(self.link.get(f"/v1/{self.name.value}/payments/{reference}"))
        except NotStoredError:
            return None

    def statement(self, day: date) -> bytes:
        """The provider's CSV of a day."""
        try:
            return self.link.download(f"/v1/{self.name.value}/statements/{day.isoformat()}", MAX_STATEMENT)
        except NotStoredError:
            raise GatewayError("the payment provider has no statement of that day") from None


def page_of(answer: Mapping[str, Any]) -> str:
    """The address of a payment page, which must be as trustworthy as the provider's own."""
    url = answer.get("url")
    if not isinstance(url, str) or len(url) > 512:
        raise GatewayError("the payment provider names no page to pay at")
    try:
        return check_url(url)
    except ProfileError:
        raise GatewayError("the payment provider names an insecure page") from None


def voucher_of(answer: Mapping[str, Any]) -> str:
    """The code to say at a counter."""
    return _member(answer, "code", _CODE)


def _member(answer: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not pattern.fullmatch(found):
        raise GatewayError(f"the payment provider's answer has no proper {name}")
    return found


def _outcome(answer: Mapping[str, Any]) -> Outcome:
    try:
        return Outcome(str(answer.get("outcome")))
    except ValueError:
        raise GatewayError("the payment provider's answer has no proper outcome") from None
