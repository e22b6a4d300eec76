"""`eid evidence`: what stands in evidence, and its files for other programs. Nothing is judged."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import click

from eid.evidence import Evidence
from eid.evidence.codec import SignedEvidence
from eid.rendering.terminal import make_printable, render_table
from eid.services.reading.extraction import extract_files
from eid.services.reading.holder import describe_holder
from eid.services.verifying.judgement import load_evidence_file
from reader_tools.command_group import CommandGroup
from reader_tools.output_file import write_private
from reader_tools.values import DIRECTORY, FILE

FORMAT: Final = "eid-evidence-description"
VERSION: Final = 1
EXAMPLES = """\b
Examples:
  eid evidence show evidence.cbor
  eid evidence show evidence.cbor --holder
  eid evidence extract evidence.cbor --out files
  eid verify --sod files/EF.SOD.bin --dg 1=files/DG1.bin --dg 2=files/DG2.bin --trust trust
"""


@click.group(name="evidence", cls=CommandGroup, epilog=EXAMPLES)
def command() -> None:
    """Evidence of an inspection: look into it, take its files out. `eid verify` judges it."""


@command.command(name="show")
@click.option("--holder", is_flag=True, help="Print what the chip says of its holder, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; it has nothing of the holder.")
@click.argument("evidence", type=FILE)
def show(holder: bool, as_json: bool, evidence: Path) -> None:
    """Tell what was read and which protocols were run, by the evidence's own words."""
    submission = load_evidence_file(evidence)
    found = submission.evidence if isinstance(submission, SignedEvidence) else submission
    described = _describe(found, submission.key_id if isinstance(submission, SignedEvidence) else None)
    if as_json:
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
        return
    click.echo(_to_text(described))
    if holder:
        click.echo("\n" + render_table(describe_holder(found), ("field", "what the chip says")))


@command.command(name="extract")
@click.option("--out", required=True, type=DIRECTORY, help="Directory to write into; files there are replaced.")
@click.argument("evidence", type=FILE)
def extract(out: Path, evidence: Path) -> None:
    """Write the files as the chip gave them (DG1.bin), and the pictures in them (DG2-1.jp2, portrait.png).

    They tell of a person: only you can read what is written. They are as true as the evidence is; `eid verify` judges.
    """
    submission = load_evidence_file(evidence)
    files = extract_files(submission.evidence if isinstance(submission, SignedEvidence) else submission)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in files:
        write_private(out / file.name, file.content)
    click.echo(
        render_table(((str(out / file.name), str(len(file.content))) for file in files), ("file", "octets"), {1})
    )


def _describe(found: Evidence, station: bytes | None) -> dict[str, Any]:
    """station: identifier of the key that has signed, by the evidence's word."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "origin": found.origin.value,
        "gathered_at": found.gathered_at.isoformat().replace("+00:00", "Z"),
        "reader": found.reader,
        "policy": found.policy,
        "challenge": None if found.challenge is None else found.challenge.hex(),
        "station": None if station is None else station.hex(),
        "files": [
            {
                "name": item.name,
                "octets": None if item.content is None else len(item.content),
                "sha256": None if item.content is None else sha256(item.content).hexdigest(),
                "sw": f"{item.sw:04X}",
            }
            for item in found.files
        ],
        "transcripts": [
            {"protocol": item.protocol.value, "outcome": item.outcome.value, "parameters": dict(item.parameters)}
            for item in found.transcripts
        ],
    }


def _to_text(described: dict[str, Any]) -> str:
    signer = described["station"]
    lines = [
        f"gathered   {described['gathered_at']} by {described['origin']}, reader {described['reader'] or 'unnamed'}",
        f"signed     {'by nobody' if signer is None else f'by the station {signer[:16]}, as it says of itself'}",
        f"challenge  {described['challenge'] or 'of the reader itself'}",
    ]
    files = [
        (item["name"], "refused" if item["octets"] is None else str(item["octets"]), item["sw"])
        for item in described["files"]
    ]
    lines = [*map(make_printable, lines), "", render_table(files, ("file", "octets", "status word"), {1}), ""]
    for item in described["transcripts"]:
        used = ", ".join(f"{name} {value}" for name, value in item["parameters"].items())
        lines.append(make_printable(f"{item['protocol']}: {item['outcome']}" + (f" ({used})" if used else "")))
    return "\n".join(lines)
