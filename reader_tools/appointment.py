"""`eid appointment`: sites, closed days, offers, bookings, on the local database."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from eid.codec.toml import decode_toml
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.enrolment.site import decode_site, encode_site
from eid.enrolment.wall_time import decode_wall_time
from eid.rendering.terminal import render_table
from eid.services.application.views import find_named
from eid.services.appointment import appointments, sites
from eid.services.appointment.desk import Desk
from eid.services.appointment.settling import sweep as sweep_appointments
from eid.services.database import ready_database
from eid.services.input_file import read_input
from eid.services.settings import load_settings
from eid.store.appointments import Appointment
from reader_tools.acting import acting_as, current_moment, local_actor
from reader_tools.command_group import CommandGroup

T = TypeVar("T")
MAX_SITE: Final = 1 << 16  # octets
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
APPLICATION: Final = click.argument("application", metavar="APPLICATION")
APPOINTMENT: Final = click.argument("appointment", type=click.UUID)
SITE: Final = click.argument("site")
SLOT: Final = click.argument("slot")
DAY: Final = click.argument("day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD")


@click.group(name="appointment", cls=CommandGroup)
def command() -> None:
    """Appointments: sites, closed days, offers, bookings.

    APPLICATION is an identifier, or the number on a receipt. SLOT is a time as the clock of the site shows it:
    2026-11-23T09:00.
    """


@command.group(name="site", cls=CommandGroup)
def site_group() -> None:
    """Centres, consulates, mobile units."""


@site_group.command(name="put")
@acting_as(Role.ADMINISTRATOR)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def put_site(role: str, file: Path) -> None:
    """Make a site, or change one, after a TOML file (docs/appointments.md)."""
    site = decode_site(decode_toml(read_input(file, MAX_SITE, "a site")))
    with _desk() as desk:
        _print_displaced(f"{site.code}: stored", sites.put_site(desk, site, local_actor(role), current_moment()))


@site_group.command(name="list")
@JSON
def list_sites(as_json: bool) -> None:
    """List all sites."""
    with _desk() as desk:
        found = sites.show_sites(desk)
    if as_json:
        click.echo(json.dumps([encode_site(site) for site in found], ensure_ascii=False, indent=2))
        return
    rows = [(site.code, site.kind, site.time_zone, str(site.places), ", ".join(site.services)) for site in found]
    click.echo(render_table(rows, ("site", "kind", "time zone", "places", "services"), (3,)))


@site_group.command(name="show")
@SITE
def show_site(site: str) -> None:
    """Print a site and the days on which it is closed, as JSON."""
    with _desk() as desk:
        found, closed = sites.show_site(desk, site, current_moment())
    told: dict[str, Any] = {"site": encode_site(found), "closures": {str(day): why for day, why in closed.items()}}
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


@command.command(name="close")
@click.option("--reason", required=True, metavar="CODE", help="Why: a code of letters, digits and hyphens.")
@acting_as(Role.ADMINISTRATOR)
@SITE
@DAY
def close(reason: str, role: str, site: str, day: datetime) -> None:
    """Close a site on a day; appointments are moved to one soon after, or cancelled, and people are told."""
    with _desk() as desk:
        found = sites.close_day(desk, site, day.date(), reason, local_actor(role), current_moment())
    _print_displaced(f"{site}: closed on {day.date()}", found)


@command.command(name="open")
@acting_as(Role.ADMINISTRATOR)
@SITE
@DAY
def open_day(role: str, site: str, day: datetime) -> None:
    """Open a site again on a day that was closed; who was moved stays where he is."""
    with _desk() as desk:
        opened = sites.open_day(desk, site, day.date(), local_actor(role), current_moment())
    click.echo(f"{site}: {'open' if opened else 'was not closed'} on {day.date()}")


@command.command(name="offers")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day.  [default: today]")
@click.option(
    "--days", type=click.IntRange(1, appointments.MAX_DAYS), default=7, show_default=True, help="How far to look."
)
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
@APPLICATION
@SITE
def offers(first: datetime | None, days: int, role: str, as_json: bool, application: str, site: str) -> None:
    """List free times at a site for an application that was validated.

    Kept places are among them if it was validated with a category of those who come first.
    """
    now, start = current_moment(), None if first is None else first.date()
    with _desk() as desk:
        actor = local_actor(role)
        found = appointments.offer_times(
            desk, find_named(desk.engine, application, actor), site, start, days, actor, now
        )
    if as_json:
        told = [{"slot": str(item.slot), "starts_at": item.starts_at.isoformat(), "free": item.free} for item in found]
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(render_table([(str(item.slot), str(item.free)) for item in found], ("slot", "free"), (1,)))


@command.command(name="hold")
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
@APPLICATION
@SITE
@SLOT
def hold(role: str, as_json: bool, application: str, site: str, slot: str) -> None:
    """Hold a place for a short time."""
    wanted = decode_wall_time(slot)

    def work(desk: Desk, actor: Actor, now: datetime) -> Appointment:
        named = find_named(desk.engine, application, actor)
        return appointments.hold(desk, named, site, wanted, actor, now)

    _do(work, role, None, as_json)


@command.command(name="book")
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
@APPOINTMENT
def book(role: str, as_json: bool, appointment: uuid.UUID) -> None:
    """Make a held place an appointment."""
    _do(lambda desk, actor, now: appointments.book(desk, appointment, actor, now), role, None, as_json)


@command.command(name="reschedule")
@click.option("--site", metavar="SITE", help="Another site.")
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
@APPOINTMENT
@SLOT
def reschedule(site: str | None, role: str, as_json: bool, appointment: uuid.UUID, slot: str) -> None:
    """Move an appointment to another time, or another site."""
    wanted = decode_wall_time(slot)

    def work(desk: Desk, actor: Actor, now: datetime) -> Appointment:
        return appointments.reschedule(desk, appointment, wanted, actor, now, code=site)

    _do(work, role, None, as_json)


@command.command(name="cancel")
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
@APPOINTMENT
def cancel(role: str, as_json: bool, appointment: uuid.UUID) -> None:
    """Give an appointment, or a held place, back."""
    _do(lambda desk, actor, now: appointments.cancel(desk, appointment, actor, now), role, None, as_json)


@command.command(name="check-in")
@click.option("--at", "site", required=True, metavar="SITE", help="Where you work.")
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
@APPOINTMENT
def check_in(site: str, role: str, as_json: bool, appointment: uuid.UUID) -> None:
    """Somebody has come to his appointment."""
    _do(lambda desk, actor, now: appointments.check_in(desk, appointment, actor, now), role, site, as_json)


@command.command(name="serve")
@click.option("--at", "site", required=True, metavar="SITE", help="Where you work.")
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
@APPOINTMENT
def serve(site: str, role: str, as_json: bool, appointment: uuid.UUID) -> None:
    """Somebody who was checked in has been seen; the rest of his time is free again."""
    _do(lambda desk, actor, now: appointments.serve(desk, appointment, actor, now), role, site, as_json)


@command.command(name="walk-in")
@click.option("--category", required=True, metavar="CODE", help="Of those who need no appointment, by the rules.")
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
@APPLICATION
@SITE
def walk_in(category: str, role: str, as_json: bool, application: str, site: str) -> None:
    """Somebody has come without an appointment: give him the next place of today."""

    def work(desk: Desk, actor: Actor, now: datetime) -> Appointment:
        named = find_named(desk.engine, application, actor)
        return appointments.admit_walk_in(desk, named, site, category, actor, now)

    _do(work, role, site, as_json)


@command.command(name="day")
@acting_as(Role.ADMINISTRATOR)
@SITE
@DAY
def list_day(role: str, site: str, day: datetime) -> None:
    """List the appointments of a site on a day."""
    with _desk() as desk:
        found = appointments.list_day(desk, site, day.date(), local_actor(role, site))
    rows = [(item.slot, str(item.place), item.state, str(item.id), str(item.application_id)) for item in found]
    click.echo(render_table(rows, ("slot", "place", "state", "appointment", "application"), (1,)))


@command.command(name="sweep")
def sweep() -> None:
    """End holds whose time is over, and appointments to which nobody came; the worker does it every minute."""
    with _desk() as desk:
        done = sweep_appointments(desk, current_moment())
    click.echo(f"{done.expired} holds expired, {done.missed} appointments missed")


@contextmanager
def _desk() -> Iterator[Desk]:
    settings = load_settings(os.environ)
    with ready_database(settings) as engine:
        yield Desk(engine, load_rules(settings.country).rules.appointments)


def _do(work: Callable[[Desk, Actor, datetime], Appointment], role: str, site: str | None, as_json: bool) -> None:
    with _desk() as desk:
        found = work(desk, local_actor(role, site), current_moment())
    told = {
        "appointment": str(found.id),
        "application": str(found.application_id),
        "site": found.site,
        "slot": found.slot,
        "place": found.place,
        "state": found.state,
        "expires_at": None if found.expires_at is None else found.expires_at.isoformat(),
    }
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo("\n".join(f"{name:<12} {value}" for name, value in told.items() if value is not None))


def _print_displaced(what: str, found: sites.Displaced) -> None:
    click.echo(f"{what}; {found.moved} appointments moved, {found.cancelled} cancelled")
