"""`eid pki`: the issuing authority: make it, roll to the next document signer, issue CRLs, show what there is."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from eid.codec.crl import decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.pki.crl import RevocationReason
from eid.rendering.terminal import render_table
from eid.services.authority import IssuingAuthority, open_authority
from eid.services.authority_creation import create_authority
from reader_tools.authority_options import key_options, open_keys
from reader_tools.values import DIRECTORY

AUTHORITY: Final = click.option(
    "--dir", "directory", default="var/pki", show_default=True, type=DIRECTORY, help="Directory of the authority."
)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@click.group(name="pki")
def command() -> None:
    """The issuing authority: CSCA, document signers, CRLs."""


@command.command(name="init")
@click.option("--profile", default="ma-cnie", show_default=True, help="Card profile that says names, curves and days.")
@AUTHORITY
@key_options
def init(profile: str, directory: Path, **keys: Any) -> None:
    """Make a CSCA, its first document signer, a CRL and the card master key."""
    authority = create_authority(directory, profile, open_keys(directory, **keys, new=True), _now())
    _print(authority)


@command.command(name="ds")
@AUTHORITY
@key_options
def next_signer(directory: Path, **keys: Any) -> None:
    """Make the next document signer, which signs from now on."""
    authority = open_authority(directory, open_keys(directory, **keys))
    authority.add_signer(_now())
    _print(authority)


@command.command(name="crl")
@click.option("--revoke", metavar="SERIAL", help="Revoke the document signer with this serial number (hexadecimal).")
@click.option("--reason", type=click.Choice([item.name.lower() for item in RevocationReason]), help="Why.")
@AUTHORITY
@key_options
def issue_crl(revoke: str | None, reason: str | None, directory: Path, **keys: Any) -> None:
    """Issue the next CRL; with --revoke, after revoking a document signer."""
    authority = open_authority(directory, open_keys(directory, **keys))
    if revoke is None:
        authority.issue_crl(_now())
    else:
        authority.revoke(_serial(revoke), None if reason is None else RevocationReason[reason.upper()], _now())
    _print(authority)


@command.command(name="show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@AUTHORITY
def show(directory: Path, as_json: bool) -> None:
    """Show the authority's certificates and CRL; needs no key."""
    authority = open_authority(directory)
    if as_json:
        click.echo(json.dumps(_describe(authority), indent=2))
    else:
        _print(authority)


def _serial(text: str) -> int:
    if not re.fullmatch(r"[0-9A-Fa-f]{1,40}", text):
        raise click.UsageError("SERIAL is a hexadecimal number of up to 40 digits, as `eid pki show` prints it")
    return int(text, 16)


def _describe(authority: IssuingAuthority) -> dict[str, Any]:
    crl = decode_crl(authority.crl)
    revoked = {serial for serial, _, _ in authority.register.revocations}
    certificates = (("csca-001", decode_certificate(authority.csca_certificate)), *authority.signers())
    return {
        "format": "eid-authority-description",
        "version": 1,
        "profile": authority.register.profile,
        "certificates": [_certificate(label, item, item.serial in revoked) for label, item in certificates],
        "crl": {
            "number": crl.extensions.crl_number(),
            "this_update": crl.this_update.isoformat(),
            "next_update": None if crl.next_update is None else crl.next_update.isoformat(),
            "revoked": len(crl.revoked),
        },
    }


def _certificate(label: str, item: Certificate, revoked: bool) -> dict[str, Any]:
    return {
        "label": label,
        "subject": str(item.subject()),
        "serial": f"{item.serial:x}",
        "not_before": item.not_before.isoformat(),
        "not_after": item.not_after.isoformat(),
        "revoked": revoked,
    }


def _print(authority: IssuingAuthority) -> None:
    told = _describe(authority)
    rows = [
        (
            item["label"],
            item["subject"],
            item["serial"],
            item["not_before"][:10],
            item["not_after"][:10],
            "revoked" if item["revoked"] else "",
        )
        for item in told["certificates"]
    ]
    click.echo(render_table(rows, ("key", "subject", "serial", "from", "to", "")))
    crl = told["crl"]
    click.echo(
        f"CRL {crl['number']} of {crl['this_update'][:10]}, next by {crl['next_update'][:10]}, {crl['revoked']} revoked"
    )
