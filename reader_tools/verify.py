"""`eid verify`: judge evidence, or EF.SOD and data groups, and say so in words, JSON or HTML."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from eid.errors import Reason
from eid.locale import FALLBACK, LANGUAGES
from eid.pki.trust_store import TrustStore
from eid.rendering.page import render_page
from eid.rendering.terminal import render_report
from eid.services.settings import load_settings
from eid.services.trust.files import load_trust_store
from eid.services.verifying.judgement import Judged, judge, load_evidence_file, load_upload
from eid.services.verifying.submission import Submission
from eid.verification.report import Verdict, report_to_json
from reader_tools import exit_codes
from reader_tools.known_stations import known_stations
from reader_tools.known_status_lists import known_status_lists
from reader_tools.output_file import write_private
from reader_tools.report_page import build_page
from reader_tools.values import DIRECTORY, FILE, DataGroupFile, HexOctets, UtcTime

EXIT_CODES = {
    Verdict.TOTAL_PASSED: exit_codes.PASSED,
    Verdict.TOTAL_FAILED: exit_codes.FAILED,
    Verdict.INDETERMINATE: exit_codes.INDETERMINATE,
}
EXAMPLES = """\b
Examples:
  eid verify evidence.cbor --trust trust --station station.pem
  eid verify --sod sod.bin --dg 1=dg1.bin --dg 2=dg2.bin --trust trust --at 2026-06-01 --json
"""


@click.command(name="verify", epilog=EXAMPLES)
@click.argument("evidence", required=False, type=FILE)
@click.option("--sod", type=FILE, help="EF.SOD, raw, instead of evidence.")
@click.option("--dg", "groups", multiple=True, type=DataGroupFile(), help="A data group, raw: 1=FILE or DG1=FILE.")
@click.option("--trust", type=DIRECTORY, help="Trust store (see `eid trust import`); default: EID_HOME/trust.")
@click.option("--at", type=UtcTime(), help="Judge as of this time, ISO 8601, UTC if it names no zone; default: now.")
@click.option("--policy", help="Policy by name or file; default: strict for evidence, passive for files.")
@click.option("--challenge", type=HexOctets(), help="What the chip was asked to sign; evidence for another one fails.")
@click.option("--station", "station_files", multiple=True, type=FILE, help="Public key (PEM) of a known station.")
@click.option("--stations", type=DIRECTORY, help="Directory of known stations' public keys, *.pem.")
@click.option("--status", "status_files", multiple=True, type=FILE, help="A status list, besides those at hand.")
@click.option("--language", type=click.Choice(LANGUAGES), default=FALLBACK, help="Of reasons and page; codes stay.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@click.option("--html", type=FILE, help="Write a self-contained page to this file.")
def command(
    evidence: Path | None,
    sod: Path | None,
    groups: tuple[tuple[int, Path], ...],
    trust: Path | None,
    at: datetime | None,
    policy: str | None,
    challenge: bytes | None,
    station_files: tuple[Path, ...],
    stations: Path | None,
    status_files: tuple[Path, ...],
    language: str,
    as_json: bool,
    html: Path | None,
) -> int:
    """Judge EVIDENCE of an inspection, or the files EF.SOD and data groups.

    Exit codes: 0 TOTAL_PASSED, 1 TOTAL_FAILED, 2 INDETERMINATE.
    """
    settings = load_settings(
        os.environ, trust=None if trust is None else str(trust), stations=None if stations is None else str(stations)
    )
    submission = _load(evidence, sod, groups)
    store = load_trust_store(settings.trust_directory)
    now = datetime.now(UTC).replace(microsecond=0)
    judged = judge(
        submission,
        store,
        policy,
        now=now,
        at=at,
        challenge=challenge,
        stations=known_stations(settings, station_files),
        status_lists=known_status_lists(settings.trust_directory, status_files, store, now)[0],
    )
    if html is not None:
        _write_page(html, judged, store, language)
    _print(judged, as_json, language)
    return EXIT_CODES[judged.report.verdict]


def _load(evidence: Path | None, sod: Path | None, groups: tuple[tuple[int, Path], ...]) -> Submission:
    """Read what is to be judged: exactly one of the two forms."""
    if evidence is not None:
        if sod is not None or groups:
            raise click.UsageError("give EVIDENCE or --sod with --dg, not both")
        return load_evidence_file(evidence)
    if sod is None:
        raise click.UsageError("give EVIDENCE, or --sod FILE with --dg NUMBER=FILE")
    numbers = [number for number, _ in groups]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise click.UsageError(f"--dg {twice[0]} was given twice")
    return load_upload(sod, dict(groups))


def _write_page(path: Path, judged: Judged, trust: TrustStore, language: str) -> None:
    title = "Verification of an identity document"
    page = build_page(title, judged.report, judged.evidence, trust, language=language)
    write_private(path, render_page(page).encode("utf-8"))


def _print(judged: Judged, as_json: bool, language: str) -> None:
    report = judged.report
    if as_json:
        click.echo(json.dumps(report_to_json(report), indent=2, ensure_ascii=False))
        return
    click.echo(render_report(report, language))
    signature = report.check("station.signature")
    if signature is not None and signature.reason is Reason.UNTRUSTED_STATION:
        click.echo("\nThe station is not known: name its public key with --station FILE if you trust it.", err=True)
