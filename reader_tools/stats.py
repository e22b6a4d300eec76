"""`eid stats`: what was requested, validated, booked and delivered, by post, service and day."""

from __future__ import annotations

import json
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from eid.enrolment.rules import load_rules
from eid.enrolment.statistics import EVENTS
from eid.rendering.chart import render_bars
from eid.rendering.terminal import render_table
from eid.services.database import existing_database
from eid.services.person.statistics import (
    CONFIDENTIAL,
    MonthFigures,
    count_new,
    encode_csv,
    encode_json,
    month_figures,
    parse_month,
    parts_of,
    title_of,
)
from eid.services.settings import load_settings
from reader_tools.acting import current_moment


@click.command(name="stats")
@click.option("--month", help="Such as 2026-11.  [default: the present one]")
@click.option("--post", help="Only this post: its services.")
@click.option("--service", help="Only this service of the post: its days.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "svg"]),
    default="table",
    show_default=True,
    help="json and csv have the whole month; table and svg what --post and --service name.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write there.  [default: print]")
def command(month: str | None, post: str | None, service: str | None, form: str, out: Path | None) -> None:
    """Count what was requested, validated, booked and delivered in a month, by post, service and day.

    Counts below five are suppressed ([c] in tables and CSV, null in JSON, hatched in charts), and with them others that
    would give them away. A month that is not over changes from day to day; publish it when it is.
    """
    settings = load_settings(os.environ)
    zone, now = load_rules(settings.country).rules.time_zone, current_moment()
    wanted = parse_month(month or f"{now.astimezone(ZoneInfo(zone)):%Y-%m}")
    with existing_database(settings) as engine:
        count_new(engine, zone)
        figures = month_figures(engine, wanted, zone, now)
    text = _render(figures, form, post, service)
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        out.write_text(text, encoding="utf-8")


def _render(figures: MonthFigures, form: str, post: str | None, service: str | None) -> str:
    if form == "json":
        return json.dumps(encode_json(figures), indent=2)
    if form == "csv":
        return encode_csv(figures)
    rows = parts_of(figures, post, service)
    title = title_of(figures, post, service)
    if form == "svg":
        return render_bars(title, list(rows), {event: [row.counts[event] for row in rows.values()] for event in EVENTS})
    total = next((row for row in figures.rows if (row.post, row.service, row.day) == (post, service, None)), None)
    shown = [*rows.items(), *([] if total is None else [("all", total)])]
    told = [(label, *(_show(row.counts[event]) for event in EVENTS)) for label, row in shown]
    return f"{title}\n{render_table(told, ('', *EVENTS))}"


def _show(count: int | None) -> str:
    return CONFIDENTIAL if count is None else str(count)
