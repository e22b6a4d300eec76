"""`eid application`: applications and their papers, on the local database."""

from __future__ import annotations

import json
import mimetypes
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from eid.enrolment.application import ApplicationState
from eid.enrolment.person import PersonRecord, decode_person, encode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.errors import DecodeError
from eid.rendering.terminal import render_table
from eid.services.application import acts, documents, drafts, lapses, review, views
from eid.services.application.desk import ApplicationDesk, application_desk
from eid.services.application.documents import Upload
from eid.services.application.drafts import NewApplication
from eid.services.application.review import warn_of_names
from eid.services.application.steps import rules_of
from eid.services.input_file import read_input
from eid.services.settings import load_settings
from eid.store.applications import StoredApplication
from reader_tools.acting import acting_as, local_actor
from reader_tools.command_group import CommandGroup
from reader_tools.output_file import write_private

MAX_RECORD: Final = 1 << 16  # octets
MAX_PAPER: Final = 64 << 20  # octets; the rules allow less
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
APPLICATION: Final = click.argument("application", metavar="APPLICATION")
SITE: Final = click.option("--site", metavar="SITE", help="Where you work; without it you see every office's.")
RECORD: Final = click.option(
    "--record",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON of the person (docs/enrolment.md).",
)


DECISIONS: Final = ("holds", "settle", "clear", "approve", "return", "ship", "arrive")


@click.group(
    name="application",
    cls=CommandGroup,
    elsewhere=dict.fromkeys(DECISIONS, "reader_tools.application_decisions"),
)
def command() -> None:
    """Applications: begin, papers, submit, review, decide, adjudicate, approve, send.

    APPLICATION is an identifier, or the number on a receipt. Who decides must be another than who applied.
    """


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a command works with."""

    office: ApplicationDesk
    actor: Actor
    now: datetime

    def find(self, text: str) -> uuid.UUID:
        """The identifier of an application that was named by identifier or number."""
        return views.find_named(self.office.engine, text, self.actor)


@command.command(name="new")
@RECORD
@click.option("--reason", metavar="CODE", help="Why a card is wanted.  [default: the first of the country's rules]")
@click.option("--abroad", is_flag=True, help="The papers are those of residents abroad.")
@click.option("--language", metavar="CODE", help="For messages.  [default: the country's first]")
@click.option("--account", metavar="ID", help="Whose application it is.  [default: yours]")
@click.option("--category", metavar="CODE", help="Of those who come first; its papers are wanted, an officer decides.")
@SITE
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
def new(
    record: Path,
    reason: str | None,
    abroad: bool,
    language: str | None,
    account: str | None,
    category: str | None,
    site: str | None,
    role: str,
    as_json: bool,
) -> None:
    """Begin an application, as a draft."""
    person = _read_record(record)
    with _desk(role, site) as desk:
        why = reason or load_rules(desk.office.rules).rules.reason[0].code
        begun = NewApplication(why, person, abroad, site, language, applicant=account, category=category)
        found = drafts.create_application(desk.office.engine, begun, desk.actor, desk.now, rules=desk.office.rules)
    _print(found, as_json)


@command.command(name="list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ApplicationState]),
    help="Of this state; may be repeated.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@JSON
def list_all(states: tuple[str, ...], limit: int, site: str | None, role: str, as_json: bool) -> None:
    """List applications, the oldest first, without the persons."""
    with _desk(role, site) as desk:
        found = views.list_applications(desk.office.engine, desk.actor, states, limit=limit)
    if as_json:
        click.echo(json.dumps([_describe(item) for item in found], indent=2))
        return
    rows = [(item.number, item.state, item.reason, item.site or "", str(item.due_at or "")) for item in found]
    click.echo(render_table(rows, ("number", "state", "reason", "site", "lapses at"), ()))


@command.command(name="show")
@click.option("--person", is_flag=True, help="With the person's record; that you have read it is recorded.")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@JSON
@APPLICATION
def show(person: bool, site: str | None, role: str, as_json: bool, application: str) -> None:
    """Tell where an application stands."""
    with _desk(role, site) as desk:
        found = views.read_status(desk.office.engine, desk.find(application), desk.actor)
        if not person:
            _print(found, as_json)
            return
        view = views.view_application(desk.office.engine, found.id, desk.actor, desk.now)
    papers = [{"id": str(item.id), "paper": item.paper, "octets": item.octets} for item in view.documents]
    warnings = list(warn_of_names(view.record, rules_of(view.application)))
    told = {**_describe(found), "record": encode_person(view.record), "name_warnings": warnings, "documents": papers}
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


@command.command(name="needs")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@JSON
@APPLICATION
def needs(site: str | None, role: str, as_json: bool, application: str) -> None:
    """Tell which papers and fields an application needs, and what of it is missing."""
    with _desk(role, site) as desk:
        found = views.requirements(desk.office.engine, desk.find(application), desk.actor, desk.now)
    told = {
        "papers": list(found.papers),
        "missing": sorted(found.missing),
        "fee": found.fee,
        "currency": found.currency,
        "old_card": found.old_card,
    }
    if as_json:
        click.echo(json.dumps(told))
        return
    fee = "not known yet" if found.fee is None else f"{found.fee} {found.currency}"
    lines = (
        ("papers", ", ".join(found.papers)),
        ("missing", ", ".join(sorted(found.missing)) or "nothing"),
        ("fee", fee),
        ("old card", found.old_card),
    )
    click.echo("\n".join(f"{name:<9} {value}" for name, value in lines))


@command.command(name="edit")
@RECORD
@SITE
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
@APPLICATION
def edit(record: Path, site: str | None, role: str, as_json: bool, application: str) -> None:
    """Write the person's record of a draft anew."""
    with _desk(role, site) as desk:
        found = drafts.edit_record(
            desk.office.engine, desk.find(application), _read_record(record), desk.actor, desk.now
        )
    _print(found, as_json)


@command.command(name="category")
@click.option("--code", "category", metavar="CODE", help="Which; without it, of none.")
@SITE
@acting_as(Role.ENROLMENT_OFFICER)
@JSON
@APPLICATION
def state_category(category: str | None, site: str | None, role: str, as_json: bool, application: str) -> None:
    """Say that somebody is one of those who come first, or is not; its papers are wanted then."""
    with _desk(role, site) as desk:
        found = drafts.state_category(desk.office.engine, desk.find(application), category, desk.actor, desk.now)
    _print(found, as_json)


@command.command(name="attach")
@click.option("--paper", required=True, metavar="CODE", help="Which paper it is.")
@click.option("--issued-on", type=click.DateTime(["%Y-%m-%d"]), help="The day that stands on it.")
@SITE
@acting_as(Role.ENROLMENT_OFFICER)
@APPLICATION
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def attach(paper: str, issued_on: datetime | None, site: str | None, role: str, application: str, file: Path) -> None:
    """Take a paper in: PDF, JPEG or PNG, examined and kept encrypted."""
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    content = read_input(file, MAX_PAPER, "paper")
    upload = Upload(paper, media_type, content, None if issued_on is None else issued_on.date())
    with _desk(role, site) as desk:
        found = documents.attach(
            desk.office.engine, desk.office.blobs, desk.find(application), upload, desk.actor, desk.now
        )
    click.echo(f"{found.id}  {found.paper}, {found.pages} page(s), {found.octets} octets")


@command.command(name="open")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to write it.")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@click.argument("document", type=click.UUID)
def open_paper(out: Path, site: str | None, role: str, document: uuid.UUID) -> None:
    """Write a paper to a new file; that you have opened it is recorded."""
    with _desk(role, site) as desk:
        found, content = documents.open_document(desk.office.engine, desk.office.blobs, document, desk.actor, desk.now)
    write_private(out, content)
    click.echo(f"{out}: {found.paper}, {found.media_type}")


@command.command(name="request")
@click.option("--paper", "papers", required=True, multiple=True, metavar="CODE", help="Again for each paper.")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@JSON
@APPLICATION
def request(papers: tuple[str, ...], site: str | None, role: str, as_json: bool, application: str) -> None:
    """Ask for papers, as often as the rules allow."""
    with _desk(role, site) as desk:
        found = acts.request_information(desk.office.engine, desk.find(application), papers, desk.actor, desk.now)
    _print(found, as_json)


@command.command(name="validate")
@click.option(
    "--reconciliation", metavar="CODE", help="Why register and papers differ: of record.reconciliations of the rules."
)
@click.option("--declines-category", is_flag=True, help="The person is not one of those who come first.")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@JSON
@APPLICATION
def validate(
    reconciliation: str | None, declines_category: bool, site: str | None, role: str, as_json: bool, application: str
) -> None:
    """Find an application in order; the person enters the register."""
    with _desk(role, site) as desk:
        found = review.validate(
            desk.office.engine,
            desk.find(application),
            desk.actor,
            desk.now,
            reconciliation=reconciliation,
            declines_category=declines_category,
        )
    _print(found, as_json)


@command.command(name="reject")
@click.option("--code", required=True, metavar="CODE", help="Why, a code of the rules.")
@SITE
@acting_as(Role.VALIDATING_OFFICER)
@JSON
@APPLICATION
def reject(code: str, site: str | None, role: str, as_json: bool, application: str) -> None:
    """Refuse an application; an appeal is open for some days."""
    with _desk(role, site) as desk:
        found = acts.reject(desk.office.engine, desk.find(application), code, desk.actor, desk.now)
    _print(found, as_json)


Act = Callable[..., StoredApplication]


def _add_act(name: str, act: Act, role: Role, sentence: str) -> None:
    """A command for an act that needs no more than the application."""

    def run(site: str | None, role: str, as_json: bool, application: str) -> None:
        with _desk(role, site) as desk:
            found = act(desk.office.engine, desk.find(application), desk.actor, desk.now)
        _print(found, as_json)

    command.command(name=name, help=sentence)(SITE(acting_as(role)(JSON(APPLICATION(run)))))


_add_act("submit", acts.submit, Role.ENROLMENT_OFFICER, "Submit a draft that is complete.")
_add_act("take-up", acts.take_up, Role.VALIDATING_OFFICER, "Take an application up for review.")
_add_act("supply", acts.supply, Role.ENROLMENT_OFFICER, "Tell that the papers asked for are there.")
_add_act("withdraw", acts.withdraw, Role.ENROLMENT_OFFICER, "Take an application back, or discard a draft.")
_add_act("appeal", acts.appeal, Role.ENROLMENT_OFFICER, "Take an appeal against a refusal in.")
_add_act("cancel", acts.cancel, Role.ADMINISTRATOR, "End an application by authority.")


@command.command(name="sweep")
def sweep() -> None:
    """Let lapse what nothing happened to in time; the worker does it every hour."""
    with _desk(Role.SYSTEM.value, None) as desk:
        ended = lapses.end_overdue(desk.office.engine, desk.now)
    click.echo(f"{len(ended)} applications whose time was over")


@contextmanager
def _desk(role: str, site: str | None) -> Iterator[_Desk]:
    settings = load_settings(os.environ)
    with application_desk(settings) as office:
        # To the microsecond: of papers that were asked for those count that came later.
        yield _Desk(office, local_actor(role, site), datetime.now(UTC))


def _read_record(path: Path) -> PersonRecord:
    raw = read_input(path, MAX_RECORD, "record")
    try:
        return decode_person(json.loads(raw))
    except (ValueError, RecursionError) as failure:
        if isinstance(failure, DecodeError):
            raise
        raise DecodeError(f"{path}: not JSON") from None


def _describe(found: StoredApplication) -> dict[str, Any]:
    told: dict[str, Any] = {
        "application": str(found.id),
        "number": found.number,
        "state": found.state,
        "reason": found.reason,
        "category": found.category,
        "site": found.site,
        "fee": None if found.fee is None else f"{found.fee} {found.currency}",
        "requested": ", ".join(found.requested_papers) or None,
        "refusal": found.refusal,
    }
    moments = ("submitted_at", "decide_by", "appeal_until", "due_at")
    told |= {name: None if (at := getattr(found, name)) is None else at.isoformat() for name in moments}
    return {name: value for name, value in told.items() if value is not None}


def _print(found: StoredApplication, as_json: bool) -> None:
    told = _describe(found)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo("\n".join(f"{name:<12} {value}" for name, value in told.items()))
