"""`eid seed`: a made-up country office to try things out with."""

from __future__ import annotations

import json
import os
import sys

import click

from eid.rendering.terminal import render_table
from eid.services.database import ready_database
from eid.services.demonstration.seed import Seeded, seed_office
from eid.services.settings import load_settings
from reader_tools.acting import current_moment


@click.command(name="seed")
@click.option(
    "--applications", "count", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same number makes the same people.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(count: int, seed: int, as_json: bool) -> None:
    """Fill the local database with a made-up office: sites, officers, applications in all states.

    Everything is done by the real services. Every person is invented and marked SPECIMEN. What the acts cause, such as
    messages, waits for `eid worker run`. Not for a database that is used in earnest.
    """
    settings, made, hidden = load_settings(os.environ), Seeded(0, {}), not sys.stderr.isatty()
    with ready_database(settings) as engine:
        ways = seed_office(engine, settings, count, current_moment(), seed)
        with click.progressbar(ways, length=count, label="applications", file=sys.stderr, hidden=hidden) as bar:
            for told in bar:
                made = told
    if as_json:
        document = {"format": "eid-seed", "version": 1, "sites": made.sites, "applications": made.states}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(render_table([(state, str(many)) for state, many in made.states.items()], ("state", "applications")))
