"""`eid db`: make, upgrade and check the database that the settings name."""

from __future__ import annotations

import os

import click

from eid.services.database import check_database, init_database, upgrade_database
from eid.services.settings import Settings, load_settings
from reader_tools import exit_codes
from reader_tools.command_group import CommandGroup


@click.group(name="db", cls=CommandGroup)
def command() -> None:
    """The database: EID_DATABASE, else SQLite in EID_HOME/eid.db."""


@command.command(name="init")
def init() -> None:
    """Make the tables; a database that is ready is left alone."""
    status = init_database(_settings())
    click.echo(f"ready, version {status.current}")


@command.command(name="upgrade")
def upgrade() -> None:
    """Bring an older database to the version that this program needs."""
    before, after = upgrade_database(_settings())
    word = "was ready" if before.is_ready else f"upgraded from version {before.current}"
    click.echo(f"{word}, version {after.current}")


@command.command(name="check")
def check() -> int:
    """Tell whether this program can work on the database.

    Exit codes: 0 it can, 1 it cannot, 73 there is none.
    """
    status = check_database(_settings())
    if status.is_ready:
        click.echo(f"ready, version {status.current}")
        return exit_codes.PASSED
    if status.current is None:
        click.echo("not ready: no tables yet; run `eid db init`")
    elif status.missing_triggers:
        click.echo(f"not ready: triggers are missing ({', '.join(status.missing_triggers)}); run `eid db upgrade`")
    else:
        click.echo(f"not ready: version {status.current}, needed is {status.needed}; run `eid db upgrade`")
    return exit_codes.FAILED


def _settings() -> Settings:
    return load_settings(os.environ)
