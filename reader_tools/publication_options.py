"""Options that say how status lists are published; shared by the command that does it by hand and by the worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from eid.services.card.status_lists import PublicationTerms, StatusPublisher, StatusSigner
from eid.services.pki.authority import IssuingAuthority
from reader_tools.values import DIRECTORY


def publication_options(prefix: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options; what they say goes to `open_publisher` as it is. prefix: before each option's name."""
    options = (
        click.option(
            f"--{prefix}out",
            "out",
            type=DIRECTORY,
            help="Write the newest status lists to this directory, for a web server.",
        ),
        click.option(
            f"--{prefix}ttl",
            "ttl",
            type=click.IntRange(10, 86_400),
            default=900,
            show_default=True,
            help="How long a copy of a status list is kept, seconds: so late may a relying party learn of a loss.",
        ),
        click.option(
            f"--{prefix}valid",
            "valid",
            type=click.IntRange(1, 8784),
            default=24,
            show_default=True,
            help="Hours after which a status list must not be relied upon.",
        ),
        click.option(
            f"--{prefix}aggregation", "aggregation", help="URI where all status lists are named, to stand in each."
        ),
    )

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def open_publisher(
    engine: Any,
    authority: IssuingAuthority,
    *,
    out: Path | None,
    ttl: int,
    valid: int,
    aggregation: str | None,
    rest: timedelta = timedelta(0),
) -> StatusPublisher:
    """Who publishes the lists of a register with an authority's signer of status lists.

    Args:
        rest: how soon after a publication a change makes the next one due.
    """
    if valid * 3600 <= ttl:
        raise click.UsageError("a status list must be valid for longer than its copies are kept")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)

    def signer(now: datetime) -> StatusSigner:
        return StatusSigner(*authority.status_signer(now))

    terms = PublicationTerms(timedelta(seconds=ttl), timedelta(hours=valid), rest=rest)
    return StatusPublisher(engine, signer, terms, out, aggregation)
