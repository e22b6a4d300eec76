"""`eid card enter|activate|suspend|resume|revoke|uncollected|destroy|status`: the register of issued cards."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

import click

from eid.enrolment.card_status import RevocationCause, SuspensionCause
from eid.enrolment.deadlines import local_day
from eid.enrolment.roles import Role
from eid.enrolment.rules import load_rules
from eid.errors import NotStoredError
from eid.rendering.terminal import render_table
from eid.services.card import delivery
from eid.services.card.cards import Register, status_for_relying_parties
from eid.services.database import ready_database
from eid.services.settings import load_settings
from eid.store.cards import RegisteredCard
from reader_tools.acting import acting_as, current_moment, local_actor
from reader_tools.values import UtcTime

JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
CARD: Final = click.argument("card")
SITE: Final = click.option("--site", required=True, metavar="CODE", help="Where you work, and the card is.")


def _on_register(work: Callable[[Register], RegisteredCard], as_json: bool) -> None:
    settings = load_settings(os.environ)
    today = local_day(current_moment(), load_rules(settings.country).rules)
    with ready_database(settings) as engine:
        _print(work(Register(engine)), today, as_json)


@click.command(name="enter")
@click.option("--number", required=True, help="The document number that is printed on it.")
@click.option("--expires", required=True, type=UtcTime(), help="The last day on which it is valid.")
@acting_as(Role.PRODUCTION_OPERATOR)
@JSON
@click.argument("document", type=click.UUID)
def enter(number: str, expires: datetime, role: str, as_json: bool, document: uuid.UUID) -> None:
    """Take a card into the register that was issued without an application; it is in stock then.

    DOCUMENT is the identifier that `eid personalize` printed.
    """
    _on_register(
        lambda register: register.enter(document, number, expires.date(), local_actor(role), current_moment()), as_json
    )


@click.command(name="activate")
@acting_as(Role.DELIVERY_OPERATOR)
@JSON
@CARD
def activate(role: str, as_json: bool, card: str) -> None:
    """Its holder has it: from the next publication on it is valid. CARD: identifier or document number."""
    _on_register(
        lambda register: register.activate(_find(register, card), local_actor(role), current_moment()), as_json
    )


@click.command(name="suspend")
@click.option("--cause", required=True, type=click.Choice([item.value for item in SuspensionCause]), help="Why.")
@acting_as(Role.CALL_CENTRE_AGENT)
@JSON
@CARD
def suspend(cause: str, role: str, as_json: bool, card: str) -> None:
    """Suspend a card that was reported lost; it can be resumed. CARD: identifier or document number."""
    given = SuspensionCause(cause)
    _on_register(
        lambda register: register.suspend(_find(register, card), given, local_actor(role), current_moment()), as_json
    )


@click.command(name="resume")
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
@CARD
def resume(role: str, as_json: bool, card: str) -> None:
    """Make a suspended card active again. CARD: identifier or document number."""
    _on_register(lambda register: register.resume(_find(register, card), local_actor(role), current_moment()), as_json)


@click.command(name="revoke")
@click.option("--cause", required=True, type=click.Choice([item.value for item in RevocationCause]), help="Why.")
@click.option("--replaced-by", type=click.UUID, help="Identifier of the card that takes its place.")
@acting_as(Role.ADMINISTRATOR)
@JSON
@CARD
def revoke(cause: str, replaced_by: uuid.UUID | None, role: str, as_json: bool, card: str) -> None:
    """Revoke a card for ever. CARD: identifier or document number."""
    given = RevocationCause(cause)
    _on_register(
        lambda register: register.revoke(
            _find(register, card), given, local_actor(role), current_moment(), replaced_by=replaced_by
        ),
        as_json,
    )


@click.command(name="uncollected")
@SITE
@acting_as(Role.DELIVERY_OPERATOR)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each card.")
def uncollected(site: str, role: str, as_json: bool) -> None:
    """List the cards at a site that nobody has collected, and which are to be destroyed; oldest first."""
    with ready_database(load_settings(os.environ)) as engine:
        found = delivery.list_uncollected(engine, local_actor(role, site))
    for item in found:
        told = {"id": str(item.id), "document_number": item.document_number, "since": item.changed_at.isoformat()}
        if as_json:
            click.echo(json.dumps({"format": "eid-uncollected-card", "version": 1, **told}))
        else:
            click.echo(f"{item.id}  {item.document_number}  since {item.changed_at:%Y-%m-%d}")
    if not found and not as_json:
        click.echo("none")


@click.command(name="destroy")
@click.option("--witness", required=True, help="The second person, by identifier.")
@SITE
@acting_as(Role.DELIVERY_OPERATOR)
@JSON
@CARD
def destroy(witness: str, site: str, role: str, as_json: bool, card: str) -> None:
    """Note that a card which nobody has collected was destroyed before a second person; then its blank is, too.

    CARD: identifier or document number.
    """
    actor = local_actor(role, site)

    def work(register: Register) -> RegisteredCard:
        wanted = _find(register, card)
        return delivery.destroy_uncollected(register.engine, wanted, witness, actor, current_moment())

    _on_register(work, as_json)


@click.command(name="status")
@acting_as(Role.ADMINISTRATOR)
@JSON
@CARD
def status(role: str, as_json: bool, card: str) -> None:
    """Show a card of the register, and what relying parties may know of it. CARD: identifier or document number.

    That it was read stands in the audit log.
    """
    _on_register(lambda register: register.view(_find(register, card), local_actor(role), current_moment()), as_json)


COMMANDS: Final = (enter, activate, suspend, resume, revoke, uncollected, destroy, status)


def _find(register: Register, card: str) -> uuid.UUID:
    """The identifier of a card that is named by it or by its number."""
    try:
        return uuid.UUID(card)
    except ValueError:
        found = register.find(card)
    if not found:
        raise NotStoredError("the register has no such card")
    return found[0].id


def _print(item: RegisteredCard, today: date, as_json: bool) -> None:
    told = {
        "id": str(item.id),
        "state": item.state,
        "cause": item.cause,
        "document_number": item.document_number,
        "expires_on": None if item.expires_on is None else item.expires_on.isoformat(),
        "status_list": item.status_uri,
        "status_place": item.status_place,
        "replaced_by": None if item.replaced_by is None else str(item.replaced_by),
        "changed_at": item.changed_at.isoformat(),
        "for_relying_parties": status_for_relying_parties(item, today).name,
    }
    if as_json:
        click.echo(json.dumps({"format": "eid-registered-card", "version": 1, **told}, indent=2))
    else:
        rows = [(name.replace("_", " "), str(value)) for name, value in told.items() if value is not None]
        click.echo(render_table(rows, ("what", "value")))
