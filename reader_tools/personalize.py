"""`eid personalize`: write an approved identity record to a blank card, lock it, check it, register it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import click

from eid.codec.cv import MAX_CERTIFICATE
from eid.errors import DecodeError, EidError, RecordError
from eid.identity import RECORD_LIMIT, IdentityRecord, decode_identity_record, find_script_warnings
from eid.mrz import Mrz
from eid.personalization.build import CardSecrets, verify_record
from eid.printing.faces import Faces, render_faces
from eid.printing.printed_card import build_printed_card
from eid.profile.layout import decode_face_layout
from eid.profile.loader import LoadedProfile, load_profile
from eid.protocols.exchange import Checkpoint
from eid.rendering.step_figures import StepFigures
from eid.rendering.terminal import render_steps
from eid.services.database import ready_database
from eid.services.input_file import read_input
from eid.services.issuing.issuance import BrokenOffError, Issuance, IssuedCard, begin, resume
from eid.services.pki.authority import open_authority
from eid.services.settings import load_settings
from eid.transport.metered import BEGIN, END, MeteredConnection
from reader_tools.authority_options import key_options, open_keys, operator_option
from reader_tools.card_connection import connect
from reader_tools.fonts import font_directories
from reader_tools.output_file import write_private
from reader_tools.report_page import step_figures
from reader_tools.values import DIRECTORY, FILE

FORMAT: Final = "eid-personalization"
VERSION: Final = 1
MAX_READER_NAME: Final = 128  # characters that a job keeps
EXAMPLES: Final = """\b
Examples:
  eid card new --out card.bin --profile ma-cnie
  eid personalize --record record.json --authority var/pki --card-file card.bin --faces var/faces
  eid personalize --record record.json --authority var/pki --reader ACR --resume 0197f2a4-...

\b
A card that was lost in the middle is not operational. Put the same card back and
say --resume with the job that the message names, and the same record.
"""


@click.command(name="personalize", epilog=EXAMPLES)
@click.option("--record", "record_file", required=True, type=FILE, help="The approved identity record, JSON.")
@click.option("--profile", help="Card profile, name or file; default: the one that the authority was made for.")
@click.option("--authority", "directory", required=True, type=DIRECTORY, help="Directory of the issuing authority.")
@click.option("--reader", help="Reader by name, part of its name, or index; default: the first that holds a card.")
@click.option("--card-file", type=FILE, help="A virtual card's file, written in this process, instead of a reader.")
@click.option("--wait", type=click.FloatRange(0, 3600), default=0.0, help="Seconds to wait for a card.")
@click.option("--resume", "job", type=click.UUID, metavar="JOB", help="Go on with a job that broke off.")
@click.option("--faces", type=DIRECTORY, help="Draw the card's faces into this directory, as PNG.")
@click.option("--dpi", type=click.IntRange(150, 1200), default=300, show_default=True, help="Of the faces.")
@click.option("--can-out", type=FILE, help="Write the card access number, which is printed on the card, to this file.")
@click.option("--pin-out", type=FILE, help="Write PIN and PUK, which go to the holder by another way, to this file.")
@click.option(
    "--trust-point",
    "trust_points",
    type=FILE,
    multiple=True,
    help="CVCA certificate whose terminals the card will trust; at most two, the newest first.",
)
@click.option("--home", type=DIRECTORY, help="Where the database is.  [default: EID_HOME, else var/eid]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@operator_option
@key_options
def command(
    record_file: Path,
    profile: str | None,
    directory: Path,
    reader: str | None,
    card_file: Path | None,
    wait: float,
    job: UUID | None,
    faces: Path | None,
    dpi: int,
    can_out: Path | None,
    pin_out: Path | None,
    trust_points: tuple[Path, ...],
    home: Path | None,
    as_json: bool,
    operator: str,
    **keys: Any,
) -> None:
    """Write an identity record to a blank card: keys, files, lock; then read it back, verify it, and register it.

    Exit codes: 65 the record is faulty, 69 no card or the card was lost, 73 the card, the job or the authority is in
    the wrong state or the card failed its quality check, 76 the card refused, 77 the keys cannot be used.
    """
    settings = load_settings(os.environ, home=home)
    record = _load_record(record_file)
    authority = open_authority(directory, open_keys(directory, **keys), operator)
    loaded = load_profile(profile or authority.register.profile)
    if "PIN" in loaded.profile.access.passwords and pin_out is None:
        raise click.UsageError("the card gets a PIN, which nobody would ever know: say --pin-out")
    trusted = tuple(read_input(path, MAX_CERTIFICATE, "CVCA certificate") for path in trust_points)
    mrz = verify_record(record, loaded.profile)
    if faces is not None:  # a text that cannot be set is found before a card is made that cannot be printed
        _render(record, mrz, "0" * loaded.profile.document.can_digits, loaded, dpi)
    with connect(reader, card_file, wait) as (connection, name), ready_database(settings) as engine:
        metered = MeteredConnection(connection, checkpoints=_Progress())
        issuance = (
            begin(engine, authority, loaded, name[:MAX_READER_NAME], _now, trusted)
            if job is None
            else resume(engine, authority, loaded, job, _now, trusted)
        )
        with _told_how_to_go_on(issuance):
            issued = issuance.run(record, metered, metered)
    if can_out is not None:
        write_private(can_out, issued.data.can.encode("ascii") + b"\n")
    if pin_out is not None:
        _write_pin(pin_out, issued.data.secrets)
    drawn = _Drawn()
    if faces is not None:
        drawn = _write_faces(faces, _render(record, issued.data.mrz, issued.data.can, loaded, dpi))
    figures = step_figures((*metered.steps, metered.total))
    click.echo(_describe_json(issued, figures, drawn) if as_json else _describe(issued, figures, drawn))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The files of the faces, and the fonts that were missing."""

    files: tuple[str, ...] = ()
    missing_fonts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Progress:
    """Tells of the steps on stderr: live on a terminal, one line for each elsewhere."""

    live: bool = field(default_factory=lambda: sys.stderr.isatty())

    def record(self, checkpoint: Checkpoint) -> None:
        """Say that a step began or ended."""
        if checkpoint.phase in BEGIN and self.live:
            click.echo(f"{checkpoint.step} ...", err=True, nl=False)
        elif checkpoint.phase in END:
            click.echo(f"\r\x1b[K{checkpoint.step}" if self.live else checkpoint.step, err=True)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _load_record(path: Path) -> IdentityRecord:
    try:
        record = decode_identity_record(read_input(path, RECORD_LIMIT, "identity record"))
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error
    for warning in find_script_warnings(record):
        click.echo(f"{path}: {warning}", err=True)
    return record


@contextmanager
def _told_how_to_go_on(issuance: Issuance) -> Iterator[None]:
    """Whatever ends a job that can be taken up again says how."""
    try:
        yield
    except BrokenOffError:  # says it itself
        raise
    except (EidError, KeyboardInterrupt):
        if issuance.job.state == "RUNNING":
            click.echo(
                f"eid: the card is not issued. When this is mended, put the same card back and say --resume "
                f"{issuance.job.id}",
                err=True,
            )
        raise


def _render(record: IdentityRecord, mrz: Mrz, can: str, loaded: LoadedProfile, dpi: int) -> Faces:
    if loaded.layout is None:
        raise click.UsageError(f"profile {loaded.profile.name} has no layout: its faces cannot be drawn")
    layout = decode_face_layout(loaded.layout)
    try:
        return render_faces(build_printed_card(record, mrz, can, layout), layout, dpi, font_directories())
    except DecodeError as error:
        raise RecordError(f"portrait or signature_image: {error}") from error


def _write_pin(path: Path, secrets: CardSecrets) -> None:
    lines = (f"{name} {value}\n" for name, value in (("PIN", secrets.pin), ("PUK", secrets.puk)) if value)
    write_private(path, "".join(lines).encode("ascii"))


def _write_faces(folder: Path, faces: Faces) -> _Drawn:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (("card-front.png", faces.front), ("card-back.png", faces.back)):
        write_private(folder / name, picture)
    return _Drawn((str(folder / "card-front.png"), str(folder / "card-back.png")), faces.missing_fonts)


def _facts(issued: IssuedCard) -> dict[str, str]:
    document = issued.document
    return {
        "document": str(document.id),
        "job": str(document.job_id),
        "card_serial": document.card_serial,
        "profile": document.profile_name,
        "profile_digest": document.profile_digest.hex(),
        "sod_hash": document.sod_hash.hex(),
        "verdict": issued.report.verdict.value,
        "policy": issued.report.policy,
    }


def _describe(issued: IssuedCard, figures: tuple[StepFigures, ...], drawn: _Drawn) -> str:
    lines = [f"{name.replace('_', ' '):16}{value}" for name, value in _facts(issued).items()]
    lines += [f"{'face':16}{name}" for name in drawn.files]
    lines += [f"{'gone without':16}{name}" for name in drawn.missing_fonts]
    return "\n".join((*lines, "", render_steps(figures[:-1], figures[-1])))


def _describe_json(issued: IssuedCard, figures: tuple[StepFigures, ...], drawn: _Drawn) -> str:
    told = {
        "format": FORMAT,
        "version": VERSION,
        **_facts(issued),
        "steps": [asdict(item) for item in figures[:-1]],
        "total": asdict(figures[-1]),
        "faces": list(drawn.files),
        "missing_fonts": list(drawn.missing_fonts),
    }
    return json.dumps(told, indent=2)
