"""`eid application holds|settle|clear|approve|return|ship|arrive`: from the counter to the card, on the local database.

What is captured at a counter, and a card that is handed over there, come from a station that has the devices, over HTTP
(docs/production.md).
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import click

from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.rendering.terminal import render_table
from eid.services.application import adjudication, approval
from eid.services.application.views import find_named, read_status
from eid.services.card import delivery
from eid.services.database import ready_database
from eid.services.registry import load_keys
from eid.services.settings import load_settings
from eid.services.stamp.stamps import StampOffice
from eid.store.applications import StoredApplication
from reader_tools.acting import acting_as, local_actor

JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
AT: Final = click.option("--site", required=True, metavar="SITE", help="Where you work.")
APPLICATION: Final = click.argument("application", metavar="APPLICATION")


@dataclass(frozen=True, slots=True)
class _Office:
    """What a command works with."""

    stamps: StampOffice = field(repr=False)
    actor: Actor
    now: datetime

    def find(self, text: str) -> uuid.UUID:
        """The identifier of an application that was named by identifier or number."""
        return find_named(self.stamps.engine, text, self.actor)


@contextmanager
def _office(role: str, site: str | None = None) -> Iterator[_Office]:
    settings = load_settings(os.environ)
    rules = load_rules(settings.country).rules
    with ready_database(settings) as engine:
        office = StampOffice(engine, rules, load_keys(settings))
        yield _Office(office, local_actor(role, site), datetime.now(UTC))


@click.command(name="holds")
@acting_as(Role.ADJUDICATOR)
@JSON
def holds(role: str, as_json: bool) -> None:
    """List the open questions about files, the oldest first."""
    with _office(role) as office:
        found = adjudication.list_holds(office.stamps.engine, office.actor)
    rows = [(str(item.id), item.code, str(item.application_id), item.placed_at.isoformat()) for item in found]
    if as_json:
        click.echo(json.dumps([dict(zip(("hold", "code", "application", "at"), row, strict=True)) for row in rows]))
        return
    click.echo(render_table(rows, ("hold", "code", "application", "since"), ()))


@click.command(name="settle")
@click.option(
    "--reason",
    required=True,
    type=click.Choice((*adjudication.CLEARING, *adjudication.CONFIRMING)),
    help="What came out.",
)
@acting_as(Role.ADJUDICATOR)
@click.argument("hold", type=click.UUID)
def settle(reason: str, role: str, hold: uuid.UUID) -> None:
    """Answer an open question; what is confirmed keeps the file from going on."""
    with _office(role) as office:
        found = adjudication.settle_hold(office.stamps.engine, hold, reason, office.actor, office.now)
    click.echo(f"{found.id}: {found.code}, {reason}")


@click.command(name="clear")
@acting_as(Role.ADJUDICATOR)
@JSON
@APPLICATION
def clear(role: str, as_json: bool, application: str) -> None:
    """Let a file go on to approval when nothing is open."""
    with _office(role) as office:
        found = adjudication.clear(office.stamps.engine, office.find(application), office.actor, office.now)
    _print(found, as_json)


@click.command(name="approve")
@acting_as(Role.APPROVER)
@JSON
@APPLICATION
def approve(role: str, as_json: bool, application: str) -> None:
    """Approve a file that others have validated and captured: the stamp is spent, a card is ordered."""
    with _office(role) as office:
        named = office.find(application)
        approval.approve(office.stamps, named, office.actor, office.now)
        found = read_status(office.stamps.engine, named, office.actor)
    _print(found, as_json)


@click.command(name="return")
@acting_as(Role.APPROVER)
@JSON
@APPLICATION
def return_to_capture(role: str, as_json: bool, application: str) -> None:
    """Send a file back to the counter, to be captured anew."""
    with _office(role) as office:
        found = approval.return_to_capture(office.stamps, office.find(application), office.actor, office.now)
    _print(found, as_json)


@click.command(name="ship")
@AT
@acting_as(Role.DELIVERY_OPERATOR)
@JSON
@APPLICATION
def ship(site: str, role: str, as_json: bool, application: str) -> None:
    """Send a finished card to the site where it will be handed over."""
    with _office(role, site) as office:
        found = delivery.ship(office.stamps.engine, office.find(application), office.actor, office.now)
    _print(found, as_json)


@click.command(name="arrive")
@AT
@acting_as(Role.DELIVERY_OPERATOR)
@JSON
@APPLICATION
def arrive(site: str, role: str, as_json: bool, application: str) -> None:
    """Tell that a card has arrived at its site; its holder is told."""
    with _office(role, site) as office:
        found = delivery.arrive(office.stamps.engine, office.find(application), office.actor, office.now)
    _print(found, as_json)


def _print(found: StoredApplication, as_json: bool) -> None:
    told = {"application": str(found.id), "number": found.number, "state": found.state}
    click.echo(json.dumps(told) if as_json else "\n".join(f"{name:<12} {value}" for name, value in told.items()))


COMMANDS: Final = (holds, settle, clear, approve, return_to_capture, ship, arrive)
