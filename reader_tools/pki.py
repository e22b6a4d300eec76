"""`eid pki`: the issuing authority: make it, roll to the next document signer, issue CRLs, show what there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eid.codec.crl import decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.pki.crl import RevocationReason
from eid.rendering.terminal import render_table
from eid.services.authority import IssuingAuthority, KeyStore, create_authority, open_authority, open_software_keys
from reader_tools.passphrase import passphrase_source

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DIRECTORY = click.option(
    "--dir",
    "directory",
    default="var/pki",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the authority.",
)
OPTIONS = (
    DIRECTORY,
    click.option(
        "--passphrase-file",
        type=FILE,
        help="File whose first line opens the software keys; else EID_PASSPHRASE_FILE, else a prompt.",
    ),
    click.option("--pkcs11", "module", help="PKCS#11 module, for keys in a token."),
    click.option("--token", help="Label of the token."),
    click.option("--pin-file", type=FILE, help="File whose first line is the token's PIN; else a prompt."),
)


def _authority_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where the authority is and how its keys are reached."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def _keys(
    directory: Path,
    passphrase_file: Path | None,
    module: str | None,
    token: str | None,
    pin_file: Path | None,
    *,
    new: bool = False,
) -> KeyStore:
    if module is None:
        return open_software_keys(directory, passphrase_source(passphrase_file, confirm=new))
    if token is None:
        raise click.UsageError("--pkcs11 needs --token")
    from eid.keystore.pkcs11 import Pkcs11KeyStore

    pin = pin_file.read_text().splitlines()[0] if pin_file else click.prompt("Token PIN", hide_input=True, err=True)
    return Pkcs11KeyStore(module, token, pin)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@click.group(name="pki")
def command() -> None:
    """The issuing authority: CSCA, document signers, CRLs."""


@command.command(name="init")
@click.option("--profile", default="ma-cnie", show_default=True, help="Card profile that says names, curves and days.")
@_authority_options
def init(profile: str, directory: Path, **keys: Any) -> None:
    """Make a CSCA, its first document signer, a CRL and the card master key."""
    authority = create_authority(directory, profile, _keys(directory, **keys, new=True), _now())
    _print(authority)


@command.command(name="ds")
@_authority_options
def next_signer(directory: Path, **keys: Any) -> None:
    """Make the next document signer, which signs from now on."""
    authority = open_authority(directory, _keys(directory, **keys))
    authority.add_signer(_now())
    _print(authority)


@command.command(name="crl")
@click.option("--revoke", metavar="SERIAL", help="Revoke the document signer with this serial number (hexadecimal).")
@click.option("--reason", type=click.Choice([item.name.lower() for item in RevocationReason]), help="Why.")
@_authority_options
def issue_crl(revoke: str | None, reason: str | None, directory: Path, **keys: Any) -> None:
    """Issue the next CRL; with --revoke, after revoking a document signer."""
    authority = open_authority(directory, _keys(directory, **keys))
    if revoke is None:
        authority.issue_crl(_now())
    else:
        try:
            serial = int(revoke, 16)
        except ValueError:
            raise click.UsageError("SERIAL is a hexadecimal number") from None
        authority.revoke(serial, None if reason is None else RevocationReason[reason.upper()], _now())
    _print(authority)


@command.command(name="show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@DIRECTORY
def show(directory: Path, as_json: bool) -> None:
    """Show the authority's certificates and CRL; needs no key."""
    authority = open_authority(directory, open_software_keys(directory, b""))
    if as_json:
        click.echo(json.dumps(_describe(authority), indent=2))
    else:
        _print(authority)


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
