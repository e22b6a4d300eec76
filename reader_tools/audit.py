"""`eid audit`: the audit log's key, its signed heads, whether anybody has changed it, and its rows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eid.services.audit.export import encode_csv, encode_lines, search_log
from eid.services.audit.log import export_heads, load_sealer, make_audit_key, open_audit_keys, read_public_key
from eid.services.audit.verification import AuditReport, verify_audit_log
from eid.services.database import existing_database, ready_database
from eid.services.settings import load_settings
from eid.store.applications import identifier_ending
from eid.store.audit import AuditQuery
from reader_tools import exit_codes
from reader_tools.command_group import CommandGroup
from reader_tools.output_file import private_file
from reader_tools.passphrase import passphrase_source
from reader_tools.values import DIRECTORY, FILE, UtcTime

PASSPHRASE = click.option(
    "--passphrase-file",
    "passphrase",
    type=FILE,
    help="File whose only line opens the audit log's key.  [default: EID_PASSPHRASE_FILE, else a prompt]",
)


@click.group(name="audit", cls=CommandGroup)
def command() -> None:
    """The audit log: who did what, in rows that are chained, under heads that are signed."""


@command.command(name="init")
@PASSPHRASE
def init(passphrase: Path | None) -> None:
    """Make the key that signs heads of the audit log.

    Its public half is written to EID_HOME/audit.pem: give it to whoever is to verify the log, and keep a copy where no
    administrator of the database can write.
    """
    settings = load_settings(os.environ)
    keys = open_audit_keys(settings, passphrase_source(passphrase, confirm=True))
    click.echo(f"public key: {make_audit_key(settings, keys)}")


@command.command(name="seal")
@PASSPHRASE
def seal(passphrase: Path | None) -> None:
    """Put every row under a signed head now, and write the heads to EID_HEADS.  Workers do so every ten seconds."""
    settings = load_settings(os.environ)
    with ready_database(settings) as engine:
        sealer = load_sealer(engine, settings, open_audit_keys(settings, passphrase_source(passphrase)))
        rows = sealer.seal(datetime.now(UTC))
        heads = export_heads(engine, settings.heads_directory)
    click.echo(f"{rows} rows sealed, {heads} heads written to {settings.heads_directory}")


@command.command(name="verify")
@click.option("--heads", type=DIRECTORY, help="Directory of heads kept outside the database.  [default: none]")
@click.option("--key", type=FILE, help="Public key (PEM) of the audit log.  [default: EID_HOME/audit.pem]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(heads: Path | None, key: Path | None, as_json: bool) -> int:
    """Look at every row of the audit log, and name the first one that was altered, dropped, moved or added.

    Without --heads it is shown that the log agrees with itself and with heads that the database holds; only heads kept
    elsewhere show a change by somebody who may rewrite the whole database.

    Exit codes: 0 nothing is wrong, 1 something is.
    """
    settings = load_settings(os.environ)
    public_key = read_public_key(key or settings.home / "audit.pem")
    with existing_database(settings) as engine:
        report = verify_audit_log(engine, settings.audit_origin, public_key, heads)
    click.echo(json.dumps(_values(report), indent=2) if as_json else _lines(report, heads))
    return exit_codes.FAILED if report.findings else exit_codes.PASSED


@command.command(name="export")
@click.option("--since", type=UtcTime(), help="From this time on, ISO 8601, UTC if it names no zone.")
@click.option("--until", type=UtcTime(), help="Before this time.")
@click.option("--actor", metavar="WHO", help="Role and identifier, or the identifier: that of a token is its `sub`.")
@click.option("--action", metavar="NAME", help="Such as application.approve, or application for all that begin so.")
@click.option("--subject", metavar="WHAT", help="Kind and identifier, such as card:01a2..., or the identifier.")
@click.option("--application", metavar="NUMBER", help="Of this application: the number on its receipt.")
@click.option(
    "--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True, help="Of rows."
)
@click.option("--out", type=FILE, help="Write there; only you can read it.  [default: print]")
def export(
    since: datetime | None,
    until: datetime | None,
    actor: str | None,
    action: str | None,
    subject: str | None,
    application: str | None,
    form: str,
    out: Path | None,
) -> None:
    """Write rows of the audit log, in the order of time: JSON, a line for each, or CSV.

    Nothing is verified: eid audit verify does that. With previous and hash of each row an auditor can do it himself.
    """
    ending = "" if application is None else identifier_ending(application)
    query = AuditQuery(since, until, actor, action, subject, ending)
    with existing_database(load_settings(os.environ)) as engine:
        rows = search_log(engine, query)
        lines = encode_csv(rows) if form == "csv" else encode_lines(rows)
        if out is None:
            for line in lines:
                click.echo(line, nl=False)
            return
        with private_file(out) as file:
            file.writelines(line.encode() for line in lines)


def _lines(report: AuditReport, heads: Path | None) -> str:
    lines = [f"rows that are right: {report.rows}, {report.sealed} of them under a signed head"]
    lines += [f"heads that are right: {report.heads}, {report.exported} of them read from {heads or 'no directory'}"]
    first = report.first_row
    if first is not None:
        lines += [f"FIRST BAD ROW: row {first.seq} of chain {first.bucket}"]
    lines += [f"- {item.what}" for item in report.findings]
    lines += ["nothing is wrong" if not report.findings else f"wrong: {len(report.findings)}"]
    if heads is None:
        lines += ["heads kept elsewhere were not looked at (--heads)"]
    return "\n".join(lines)


def _values(report: AuditReport) -> dict[str, Any]:
    first = report.first_row
    return {
        "format": "eid-audit-report",
        "version": 1,
        "rows": report.rows,
        "sealed": report.sealed,
        "heads": report.heads,
        "exported": report.exported,
        "first_bad_row": None if first is None else {"chain": first.bucket, "row": first.seq},
        "findings": [{"what": item.what, "chain": item.bucket, "row": item.seq} for item in report.findings],
    }
