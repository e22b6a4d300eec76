"""What the commands of `eid production` share: the local database, and how orders and stock are printed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import click

from eid.enrolment.roles import Role
from eid.rendering.terminal import render_table
from eid.services.database import ready_database
from eid.services.settings import Settings, load_settings
from eid.store.production_orders import ProductionOrder
from reader_tools.acting import acting_as

FORMAT: Final = "eid-production"
VERSION: Final = 1
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ORDER: Final = click.argument("order", type=click.UUID)
MAKER: Final = acting_as(Role.PRODUCTION_OPERATOR)


@contextmanager
def local_database() -> Iterator[tuple[Any, Settings]]:
    """The engine and the settings, while the context lasts."""
    settings = load_settings(os.environ)
    with ready_database(settings) as engine:
        yield engine, settings


def describe_order(order: ProductionOrder) -> dict[str, Any]:
    """Of the person and the document number nothing."""
    names = ("id", "state", "application_id", "attempt", "priority", "profile", "deliver_to", "created_at")
    more = ("store_id", "serial", "issued_on", "expires_on", "job_id", "card_id", "sod_hash", "cause")
    return {name: _text(getattr(order, name)) for name in (*names, *more)}


def _text(value: object) -> object:
    match value:
        case None | int() | str():
            return value
        case bytes():
            return value.hex()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case _:
            return str(value)


def print_told(told: Mapping[str, Any], as_json: bool) -> None:
    """Print one thing."""
    if as_json:
        click.echo(json.dumps({"format": FORMAT, "version": VERSION, **told}, indent=2))
        return
    for name, value in told.items():
        if value is not None:
            click.echo(f"{name}: {value}")


def print_rows(rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    """Print many."""
    if as_json:
        click.echo(json.dumps({"format": FORMAT, "version": VERSION, "rows": rows}, indent=2))
    elif not rows:
        click.echo("none")
    else:
        shown = [tuple("" if row[name] is None else str(row[name]) for name in columns) for row in rows]
        click.echo(render_table(shown, columns))
