"""`eid verify-batch`: judge many pieces of evidence on several processors, and go on where it broke off."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from eid.crypto.public_key import encode_public_key
from eid.rendering.terminal import render_table
from eid.services.settings import load_settings
from eid.services.trust.files import load_trust_store
from eid.services.verifying.batch import UNREADABLE, BatchSummary, StatusFiles, open_executor, order_batch, verify_batch
from eid.verification.policy import DEFAULT_FOR_EVIDENCE
from eid.verification.report import Verdict
from reader_tools import exit_codes
from reader_tools.known_stations import known_stations
from reader_tools.known_status_lists import known_status_lists
from reader_tools.values import DIRECTORY, FILE, UtcTime

MAX_WORKERS = 256
EXAMPLES = """\b
Examples:
  eid verify-batch evidence/ --trust trust --workers 4 --out results.jsonl
  eid verify-batch list.txt --policy border --at 2026-06-01 --out results.jsonl
"""


@click.command(name="verify-batch", epilog=EXAMPLES)
@click.argument("place", metavar="DIR|FILE", type=FILE)
@click.option("--out", required=True, type=FILE, help="Results, a JSON object a line; a second run goes on there.")
@click.option("--workers", type=click.IntRange(1, MAX_WORKERS), help="Processes; default: one for each processor.")
@click.option("--trust", type=DIRECTORY, help="Trust store (see `eid trust import`); default: EID_HOME/trust.")
@click.option("--at", type=UtcTime(), help="Judge as of this time, ISO 8601, UTC if it names no zone; default: now.")
@click.option("--policy", default=DEFAULT_FOR_EVIDENCE, show_default=True, help="Policy by name or file.")
@click.option("--station", "station_files", multiple=True, type=FILE, help="Public key (PEM) of a known station.")
@click.option("--stations", type=DIRECTORY, help="Directory of known stations' public keys, *.pem.")
@click.option("--status", "status_files", multiple=True, type=FILE, help="A status list, besides those at hand.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    place: Path,
    out: Path,
    workers: int | None,
    trust: Path | None,
    at: datetime | None,
    policy: str,
    station_files: tuple[Path, ...],
    stations: Path | None,
    status_files: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Judge every piece of evidence in a directory, or in a FILE that names one on each line.

    A run that broke off is resumed by the same command. Exit codes: 0 all passed; 1 some failed; 65 some hold no
    evidence; 2 some are undecided.
    """
    settings = load_settings(
        os.environ, trust=None if trust is None else str(trust), stations=None if stations is None else str(stations)
    )
    now = datetime.now(UTC).replace(microsecond=0)
    keys = tuple(encode_public_key(key) for key in known_stations(settings, station_files).values())
    status = _find_status(settings.trust_directory, status_files, now)
    order = order_batch(settings.trust_directory, policy, at or now, "now" if at is None else "given", keys, status)
    count = workers or len(os.sched_getaffinity(0))
    with (
        open_executor(count) as executor,
        click.progressbar(
            length=1, label="judged", file=sys.stderr, show_pos=True, hidden=not sys.stderr.isatty()
        ) as bar,
    ):

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        summary = verify_batch(order, place, out, executor, workers=count, progress=show)
    _print(summary, as_json)
    return _exit_code(summary)


def _find_status(directory: Path, named: tuple[Path, ...], now: datetime) -> StatusFiles:
    lists, files = known_status_lists(directory, named, load_trust_store(directory), now)
    return StatusFiles(files, lists.digest, now)


def _exit_code(summary: BatchSummary) -> int:
    for verdict, code in (
        (Verdict.TOTAL_FAILED.value, exit_codes.FAILED),
        (UNREADABLE, exit_codes.MALFORMED_INPUT),
        (Verdict.INDETERMINATE.value, exit_codes.INDETERMINATE),
    ):
        if summary.verdicts[verdict]:
            return code
    return exit_codes.PASSED


def _print(summary: BatchSummary, as_json: bool) -> None:
    reasons = sorted(summary.reasons.items(), key=lambda item: (-item[1], item[0]))
    if as_json:
        told = [{"check": check, "reason": reason, "count": count} for (check, reason), count in reasons]
        verdicts = dict(sorted(summary.verdicts.items()))
        click.echo(json.dumps({"files": summary.total, "verdicts": verdicts, "reasons": told}, indent=2))
        return
    rows = [(verdict, str(count)) for verdict, count in sorted(summary.verdicts.items())]
    click.echo(render_table([*rows, ("total", str(summary.total))], ("verdict", "files"), (1,)))
    if reasons:
        lines = [(check, reason, str(count)) for (check, reason), count in reasons]
        click.echo("\n" + render_table(lines, ("check", "reason", "files"), (2,)))
