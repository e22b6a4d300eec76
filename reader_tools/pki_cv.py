"""`eid pki cv`: card-verifiable certificates: CVCA, document verifiers, terminals, requests (TR-03110-3 C)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast, get_args

import click

from eid.codec.cv import (
    MAX_CERTIFICATE,
    Chat,
    CvCertificate,
    CvEcPublicKey,
    CvPublicKey,
    CvRequest,
    Role,
    decode_cv_authenticated_request,
    decode_cv_certificate,
    decode_cv_request,
)
from eid.errors import DecodeError
from eid.pki.cv_chain import SIGNATURE_ALGORITHMS, load_trust_point, verify_cv_chain
from eid.pki.cv_rights import RIGHTS, TERMINAL_TYPES, all_rights, name_rights, rights_of
from eid.rendering.terminal import render_table
from eid.services.input_file import read_input
from eid.services.pki.cv_authority import CvAuthority, create_cv_authority, open_cv_authority, require_cv_authority
from eid.services.pki.cv_register import CvRegister, CvRole
from eid.services.reading.terminal_credentials import load_sector
from reader_tools.authority_options import key_options, open_keys, operator_option
from reader_tools.command_group import CommandGroup
from reader_tools.values import DIRECTORY, FILE

AUTHORITY: Final = click.option(
    "--dir", "directory", required=True, type=DIRECTORY, help="Directory of the CVCA, document verifier or terminal."
)
RIGHTS_HELP: Final = "all, none, hexadecimal, or names with commas: eid pki cv rights."
# Of a CVCA they bound what stands below it. Whoever is certified has what he was given by name, and else nothing.
BOUND_OPTION: Final = click.option("--rights", default="all", show_default=True, help=RIGHTS_HELP)
GRANT_OPTION: Final = click.option("--rights", default="none", show_default=True, help=RIGHTS_HELP)
OUT: Final = click.option("--out", type=FILE, help="Write it to this file, too.")
ROLES: Final = {
    "domestic-dv": Role.DOMESTIC_DV,
    "foreign-dv": Role.FOREIGN_DV,
    "terminal": Role.TERMINAL,
}


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _holder_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (AUTHORITY, operator_option, key_options):
        function = option(function)
    return function


@click.group(name="cv", cls=CommandGroup)
def command() -> None:
    """Card-verifiable certificates: whom a card lets read fingers, irises and the eID application."""


@command.command(name="init")
@click.option("--role", required=True, type=click.Choice(get_args(CvRole)), help="What it is.")
@click.option("--holder", required=True, help="Country and mnemonic, e.g. UTCVCASPEC.")
@click.option(
    "--type",
    "terminal_type",
    default="is",
    show_default=True,
    type=click.Choice(list(TERMINAL_TYPES)),
    help="Of the terminals: inspection system, authentication or signature terminal.",
)
@click.option("--key", "kind", default="brainpoolP256r1", show_default=True, help="A curve, or RSA-2048 to RSA-4096.")
@click.option(
    "--hash",
    "hash_name",
    default="sha256",
    show_default=True,
    type=click.Choice(("sha256", "sha384", "sha512")),
    help="Of its signatures.",
)
@click.option("--scheme", default="pss", show_default=True, type=click.Choice(("pss", "pkcs1")), help="Of RSA keys.")
@AUTHORITY
def init(role: str, holder: str, terminal_type: str, kind: str, hash_name: str, scheme: str, directory: Path) -> None:
    """Make a directory for a CVCA, a document verifier or a terminal; then `renew` a CVCA, or `request`."""
    register = CvRegister(cast("CvRole", role), holder, terminal_type, kind, hash_name, scheme)
    create_cv_authority(directory, register)
    click.echo(f"{directory}: next: eid pki cv {'renew' if role == 'cvca' else 'request'} --dir {directory}")


@command.command(name="renew")
@click.option("--days", type=click.IntRange(1, 3660), default=1095, show_default=True, help="Validity.")
@click.option("--key", "kind", help="Another kind of key from now on.")
@BOUND_OPTION
@_holder_options
def renew(days: int, kind: str | None, rights: str, directory: Path, operator: str, **keys: Any) -> None:
    """Make the next key of a CVCA: a self-signed certificate, and a link certificate by the key before it."""
    authority = _open(directory, operator, keys)
    authority.renew(_now(), days, _rights(authority, rights), kind)
    _show_authority(authority)


@command.command(name="request")
@click.option("--authority", "reference", metavar="CAR", help="Name of the key that is to sign, e.g. UTCVCASPEC00001.")
@OUT
@_holder_options
def request(reference: str | None, out: Path | None, directory: Path, operator: str, **keys: Any) -> None:
    """Make the next key and the request for its certificate; signed by the key so far, too, if there is one."""
    raw = _open(directory, operator, keys).request(_now(), reference)
    _deliver(raw, out)
    click.echo(f"SHA-256 {hashlib.sha256(raw).hexdigest()}")


@command.command(name="countersign")
@OUT
@_holder_options
@click.argument("file", type=FILE)
def countersign(file: Path, out: Path | None, directory: Path, operator: str, **keys: Any) -> None:
    """Vouch for a document verifier of one's own to a foreign CVCA."""
    _deliver(_open(directory, operator, keys).countersign(_read(file), _now()), out)


@command.command(name="issue")
@click.option("--role", required=True, type=click.Choice(list(ROLES)), help="What the holder is to the issuer.")
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Validity.")
@click.option("--sha256", "fingerprint", metavar="DIGEST", help="Of a first request, as its sender told it in person.")
@click.option(
    "--sector", "sectors", multiple=True, type=FILE, help="Sector's public key (7F49) of an authentication terminal."
)
@GRANT_OPTION
@OUT
@_holder_options
@click.argument("file", type=FILE)
def issue(
    role: str,
    days: int,
    fingerprint: str | None,
    sectors: tuple[Path, ...],
    rights: str,
    out: Path | None,
    directory: Path,
    operator: str,
    file: Path,
    **keys: Any,
) -> None:
    """Issue the certificate that the request in FILE asks for, with the --rights that are named and no others."""
    authority = _open(directory, operator, keys)
    chosen = _rights(authority, rights)
    keys_of_sectors = tuple(map(load_sector, sectors))
    raw = authority.issue(
        _read(file), ROLES[role], chosen, days, _now(), fingerprint=fingerprint, sectors=keys_of_sectors
    )
    _deliver(raw, out)
    _print(decode_cv_certificate(raw))


@command.command(name="install")
@click.option("--trust", "trusted", multiple=True, type=FILE, help="CVCA certificate that came on a trustworthy way.")
@click.option("--chain", "between", multiple=True, type=FILE, help="Certificates between that and this one, in order.")
@AUTHORITY
@click.argument("file", type=FILE)
def install(trusted: tuple[Path, ...], between: tuple[Path, ...], directory: Path, file: Path) -> None:
    """Take over the certificate that was asked for, once it verifies; needs no key."""
    authority = open_cv_authority(directory)
    raw = authority.install(_read(file), tuple(map(_read, between)), tuple(map(_read, trusted)), _now())
    _print(decode_cv_certificate(raw))


@command.command(name="trust")
@AUTHORITY
@click.argument("file", type=FILE)
def trust(directory: Path, file: Path) -> None:
    """Trust a foreign CVCA: it may vouch for requests of its country; needs no key."""
    _print(open_cv_authority(directory).trust(_read(file)).certificate)


@command.command(name="show")
@click.option("--dir", "directory", type=DIRECTORY, help="Show this CVCA, document verifier or terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each.")
@click.argument("files", nargs=-1, type=FILE)
def show(directory: Path | None, as_json: bool, files: tuple[Path, ...]) -> None:
    """Show certificates and requests in FILES, or what a directory holds. Nothing is verified."""
    if (directory is None) == (not files):
        raise click.UsageError("say --dir, or FILES")
    if directory is not None:
        _show_authority(open_cv_authority(directory), as_json)
    for path in files:
        _print(_decode(_read(path)), as_json)


@command.command(name="verify")
@click.option("--trust", "trusted", required=True, type=FILE, help="Certificate of the CVCA that is trusted.")
@click.argument("files", nargs=-1, required=True, type=FILE)
def verify(trusted: Path, files: tuple[Path, ...]) -> None:
    """Verify a chain of certificates from below a CVCA, as of today; prints the effective rights."""
    chain = [decode_cv_certificate(_read(path)) for path in files]
    verified = verify_cv_chain(chain, load_trust_point(_read(trusted)), _now().date())
    click.echo(f"{verified.certificate.holder_reference} verified, effective rights: {_told(verified.chat)}")


@command.command(name="chain")
@AUTHORITY
def chain(directory: Path) -> None:
    """Print the files of the chain from below the trust point, as a terminal presents them; needs no key."""
    authority = open_cv_authority(directory)
    authority.verified(_now().date())
    _, raws = authority.chain()
    for raw in raws:
        name = decode_cv_certificate(raw).holder_reference
        folder = "own" if name.startswith(authority.register.holder) else "others"
        click.echo(directory / folder / f"{name}.cvcert")


@command.command(name="rights")
def list_rights() -> None:
    """List the names of rights by terminal type."""
    names = {oid: name for name, oid in TERMINAL_TYPES.items()}
    click.echo(render_table([(names[oid], ", ".join(known)) for oid, known in RIGHTS.items()], ("type", "rights")))


def _open(directory: Path, operator: str, keys: dict[str, Any]) -> CvAuthority:
    register = open_cv_authority(directory).register
    store = open_keys(directory, **keys, new=not register.sequence, require=require_cv_authority)
    return open_cv_authority(directory, store, operator)


def _read(path: Path) -> bytes:
    return read_input(path, MAX_CERTIFICATE, "CV certificate")


def _rights(authority: CvAuthority, text: str) -> bytes:
    terminal_type = authority.register.terminal_type_oid
    everything = all_rights(terminal_type)
    if text in ("all", "none"):
        return everything if text == "all" else bytes(len(everything))
    names = text.split(",")
    if all(name in RIGHTS[terminal_type] for name in names):
        return rights_of(terminal_type, names)
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise click.UsageError(f"unknown rights {text!r}; see eid pki cv rights") from None
    if len(raw) != len(everything):
        raise click.UsageError(f"rights of this terminal type have {len(everything)} octets")
    return raw


def _deliver(raw: bytes, out: Path | None) -> None:
    if out is not None:
        out.write_bytes(raw)
        click.echo(out)


def _decode(raw: bytes) -> CvCertificate | CvRequest:
    """A certificate or request by its first octets; of an authenticated request what is inside."""
    if raw[:1] == b"\x67":
        return decode_cv_authenticated_request(raw).request
    try:
        return decode_cv_certificate(raw)
    except DecodeError as failure:
        try:
            return decode_cv_request(raw)
        except DecodeError:
            raise failure from None


def _show_authority(authority: CvAuthority, as_json: bool = False) -> None:
    register = authority.register
    rows = [("own", name) for name in register.keys]
    if register.pending:
        rows.append(("pending", register.pending))
    rows += [("issued", item.holder_reference) for item in authority.issued()]
    counts = {label: authority.record.count(label) for label in authority.record.labels()}
    if as_json:
        told = {
            "format": "eid-cv-authority-description",
            "version": 1,
            "role": register.role,
            "holder": register.holder,
            "terminal_type": register.terminal_type,
            "key": register.kind,
            "keys": list(register.keys),
            "pending": register.pending,
            "certificates": [_describe(decode_cv_certificate(authority.certificate))] if register.keys else [],
            "issued": [_describe(item) for item in authority.issued()],
            "signatures": counts,
        }
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(
        render_table([(kind, name, str(counts.get(name, ""))) for kind, name in rows], ("", "holder", "signatures"))
    )
    if register.keys:
        _print(decode_cv_certificate(authority.certificate))


def _print(item: CvCertificate | CvRequest, as_json: bool = False) -> None:
    told = _describe(item)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    rows = [
        (name.replace("_", " "), (", ".join(value) or "none") if isinstance(value, list) else str(value))
        for name, value in told.items()
    ]
    click.echo(render_table(rows, ("", "")))


def _describe(item: CvCertificate | CvRequest) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": "request" if isinstance(item, CvRequest) else "certificate",
        "holder": item.holder_reference,
        "authority": item.authority_reference,
        "key": _key(item.public_key),
    }
    if isinstance(item, CvCertificate):
        told["role"] = item.chat.role.name.lower().replace("_", "-")
        told["rights"] = list(name_rights(item.chat))
        told["from"] = item.effective_date.isoformat()
        told["to"] = item.expiration_date.isoformat()
    return told


def _told(chat: Chat) -> str:
    return ", ".join(name_rights(chat)) or "none"


def _key(key: CvPublicKey) -> str:
    algorithm = SIGNATURE_ALGORITHMS.get(key.oid)
    name = key.oid if algorithm is None else f"{algorithm.kind} with {algorithm.hash_name}"
    if not isinstance(key, CvEcPublicKey):
        return f"{name}, {key.modulus.bit_length()} bits"
    return name if key.parameters is None else f"{name}, {key.parameters.p.bit_length()} bits, parameters stated"
