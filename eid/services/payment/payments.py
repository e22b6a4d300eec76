"""Payments for stamps: begun at a provider, told of by his callbacks, given back.

The provider is asked outside of any transaction, under our payment's identifier, which he takes once. What he tells is
believed for its signature (`receive`), remembered by its number, and applied in one transaction with the stamp:
settled, paid, issued, and the message with the digits under way, or nothing of it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.payment import EVENTS, PAYMENT, Channel, Money, Outcome, PaymentFacts, PaymentState
from eid.enrolment.roles import Actor, Role
from eid.enrolment.stamp import STAMP, StampFacts, StampState
from eid.errors import AlreadyDoneError, EnrolmentError, NotStoredError, Refusal
from eid.gateways.payment.callback import decode_callback
from eid.gateways.payment.channel import Instruction, PaymentChannel, PaymentOrder
from eid.gateways.payment.signature import verify_message
from eid.services.lifecycle import Standing, advance, begin
from eid.services.stamp.stamps import CLERK, STAFF, StampOffice, find_seen, issue, require_code, standing_of
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction, reading
from eid.store.outbox import Work, enqueue
from eid.store.payments import (
    KnownCallback,
    StoredPayment,
    find_callback,
    find_payment,
    insert_payment,
    keep_callback,
    note_provider_reference,
    payments_of,
)
from eid.store.stamp_tables import payment as table
from eid.store.stamps import StoredStamp, find_stamp
from eid.store.types import new_id_like

REFUND: Final = "payment.refund"  # kind of work: have the provider return money
SKEW: Final = timedelta(minutes=5)  # that a provider's clock may be ahead
_PAYERS: Final = frozenset((Role.APPLICANT, Role.CASHIER))


@unique
class Result(StrEnum):
    """What became of something that a provider told."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"  # it was so already, or comes too late to matter
    REFUSED = "refused"  # for a person to look at: the amount is another, or what is owed is not returned


@dataclass(frozen=True, slots=True)
class PaymentDesk:
    """Stamps and the ways to pay for them."""

    office: StampOffice
    channels: Mapping[Channel, PaymentChannel] = field(repr=False)

    def channel(self, name: str) -> PaymentChannel:
        """The way of this name.

        Raises:
            NotStoredError: this office has none such.
        """
        found = next((item for key, item in self.channels.items() if key.value == name), None)
        if found is None:
            raise NotStoredError("this office has no such way to pay")
        return found


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """How somebody wants to pay. phone: of the wallet. terminal: on the counter. return_url: after a payment page."""

    channel: str
    phone: str | None = field(default=None, repr=False)
    terminal: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved, as the provider tells it."""

    outcome: Outcome
    money: Money
    at: datetime


def provider_actor(channel: str) -> Actor:
    """The provider of a way to pay, as the audit log names him."""
    return Actor(channel, frozenset((Role.PAYMENT_PROVIDER,)))


def request_payment(
    desk: PaymentDesk, stamp_id: uuid.UUID, wanted: PaymentRequest, actor: Actor, now: datetime
) -> tuple[StoredPayment, Instruction]:
    """Begin a payment, or have the instruction of one that is open by the same way told again.

    Raises:
        NotStoredError: there is no such stamp, it is another's, or there is no such way. EnrolmentError: WRONG_STATE,
            it is not to be paid (any more); FORBIDDEN. RecordError: what this way needs is missing. GatewayError: the
            provider fails; the same request may be made again.
    """
    channel = desk.channel(wanted.channel)
    office = desk.office
    _require_payer(channel.name, actor)
    stamp, payment = in_transaction(
        office.engine, lambda connection: _open_payment(connection, office, stamp_id, channel.name, actor, now)
    )
    instruction = channel.request(
        PaymentOrder(
            payment.id,
            Money(payment.amount, payment.currency),
            stamp.service,
            stamp.pay_before,
            wanted.phone,
            wanted.terminal,
            wanted.return_url,
        )
    )

    reference = instruction.provider_reference
    in_transaction(
        office.engine, lambda connection: note_provider_reference(connection, payment.id, reference), alone=True
    )
    return replace(payment, provider_reference=reference), instruction


def show_payment(desk: PaymentDesk, payment_id: uuid.UUID, actor: Actor) -> StoredPayment:
    """A payment, to who ordered its stamp or to staff.

    Raises:
        NotStoredError: there is none, or it is another's.
    """

    def work(connection: Connection) -> StoredPayment:
        found = find_payment(connection, payment_id)
        try:
            find_seen(connection, found.stamp_id, actor)
        except NotStoredError:
            raise NotStoredError("there is no such payment") from None
        return found

    return in_transaction(desk.office.engine, work)


def receive(desk: PaymentDesk, channel_name: str, header: str | None, body: bytes, now: datetime) -> Result:
    """Take what a provider tells; the same event again is answered the same and changes nothing.

    Raises:
        NotStoredError: there is no such way, or no such payment by it. AuthenticationError: it is not signed by the
            provider, or not at this time. DecodeError: the body is malformed. AlreadyDoneError: another event came
            under this number.
    """
    channel = desk.channel(channel_name)
    verify_message(channel.secrets, header, body, now)
    told, digest = decode_callback(body), hashlib.sha256(body).digest()

    def work(connection: Connection) -> Result:
        payment, stamp = lock_payment(connection, told.reference, channel.name)
        known = find_callback(connection, payment.id, channel.name, told.event_id)
        if known is not None and known.digest != digest:
            raise AlreadyDoneError("another event came under this number")
        if known is not None:
            return Result(known.result)
        movement = Movement(told.outcome, told.money, told.at)
        result = apply_movement(connection, desk.office, payment, stamp, movement, provider_actor(channel.name), now)
        keep_callback(connection, payment.id, channel.name, told.event_id, KnownCallback(digest, result.value), now)
        return result

    return in_transaction(desk.office.engine, work)


def lock_payment(connection: Connection, payment_id: uuid.UUID, channel: str) -> tuple[StoredPayment, StoredStamp]:
    """A payment by this way and its stamp, both of which nobody else changes until the transaction ends.

    The stamp is locked, first, in every transaction that changes its payments.

    Raises:
        NotStoredError: there is no such payment by this way.
    """
    stamp_id = find_payment(connection, payment_id).stamp_id
    stamp = find_stamp(connection, stamp_id, lock=True)
    payment = find_payment(connection, payment_id)  # as it is now that nobody else has it
    if payment.channel != channel:
        raise NotStoredError("there is no such payment")
    return payment, stamp


def apply_movement(
    connection: Connection,
    office: StampOffice,
    payment: StoredPayment,
    stamp: StoredStamp,
    told: Movement,
    actor: Actor,
    now: datetime,
) -> Result:
    """Apply what a provider told of a payment that is locked; also from his statement of a day."""
    event = EVENTS.get(told.outcome)
    if event is None or event not in PAYMENT.events(PaymentState(payment.state)):
        return Result.UNCHANGED
    facts = PaymentFacts(Money(payment.amount, payment.currency), told.money)
    moment = min(told.at, now + SKEW)
    values: dict[str, object] = {}
    if event == "settle":
        values["settled_at"] = moment
    elif event == "refund":
        values["refunded_at"] = moment
    try:
        standing = advance(connection, PAYMENT, _standing(payment), event, facts, actor, now, values=values)
    except EnrolmentError as refused:
        if refused.refusal is not Refusal.GUARD:
            raise
        _tell_refused(connection, payment, told, actor, now)
        return Result.REFUSED
    if event == "settle":
        _pay(connection, office, stamp, standing, actor, now)
    return Result.APPLIED


def refund_stamp(desk: PaymentDesk, stamp_id: uuid.UUID, actor: Actor, now: datetime, reason: str) -> StoredStamp:
    """End an unspent stamp and owe its price back; the provider is asked to return it as work of its own.

    Raises:
        NotStoredError: there is no such stamp. EnrolmentError: it was never paid, is reserved, or is spent; FORBIDDEN.
    """
    office = desk.office

    def work(connection: Connection) -> StoredStamp:
        stamp = find_stamp(connection, stamp_id, lock=True)
        end_stamp(connection, office, stamp, "refund", actor, now, {"reason": require_code(reason)})
        return find_stamp(connection, stamp_id)

    return in_transaction(office.engine, work)


def end_stamp(
    connection: Connection,
    office: StampOffice,
    stamp: StoredStamp,
    event: str,
    actor: Actor,
    now: datetime,
    detail: Mapping[str, str],
) -> None:
    """End a locked stamp by an event after which it is worth nothing, and owe what was paid for it."""
    values = {"sealed_digits": None}
    advance(connection, STAMP, standing_of(stamp), event, StampFacts(), actor, now, detail=detail, values=values)
    for payment in payments_of(connection, stamp.id):
        if payment.state == PaymentState.SETTLED:
            _owe(connection, office, _standing(payment), actor, now)


def return_again(connection: Connection, payment_id: uuid.UUID, now: datetime) -> None:
    """Have the provider asked once more to return a payment that is owed."""
    enqueue(connection, Work(new_id_like(payment_id, now), REFUND, {"payment": str(payment_id)}, now))


def return_money(desk: PaymentDesk, payment_id: uuid.UUID, now: datetime) -> Result:
    """Have the provider return a payment that is owed; once, for he knows its reference.

    Returns:
        what became of it; REFUSED: the provider declines, it is owed still, and somebody must look.

    Raises:
        NotStoredError: there is no such payment, or its way is gone. GatewayError: the provider fails; try again.
    """
    with reading(desk.office.engine) as connection:
        owed = find_payment(connection, payment_id)
    if owed.state != PaymentState.REFUND_DUE:
        return Result.UNCHANGED
    money = Money(owed.amount, owed.currency)
    outcome = desk.channel(owed.channel).refund(owed.id, money)
    if outcome is Outcome.DECLINED:
        return Result.REFUSED

    def work(connection: Connection) -> Result:
        payment, stamp = lock_payment(connection, payment_id, owed.channel)
        told = Movement(outcome, money, now)
        return apply_movement(connection, desk.office, payment, stamp, told, provider_actor(owed.channel), now)

    return in_transaction(desk.office.engine, work)


def ask_provider(desk: PaymentDesk, payment_id: uuid.UUID, now: datetime) -> Result:
    """Ask the provider what became of an open payment, where no callback has come.

    Raises:
        NotStoredError, GatewayError: as of `return_money`.
    """
    with reading(desk.office.engine) as connection:
        asked = find_payment(connection, payment_id)
    outcome = desk.channel(asked.channel).ask(asked.id)
    if outcome in (None, Outcome.PENDING):
        return Result.UNCHANGED
    told = Movement(Outcome(outcome), Money(asked.amount, asked.currency), now)

    def work(connection: Connection) -> Result:
        payment, stamp = lock_payment(connection, payment_id, asked.channel)
        return apply_movement(connection, desk.office, payment, stamp, told, provider_actor(asked.channel), now)

    return in_transaction(desk.office.engine, work)


def _require_payer(channel: Channel, actor: Actor) -> None:
    allowed = frozenset((Role.CASHIER,)) if channel is Channel.COUNTER_TERMINAL else _PAYERS
    actor.require(allowed, "this way to pay is for other roles")


def _open_payment(
    connection: Connection, office: StampOffice, stamp_id: uuid.UUID, channel: Channel, actor: Actor, now: datetime
) -> tuple[StoredStamp, StoredPayment]:
    stamp = find_seen(connection, stamp_id, actor, lock=True)
    if stamp.state != StampState.ORDERED or stamp.pay_before <= now:
        raise EnrolmentError(Refusal.WRONG_STATE, "this stamp is not to be paid, or not any more")
    for known in payments_of(connection, stamp_id):
        if known.channel == channel and known.state == PAYMENT.initial:
            return stamp, known
    new = StoredPayment(
        id=new_id_like(stamp_id, now, office.random),
        state=PAYMENT.initial.value,
        version=1,
        stamp_id=stamp_id,
        channel=channel.value,
        amount=stamp.amount,
        currency=stamp.currency,
        requested_by=actor.id,
        created_at=now,
    )
    insert_payment(connection, new)
    role = actor.acting_as(_PAYERS | STAFF) or Role.SYSTEM
    detail = {"stamp": str(stamp_id), "channel": channel.value, "amount": new.amount, "currency": new.currency}
    begin(connection, PAYMENT, table, new.id, actor.tag(role), now, detail=detail)
    return stamp, new


def _pay(
    connection: Connection, office: StampOffice, stamp: StoredStamp, payment: Standing, actor: Actor, now: datetime
) -> None:
    """The stamp of a payment that has settled: paid and issued, or, where it waits for no money, the money is owed."""
    if stamp.state != StampState.ORDERED:
        _owe(connection, office, payment, CLERK, now)
        return
    detail = {"payment": str(payment.id)}
    values = {"paid_at": now}
    paid = advance(connection, STAMP, standing_of(stamp), "pay", StampFacts(), actor, now, detail=detail, values=values)
    issue(connection, office, paid, now)


def _owe(connection: Connection, office: StampOffice, payment: Standing, actor: Actor, now: datetime) -> None:
    work = Work(new_id_like(payment.id, now, office.random), REFUND, {"payment": str(payment.id)}, now)
    advance(connection, PAYMENT, payment, "owe", PaymentFacts(), actor, now, work=(work,))


def _tell_refused(connection: Connection, payment: StoredPayment, told: Movement, actor: Actor, now: datetime) -> None:
    """Another amount than was asked for: nothing changes, and the audit log has it."""
    detail = {"outcome": told.outcome.value, "amount": told.money.amount, "currency": told.money.currency}
    name, subject = "payment.refuse-amount", f"payment:{payment.id}"
    append_event(
        connection,
        bucket_of(payment.id),
        AuditEvent(now, actor.tag(Role.PAYMENT_PROVIDER), name, subject, detail),
    )


def _standing(payment: StoredPayment) -> Standing:
    return Standing(table, payment.id, payment.state, payment.version)
