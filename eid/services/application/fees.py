"""What an application costs, and the stamp that is bound to it: until it is submitted the fee is that of the day."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from eid.enrolment.application import ApplicationState
from eid.enrolment.deadlines import local_day
from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, Refusal
from eid.services.application.steps import (
    BEGINNERS,
    EDITABLE,
    change_values,
    compute_fee,
    load_seen,
    person_of,
    require_state,
    rules_of,
    stamp_consumption,
)
from eid.store.applications import StoredApplication
from eid.store.outbox import enqueue
from eid.store.stamps import is_lost

S = ApplicationState
STAMPABLE: Final = EDITABLE | {S.SUBMITTED.value, S.UNDER_REVIEW.value}
REPLACEABLE: Final = STAMPABLE | {
    state.value
    for state in (S.VALIDATED, S.BOOKED, S.CHECKED_IN, S.CAPTURED, S.IN_ADJUDICATION, S.AWAITING_APPROVAL, S.APPROVED)
}
"""States in which another stamp may take the place of one that was blocked."""


def bind_stamp(
    connection: Connection,
    application_id: uuid.UUID,
    stamp_id: uuid.UUID | None,
    actor: Actor,
    now: datetime,
    *,
    instead_of: uuid.UUID | None = None,
) -> StoredApplication:
    """Note which stamp is reserved for an application, or that none is any more; twice the same changes nothing.

    The stamp itself is reserved before, and released after, in a step of its own that bears this identifier.

    Args:
        instead_of: one that is bound and was lost to the application: somebody has blocked it.

    Raises:
        EnrolmentError: WRONG_STATE, it is too late for a stamp; GUARD, another one is bound, or the fee is not known.
    """
    application = load_seen(connection, application_id, actor, change=True)
    if application.stamp_id == stamp_id:
        return application
    replaced = instead_of is not None and application.stamp_id == instead_of
    require_state(application, REPLACEABLE if replaced else STAMPABLE, "stamp")
    if stamp_id is not None and application.stamp_id is not None and not replaced:
        raise EnrolmentError(Refusal.GUARD, "another stamp is reserved", guard="stamp-reserved")
    if stamp_id is not None and application.fee is None:
        raise EnrolmentError(Refusal.GUARD, "the fee is not known before the date of birth", guard="stamp-reserved")
    role = actor.require(BEGINNERS | {Role.SYSTEM})
    if stamp_id is not None and application.state == S.APPROVED.value:
        enqueue(connection, stamp_consumption(application, stamp_id, now))
    values: dict[str, Any] = {"stamp_id": stamp_id}
    if stamp_id is None and application.state == S.DRAFT.value:
        values["fee"] = _fee_today(connection, application, now)  # the next stamp is of the amount due now
    return change_values(connection, application, "stamp", actor.tag(role), now, values)


def load_due(connection: Connection, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The application for which a stamp is wanted; of a draft that holds none, the fee is set to what is due now."""
    application = load_seen(connection, application_id, actor)
    if not has_open_fee(connection, application):
        return application
    fee = _fee_today(connection, application, now)
    if fee == application.fee:
        return application
    role = actor.require(BEGINNERS | {Role.SYSTEM})
    return change_values(connection, application, "fee", actor.tag(role), now, {"fee": fee})


def has_open_fee(connection: Connection, application: StoredApplication) -> bool:
    """A draft without a stamp, or whose stamp was blocked: the one that takes its place is of the amount due now."""
    if application.state != S.DRAFT.value:
        return False
    return application.stamp_id is None or is_lost(connection, application.stamp_id, application.id)


def fee_for(application: StoredApplication, record: PersonRecord, now: datetime) -> int | None:
    """What an application with this record costs now, in whole units; None where the age decides and is not known."""
    rules = rules_of(application)
    return compute_fee(rules, application.service, application.reason, record.born, local_day(now, rules))


def _fee_today(connection: Connection, application: StoredApplication, now: datetime) -> int | None:
    return fee_for(application, decode_person(person_of(connection, application).record), now)
