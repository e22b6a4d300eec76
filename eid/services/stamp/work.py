"""Work about stamps and payments that others have caused, and what is done about them at intervals."""

from __future__ import annotations

import uuid

from eid.services.durable.work import Workshop
from eid.services.payment.channels import load_channels
from eid.services.payment.payments import PaymentDesk, return_money
from eid.services.stamp.spending import release_forsaken, release_stamp
from eid.services.stamp.stamps import CLERK, StampOffice, expire_orders
from eid.store.outbox import Work


def release(workshop: Workshop, work: Work) -> None:
    """Work of the kind "stamp.release": give back the stamp of an application that ended without a card.

    Payload: stamp, application.
    """
    stamp_id, application_id = uuid.UUID(work.payload["stamp"]), uuid.UUID(work.payload["application"])
    release_stamp(_office(workshop), stamp_id, application_id, CLERK, workshop.now())


def refund(workshop: Workshop, work: Work) -> None:
    """Work of the kind "payment.refund": have the provider return money that is owed. Payload: payment.

    Raises:
        GatewayError: to be tried again.
    """
    desk = PaymentDesk(_office(workshop), load_channels(workshop.settings.home))
    return_money(desk, uuid.UUID(work.payload["payment"]), workshop.now())


def sweep(workshop: Workshop) -> None:
    """At intervals: orders that were not paid in time expire, stamps reserved and never bound are released."""
    office, now = _office(workshop), workshop.now()
    expire_orders(office, now)
    release_forsaken(office, now)


def _office(workshop: Workshop) -> StampOffice:
    return StampOffice(workshop.engine, workshop.rules, workshop.keys)
