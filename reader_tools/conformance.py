"""`eid conformance`: does a card keep to its specifications, case by case."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from eid.conformance import CASES, UNITS, ConformanceReport, Outcome, SuitePlan, run_suite
from eid.conformance.report import report_to_json
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Checkpoint, Connection, drive
from eid.protocols.pace.core import Password
from eid.rendering.conformance_page import render_conformance_page
from eid.rendering.conformance_table import render_conformance
from eid.rendering.terminal import render_table
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.transport.pcsc import find_reader
from reader_tools import exit_codes
from reader_tools.card_connection import connect
from reader_tools.output_file import write_private
from reader_tools.secret_input import ask_can, ask_mrz_information, read_secret_line
from reader_tools.values import DIRECTORY, FILE

PAGE: Final = "conformance.html"
REPORT: Final = "conformance.json"
EXAMPLES = """\b
Examples:
  eid conformance --reader ACR --mrz --out var/report
  eid conformance --card-file card.bin --can-file can.txt --mrz-file mrz.txt --json
  eid conformance --profile ma-cnie --unit SM --unit PACE_16 --verbose
  eid conformance --list

\b
Give every password that you know: each is tried, and a case that needs one
that is missing does not apply. Without --destructive no case costs a try of a
PIN or PUK, or writes anything that is not there already.
"""


@click.command(name="conformance", epilog=EXAMPLES)
@click.option("--reader", help="Reader by name, part of its name, or index (see `eid readers`); default: with a card.")
@click.option("--card-file", type=FILE, help="A virtual card's file, tested in this process, instead of a reader.")
@click.option("--profile", help="A specimen card of this profile, issued in this process, instead of a reader.")
@click.option("--can", is_flag=True, help="Open the chip with its card access number, prompted for.")
@click.option("--can-file", type=FILE, help="The same, from a file.")
@click.option("--mrz", is_flag=True, help="Open the chip with what its MRZ says, prompted for (the default).")
@click.option("--mrz-file", type=FILE, help="The same, from a file.")
@click.option("--pin-file", type=FILE, help="The PIN, from a file.")
@click.option("--puk-file", type=FILE, help="The PUK, from a file.")
@click.option("--unit", "units", multiple=True, metavar="UNIT|CASE", help="Run these units or cases only.")
@click.option("--destructive", is_flag=True, help="Also cases that cost tries, or harm a card that deviates.")
@click.option(
    "--foreign-curves", is_flag=True, help="Run PACE on a curve of the chip's own, once it was validated, too."
)
@click.option("--out", type=DIRECTORY, help=f"Write {PAGE} and {REPORT} into this directory.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--verbose", is_flag=True, help="Print every case, not only those that were not passed.")
@click.option("--list", "listing", is_flag=True, help="Print the cases, and test nothing.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card.")
def command(
    reader: str | None,
    card_file: Path | None,
    profile: str | None,
    can: bool,
    can_file: Path | None,
    mrz: bool,
    mrz_file: Path | None,
    pin_file: Path | None,
    puk_file: Path | None,
    units: tuple[str, ...],
    destructive: bool,
    foreign_curves: bool,
    out: Path | None,
    as_json: bool,
    verbose: bool,
    listing: bool,
    wait: float,
) -> int:
    """Test a card: commands, access protocols, secure messaging, data, life cycle; each case cites its clause.

    Exit codes: 0 all that applies passed, 1 a case failed or the card was lost, 69 no reader or card,
    77 wrong password.
    """
    if listing:
        click.echo(_list_cases())
        return exit_codes.PASSED
    if sum(given is not None for given in (reader, card_file, profile)) > 1:
        raise click.UsageError("give one of --reader, --card-file and --profile")
    _require_known(units)
    specimen = None if profile is None else issue_specimen(profile, datetime.now(UTC))
    if specimen is None and card_file is None:
        find_reader(int(reader) if reader is not None and reader.isascii() and reader.isdecimal() else reader)
    passwords = (
        _ask_passwords(can, can_file, mrz, mrz_file, pin_file, puk_file)
        if specimen is None
        else specimen_passwords(specimen)
    )
    with _card(reader, card_file, specimen, wait) as (connection, name):
        plan = SuitePlan(passwords, profile or name, destructive, frozenset(units), foreign_curves=foreign_curves)
        live = sys.stderr.isatty()
        with closing(Progress(live)) as progress:
            report = drive(run_suite(plan, datetime.now(UTC)), connection, progress)
    if out is not None:
        _write(out, report)
    click.echo(_to_text(report) if as_json else render_conformance(report, everything=verbose))
    return exit_codes.PASSED if report.passed else exit_codes.FAILED


class Progress:
    """Tells of the case that is run, on a terminal only, on one line."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._done = 0
        self._failed = 0

    def record(self, checkpoint: Checkpoint) -> None:
        """Say which case began."""
        if (outcome := checkpoint.detail.get("outcome")) is not None:
            self._done += 1
            self._failed += outcome == Outcome.FAIL
        if self._live:
            line = f"{checkpoint.step:10} {self._done} done, {self._failed} failed"
            click.echo(f"\r{line:40}", err=True, nl=False)

    def close(self) -> None:
        """Clear the line."""
        if self._live:
            click.echo(f"\r{'':40}\r", err=True, nl=False)


@contextmanager
def _card(
    reader: str | None, card_file: Path | None, specimen: SpecimenCard | None, wait: float
) -> Iterator[tuple[Connection, str]]:
    if specimen is not None:
        with closing(specimen.connect()) as connection:
            yield connection, specimen.profile.name
        return
    with connect(reader, card_file, wait) as (connection, name):
        yield connection, name


def _ask_passwords(
    can: bool, can_file: Path | None, mrz: bool, mrz_file: Path | None, pin_file: Path | None, puk_file: Path | None
) -> tuple[Password, ...]:
    passwords = []
    if mrz or mrz_file is not None or not (can or any((can_file, pin_file, puk_file))):
        passwords.append(Password(PasswordId.MRZ, ask_mrz_information(mrz_file)))
    if can or can_file is not None:
        passwords.append(Password(PasswordId.CAN, ask_can(can_file)))
    for identifier, path in ((PasswordId.PIN, pin_file), (PasswordId.PUK, puk_file)):
        if path is not None:
            passwords.append(Password(identifier, read_secret_line(path, identifier.name).encode()))
    return tuple(passwords)


def specimen_passwords(specimen: SpecimenCard) -> tuple[Password, ...]:
    """All that open a specimen card."""
    known = (
        (PasswordId.MRZ, specimen.mrz_information),
        (PasswordId.CAN, specimen.can),
        (PasswordId.PIN, specimen.pin),
        (PasswordId.PUK, specimen.puk),
    )
    return tuple(Password(identifier, value.encode("ascii")) for identifier, value in known if value)


def _require_known(names: tuple[str, ...]) -> None:
    known = {unit.name for unit in UNITS} | {case.id for case in CASES}
    for name in names:
        if name not in known:
            raise click.UsageError(
                f"there is no unit or case {name!r}; the units are {', '.join(u.name for u in UNITS)}"
            )


def _list_cases() -> str:
    rows = ((case.id, case.title, case.expected, case.clause) for case in CASES)
    return render_table(rows, ("case", "what", "expected", "clause"))


def _to_text(report: ConformanceReport) -> str:
    return json.dumps(report_to_json(report), indent=2, ensure_ascii=False)


def _write(directory: Path, report: ConformanceReport) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_private(directory / PAGE, render_conformance_page(report).encode("utf-8"))
    write_private(directory / REPORT, (_to_text(report) + "\n").encode("utf-8"))
    click.echo(f"{directory / PAGE}, {directory / REPORT}", err=True)
