"""The cashiers' queue of money to be given back where no rule says that it is: somebody decides, and it is noted who.

Two things come into it. The authority has ended an application after its approval: the stamp was consumed and no card
was made. And a provider declines to return what is owed. A granted request gives the stamp's price back the way that it
came, or asks the provider again; of a refused one nothing changes.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from eid.enrolment.application import ApplicationState
from eid.enrolment.refund import REFUND, RefundCause, RefundState
from eid.enrolment.roles import Actor, Role
from eid.enrolment.stamp import StampState
from eid.errors import EnrolmentError, Refusal
from eid.services.lifecycle import Standing, advance, begin
from eid.services.payment.payments import PaymentDesk, end_stamp, return_again
from eid.services.stamp.stamps import CLERK, StampOffice, require_code
from eid.store.applications import StoredApplication, load_application
from eid.store.database import in_transaction, reading
from eid.store.refunds import StoredRefund, insert_refund, load_refund, open_refunds, refund_about
from eid.store.stamp_tables import refund_request as table
from eid.store.stamps import find_stamp
from eid.store.types import new_id_like

READERS: Final = frozenset((Role.CASHIER, Role.ADMINISTRATOR, Role.AUDITOR))


def ask_for_cancelled(office: StampOffice, stamp_id: uuid.UUID, application_id: uuid.UUID, now: datetime) -> bool:
    """Ask for the price of a consumed stamp whose application the authority has ended; once, however often it is done.

    Returns:
        whether there is such a request now.
    """
    with reading(office.engine) as connection:
        application = load_application(connection, application_id)
    if application is None or application.state != ApplicationState.CANCELLED:
        return False

    def work(connection: Connection) -> bool:
        stamp = find_stamp(connection, stamp_id, lock=True)
        known = refund_about(connection, stamp_id)
        if known is not None or stamp.state != StampState.CONSUMED or stamp.application_id != application_id:
            return known is not None
        _ask(connection, stamp_id, stamp_id, RefundCause.CANCELLED, now)
        return True

    return in_transaction(office.engine, work)


def awaits_refund(connection: Connection, application: StoredApplication) -> bool:
    """Whether the price of a cancelled application's stamp is still to be decided about: erased, nobody could ask."""
    if application.state != ApplicationState.CANCELLED or application.stamp_id is None:
        return False
    stamp = find_stamp(connection, application.stamp_id)
    known = refund_about(connection, stamp.id)
    is_spent = stamp.state == StampState.CONSUMED and stamp.application_id == application.id
    return is_spent and (known is None or known.state == RefundState.ASKED)


def ask_for_declined(office: StampOffice, stamp_id: uuid.UUID, payment_id: uuid.UUID, now: datetime) -> None:
    """Have somebody look at a payment that its provider declines to return, also when he does so again."""

    def work(connection: Connection) -> None:
        find_stamp(connection, stamp_id, lock=True)
        known = refund_about(connection, payment_id)
        if known is None:
            _ask(connection, stamp_id, payment_id, RefundCause.DECLINED, now)
        elif known.state != RefundState.ASKED:
            advance(connection, REFUND, _standing(known), "ask", None, CLERK, now)

    in_transaction(office.engine, work)


def list_refunds(office: StampOffice, actor: Actor, limit: int = 100) -> tuple[StoredRefund, ...]:
    """Requests that nobody has decided yet, oldest first.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    if actor.acting_as(READERS) is None:
        raise EnrolmentError(Refusal.FORBIDDEN, "this queue is for cashiers, administrators and auditors")
    return in_transaction(office.engine, lambda connection: open_refunds(connection, limit))


def grant_refund(desk: PaymentDesk, refund_id: uuid.UUID, actor: Actor, now: datetime) -> StoredRefund:
    """Give the price back, or ask the provider again.

    Raises:
        NotStoredError: there is no such request. EnrolmentError: it is decided already; FORBIDDEN.
    """

    def work(connection: Connection) -> StoredRefund:
        found = load_refund(connection, refund_id)
        stamp = find_stamp(connection, found.stamp_id, lock=True)
        advance(connection, REFUND, _standing(found), "grant", None, actor, now, detail=_told(found))
        if found.cause == RefundCause.CANCELLED:
            end_stamp(connection, desk.office, stamp, "give-back", actor, now, {"refund": str(refund_id)})
        else:
            return_again(connection, found.subject, now)
        return load_refund(connection, refund_id)

    return in_transaction(desk.office.engine, work)


def refuse_refund(office: StampOffice, refund_id: uuid.UUID, reason: str, actor: Actor, now: datetime) -> StoredRefund:
    """Leave it as it is. reason: a code.

    Raises:
        NotStoredError: there is no such request. EnrolmentError: it is decided already; FORBIDDEN. RecordError: the
            reason is no code.
    """

    def work(connection: Connection) -> StoredRefund:
        found = load_refund(connection, refund_id)
        told = {**_told(found), "reason": require_code(reason)}
        advance(connection, REFUND, _standing(found), "refuse", None, actor, now, detail=told)
        return load_refund(connection, refund_id)

    return in_transaction(office.engine, work)


def _ask(connection: Connection, stamp_id: uuid.UUID, subject: uuid.UUID, cause: RefundCause, now: datetime) -> None:
    new = StoredRefund(new_id_like(stamp_id, now), REFUND.initial.value, 1, stamp_id, subject, cause.value, now)
    insert_refund(connection, new)
    begin(connection, REFUND, table, new.id, CLERK.tag(Role.SYSTEM), now, detail=_told(new))


def _told(found: StoredRefund) -> dict[str, str]:
    return {"stamp": str(found.stamp_id), "cause": found.cause}


def _standing(found: StoredRefund) -> Standing:
    return Standing(table, found.id, found.state, found.version)
