"""`eid status`: status lists, published by the authority, fetched and asked by relying parties."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from eid.errors import DecodeError, LifecycleError
from eid.pki.status_list import StatusType
from eid.pki.status_token import MAX_TOKEN, StatusToken, decode_status_token
from eid.rendering.terminal import make_printable, render_table
from eid.services.card.status_lists import Published
from eid.services.database import ready_database
from eid.services.input_file import read_input
from eid.services.pki.authority import open_authority
from eid.services.settings import load_settings
from eid.services.trust.files import load_trust_store
from eid.services.verifying.status_shelf import (
    CONTRADICTION,
    fetch_status_lists,
    find_files,
    keep_list,
    load_status_lists,
    shelf_of,
)
from eid.verification.status_lists import KnownList
from reader_tools import exit_codes
from reader_tools.authority_options import key_options, open_keys, operator_option
from reader_tools.command_group import CommandGroup
from reader_tools.publication_options import open_publisher, publication_options
from reader_tools.values import DIRECTORY, FILE

NAMES: Final = {item.value: item.name for item in StatusType}
TRUST: Final = click.option("--trust", type=DIRECTORY, help="Trust store; default: EID_HOME/trust.")
EXAMPLES = """\b
Examples:
  eid status publish --dir var/pki --out /srv/status
  eid status publish --dir var/pki --out /srv/status --every 60
  eid status fetch https://status.example.org/1
  eid status check https://status.example.org/1 4711
"""


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@click.group(name="status", cls=CommandGroup, epilog=EXAMPLES)
def command() -> None:
    """Status lists (IETF Token Status List): which cards are revoked or suspended.

    The authority publishes them, relying parties fetch them; a verification only reads what is at hand.
    """


@command.command(name="publish")
@click.option(
    "--dir", "directory", default="var/pki", show_default=True, type=DIRECTORY, help="Directory of the authority."
)
@click.option("--due", is_flag=True, help="Only lists in which a card has changed, or whose copies are soon too old.")
@click.option(
    "--every", type=click.IntRange(1, 3600), help="Go on until Ctrl-C: publish what is due so often, seconds."
)
@publication_options()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each list.")
@operator_option
@key_options
def publish_lists(
    directory: Path,
    out: Path | None,
    due: bool,
    every: int | None,
    ttl: int,
    valid: int,
    aggregation: str | None,
    as_json: bool,
    operator: str,
    **keys: Any,
) -> None:
    """Sign and publish the status of every card in the register (EID_DATABASE).

    The signer of status lists is made when it is needed.  A worker does the same by itself: eid worker run --authority.
    """
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    with ready_database(load_settings(os.environ)) as engine:
        terms = {"out": out, "ttl": ttl, "valid": valid, "aggregation": aggregation}
        publisher = open_publisher(engine, authority, **terms)  # type: ignore[arg-type]  # as the options give them
        while True:
            _tell(publisher.publish(_now(), due_only=due or every is not None), as_json, every is None)
            if every is None:
                return
            time.sleep(every)


def _tell(done: tuple[Published, ...], as_json: bool, when_nothing: bool) -> None:
    if as_json:
        for item in done:
            told = {
                "format": "eid-status-publication",
                "version": 1,
                "uri": item.uri,
                "size": item.size,
                "invalid": item.invalid,
                "suspended": item.suspended,
                "issued_at": item.issued_at.isoformat(),
                "octets": dict(item.octets),
            }
            click.echo(json.dumps(told))
        return
    rows = [
        (
            item.uri,
            f"{item.size:,}",
            f"{item.invalid:,}",
            f"{item.suspended:,}",
            *map("{:,}".format, item.octets.values()),
        )
        for item in done
    ]
    if rows:
        header = ("list", "places", "invalid", "suspended", "JWT octets", "CWT octets")
        click.echo(render_table(rows, header, (1, 2, 3, 4, 5)))
    elif when_nothing:
        click.echo("no list is due, or none was begun: the first is begun with the first card")


@command.command(name="show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("file", type=FILE)
def show(file: Path, as_json: bool) -> None:
    """Show what a status list in FILE says of itself; its signature is not verified."""
    token = decode_status_token(read_input(file, MAX_TOKEN, "status list"))
    told = _describe(token)
    if as_json:
        click.echo(json.dumps({"format": "eid-status-list", "version": 1, **told}, indent=2))
    else:
        click.echo(render_table([(name, str(value)) for name, value in told.items()], ("what", "value")))


def _describe(token: StatusToken) -> dict[str, Any]:
    claims = token.claims
    counts = _count(claims.statuses.octets, claims.statuses.bits)
    return {
        "form": token.form.name,
        "uri": claims.uri,
        "issued_at": claims.issued_at.isoformat(),
        "expires_at": None if claims.expires_at is None else claims.expires_at.isoformat(),
        "ttl": claims.ttl,
        "bits": claims.statuses.bits,
        "places": claims.statuses.size,
        **{NAMES.get(status, f"STATUS_{status}").lower(): counts[status] for status in sorted(counts) if status},
    }


def _count(octets: bytes, bits: int) -> dict[int, int]:
    """How often each status stands in a list: by octet first, of which there are 256 kinds."""
    counts: dict[int, int] = {1: 0, 2: 0} if bits > 1 else {1: 0}
    for octet in range(1, 256):
        times = octets.count(octet)
        for place in range(0, 8, bits) if times else ():
            status = octet >> place & (1 << bits) - 1
            counts[status] = counts.get(status, 0) + times
    return counts


@command.command(name="fetch")
@TRUST
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("uris", nargs=-1)
def fetch_lists(trust: Path | None, as_json: bool, uris: tuple[str, ...]) -> int:
    """Fetch the status lists at URIS, or those at hand anew; verify them, and keep them in the trust store.

    Their hosts must be named in trust.toml (fetch.hosts). No redirect is followed, no private address asked.
    """
    directory = _trust_directory(trust)
    try:
        fetched = fetch_status_lists(directory, uris, load_trust_store(directory), _now())
    except LifecycleError as refusal:
        raise click.UsageError(str(refusal)) from refusal
    if as_json:
        lists = [{"uri": item.uri, "octets": item.octets, "failure": item.failure} for item in fetched]
        click.echo(json.dumps({"format": "eid-status-fetch", "version": 1, "lists": lists}, indent=2))
    else:
        rows = [(item.uri, f"{item.octets:,}", make_printable(item.failure) or "kept") for item in fetched]
        click.echo(render_table(rows, ("list", "octets", "outcome"), (1,)))
    return exit_codes.UNAVAILABLE if any(item.failure for item in fetched) else exit_codes.PASSED


@command.command(name="import")
@TRUST
@click.argument("files", nargs=-1, required=True, type=FILE)
def import_lists(trust: Path | None, files: tuple[Path, ...]) -> None:
    """Verify status lists in FILES, and keep them in the trust store; for machines without a network.

    A list that is older than the one at hand is refused.
    """
    directory = _trust_directory(trust)
    store, now = load_trust_store(directory), _now()
    for path in files:
        raw = read_input(path, MAX_TOKEN, "status list")
        kept = keep_list(shelf_of(directory), raw, store, now)
        claims = kept.found.claims
        click.echo(f"{path}: {make_printable(claims.uri)}, of {claims.issued_at:%Y-%m-%d %H:%M} UTC")
        if kept.contradicts:
            click.echo(f"{path}: {CONTRADICTION}", err=True)


@command.command(name="check")
@TRUST
@click.option("--file", "files", multiple=True, type=FILE, help="A status list; default: those at hand.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("uri")
@click.argument("index", type=click.IntRange(0))
def check(trust: Path | None, files: tuple[Path, ...], as_json: bool, uri: str, index: int) -> int:
    """Ask for the status at INDEX of the list URI, as a card's DG13 names them.

    Exit codes: 0 valid, 1 invalid or suspended, 2 nothing can be said.
    """
    directory, now = _trust_directory(trust), _now()
    lists, refused = load_status_lists(files or find_files(shelf_of(directory)), load_trust_store(directory), now)
    for item in refused:
        click.echo(f"{item.path}: {make_printable(item.why)}", err=True)
    status, why = _ask(lists.claimants(uri), index, now)
    name = "UNKNOWN" if status is None else NAMES.get(status, f"STATUS_{status}")
    if as_json:
        told = {"format": "eid-status-check", "version": 1, "uri": uri, "index": index, "status": name, "detail": why}
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(f"{name}: {why}")
    return exit_codes.INDETERMINATE if status is None else exit_codes.FAILED if status else exit_codes.PASSED


def _ask(claimants: tuple[KnownList, ...], index: int, now: datetime) -> tuple[int | None, str]:
    """The status at an index of a list, None where nothing can be said of it; and by what."""
    if len(claimants) != 1:
        return None, "signers of several states claim the list" if claimants else "the list is not at hand"
    found = claimants[0]
    told = f"list of {found.issued_at:%Y-%m-%d %H:%M} UTC"
    try:
        status = found.status(index)
    except DecodeError as failure:
        return None, failure.what
    if status is None:
        return None, f"the {told} contradicts another one of the same time"
    if status == StatusType.VALID and found.is_stale(now):
        return None, f"the {told} is stale"
    return status, told


def _trust_directory(trust: Path | None) -> Path:
    return load_settings(os.environ, trust=None if trust is None else str(trust)).trust_directory
