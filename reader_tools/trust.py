"""`eid trust`: import certificates and CRLs into a trust store, list what is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from eid.errors import LifecycleError
from eid.rendering.terminal import render_table
from eid.services.trust import Imported, import_trust, list_trust
from reader_tools.values import DIRECTORY, FILE

STORE = click.option(
    "--store",
    required=True,
    type=DIRECTORY,
    help="Directory of the trust store; made where it is missing.",
)


@click.group(name="trust")
def command() -> None:
    """The CSCA certificates and CRLs that verification trusts."""


@command.command(name="import")
@STORE
@click.option("--unsigned", is_flag=True, help="You vouch for lists of certificates that nobody signed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("files", nargs=-1, required=True, type=FILE)
def import_files(store: Path, unsigned: bool, as_json: bool, files: tuple[Path, ...]) -> None:
    """Import certificates and CRLs, DER or PEM, single or bundled; all FILES or none."""
    try:
        imported = import_trust(store, files, unsigned=unsigned, now=datetime.now(UTC).replace(microsecond=0))
    except LifecycleError as refusal:
        raise click.UsageError(str(refusal)) from refusal
    usable = sum(item.usable for item in imported)
    defects = [_defect(item, code, what) for item in imported for code, what in item.defects]
    if as_json:
        told = {"format": "eid-trust-import", "version": 1, "imported": len(imported), "usable": usable}
        click.echo(json.dumps({**told, "defects": defects}, indent=2, ensure_ascii=False))
        return
    for item in imported:
        click.echo(f"{item.kind:5} {'new  ' if item.is_new else 'known'} {item.fingerprint[:16]} {item.subject}")
        for code, what in item.defects:
            click.echo(f"      {code}: {what}")
    click.echo(f"{len(imported)} imported, {usable} usable, {len(defects)} defects")


def _defect(item: Imported, code: str, what: str) -> dict[str, str]:
    return {"fingerprint": item.fingerprint, "subject": item.subject, "file": item.source, "code": code, "detail": what}


@command.command(name="list")
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_store(store: Path, as_json: bool) -> None:
    """List the certificates and CRLs of a trust store."""
    certificates, crls = list_trust(store)
    if as_json:
        told = {
            "format": "eid-trust-list",
            "version": 1,
            "certificates": [
                {
                    "fingerprint": item.fingerprint.hex(),
                    "kind": item.kind,
                    "country": item.country,
                    "subject": item.subject,
                    "sources": list(item.sources),
                    "first_seen": item.first_seen.isoformat(),
                    "last_seen": item.last_seen.isoformat(),
                    "usable": item.usable,
                    "defects": list(item.defects),
                }
                for item in certificates
            ],
            "crls": [
                {
                    "fingerprint": item.fingerprint.hex(),
                    "country": item.country,
                    "issuer": item.issuer,
                    "this_update": item.this_update.isoformat(),
                    "next_update": None if item.next_update is None else item.next_update.isoformat(),
                    "usable": item.usable,
                    "defects": list(item.defects),
                }
                for item in crls
            ],
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    rows = [
        (item.kind, item.country, item.fingerprint.hex()[:16], "yes" if item.usable else "no", item.subject)
        for item in certificates
    ] + [
        (
            "CRL",
            item.country,
            item.fingerprint.hex()[:16],
            "yes" if item.usable else "no",
            _crl_line(item.issuer, item.this_update),
        )
        for item in crls
    ]
    click.echo(render_table(rows, ("kind", "state", "sha256", "usable", "subject")))


def _crl_line(issuer: str, this_update: datetime) -> str:
    return f"{issuer} ({this_update:%Y-%m-%d})"
