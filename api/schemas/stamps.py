"""Bodies of stamps, fees and payments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.registry import RequestBody, ResponseBody
from eid.enrolment.payment import Channel, PaymentState
from eid.enrolment.payment_statement import Difference
from eid.enrolment.refund import RefundCause, RefundState
from eid.enrolment.stamp import StampState

Service = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[0-9]{6,15}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$"), Field(examples=["fr"])]
Digits = Annotated[str, StringConstraints(min_length=12, max_length=96)]
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class FeeRow(ResponseBody):
    """What a service costs from a day on, in units of `decimals`."""

    service: str
    valid_from: date
    below_age: int | None = Field(description="For persons below this age; null: for everybody else")
    amount: int
    currency: str


class Fees(ResponseBody):
    """Rows of the country's fee table."""

    fees: list[FeeRow]
    decimals: int = Field(description="Amounts everywhere are in units of so many decimal places of the currency")


class NewStamp(RequestBody):
    """A stamp that somebody wants to buy."""

    service: Service = Field(examples=["card"])
    date_of_birth: date = Field(description="Of whom the stamp is for. It sets the fee and is not kept")
    phone: Phone = Field(description="Where the digits are sent", examples=["+212600000001"])
    language: Language | None = Field(default=None, description="Of the message; null: the buyer's own")
    abroad: bool = Field(default=False, description="Whether the telephone may be one of another country")


class Stamp(ResponseBody):
    """A stamp as its buyer and staff may see it: never its digits."""

    id: UUID
    state: StampState
    service: str
    amount: int
    currency: str
    ordered_at: datetime
    pay_before: datetime
    paid_at: datetime | None
    last_four: str | None
    messages: int = Field(description="How often the digits were to be sent")
    message_sent_at: datetime | None


class Stamps(ResponseBody):
    """Several stamps."""

    stamps: list[Stamp]


class TypedDigits(RequestBody):
    """The digits as somebody typed them: spaces, hyphens and the digits of any script are taken."""

    digits: Digits = Field(repr=False, examples=["٠١٢٣ ٤٥٦٧ ٨٩٠١ ٢٣٤٥"])


class NewSpending(TypedDigits):
    """A stamp that a counter or a partner takes for a case of its own."""

    service: Service = Field(examples=["passport"])
    amount: int = Field(ge=1, le=10**9, strict=True, description="What is due, in whole units of the currency")
    reference: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,63}$")] = Field(
        repr=False,
        description="The counter's own of the case; a keyed hash of it is kept",
        examples=["PSP-2026-000123"],
    )


class Spent(ResponseBody):
    """A stamp that was spent at a counter."""

    stamp_id: UUID
    case: UUID = Field(description="Under which the reference is kept")
    service: str
    amount: int
    currency: str
    last_four: str
    spent_at: datetime


class Usable(ResponseBody):
    """Whether digits are a usable stamp, and what it is worth. An unknown, spent or blocked one is told by no more."""

    usable: bool
    service: str | None = None
    amount: int | None = None
    currency: str | None = None


class StampReason(RequestBody):
    """Why staff does this: a code."""

    reason: ReasonCode = Field(examples=["overheard"])


class NewPayment(RequestBody):
    """How somebody wants to pay."""

    channel: Channel
    phone: Phone | None = Field(default=None, description="Of the wallet; for `mobile-wallet`")
    terminal: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,32}$")] | None = Field(
        default=None, description="On the counter; for `counter-terminal`"
    )


class Payment(ResponseBody):
    """A payment. Whether money came in is the provider's word."""

    id: UUID
    stamp_id: UUID
    state: PaymentState
    channel: Channel
    amount: int
    currency: str
    created_at: datetime
    settled_at: datetime | None
    refunded_at: datetime | None


class WhatToDo(ResponseBody):
    """What the payer does next: go to `url`, say `code`, use the terminal, confirm on the telephone."""

    form: Literal["redirect", "voucher", "terminal", "push"]
    url: str | None
    code: str | None


class BegunPayment(ResponseBody):
    """A payment that was begun."""

    payment: Payment
    instruction: WhatToDo


class PaymentChannels(ResponseBody):
    """The ways to pay that this office has."""

    channels: list[Channel]


class CallbackResult(ResponseBody):
    """What became of an event."""

    result: Literal["applied", "unchanged", "refused"]


class DifferenceRow(ResponseBody):
    """Where a statement and the register differ."""

    difference: Difference
    payment: UUID
    ours: str
    theirs: str
    repaired: bool = Field(description="Put right by itself: only the callback had been lost")


class Reconciliation(ResponseBody):
    """A provider's statement of a day beside the register."""

    id: UUID
    channel: Channel
    day: date
    movements: int
    differences: int
    repaired: int
    rows: list[DifferenceRow]
    made_at: datetime


class Reconciliations(ResponseBody):
    """The newest reports."""

    reconciliations: list[Reconciliation]


class Refund(ResponseBody):
    """Money that somebody must decide to give back. subject: the stamp, or the payment that a provider declines."""

    id: UUID
    state: RefundState
    stamp_id: UUID
    subject: UUID
    cause: RefundCause
    asked_at: datetime


class Refunds(ResponseBody):
    """Those that nobody has decided, the oldest first."""

    refunds: list[Refund]
