"""The worker's part in appointments: what a process that died has left to be done, and what time ends."""

from __future__ import annotations

import uuid
from typing import Final

from eid.services.appointment.desk import Desk
from eid.services.appointment.settling import actor_of, release_application
from eid.services.appointment.settling import settle as settle_appointment
from eid.services.appointment.settling import sweep as sweep_appointments
from eid.services.appointment.sites import displace as displace_misfits
from eid.services.durable.work import Workshop
from eid.store.outbox import Work

TURNS: Final = 50  # batches in one turn of the timer


def settle(workshop: Workshop, work: Work) -> None:
    """Bring an application into line with its appointment."""
    actor = actor_of(work.payload["actor"])
    settle_appointment(_desk(workshop), uuid.UUID(work.payload["appointment"]), actor, workshop.now())


def displace(workshop: Workshop, work: Work) -> None:
    """Move or cancel what cannot be kept at a site."""
    displace_misfits(_desk(workshop), work.payload["site"], workshop.now())


def release(workshop: Workshop, work: Work) -> None:
    """Give back the places of an application that has ended."""
    release_application(_desk(workshop), uuid.UUID(work.payload["application"]), workshop.now())


def sweep(workshop: Workshop) -> None:
    """End holds whose time is over, and appointments to which nobody came."""
    for _ in range(TURNS):
        done = sweep_appointments(_desk(workshop), workshop.now())
        if not done.expired and not done.missed:
            return


def _desk(workshop: Workshop) -> Desk:
    return Desk(workshop.engine, workshop.rules.appointments)
