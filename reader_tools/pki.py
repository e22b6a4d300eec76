"""`eid pki`: the issuing authority: made, rolled over, its CRLs and lists, what it must do next, backup and audit."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from eid.codec.crl import decode_crl
from eid.codec.pkcs10 import MAX_REQUEST, wrap_request
from eid.codec.x509 import Certificate, decode_certificate, format_serial
from eid.keystore.ports import KeyStore, Signer
from eid.pki.certification_request import build_certification_request
from eid.pki.crl import RevocationReason
from eid.pki.list_signer import ListKind
from eid.pki.master_list import encode_master_list
from eid.rendering.terminal import render_table
from eid.services.input_file import read_input
from eid.services.pki.authority import IssuingAuthority, open_authority, require_common_name
from eid.services.pki.authority_audit import audit_authority
from eid.services.pki.authority_backup import restore_backup, write_backup
from eid.services.pki.authority_creation import create_authority
from eid.services.pki.authority_register import CSCA_NAME
from eid.services.pki.authority_status import Duty, DutyState, list_duties
from reader_tools import exit_codes, pki_cv
from reader_tools.authority_options import key_options, open_keys, operator_option
from reader_tools.command_group import CommandGroup
from reader_tools.values import DIRECTORY, FILE

AUTHORITY: Final = click.option(
    "--dir", "directory", default="var/pki", show_default=True, type=DIRECTORY, help="Directory of the authority."
)
MAX_CERTIFICATE: Final = 1 << 16
MAX_LIST: Final = 1 << 24
STATE_CODES: Final = {
    DutyState.OK: exit_codes.PASSED,
    DutyState.DUE: exit_codes.INDETERMINATE,
    DutyState.OVERDUE: exit_codes.FAILED,
}


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@click.group(name="pki", cls=CommandGroup)
def command() -> None:
    """The issuing authority: CSCA, document signers, CRLs, lists; and card-verifiable certificates.

    `eid pki status` says what must be done next. The handbook is docs/pki.md, the ceremonies are docs/ceremony.md.
    """


command.add_command(pki_cv.command)


@command.command(name="init")
@click.option("--profile", default="ma-cnie", show_default=True, help="Card profile that says names, curves and days.")
@click.option("--name", default=CSCA_NAME, show_default=True, help="Common name of the CSCA.")
@AUTHORITY
@operator_option
@key_options
def init(profile: str, name: str, directory: Path, operator: str, **keys: Any) -> None:
    """Make a CSCA, its first document signer, a CRL and the card master key."""
    store = open_keys(directory, **keys, new=True)
    _print(create_authority(directory, profile, store, _now(), operator=operator, name=name))


@command.command(name="csca")
@click.option("--name", help="New common name of the CSCA; without it the name stays and the key changes alone.")
@click.option("--without-link", is_flag=True, help="No link certificate, where the old key must not sign any more.")
@AUTHORITY
@operator_option
@key_options
def next_csca(name: str | None, without_link: bool, directory: Path, operator: str, **keys: Any) -> None:
    """Make the next CSCA key, a link certificate by the key before it, and CRLs by both."""
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    authority.add_csca(_now(), name=name, with_link=not without_link)
    _print(authority)


@command.command(name="ds")
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Document type as the MRZ writes it, e.g. ID or P."
)
@click.option("--request", type=FILE, help="PKCS#10 of a signer whose key lives elsewhere: issue its certificate.")
@click.option("--out", type=FILE, help="With --request: write the certificate to this file, too.")
@AUTHORITY
@operator_option
@key_options
def next_signer(
    types: tuple[str, ...], request: Path | None, out: Path | None, directory: Path, operator: str, **keys: Any
) -> None:
    """Make the next document signer, which signs from now on.

    Without this command it is made when it is needed: when the key's time or its number of signatures is over.

    With --request the key is not made here: the request proves that its sender has it (eid pki request), and the
    certificate is for the sender to use. What it is for and how long is this authority's decision.
    """
    if out is not None and request is None:
        raise click.UsageError("--out goes with --request")
    raw = None if request is None else read_input(request, MAX_REQUEST, "request")
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    if raw is None:
        authority.add_signer(_now(), types or None)
        _print(authority)
        return
    path, certificate = authority.certify_request(raw, _now(), types or None)
    if out is not None:
        out.write_bytes(certificate)
    click.echo(out or path)


@command.command(name="request")
@click.option("--keys", "directory", required=True, type=DIRECTORY, help="Directory whose keys/ is to hold the key.")
@click.option("--label", default="ds", show_default=True, help="Name of the key; one that is there is used again.")
@click.option("--key", "kind", default="P-256", show_default=True, help="A curve, or RSA- and a number of bits.")
@click.option("--country", required=True, metavar="XX", help="Two letters, those of the CSCA.")
@click.option("--organization", default="SPECIMEN", show_default=True, help="Who asks.")
@click.option("--name", required=True, help="Common name of the document signer.")
@click.option("--out", required=True, type=FILE, help="Where the request goes, PEM.")
@key_options
def request_certificate(
    directory: Path, label: str, kind: str, country: str, organization: str, name: str, out: Path, **keys: Any
) -> None:
    """Make a document signer's key and a request (PKCS#10) for its certificate: eid pki ds --request.

    The key stays where it is made, in a file under a passphrase or in a token; the authority sees its public half.
    """
    if not re.fullmatch("[A-Za-z]{2}", country):
        raise click.UsageError("--country is two letters")
    require_common_name(name)
    is_new = not (directory / "keys").is_dir()
    store = open_keys(directory, **keys, new=is_new, require=lambda _: None)
    signer = _load_or_make(store, label, kind)
    try:
        request = build_certification_request(signer, country, organization, name)
    except ValueError as failure:
        raise click.UsageError(f"a name that no certificate can carry: {failure}") from failure
    out.write_bytes(wrap_request(request))
    click.echo(out)


def _load_or_make(store: KeyStore, label: str, kind: str) -> Signer:
    if label in store.labels():
        return store.load(label)
    if not kind.startswith("RSA-"):
        return store.generate_ec(label, kind)
    if not kind[4:].isdecimal():
        raise click.UsageError("--key is a curve, or RSA- and a number of bits")
    return store.generate_rsa(label, int(kind[4:]))


@command.command(name="list-signer")
@AUTHORITY
@operator_option
@key_options
@click.argument("kind", type=click.Choice([item.name.lower() for item in ListKind]))
def next_list_signer(kind: str, directory: Path, operator: str, **keys: Any) -> None:
    """Make the next signer of lists of this KIND, which signs from now on.

    Without this command it is made when it is needed, but where the one before it was revoked.
    """
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    authority.add_list_signer(ListKind[kind.upper()], _now())
    _print(authority)


@command.command(name="crl")
@click.option("--revoke", metavar="SERIAL", help="Revoke the certificate with this serial number (hexadecimal).")
@click.option("--release", metavar="SERIAL", help="Take a certificate that was on hold off the CRL.")
@click.option("--reason", type=click.Choice([item.name.lower() for item in RevocationReason]), help="Why.")
@click.option("--due", is_flag=True, help="Only if two thirds of the newest CRL's time are over; for a daily job.")
@AUTHORITY
@operator_option
@key_options
def issue_crl(
    revoke: str | None,
    release: str | None,
    reason: str | None,
    due: bool,
    directory: Path,
    operator: str,
    **keys: Any,
) -> None:
    """Issue the next CRLs; with --revoke, after revoking a certificate."""
    if sum((revoke is not None, release is not None, due)) > 1:
        raise click.UsageError("--revoke, --release and --due are for one at a time")
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    if due and authority.crl_due(_now()) is None:
        click.echo("no CRL is due")
        return
    if revoke is not None:
        authority.revoke(_serial(revoke), None if reason is None else RevocationReason[reason.upper()], _now())
    elif release is not None:
        authority.release(_serial(release), _now())
    else:
        authority.issue_crl(_now())
    _print(authority)


@command.command(name="master-list")
@click.option("--own/--no-own", default=True, show_default=True, help="Put the authority's own CSCAs and links in.")
@click.option("--out", type=FILE, help="Write it to this file, too.")
@AUTHORITY
@operator_option
@key_options
@click.argument("files", nargs=-1, type=FILE)
def master_list(
    own: bool, out: Path | None, directory: Path, operator: str, files: tuple[Path, ...], **keys: Any
) -> None:
    """Sign a master list of the CSCA and link certificates in FILES (DER); its signer is made when it is needed."""
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    found = [read_input(path, MAX_CERTIFICATE, "certificate") for path in files]
    for raw in found:
        decode_certificate(raw, [])
    if own:
        found += [*authority.csca_certificates, *(item.raw for _, item in authority.links)]
    if not found:
        raise click.UsageError("a master list holds a certificate at least")
    _sign_list(authority, ListKind.MASTER, encode_master_list(found), out)


@command.command(name="deviation-list")
@click.option("--out", type=FILE, help="Write it to this file, too.")
@AUTHORITY
@operator_option
@key_options
@click.argument("file", type=FILE)
def deviation_list(out: Path | None, directory: Path, operator: str, file: Path, **keys: Any) -> None:
    """Sign a deviation list (Doc 9303-3, DER); its signer is made when it is needed."""
    from eid.pki.deviation_list import decode_deviation_list

    authority = open_authority(directory, open_keys(directory, **keys), operator)
    content = read_input(file, MAX_LIST, "deviation list")
    decode_deviation_list(content)
    _sign_list(authority, ListKind.DEVIATION, content, out)


def _sign_list(authority: IssuingAuthority, kind: ListKind, content: bytes, out: Path | None) -> None:
    path, raw = authority.sign_list(kind, content, _now())
    if out is not None:
        out.write_bytes(raw)
    click.echo(out or path)


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


@command.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@AUTHORITY
def status(directory: Path, as_json: bool) -> int:
    """What must be done next, and by when; needs no key.

    Exit codes: 0 nothing, 2 something is due, 1 something is overdue.
    """
    duties = list_duties(open_authority(directory), _now())
    if as_json:
        told = {"format": "eid-authority-status", "version": 1, "duties": [_duty(item) for item in duties]}
        click.echo(json.dumps(told, indent=2))
    else:
        rows = [(item.subject, item.state.name.lower(), item.detail, item.action) for item in duties]
        click.echo(render_table(rows, ("", "state", "", "do")))
    return STATE_CODES[max(item.state for item in duties)]


def _duty(item: Duty) -> dict[str, Any]:
    return {
        "subject": item.subject,
        "state": item.state.name.lower(),
        "detail": item.detail,
        "by": None if item.by is None else item.by.isoformat(),
        "action": item.action,
    }


@command.command(name="signatures")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each signature.")
@AUTHORITY
@click.argument("label")
def signatures(label: str, directory: Path, as_json: bool) -> None:
    """List what the key LABEL has signed, oldest first; needs no key."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", label):
        raise click.UsageError("LABEL is the name of a key, as `eid pki show` prints it")
    entries = open_authority(directory).record.entries(label)
    if as_json:
        for entry in entries:
            click.echo(entry.encode().decode())
        return
    rows = [
        (str(entry.number), f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.purpose, entry.operator, entry.digest[:16])
        for entry in entries
    ]
    click.echo(render_table(rows, ("no.", "at (UTC)", "what", "ordered by", "SHA-256")))


@command.command(name="audit")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@AUTHORITY
def audit(directory: Path, as_json: bool) -> int:
    """Hold the record of signatures against itself and against what is there; needs no key.

    Note the last column: who knows it can tell later that the record was not cut. Exit code 1: there are findings.
    """
    found = audit_authority(open_authority(directory))
    if as_json:
        accounts = [{"key": item.label, "signatures": item.count, "head": item.head} for item in found.accounts]
        told = {"format": "eid-authority-audit", "version": 1, "keys": accounts, "findings": list(found.findings)}
        click.echo(json.dumps(told, indent=2))
    else:
        rows = [(item.label, str(item.count), item.head) for item in found.accounts]
        click.echo(render_table(rows, ("key", "signatures", "SHA-256 of the last line")))
        for finding in found.findings:
            click.echo(f"finding: {finding}")
        click.echo(f"{len(found.findings)} findings")
    return exit_codes.FAILED if found.findings else exit_codes.PASSED


@command.command(name="backup")
@AUTHORITY
@click.argument("archive", type=FILE)
def backup(directory: Path, archive: Path) -> None:
    """Write the authority into the new file ARCHIVE, software keys as they are: under their passphrase."""
    click.echo(f"{write_backup(directory, archive)}  {archive}")


@command.command(name="restore")
@click.option("--published-crl", type=FILE, help="The newest CRL that was published, DER.")
@AUTHORITY
@click.argument("archive", type=FILE)
def restore(directory: Path, archive: Path, published_crl: Path | None) -> None:
    """Bring a backup back into a new directory.

    Signers that the backup knows sign no more, since nobody has counted what they signed after it.
    """
    crl = None if published_crl is None else read_input(published_crl, MAX_LIST, "CRL")
    told = restore_backup(archive, directory, crl)
    click.echo(f"{told.files} files restored to {directory}")
    if told.crl_number is not None:
        click.echo(f"the next CRL has a number above {told.crl_number}; {told.revocations} revocations were taken over")
        click.echo(f"these keys sign no more: {', '.join(told.retired)}")


def _serial(text: str) -> int:
    if not re.fullmatch(r"[0-9A-Fa-f]{1,40}", text):
        raise click.UsageError("SERIAL is a hexadecimal number of up to 40 digits, as `eid pki show` prints it")
    return int(text, 16)


def _describe(authority: IssuingAuthority) -> dict[str, Any]:
    crl = decode_crl(authority.crl)
    cscas = ((label, decode_certificate(authority.load(label))) for label in authority.register.cscas)
    certificates = (*cscas, *authority.issued())
    return {
        "format": "eid-authority-description",
        "version": 1,
        "profile": authority.register.profile,
        "certificates": [_certificate(label, item, authority.is_revoked(item.serial)) for label, item in certificates],
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
        "serial": format_serial(item.serial).lower(),
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
