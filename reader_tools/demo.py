"""`eid demo`: from an application to its card, verified, and four frauds refused; leaves everything to look at."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from eid.rendering.page import render_page
from eid.rendering.terminal import render_report, render_steps, render_table
from eid.services.demonstration.demo import COUNTRY, Demonstrated, Demonstration, Fraud
from eid.services.reading.station_key import LABEL, PUBLIC_KEYS
from eid.services.trust.files import load_trust_store
from eid.transport.metered import StepMeter
from eid.verification.report import VerificationReport, report_from_json
from reader_tools import exit_codes
from reader_tools.country import resolve_country
from reader_tools.fonts import font_directories
from reader_tools.report_page import build_page, step_figures


@dataclass(slots=True)
class Console:
    """Tells the story: on a terminal with the step under way on one line, elsewhere in plain lines."""

    quiet: bool
    live: bool = field(default_factory=lambda: sys.stderr.isatty())
    steps: int = 0

    def chapter(self, title: str) -> None:
        """Begin a part."""
        self._clear()
        if not self.quiet:
            click.echo(click.style(title, bold=True))

    def done(self, text: str) -> None:
        """Tell what was achieved."""
        self._clear()
        if not self.quiet:
            click.echo(f"  {text}")

    def step(self, name: str) -> None:
        """Show the step under way, on a terminal."""
        self.steps += 1
        if self.live and not self.quiet:
            click.echo(f"\r\033[K  … {name}", nl=False, err=True)

    def _clear(self) -> None:
        if self.live and not self.quiet:
            click.echo("\r\033[K", nl=False, err=True)


@click.command(name="demo")
@click.option("--pcsc", "transport", flag_value="pcsc", default=None, help="Insist on PC/SC.")
@click.option("--in-process", "transport", flag_value="in-process", help="Avoid PC/SC.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), default=Path("var/demo"), show_default=True,
              help="Where everything is left; emptied first.")  # fmt: skip
@click.option("--country", metavar="NAME|DIRECTORY", help="Whose card: the name of a country, or the directory of its "
              "files: rules.toml, office.toml, card profile, languages. Default: EID_COUNTRY, or morocco.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(transport: str | None, home: Path, country: str | None, as_json: bool) -> int:
    """Take an application the whole way to its specimen card, verify that, and show four frauds refused.

    Over PC/SC with a virtual reader where that can be had, else in this process; the first line says which. Whose card
    it is, by which rules, and what its chip must say, stands in the country's files (docs/another-country.md).
    """
    fonts, whose = font_directories(), resolve_country(country or os.environ.get("EID_COUNTRY", COUNTRY))
    with _ended_in_order():
        shown = Demonstration(home, Console(as_json), fonts=fonts, country=whose).run(transport)
        leave(shown)
    click.echo(json.dumps(summarize(shown), indent=2) if as_json else tell(shown))
    return exit_codes.PASSED if shown.as_expected else exit_codes.FAILED


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM, and the terminal's hanging up, unwind as Ctrl-C does: the API and the PC/SC service are stopped."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(shown: Demonstrated) -> None:
    """Write report.json and report.html."""
    (shown.home / "report.json").write_text(json.dumps(shown.report, indent=2) + "\n", "utf-8")
    page = build_page(
        "Verification of a specimen card",
        _report(shown),
        shown.inspected.evidence,
        load_trust_store(shown.home / "trust"),
        steps=shown.inspected.steps,
        trace=shown.inspected.trace,
        faces=() if shown.faces is None else (shown.faces.front, shown.faces.back),
    )
    (shown.home / "report.html").write_text(render_page(page), "utf-8")


def _report(shown: Demonstrated) -> VerificationReport:
    return report_from_json(shown.report)


def tell(shown: Demonstrated) -> str:
    """The end of the story: tables, frauds, what was left where, and what was gone without."""
    frauds = [
        (
            fraud.name,
            "refused" if fraud.refused else "NOT AS EXPECTED",
            ", ".join(f"{check} {reason}" for check, reason in fraud.found),
        )
        for fraud in shown.frauds
    ]
    parts = [
        "",
        click.style("Reading the card", bold=True),
        render_steps(step_figures(shown.inspected.steps)),
        "",
        click.style("Report", bold=True),
        render_report(_report(shown)),
        "",
        click.style("Frauds", bold=True),
        render_table(frauds, ("fraud", "", "failing checks")),
        "To see it again:",
        *(f"  {_see_again(shown.home, fraud)}" for fraud in shown.frauds),
        "",
        f"Transport: {shown.transport}. Everything is in {shown.home}: report.html, report.json, "
        f"{'' if shown.faces is None else 'card-front.png, card-back.png, '}card.evidence.",
        *(f"The chip says of its holder otherwise than it should: {label}" for label in shown.unexpected),
        *(f"Gone without: {what}" for what in shown.missing),
        "Every outcome was the expected one." if shown.as_expected else "AN OUTCOME WAS NOT THE EXPECTED ONE.",
    ]
    return "\n".join(parts)


def _see_again(home: Path, fraud: Fraud) -> str:
    station = home / PUBLIC_KEYS / f"{LABEL}.pem"
    options = ("--trust", home / fraud.trust, "--station", station, "--challenge", fraud.challenge)
    return shlex.join(map(str, ("eid", "verify", home / fraud.evidence_file, *options)))


def summarize(shown: Demonstrated) -> dict[str, Any]:
    """The same as one JSON object."""
    return {
        "format": "eid-demo",
        "version": 1,
        "as_expected": shown.as_expected,
        "transport": shown.transport,
        "home": str(shown.home),
        "country": shown.country,
        "product": shown.product,
        "holder": {label: list(texts) for label, texts in shown.holder.items()},
        "unexpected": list(shown.unexpected),
        "verdict": shown.report.get("verdict"),
        "report": shown.report,
        "application": shown.application,
        "frauds": [
            {
                "name": fraud.name,
                "story": fraud.story,
                "refused": fraud.refused,
                "verdict": fraud.verdict,
                "failing": [{"id": check, "reason": reason} for check, reason in fraud.found],
                "evidence": fraud.evidence_file,
                "challenge": fraud.challenge,
                "trust": fraud.trust,
            }
            for fraud in shown.frauds
        ],
        "personalization": [_step(item) for item in shown.personalization],
        "inspection": [_step(item) for item in shown.inspected.steps],
        "missing": list(shown.missing),
    }


def _step(item: StepMeter) -> dict[str, Any]:
    return {
        "step": item.step,
        "apdus": item.commands,
        "sent": item.sent,
        "received": item.received,
        "milliseconds": round(item.seconds * 1000, 2),
    }
