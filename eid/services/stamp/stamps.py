"""Electronic stamps: ordered, issued, sent again, blocked, looked up. `spending` spends them.

A stamp's digits are drawn only when it is paid. They are drawn again until the last octet of their keyed hash is the
stamp's bucket, so that who has the digits knows where to look; to who has not the key they are as random as any.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent, Fact
from eid.enrolment.deadlines import local_day
from eid.enrolment.payment import PAYMENT, PaymentFacts
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules, age_on
from eid.enrolment.stamp import STAMP, StampDigits, StampFacts, StampState, draw_stamp, parse_stamp
from eid.errors import EnrolmentError, LifecycleError, NotStoredError, RecordError, Refusal
from eid.keystore.service_keys import ServiceKeys
from eid.services.lifecycle import Standing, advance, begin
from eid.services.registry import Registry
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction, reading
from eid.store.outbox import Work, enqueue
from eid.store.payments import payments_of
from eid.store.stamp_tables import payment as payment_table
from eid.store.stamp_tables import stamp as table
from eid.store.stamps import (
    StoredStamp,
    bucket_of_tag,
    count_try,
    find_by_tag,
    find_stamp,
    insert_stamp,
    is_known_tag,
    note_message,
    stamps_of,
    unpaid_stamps,
    unsent_stamps,
)
from eid.store.types import new_id, new_id_like

TAG: Final = "stamp-tag"  # purposes of the service's keys
DIGITS: Final = "stamp-digits"
PHONE: Final = "stamp-phone"
E164: Final = r"\+[1-9][0-9]{6,14}"  # ITU-T E.164 6.2
MESSAGE: Final = "sms.stamp"  # kind of work: send the digits
CLERK: Final = Actor("stamps", frozenset((Role.SYSTEM,)))
"""This service, where nobody else acts."""
TRIES_AN_HOUR: Final = 20
PAUSE: Final = timedelta(minutes=1)  # between two messages of one stamp
MAX_MESSAGES: Final = 10  # of one stamp in all
MAX_DRAWS: Final = 100_000  # 256 are needed on average
UNUSABLE: Final = "this stamp cannot be used"
STAFF: Final = frozenset(
    (Role.CASHIER, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER, Role.ADMINISTRATOR, Role.SYSTEM)
)
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_BUYERS: Final = frozenset((Role.APPLICANT, Role.CASHIER))


class TooManyTriesError(LifecycleError):
    """Somebody has tried digits too often in this hour."""


@dataclass(frozen=True, slots=True)
class StampOffice:
    """What stamps and payments work on: database, a country's rules, keys, randomness."""

    engine: Engine = field(repr=False)
    rules: EnrolmentRules = field(repr=False)
    keys: ServiceKeys = field(repr=False)
    random: Callable[[int], bytes] = field(default=os.urandom, repr=False)

    @classmethod
    def of(cls, registry: Registry) -> StampOffice:
        """That of a registry."""
        return cls(registry.engine, registry.rules, registry.keys, registry.random)

    def tag(self, stamp: StampDigits) -> bytes:
        """The keyed hash under which a stamp is kept, 32 octets."""
        return stamp.tag(self.keys.derive(TAG))


@dataclass(frozen=True, slots=True)
class StampOrder:
    """What somebody wants to buy. born: of whom the stamp is for, which sets the fee and is not kept.

    phone: where the digits go, in international form. language: of that message, None for the country's first. abroad:
    whether the telephone may be one of another country, as the consulates' clients have.
    """

    service: str
    born: date = field(repr=False)
    phone: str = field(repr=False)
    language: str | None = None
    abroad: bool = False


@dataclass(frozen=True, slots=True)
class StampMessage:
    """What is to be sent to the buyer of a stamp."""

    stamp_id: uuid.UUID
    service: str
    amount: int
    currency: str
    language: str
    phone: str = field(repr=False)
    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StampValue:
    """What a usable stamp is worth."""

    service: str
    amount: int
    currency: str


def order_stamp(office: StampOffice, order: StampOrder, actor: Actor, now: datetime) -> StoredStamp:
    """Order a stamp, which is to be paid within the time of the rules.

    Raises:
        RecordError: there is no fee for that, or none is due; the telephone or the language is none of the rules.
        EnrolmentError: FORBIDDEN.
    """
    role = actor.require(_BUYERS, "a stamp is ordered by applicants and cashiers")
    rules = office.rules
    if not re.fullmatch(E164 if order.abroad else rules.phone, order.phone, re.ASCII):
        raise RecordError("the telephone number has not the form of the rules")
    language = rules.require_language(order.language)
    day = local_day(now, rules)
    if order.born > day:
        raise RecordError("the date of birth lies in the future")
    if all(row.service != order.service for row in rules.fees):
        raise RecordError("the rules know no such service")
    fee = rules.fee_row(order.service, age_on(order.born, day), day)
    if fee.amount == 0:
        raise RecordError("this service costs nothing")
    stamp_id = new_id(now, office.random)
    new = StoredStamp(
        id=stamp_id,
        state=STAMP.initial.value,
        version=1,
        service=order.service,
        amount=fee.amount,
        currency=rules.stamps.currency,
        fee_version=fee.starts.isoformat(),
        ordered_by=actor.id,
        language=language,
        sealed_phone=office.keys.seal(PHONE, order.phone.encode(), stamp_id.bytes, office.random),
        ordered_at=now,
        pay_before=now + timedelta(minutes=rules.stamps.order_minutes),
    )

    def work(connection: Connection) -> StoredStamp:
        insert_stamp(connection, new)
        detail: dict[str, Fact] = {"service": new.service, "amount": new.amount, "currency": new.currency}
        begin(connection, STAMP, table, new.id, actor.tag(role), now, detail=detail)
        return new

    return in_transaction(office.engine, work)


def show_stamp(office: StampOffice, stamp_id: uuid.UUID, actor: Actor) -> StoredStamp:
    """A stamp, to who ordered it or to staff.

    Raises:
        NotStoredError: there is none, or it is another's.
    """
    with reading(office.engine) as connection:
        return find_seen(connection, stamp_id, actor)


def list_stamps(office: StampOffice, actor: Actor) -> tuple[StoredStamp, ...]:
    """The stamps that the actor has ordered, the newest first."""
    return in_transaction(office.engine, lambda connection: stamps_of(connection, actor.id))


def cancel_order(office: StampOffice, stamp_id: uuid.UUID, actor: Actor, now: datetime) -> StoredStamp:
    """Give up an order that is not paid, and the payments that were begun for it."""
    return _act(office, stamp_id, "cancel", actor, now)


def block_stamp(office: StampOffice, stamp_id: uuid.UUID, actor: Actor, now: datetime, reason: str) -> StoredStamp:
    """Make a stamp useless for the time being: somebody else has learned its digits. reason: a code."""
    return _act(office, stamp_id, "block", actor, now, reason)


def unblock_stamp(office: StampOffice, stamp_id: uuid.UUID, actor: Actor, now: datetime, reason: str) -> StoredStamp:
    """Make a blocked stamp good again; a reservation that it had is gone."""
    return _act(office, stamp_id, "unblock", actor, now, reason)


def expire_orders(office: StampOffice, now: datetime, limit: int = 500) -> int:
    """Let orders expire that were not paid in time, each in a transaction of its own; how many there were."""
    with reading(office.engine) as connection:
        overdue = unpaid_stamps(connection, now, limit)
    expired = 0
    for stamp_id in overdue:
        try:
            _act(office, stamp_id, "expire", CLERK, now)
            expired += 1
        except EnrolmentError:  # paid or cancelled a moment ago
            continue
    return expired


def look_up(office: StampOffice, typed: str, actor: Actor, now: datetime) -> StampValue | None:
    """What digits are worth, None where they are not usable: unknown, spent, reserved and blocked look all the same.

    Raises:
        TooManyTriesError: the actor has tried too often. RecordError: they are no digits of a stamp.
    """
    require_tries(office, actor, now)
    tag = office.tag(parse_stamp(typed, office.rules.stamps.scheme))
    found = in_transaction(office.engine, lambda connection: find_by_tag(connection, tag))
    usable = found is not None and found.state == StampState.ISSUED
    return StampValue(found.service, found.amount, found.currency) if found is not None and usable else None


def require_tries(office: StampOffice, actor: Actor, now: datetime) -> None:
    """Count a try of the actor's; it counts whatever becomes of it.

    Raises:
        TooManyTriesError: it is one too many in this hour.
    """
    if in_transaction(office.engine, lambda connection: count_try(connection, actor.id, now)) > TRIES_AN_HOUR:
        raise TooManyTriesError(f"at most {TRIES_AN_HOUR} tries an hour")


def resend_digits(office: StampOffice, stamp_id: uuid.UUID, actor: Actor, now: datetime) -> StoredStamp:
    """Have the same digits sent again to the same telephone.

    Raises:
        NotStoredError: there is no such stamp, or it is another's. EnrolmentError: WRONG_STATE, there is nothing to
            send; GUARD, it was sent a moment ago, or too often.
    """

    def work(connection: Connection) -> StoredStamp:
        found = find_seen(connection, stamp_id, actor, lock=True)
        if found.state not in (StampState.ISSUED, StampState.RESERVED) or found.sealed_digits is None:
            raise EnrolmentError(Refusal.WRONG_STATE, f"no message of a stamp that is {found.state}")
        if found.messages >= MAX_MESSAGES:
            raise EnrolmentError(Refusal.GUARD, "the digits were sent too often", guard="messages")
        if found.message_asked_at is not None and now - found.message_asked_at < PAUSE:
            raise EnrolmentError(Refusal.GUARD, "the digits were sent a moment ago", guard="message-pause")
        note_message(connection, stamp_id, asked_at=now)
        enqueue(connection, message_work(found.id, now, office.random))
        role = actor.acting_as(STAFF | {Role.APPLICANT}) or Role.APPLICANT
        told = AuditEvent(now, actor.tag(role), "stamp.resend", f"stamp:{stamp_id}", {"message": found.messages + 1})
        append_event(connection, bucket_of(stamp_id), told)
        return find_stamp(connection, stamp_id)

    return in_transaction(office.engine, work)


def list_unsent(office: StampOffice, actor: Actor, now: datetime, older_than: timedelta) -> tuple[StoredStamp, ...]:
    """Stamps that are paid and whose digits have not been sent for a while: somebody must look.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    actor.require(STAFF, "this queue is for operators")
    return in_transaction(office.engine, lambda connection: unsent_stamps(connection, now - older_than, 500))


def open_message(office: StampOffice, stamp_id: uuid.UUID) -> StampMessage | None:
    """What is to be sent, to whom; None where the stamp has no digits (any more). For the sender of messages alone.

    Raises:
        NotStoredError: there is no such stamp. KeyStoreError: it was sealed under another key.
    """
    with reading(office.engine) as connection:
        found = find_stamp(connection, stamp_id)
    if found.sealed_digits is None or found.state not in (StampState.ISSUED, StampState.RESERVED):
        return None
    digits = office.keys.unseal(DIGITS, found.sealed_digits, stamp_id.bytes).decode("ascii")
    phone = office.keys.unseal(PHONE, found.sealed_phone, stamp_id.bytes).decode()
    return StampMessage(stamp_id, found.service, found.amount, found.currency, found.language, phone, digits)


def issue(connection: Connection, office: StampOffice, standing: Standing, now: datetime) -> Standing:
    """Draw the digits of a paid stamp and have them sent, in the transaction of its payment.

    Args:
        standing: the stamp, PAID.
    """
    digits = _draw(connection, office, bucket_of(standing.id))
    values = {
        "tag": office.tag(digits),
        "last_four": digits.last_four,
        "sealed_digits": office.keys.seal(DIGITS, digits.digits.encode("ascii"), standing.id.bytes, office.random),
        "message_asked_at": now,
        "messages": 1,
    }
    message = message_work(standing.id, now, office.random)
    return advance(connection, STAMP, standing, "issue", StampFacts(), CLERK, now, values=values, work=(message,))


def message_work(stamp_id: uuid.UUID, now: datetime, random: Callable[[int], bytes]) -> Work:
    """The work of sending a stamp's digits; it names the stamp and nothing of it."""
    return Work(new_id_like(stamp_id, now, random), MESSAGE, {"stamp": str(stamp_id)}, now)


def require_code(reason: str) -> str:
    """A reason as it may stand in the audit log: a code, for who types a sentence may name somebody in it.

    Raises:
        RecordError: it is none.
    """
    if not _CODE.fullmatch(reason):
        raise RecordError("a reason is a code: small letters, digits, hyphens, 32 at most")
    return reason


def standing_of(found: StoredStamp) -> Standing:
    """Where a stamp stands, for `advance`."""
    return Standing(table, found.id, found.state, found.version)


def find_seen(connection: Connection, stamp_id: uuid.UUID, actor: Actor, *, lock: bool = False) -> StoredStamp:
    """A stamp that the actor may see: his own, or any to staff; locked where that is asked for.

    Raises:
        NotStoredError: there is none, or it is another's.
    """
    found = find_stamp(connection, stamp_id, lock=lock)
    if found.ordered_by != actor.id and actor.acting_as(STAFF) is None:
        raise NotStoredError("there is no such stamp")
    return found


def _act(
    office: StampOffice, stamp_id: uuid.UUID, event: str, actor: Actor, now: datetime, reason: str | None = None
) -> StoredStamp:
    def work(connection: Connection) -> StoredStamp:
        found = find_seen(connection, stamp_id, actor, lock=True)
        detail = None if reason is None else {"reason": require_code(reason)}
        values = {"application_id": None, "reserved_at": None} if event == "block" else None
        advance(connection, STAMP, standing_of(found), event, StampFacts(), actor, now, detail=detail, values=values)
        if event in ("cancel", "expire"):
            _close_payments(connection, stamp_id, event, now)
        return find_stamp(connection, stamp_id)

    return in_transaction(office.engine, work)


def _close_payments(connection: Connection, stamp_id: uuid.UUID, event: str, now: datetime) -> None:
    """End what was begun to pay for a stamp; where money comes in after all, it is owed back."""
    for item in payments_of(connection, stamp_id):
        if item.state == PAYMENT.initial:
            standing = Standing(payment_table, item.id, item.state, item.version)
            advance(connection, PAYMENT, standing, event, PaymentFacts(), CLERK, now)


def _draw(connection: Connection, office: StampOffice, bucket: int) -> StampDigits:
    """Digits that no other stamp has, whose keyed hash ends in the bucket."""
    key = office.keys.derive(TAG)
    for _ in range(MAX_DRAWS):
        digits = draw_stamp(office.rules.stamps.scheme, office.random)
        tag = digits.tag(key)
        if bucket_of_tag(tag) == bucket and not is_known_tag(connection, tag):
            return digits
    raise LifecycleError("no digits were found for a stamp")
