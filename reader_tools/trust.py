"""`eid trust`: what verification trusts, where it came from, and what an operator decided of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eid.errors import LifecycleError
from eid.pki.lint import Kind
from eid.rendering.terminal import make_printable, render_table
from eid.services.settings import load_settings
from eid.services.trust import decisions, views
from eid.services.trust.fetch import fetch_trust
from eid.services.trust.import_objects import ImportReport
from eid.services.trust.imports import import_trust
from eid.store.trust_index import TrustedCertificate
from reader_tools import exit_codes
from reader_tools.command_group import CommandGroup
from reader_tools.trust_output import (
    crl_columns,
    describe_certificate,
    describe_crl,
    describe_end,
    describe_fetched,
    describe_import,
    describe_origin,
    describe_source,
    describe_state,
    findings_by_grade,
    format_time,
    shorten,
    tell_source,
    worst_grade,
)
from reader_tools.values import DIRECTORY, FILE, UtcTime


def _settled_store() -> Path:
    return load_settings(os.environ).trust_directory


STORE = click.option(
    "--store",
    type=DIRECTORY,
    default=_settled_store,
    help="Directory of the trust store, which an import makes; default: EID_TRUST, else EID_HOME/trust.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(name="trust", cls=CommandGroup)
def command() -> None:
    """The CSCA certificates, CRLs and lists that verification trusts."""


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _print(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


# --- import and fetch -------------------------------------------------------------------------------------------------


@command.command(name="import")
@STORE
@click.option("--unsigned", is_flag=True, help="You vouch for lists that nobody signed; that is never forgotten.")
@AS_JSON
@click.argument("files", nargs=-1, required=True, type=FILE)
def import_files(store: Path, unsigned: bool, as_json: bool, files: tuple[Path, ...]) -> None:
    """Import certificates, CRLs, signed lists, LDIF and directories of them; all FILES or none.

    A signed master list counts if its signer ends at an anchor that you pinned: eid trust anchors --add.
    """
    try:
        report = import_trust(store, files, unsigned=unsigned, now=_now(), progress=_progress())
    except LifecycleError as refusal:
        raise click.UsageError(str(refusal)) from refusal
    finally:
        _end_progress()
    if as_json:
        _print(describe_import(report))
    else:
        _tell_import(report)


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None

    def show(count: int) -> None:
        if count % 1000 == 0:
            click.echo(f"\r{count:,} objects", nl=False, err=True)

    return show


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


FEW = 25  # objects that are told one by one


def _tell_import(report: ImportReport) -> None:
    if len(report.items) <= FEW:
        for item in report.items:
            state = "held " if item.is_held else "new  " if item.is_new else "known"
            click.echo(f"{item.kind:10} {state} {item.fingerprint[:16]} {make_printable(item.subject)}")
            for found in item.findings:
                click.echo(f"           {found.grade.value:7} {found.code}: {make_printable(found.what)}")
    elif report.findings:
        rows = [(grade.value, code, str(count)) for (grade, code), count in findings_by_grade(report)]
        click.echo(render_table(rows, ("grade", "finding", "certificates and CRLs"), (2,)) + "\n")
    told = [item for item in report.sources if item.refusal or item.kind in ("MASTER_LIST", "DEVIATION_LIST")]
    skipped = [item for item in told if item.kind not in ("MASTER_LIST", "DEVIATION_LIST")]
    for source in (item for item in told if item not in skipped[FEW:]):
        click.echo(tell_source(source))
    if len(skipped) > FEW:
        click.echo(f"skipped  {len(skipped) - FEW:,} more, which --json names")
    counts = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items()) or "nothing"
    click.echo(
        f"import {report.import_id}: {counts}; {report.new:,} new, {report.held:,} held, {report.unusable:,} unusable,"
        f" {sum(report.findings.values()):,} findings"
    )
    if report.held:
        click.echo("What is held does not count yet: see eid trust diff, then eid trust approve.")


@command.command(name="fetch")
@STORE
@AS_JSON
@click.argument("locations", nargs=-1)
def fetch_files(store: Path, as_json: bool, locations: tuple[str, ...]) -> int:
    """Fetch and import what STORE/trust.toml names, or LOCATIONS of the hosts in it.

    No redirect is followed, no private address asked; 16 MiB and one minute at most for each.
    """
    try:
        fetched = fetch_trust(store, locations, now=_now())
    except LifecycleError as refusal:
        raise click.UsageError(str(refusal)) from refusal
    if as_json:
        _print({"format": "eid-trust-fetch", "version": 1, "locations": [describe_fetched(item) for item in fetched]})
    else:
        rows = [
            (item.location, f"{item.octets:,}", item.failure or f"import {item.report.import_id if item.report else 0}")
            for item in fetched
        ]
        click.echo(render_table(rows, ("location", "octets", "outcome"), (1,)))
    return exit_codes.UNAVAILABLE if any(item.failure for item in fetched) else exit_codes.PASSED


# --- looking ----------------------------------------------------------------------------------------------------------


@command.command(name="list")
@STORE
@click.option("--country", help="Two letters.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([item.value for item in Kind]), help="May be repeated."
)
@click.option("--held", is_flag=True, help="Only what waits for approval.")
@AS_JSON
def list_store(store: Path, country: str | None, kinds: tuple[str, ...], held: bool, as_json: bool) -> None:
    """List authorities, CRLs and deviation lists; document signers with --kind DS."""
    listing = views.list_trust(
        store,
        country=None if country is None else country.upper(),
        kinds=kinds or views.LISTED,
        states=("HELD",) if held else (),
    )
    crls = () if held or kinds else listing.crls
    lists = () if held or kinds else listing.deviation_lists
    if as_json:
        _print(
            {
                "format": "eid-trust-list",
                "version": 2,
                "counts": listing.counts,
                "certificates": [
                    {
                        **describe_certificate(item),
                        "distrusted_since": format_time(listing.distrusted.get(item.fingerprint)),
                    }
                    for item in listing.certificates
                ],
                "crls": [describe_crl(item) for item in crls],
                "deviation_lists": [
                    {
                        "fingerprint": item.fingerprint.hex(),
                        "country": item.country,
                        "signed_at": format_time(item.signed_at),
                    }
                    for item in lists
                ],
            }
        )
        return
    now = _now()
    rows = [
        (
            item.kind,
            item.country,
            shorten(item.fingerprint),
            describe_state(item, listing.distrusted.get(item.fingerprint), now),
            describe_end(item),
            worst_grade(item),
            item.subject,
        )
        for item in listing.certificates
    ]
    rows += [("CRL", item.country, shorten(item.fingerprint), *crl_columns(item, now)) for item in crls]
    rows += [("DVL", item.country, shorten(item.fingerprint), "counts", "", "", "deviation list") for item in lists]
    click.echo(render_table(rows, ("kind", "state", "sha256", "status", "until", "worst", "subject")))
    others = ", ".join(f"{count:,} {kind}" for kind, count in listing.counts.items())
    click.echo(f"in the store: {others or 'nothing'}")


@command.command(name="show")
@STORE
@AS_JSON
@click.argument("fingerprint")
def show_certificate(store: Path, as_json: bool, fingerprint: str) -> None:
    """Show one certificate: findings with their clauses, who has it, who signed it.

    FINGERPRINT is the SHA-256, or its first eight digits at least.
    """
    shown = views.show_certificate(store, fingerprint)
    if as_json:
        told = {"format": "eid-trust-certificate", "version": 1, **describe_certificate(shown.certificate)}
        told |= {
            "path": shown.path,
            "signed_by_a_list": shown.is_vouched_for,
            "distrusted_since": format_time(shown.distrusted_since),
            "sources": [describe_source(item) for item in shown.sources],
            "issuers": [item.fingerprint.hex() for item in shown.issuers],
            "issued": [item.fingerprint.hex() for item in shown.issued],
            "same_key": [item.fingerprint.hex() for item in shown.same_key],
        }
        _print(told)
        return
    item = shown.certificate
    rows = [
        ("subject", item.subject),
        ("issuer", item.issuer),
        ("serial", item.serial),
        ("sha256", item.fingerprint.hex()),
        ("kind", item.kind),
        (
            "valid",
            f"{item.not_before:%Y-%m-%d} to {item.not_after:%Y-%m-%d}" if item.not_before and item.not_after else "",
        ),
        ("status", describe_state(item) + (f": {item.held_for or item.why}" if item.held_for or item.why else "")),
        ("path", shown.path),
        ("seen", f"{item.first_seen:%Y-%m-%d} to {item.last_seen:%Y-%m-%d}"),
        *((("distrusted", f"since {shown.distrusted_since:%Y-%m-%d}"),) if shown.distrusted_since else ()),
        *(("signed by", f"{shorten(other.fingerprint)} {other.subject}") for other in shown.issuers),
        *(("signed", f"{shorten(other.fingerprint)} {other.subject}") for other in shown.issued),
        *(("same key", f"{shorten(other.fingerprint)} {other.subject}") for other in shown.same_key),
        *(("source", f"import {source.import_id}, {describe_origin(source)}") for source in shown.sources),
    ]
    click.echo(render_table(rows, ("what", "value")))
    if shown.findings:
        table = ((found.grade.value, found.code, found.what, found.clause) for found in shown.findings)
        click.echo("\n" + render_table(table, ("grade", "code", "finding", "clause")))


@command.command(name="diff")
@STORE
@AS_JSON
@click.argument("before", required=False, type=int)
@click.argument("after", required=False, type=int)
def diff_imports(store: Path, as_json: bool, before: int | None, after: int | None) -> None:
    """Show what came in behind one import, up to another, by their numbers; the last two unless said otherwise.

    This is what an operator approves: added and held certificates with the states whose lists know them, and what is
    gone from a publisher's list since the one before of the same publisher.
    """
    difference = views.diff_imports(store, before, after)
    if as_json:
        _print(
            {
                "format": "eid-trust-diff",
                "version": 1,
                "before": difference.before,
                "after": difference.after,
                "changes": [
                    {"what": item.what, "publishers": list(item.publishers), **describe_certificate(item.certificate)}
                    for item in difference.changes
                ],
            }
        )
        return
    click.echo(f"from import {difference.before} to import {difference.after}")
    for source in difference.sources:
        if source.kind in ("MASTER_LIST", "DEVIATION_LIST"):
            click.echo(tell_source(source))
    rows = [
        (
            item.what,
            item.certificate.kind,
            item.certificate.country,
            shorten(item.certificate.fingerprint),
            " ".join(item.publishers),
            item.certificate.subject + (f" ({item.certificate.held_for})" if item.what == "held" else ""),
        )
        for item in difference.changes
    ]
    click.echo(render_table(rows, ("what", "kind", "state", "sha256", "known to", "subject")) if rows else "no change")


@command.command(name="gaps")
@STORE
@click.option("--country", "countries", multiple=True, help="A state that ought to be there; may be repeated.")
@AS_JSON
def find_gaps(store: Path, countries: tuple[str, ...], as_json: bool) -> None:
    """Show states without a current CSCA, with one that ends soon, or without a fresh CRL."""
    gaps = views.find_gaps(store, _now(), countries)
    if as_json:
        told = [{"country": item.country, "why": list(item.why)} for item in gaps]
        _print({"format": "eid-trust-gaps", "version": 1, "gaps": told})
        return
    rows = [(item.country or "(none)", "; ".join(item.why)) for item in gaps]
    click.echo(render_table(rows, ("state", "what it lacks")) if rows else "no gaps")


# --- deciding ---------------------------------------------------------------------------------------------------------


@command.command(name="anchors")
@STORE
@click.option("--add", "added", multiple=True, help="Fingerprint of a CSCA certificate of the store to pin.")
@click.option("--remove", "removed", multiple=True, help="Fingerprint of an anchor to unpin.")
@AS_JSON
def anchors(store: Path, added: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
    """List, pin and unpin the anchors at which signers of master lists must end.

    Compare the fingerprint with one that reached you by another way before you pin it (Doc 9303-12 6.1.1).
    """
    try:
        decisions.pin_anchors(store, added, _now())
    except LifecycleError as refusal:
        raise click.UsageError(str(refusal)) from refusal
    decisions.unpin_anchors(store, removed)
    pinned = decisions.list_anchors(store)
    if as_json:
        told = [describe_certificate(item) for item in pinned]
        _print({"format": "eid-trust-anchors", "version": 1, "anchors": told})
        return
    _tell_certificates(pinned, "no anchor is pinned: signed lists are refused")


def _tell_certificates(items: Sequence[TrustedCertificate], nothing: str) -> None:
    rows = [(item.country, item.fingerprint.hex(), describe_end(item), item.subject) for item in items]
    click.echo(render_table(rows, ("state", "sha256", "until", "subject")) if rows else nothing)


@command.command(name="approve")
@STORE
@click.option("--all", "everything", is_flag=True, help="All that is held.")
@click.option("--reject", is_flag=True, help="They shall never count, whichever lists know them.")
@click.argument("fingerprints", nargs=-1)
def approve(store: Path, everything: bool, reject: bool, fingerprints: tuple[str, ...]) -> None:
    """Approve certificates that are held (see eid trust diff), or reject them."""
    if not everything and not fingerprints:
        raise click.UsageError("name fingerprints, or --all")
    decided = decisions.approve(store, fingerprints, everything=everything, reject=reject)
    _tell_certificates(decided, "nothing is held")
    click.echo(f"{len(decided)} {'rejected' if reject else 'approved'}")


@command.command(name="distrust")
@STORE
@click.option("--since", type=UtcTime(), help="From when on; now unless said otherwise.")
@click.option("--reason", help="Why; it stands in reports.")
@click.option("--lift", is_flag=True, help="Trust it again; the entry stays, with its end.")
@AS_JSON
@click.argument("fingerprint", required=False)
def distrust(
    store: Path, since: datetime | None, reason: str | None, lift: bool, as_json: bool, fingerprint: str | None
) -> None:
    """Distrust a certificate and all of its key from a date on; without FINGERPRINT, list what is distrusted."""
    if fingerprint is not None and lift:
        count = decisions.lift_distrust(store, fingerprint, _now())
        click.echo(f"{count} lifted", err=as_json)
    elif fingerprint is not None:
        if not reason:
            raise click.UsageError("say why, with --reason")
        decisions.distrust(store, fingerprint, since=since or _now(), reason=reason, now=_now())
    elif lift or since is not None or reason is not None:
        raise click.UsageError("name the FINGERPRINT")
    _tell_distrusts(decisions.list_distrusts(store), as_json)


def _tell_distrusts(entries: Iterable[decisions.DistrustEntry], as_json: bool) -> None:
    if as_json:
        told = [
            {
                "fingerprint": item.certificate.fingerprint.hex(),
                "subject": item.certificate.subject,
                "since": format_time(item.since),
                "reason": item.reason,
                "noted_at": format_time(item.noted_at),
                "lifted_at": format_time(item.lifted_at),
                "same_key": list(item.also),
            }
            for item in entries
        ]
        _print({"format": "eid-trust-distrust", "version": 1, "entries": told})
        return
    rows = [
        (
            shorten(item.certificate.fingerprint),
            f"{item.since:%Y-%m-%d}",
            "" if item.lifted_at is None else f"{item.lifted_at:%Y-%m-%d}",
            str(1 + len(item.also)),
            item.reason,
            item.certificate.subject,
        )
        for item in entries
    ]
    header = ("sha256", "since", "lifted", "certificates", "reason", "subject")
    click.echo(render_table(rows, header, (3,)) if rows else "nothing is distrusted")
