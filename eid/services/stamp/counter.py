"""A stamp spent where the file lies in another system: a passport form, a consular act.

What is bought for such a service is reserved for no application here. The counter that serves it, or the partner's
system, enters digits and its own reference of the case; the stamp is spent at once and bears a keyed hash of the
reference. The same digits for the same case are answered the same, so a counter that heard no answer asks again.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from eid.enrolment.roles import Actor, Role
from eid.enrolment.stamp import STAMP, StampFacts, StampState, parse_stamp
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.services.lifecycle import advance
from eid.services.stamp.spending import Due
from eid.services.stamp.stamps import UNUSABLE, StampOffice, require_tries, standing_of
from eid.store.database import in_transaction
from eid.store.outbox import Work
from eid.store.stamps import StoredStamp, find_by_tag, find_stamp, forgive_try, stamps_for
from eid.store.work_records import is_first_time

CASE: Final = "stamp-case"  # purpose of the service's key
PAID: Final = "another stamp was spent for this case"
SPENDERS: Final = frozenset((Role.ENROLMENT_OFFICER, Role.RELYING_PARTY))
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CounterCase:
    """What is paid for. amount: in whole units, what is due by the counter's own books. reference: the counter's."""

    service: str
    amount: int
    reference: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Spending:
    """A stamp that was spent at a counter. case: under which the reference is kept."""

    stamp_id: uuid.UUID
    case: uuid.UUID
    service: str
    amount: int
    currency: str
    last_four: str
    spent_at: datetime


def spend_at_counter(office: StampOffice, case: CounterCase, typed: str, actor: Actor, now: datetime) -> Spending:
    """Spend the stamp with these digits for a case of another system, once; the same again changes nothing.

    Raises:
        RecordError: these are no digits of a stamp, or the reference is malformed. EnrolmentError: FORBIDDEN; GUARD,
            files of this service lie here, the case was paid by another stamp, or the stamp is not usable (unknown,
            spent, reserved, blocked: all the same) or for another service or amount. TooManyTriesError: too many
            wrong ones in this hour.
    """
    actor.require(SPENDERS, "stamps are spent by counters and partners")
    if not _REFERENCE.fullmatch(case.reference):
        raise RecordError("a reference has 1 to 64 letters, digits and . _ / : -")
    if case.service not in office.rules.stamps.at_counters:
        raise EnrolmentError(Refusal.GUARD, "a stamp for this service is entered in an application", guard="at-counter")
    require_tries(office, actor, now)
    tag = office.tag(parse_stamp(typed, office.rules.stamps.scheme))
    case_id = name_case(office, case, actor)

    def work(connection: Connection) -> Spending:
        found = find_by_tag(connection, tag)
        if found is not None and found.state == StampState.CONSUMED and found.application_id == case_id:
            return _describe(found, case_id)
        if any(item.state == StampState.CONSUMED for item in stamps_for(connection, case_id)):
            raise EnrolmentError(Refusal.GUARD, PAID, guard="case-paid")
        if found is None or found.state != StampState.ISSUED:
            raise EnrolmentError(Refusal.GUARD, UNUSABLE, guard="usable")
        due = Due(case.service, case.amount, office.rules.stamps.currency)
        facts = StampFacts(fits=Due(found.service, found.amount, found.currency) == due)
        values = {"application_id": case_id, "reserved_at": now, "sealed_digits": None}
        detail = {"case": str(case_id), "site": actor.site}
        # Another stamp may be on its way for the same case: whoever marks the case second waits here, and is refused.
        if not is_first_time(connection, Work(case_id, CASE, {}, now), now):
            raise EnrolmentError(Refusal.GUARD, PAID, guard="case-paid")
        advance(connection, STAMP, standing_of(found), "spend", facts, actor, now, detail=detail, values=values)
        return _describe(find_stamp(connection, found.id), case_id)

    spent = in_transaction(office.engine, work)
    in_transaction(office.engine, lambda connection: forgive_try(connection, actor.id, now))
    return spent


def _describe(found: StoredStamp, case_id: uuid.UUID) -> Spending:
    return Spending(
        found.id,
        case_id,
        found.service,
        found.amount,
        found.currency,
        found.last_four or "",
        found.reserved_at or found.ordered_at,
    )


def name_case(office: StampOffice, case: CounterCase, actor: Actor) -> uuid.UUID:
    """The identifier under which a case is kept: a keyed hash, for a reference may be somebody's number elsewhere.

    Two counters may use the same reference: those of one site, or of one partner, share their books.
    """
    books = f"site {actor.site}" if actor.site is not None else f"account {actor.id}"
    said = "\n".join((books, case.service, case.reference))
    return uuid.UUID(bytes=office.keys.tag(CASE, said.encode())[:16])
