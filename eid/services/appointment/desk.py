"""What the use cases of appointments share: the desk they work at, and what they ask of applications."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eid.enrolment.appointment import APPOINTMENT, LIVE, AppointmentFacts, AppointmentState
from eid.enrolment.appointment_rules import AppointmentRules
from eid.enrolment.roles import Actor, Role
from eid.enrolment.wall_time import WallTime
from eid.errors import NotStoredError
from eid.services.application.steps import facts_for, step
from eid.services.lifecycle import Standing, advance
from eid.store.applications import StoredApplication
from eid.store.appointment_tables import appointment
from eid.store.appointments import Appointment, free_cells
from eid.store.outbox import Work
from eid.store.types import new_id_like

SETTLE: Final = "appointment.settle"
DISPLACE: Final = "appointment.displace"
NOTIFY: Final = "notify"
SYSTEM: Final = Actor("appointments", frozenset((Role.SYSTEM,)))


@dataclass(frozen=True, slots=True)
class Desk:
    """Where appointments are made: the database, the rules."""

    engine: Engine = field(repr=False)
    rules: AppointmentRules = field(repr=False)
    random: Callable[[int], bytes] = field(default=os.urandom, repr=False)


def step_application(
    connection: Connection,
    found: StoredApplication,
    event: str,
    actor: Actor,
    now: datetime,
    at: Appointment | None,
) -> None:
    """Let an event happen to an application, which then has this appointment, or none.

    Raises:
        EnrolmentError: its life cycle forbids it.
    """
    site = None if at is None else at.site
    facts = replace(facts_for(connection, found, event, now), has_appointment=at is not None, site=site)
    values = {"appointment_id": None if at is None else at.id, "appointment_site": site}
    step(connection, found, event, actor, now, facts=facts, values=values)


def require_own(found: StoredApplication, actor: Actor) -> None:
    """Refuse an applicant the application of somebody else, as if there were none.

    Raises:
        NotStoredError: it is not his.
    """
    if is_applicant(actor) and found.applicant != actor.id:
        raise NotStoredError("there is no such application")


def is_applicant(actor: Actor) -> bool:
    """Whether somebody acts for himself, and in no office."""
    return actor.roles == {Role.APPLICANT}


def facts_of(found: Appointment, rules: AppointmentRules, now: datetime, *, walk_in: bool = False) -> AppointmentFacts:
    """What the guards of the life cycle look at."""
    return AppointmentFacts(
        hold_over=found.expires_at is not None and found.expires_at <= now,
        may_change=now <= found.starts_at - timedelta(hours=rules.change_hours),
        can_come=found.starts_at - timedelta(minutes=rules.early_minutes) <= now <= _patience(found, rules),
        missed=now > _patience(found, rules),
        site=found.site,
        walk_in=walk_in,
    )


def _patience(found: Appointment, rules: AppointmentRules) -> datetime:
    return found.ends_at + timedelta(minutes=rules.grace_minutes)


def step_appointment(
    connection: Connection,
    found: Appointment,
    event: str,
    facts: AppointmentFacts,
    actor: Actor,
    now: datetime,
    *,
    detail: Mapping[str, str | int] | None = None,
    values: Mapping[str, object] | None = None,
    work: tuple[Work, ...] = (),
) -> Appointment:
    """Let an event happen to an appointment, and give its place back where it needs it no more."""
    target = APPOINTMENT.step(AppointmentState(found.state), event, facts, actor)[0].target
    ends = target not in LIVE
    changes: dict[str, Any] = {"updated_at": now, **(values or {})}
    told = {"site": found.site, "application": str(found.application_id), **(detail or {})}
    standing = Standing(appointment, found.id, found.state, found.version)
    columns = {**changes, "live": None} if ends else changes
    after = advance(connection, APPOINTMENT, standing, event, facts, actor, now, detail=told, values=columns, work=work)
    if ends:
        free_cells(connection, found)
    return replace(found, state=after.state, version=after.version, **changes)


def settle_later(desk: Desk, appointment_id: uuid.UUID, actor: Actor, now: datetime) -> Work:
    """The work of bringing the application into line, in case that this process does not get to it."""
    by = {"id": actor.id, "roles": sorted(actor.roles), "site": actor.site}
    told = {"appointment": str(appointment_id), "actor": by}
    return Work(new_id_like(appointment_id, now, desk.random), SETTLE, told, now)


def tell_applicant(
    desk: Desk, found: Appointment, template: str, now: datetime, *, slot: WallTime | None = None
) -> Work:
    """The work of telling people what became of their appointment, which is at `slot` then, or stays where it is.

    Place and time go with it: a message that is sent late, or again, says what was so when it was caused.
    """
    told = {
        "template": template,
        "application": str(found.application_id),
        "appointment": str(found.id),
        "site": found.site,
        "slot": str(slot or found.slot),
    }
    return Work(new_id_like(found.id, now, desk.random), NOTIFY, told, now)
