"""`eid privacy`: what is kept about somebody, and what is erased."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from eid.enrolment.roles import Role
from eid.enrolment.rules import load_rules
from eid.gateways.blobs import BlobStore
from eid.services.application.abis import open_abis
from eid.services.database import existing_database
from eid.services.person.erasure import Eraser, erase_application, erase_due
from eid.services.person.export import build_archive, export_person
from eid.services.registry import load_keys
from eid.services.settings import load_settings
from reader_tools.acting import acting_as, current_moment, local_actor
from reader_tools.command_group import CommandGroup


@contextmanager
def _eraser() -> Iterator[Eraser]:
    settings = load_settings(os.environ)
    with existing_database(settings) as engine:
        blobs = BlobStore(settings.documents_address, load_keys(settings))
        yield Eraser(engine, blobs, load_rules(settings.country).rules, open_abis(settings))


@click.group(name="privacy", cls=CommandGroup)
def command() -> None:
    """What is kept about somebody: exported for himself, erased when its time is over."""


@command.command(name="export")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The ZIP file to write.")
@acting_as(Role.ADMINISTRATOR)
@click.argument("person", type=click.UUID)
def export(out: Path, role: str, person: uuid.UUID) -> None:
    """Write all that is kept about a person: data.json, papers, images.  That it was read stands in the audit log."""
    with _eraser() as eraser:
        document = export_person(eraser.engine, eraser.blobs.keys, person, local_actor(role), current_moment())
        archive = build_archive(eraser.engine, eraser.blobs, document)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # also of a file that was there
        file.write(archive)
    click.echo(f"{len(document['applications'])} applications written to {out}")


@command.command(name="erase")
@click.option("--due", is_flag=True, help="Erase all whose time is over.  Workers do so every six hours.")
@acting_as(Role.ADMINISTRATOR)
@click.argument("application", type=click.UUID, required=False)
def erase(due: bool, role: str, application: uuid.UUID | None) -> None:
    """Erase an application that is over, with its papers, and its person where it was the last one.

    What is not over, and what a card that has not run out was made for, is refused.
    """
    if due == (application is not None):
        raise click.UsageError("name an application, or say --due")
    with _eraser() as eraser:
        if application is not None:
            erase_application(eraser, application, local_actor(role), current_moment())
            click.echo("erased")
            return
        told = erase_due(eraser, current_moment())
    click.echo(f"erased: {told.applications} applications; of others the papers of {told.papers}, "
               f"what was captured for {told.captures}; {told.records} records of other systems")  # fmt: skip
