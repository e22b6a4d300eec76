"""Work about stamps and payments that others have caused, and what is done about them at intervals."""

from __future__ import annotations

import uuid
from contextlib import suppress

from eid.enrolment.stamp import StampState
from eid.errors import EnrolmentError
from eid.services.durable.work import Workshop
from eid.services.payment.channels import load_channels
from eid.services.payment.payments import PaymentDesk, Result, return_money
from eid.services.payment.refunds import ask_for_cancelled, ask_for_declined
from eid.services.stamp.spending import consume_stamp, release_forsaken, release_stamp
from eid.services.stamp.stamps import CLERK, StampOffice, expire_orders
from eid.store.database import reading
from eid.store.outbox import Work
from eid.store.payments import find_payment
from eid.store.production_orders import orders_of


def release(workshop: Workshop, work: Work) -> None:
    """Work of the kind "stamp.release": give back the stamp of an application that ended without a card.

    Of one that the authority has ended after its approval the stamp is spent: a cashier decides about its price.
    Payload: stamp, application.
    """
    stamp_id, application_id = uuid.UUID(work.payload["stamp"]), uuid.UUID(work.payload["application"])
    office, now = _office(workshop), workshop.now()
    with reading(workshop.engine) as connection:
        is_approved = bool(orders_of(connection, application_id))
    if is_approved:  # though who approved died before he spent the stamp, and this work is quicker than "stamp.consume"
        with suppress(EnrolmentError):  # somebody has blocked it meanwhile
            consume_stamp(office, stamp_id, application_id, CLERK, now)
    if release_stamp(office, stamp_id, application_id, CLERK, now).state == StampState.CONSUMED:
        ask_for_cancelled(office, stamp_id, application_id, now)


def refund(workshop: Workshop, work: Work) -> None:
    """Work of the kind "payment.refund": have the provider return money that is owed. Payload: payment.

    Raises:
        GatewayError: to be tried again.
    """
    desk = PaymentDesk(_office(workshop), load_channels(workshop.settings.home))
    payment_id, now = uuid.UUID(work.payload["payment"]), workshop.now()
    if return_money(desk, payment_id, now) is Result.REFUSED:
        with reading(workshop.engine) as connection:
            stamp_id = find_payment(connection, payment_id).stamp_id
        ask_for_declined(desk.office, stamp_id, payment_id, now)


def sweep(workshop: Workshop) -> None:
    """At intervals: orders that were not paid in time expire, stamps reserved and never bound are released."""
    office, now = _office(workshop), workshop.now()
    expire_orders(office, now)
    release_forsaken(office, now)


def _office(workshop: Workshop) -> StampOffice:
    return StampOffice(workshop.engine, workshop.rules, workshop.keys)
