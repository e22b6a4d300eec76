"""How a stamp is spent: reserved for one application, then consumed when that is approved, or released.

Stamp and application lie in different places, so each of the two is changed in a transaction of its own, in an order
that leaves nothing half done: the stamp is reserved before it is bound to the application, and unbound before it is
released. Every step may be repeated. What a process that died in between leaves reserved, `release_forsaken` frees.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from eid.enrolment.roles import Actor
from eid.enrolment.stamp import STAMP, StampFacts, StampState, parse_stamp
from eid.errors import EnrolmentError, NotStoredError, Refusal
from eid.services.application.fees import bind_stamp, load_due
from eid.services.application.steps import load_seen
from eid.services.lifecycle import advance
from eid.services.stamp.stamps import CLERK, UNUSABLE, StampOffice, require_tries, standing_of
from eid.store.applications import StoredApplication, load_application
from eid.store.database import in_transaction, reading
from eid.store.stamps import StoredStamp, find_by_tag, find_stamp, forgive_try, forsaken_stamps, note_reservation

FORSAKEN: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Due:
    """What an application needs a stamp for."""

    service: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class _Wanting:
    """An application that somebody enters a stamp in. lost: what is bound to it and reserved for it no more."""

    due: Due
    lost: uuid.UUID | None


def enter_stamp(office: StampOffice, application_id: uuid.UUID, typed: str, actor: Actor, now: datetime) -> StoredStamp:
    """Reserve the stamp whose digits somebody typed and bind it to his application; the same again changes nothing.

    Raises:
        NotStoredError: there is no such application, or it is another's. RecordError: these are no digits of a stamp.
        EnrolmentError: GUARD, the stamp is not usable (unknown, spent, reserved elsewhere, blocked: all the same), is
            for another service or amount, or the application has another one; WRONG_STATE, it needs none now.
        TooManyTriesError: too many wrong ones in this hour.
    """
    require_tries(office, actor, now)
    wanting = in_transaction(office.engine, lambda connection: _find_wanting(connection, application_id, actor, now))
    found, is_new = _reserve(office, application_id, wanting.due, typed, actor, now)
    try:
        in_transaction(
            office.engine,
            lambda connection: bind_stamp(connection, application_id, found.id, actor, now, instead_of=wanting.lost),
        )
    except (EnrolmentError, NotStoredError):
        # What was reserved before is another request's, which may bind it yet: that is `release_forsaken`'s to see.
        if is_new:
            _release_unbound(office, found.id, application_id, now)
        raise
    in_transaction(office.engine, lambda connection: forgive_try(connection, actor.id, now), alone=True)
    return found


def take_back(office: StampOffice, application_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """Unbind the stamp of an application, which is then as good as before; harmless where there is none.

    Raises:
        EnrolmentError: WRONG_STATE, the application keeps it now.
    """

    def unbind(connection: Connection) -> uuid.UUID | None:
        bound = load_seen(connection, application_id, actor).stamp_id
        bind_stamp(connection, application_id, None, actor, now)
        return bound

    bound = in_transaction(office.engine, unbind)
    if bound is not None:
        release_stamp(office, bound, application_id, CLERK, now)


def reserve_stamp(
    office: StampOffice, application_id: uuid.UUID, due: Due, typed: str, actor: Actor, now: datetime
) -> StoredStamp:
    """Reserve the stamp with these digits for an application; a step of its own, which may be repeated.

    Raises:
        RecordError, EnrolmentError: as of `enter_stamp`.
    """
    return _reserve(office, application_id, due, typed, actor, now)[0]


def _reserve(
    office: StampOffice, application_id: uuid.UUID, due: Due, typed: str, actor: Actor, now: datetime
) -> tuple[StoredStamp, bool]:
    """The stamp, and whether it was reserved now; where it was before, the time to bind it begins anew."""
    tag = office.tag(parse_stamp(typed, office.rules.stamps.scheme))

    def work(connection: Connection) -> tuple[StoredStamp, bool]:
        found = find_by_tag(connection, tag)
        if found is not None and found.state == StampState.RESERVED and found.application_id == application_id:
            note_reservation(connection, found.id, now)
            return found, False
        if found is None or found.state != StampState.ISSUED:
            raise EnrolmentError(Refusal.GUARD, UNUSABLE, guard="usable")
        facts = StampFacts(fits=Due(found.service, found.amount, found.currency) == due)
        values = {"application_id": application_id, "reserved_at": now}
        detail = {"application": str(application_id)}
        after = advance(
            connection, STAMP, standing_of(found), "reserve", facts, actor, now, detail=detail, values=values
        )
        return (
            replace(found, state=after.state, version=after.version, application_id=application_id, reserved_at=now),
            True,
        )

    return in_transaction(office.engine, work)


def release_stamp(
    office: StampOffice,
    stamp_id: uuid.UUID,
    application_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    *,
    before: datetime | None = None,
) -> StoredStamp:
    """Give a stamp back that is reserved for an application; where it is not (any more), nothing changes.

    Args:
        before: one that was reserved later than this, or again, stays reserved.
    """

    def work(connection: Connection) -> StoredStamp:
        found = find_stamp(connection, stamp_id, lock=True)
        if found.state != StampState.RESERVED or found.application_id != application_id:
            return found
        if before is not None and found.reserved_at is not None and found.reserved_at >= before:
            return found
        values = {"application_id": None, "reserved_at": None}
        _spend(connection, found, "release", application_id, actor, now, values)
        return find_stamp(connection, stamp_id)

    return in_transaction(office.engine, work)


def consume_stamp(
    office: StampOffice, stamp_id: uuid.UUID, application_id: uuid.UUID, actor: Actor, now: datetime
) -> StoredStamp:
    """Spend the stamp that is reserved for an application; once, however often it is asked. Its digits are forgotten.

    Raises:
        EnrolmentError: WRONG_STATE or GUARD, it is not reserved, or for another application.
    """

    def work(connection: Connection) -> StoredStamp:
        found = find_stamp(connection, stamp_id, lock=True)
        if found.state == StampState.CONSUMED and found.application_id == application_id:
            return found
        _spend(connection, found, "consume", application_id, actor, now, {"sealed_digits": None})
        return find_stamp(connection, stamp_id)

    return in_transaction(office.engine, work)


def release_forsaken(office: StampOffice, now: datetime, limit: int = 500) -> int:
    """Release stamps that were reserved for an application and never bound to it; how many there were."""
    with reading(office.engine) as connection:
        forsaken = forsaken_stamps(connection, now - FORSAKEN, limit)
    for item in forsaken:
        if item.application_id is not None:
            release_stamp(office, item.id, item.application_id, CLERK, now, before=now - FORSAKEN)
    return len(forsaken)


def holds_stamp(connection: Connection, application: StoredApplication) -> bool:
    """Whether the stamp that is bound to an application is still reserved for it, or was spent for it.

    One that somebody has blocked is bound, and reserved no more.
    """
    if application.stamp_id is None:
        return False
    found = find_stamp(connection, application.stamp_id)
    return found.state in (StampState.RESERVED, StampState.CONSUMED) and found.application_id == application.id


def _release_unbound(office: StampOffice, stamp_id: uuid.UUID, application_id: uuid.UUID, now: datetime) -> None:
    with reading(office.engine) as connection:
        bound = _bound_stamp(connection, application_id)
    if bound != stamp_id:
        release_stamp(office, stamp_id, application_id, CLERK, now)


def _find_wanting(connection: Connection, application_id: uuid.UUID, actor: Actor, now: datetime) -> _Wanting:
    application = load_due(connection, application_id, actor, now)
    if application.fee is None:
        raise EnrolmentError(Refusal.GUARD, "the fee is not known before the date of birth", guard="fee-known")
    due = Due(application.service, application.fee, application.currency)
    return _Wanting(due, None if holds_stamp(connection, application) else application.stamp_id)


def _bound_stamp(connection: Connection, application_id: uuid.UUID) -> uuid.UUID | None:
    application = load_application(connection, application_id)
    return None if application is None else application.stamp_id


def _spend(
    connection: Connection,
    found: StoredStamp,
    event: str,
    application_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    values: Mapping[str, object],
) -> None:
    reserved = None if found.application_id is None else str(found.application_id)
    facts = StampFacts(reserved_for=reserved, application=str(application_id))
    detail = {"application": str(application_id)}
    advance(connection, STAMP, standing_of(found), event, facts, actor, now, detail=detail, values=values)
