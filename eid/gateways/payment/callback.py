"""What a provider tells us of a payment, as JSON: its octets are signed, so they are kept as they came."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from eid.enrolment.payment import Money, Outcome
from eid.errors import DecodeError

MAX_CALLBACK: Final = 4096  # octets
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


@dataclass(frozen=True, slots=True)
class Callback:
    """An event of a payment.

    Args:
        event_id: the provider's, the same when he tells the same again. reference: our payment. at: when it happened.
    """

    event_id: str
    reference: uuid.UUID
    provider_reference: str
    outcome: Outcome
    money: Money
    at: datetime


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    event: Token
    reference: uuid.UUID
    provider_reference: Token
    outcome: Outcome
    amount: Annotated[int, Field(strict=True, ge=0, le=10**9)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    at: AwareDatetime


def decode_callback(body: bytes) -> Callback:
    """An event out of the body of a callback.

    Raises:
        DecodeError: it is not JSON of this form; the text names the first member that is wrong.
    """
    if len(body) > MAX_CALLBACK:
        raise DecodeError(f"a callback of over {MAX_CALLBACK} octets")
    try:
        wire = _Wire.model_validate_json(body)
        at = wire.at.astimezone(UTC)
    except ValidationError as error:
        place = error.errors(include_url=False, include_input=False)[0]["loc"]
        name = str(place[0]) if place and str(place[0]) in _Wire.model_fields else "it"
        raise DecodeError(f"a callback is malformed: {name}") from None
    except (OverflowError, ValueError):
        raise DecodeError("a callback is malformed: at") from None
    money = Money(wire.amount, wire.currency)
    return Callback(wire.event, wire.reference, wire.provider_reference, wire.outcome, money, at)


def encode_callback(callback: Callback) -> bytes:
    """The body of a callback; the sandbox provider's side."""
    return (
        _Wire(
            event=callback.event_id,
            reference=callback.reference,
            provider_reference=callback.provider_reference,
            outcome=callback.outcome,
            amount=callback.money.amount,
            currency=callback.money.currency,
            at=callback.at,
        )
        .model_dump_json()
        .encode("utf-8")
    )
