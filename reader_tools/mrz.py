"""`eid mrz`: read, write and check machine-readable zones."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from eid.errors import DecodeError, RecordError
from eid.mrz import Mrz, MrzFormat, build_mrz, decode_mrz
from eid.services.input_file import read_input
from reader_tools.command_group import CommandGroup
from reader_tools.values import FILE

FORMAT = "eid-mrz"
VERSION = 1
MAX_MRZ = 64 << 10  # octets of a file
# What a zone is written from; the names are given as they stand in Latin letters, and transliterated.
VALUES = (
    "document_code",
    "issuing_state",
    "document_number",
    "nationality",
    "date_of_birth",
    "sex",
    "date_of_expiry",
    "family_name",
    "given_names",
    "optional_data_1",
    "optional_data_2",
)
OPTIONAL = ("given_names", "optional_data_1", "optional_data_2")
EXAMPLES = """\b
Examples:
  eid mrz read zone.txt --json
  eid mrz write --format TD1 --document-code I --issuing-state UTO --document-number SPEC00001 \\
      --nationality UTO --date-of-birth 850214 --sex F --date-of-expiry 350601 \\
      --family-name Specimen --given-names "Anna Maria"
  eid mrz write --from fields.json
  eid mrz check - < zone.txt
"""


@click.group(name="mrz", cls=CommandGroup, epilog=EXAMPLES)
def command() -> None:
    """The machine-readable zone of Doc 9303-3: TD1, TD2, TD3 and visas."""


@command.command(name="read")
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def read(file: Path, as_json: bool) -> None:
    """Read the zone in FILE ("-": standard input); every check digit is verified."""
    mrz = _decode(file)
    if as_json:
        click.echo(json.dumps(mrz_to_json(mrz), indent=2, ensure_ascii=False))
        return
    for name, value in mrz_to_json(mrz).items():
        if name not in ("format", "version") and value:
            click.echo(f"{name:22} {value}")


@command.command(name="check")
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Tell whether the zone in FILE ("-": standard input) is sound; the error names the field that is not."""
    mrz = _decode(file)
    written = mrz.encode()
    click.echo(
        f"sound: {mrz.format.value}, {len(written)} lines of {len(written[0])} characters, every check digit right"
    )


@command.command(name="write")
@click.option(
    "--format",
    "mrz_format",
    type=click.Choice([item.value for item in MrzFormat], case_sensitive=False),
    help="Which zone; needed here or in the JSON file.",
)
@click.option("--from", "source", type=FILE, help='Take the fields from a JSON file ("-": standard input).')
@click.option("--document-code", help="Two characters, e.g. I, ID, P.")
@click.option("--issuing-state", help="Three letters, e.g. UTO.")
@click.option("--document-number", help="Letters and digits, as printed.")
@click.option("--nationality", help="Three letters.")
@click.option("--date-of-birth", help="YYMMDD; < for what is not known.")
@click.option("--sex", help="M, F or X.")
@click.option("--date-of-expiry", help="YYMMDD.")
@click.option("--family-name", help="In Latin letters, as approved; transliterated as Doc 9303-3 says.")
@click.option("--given-names", help="The same, parted by blanks.")
@click.option("--optional-data-1", help="Letters and digits.")
@click.option("--optional-data-2", help="TD1 only.")
@click.option("--language", help="Language of the names, where their transliteration depends on it, e.g. de.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
def write(
    mrz_format: str | None, source: Path | None, language: str | None, as_json: bool, **given: str | None
) -> None:
    """Write a zone from its fields; what options say goes before what the JSON file says."""
    stated = {} if source is None else _read_fields(source)
    said = {"mrz_format": mrz_format, "language": language, **given}
    merged = {**stated, **{name: value for name, value in said.items() if value is not None}}
    mrz = _build(merged)
    click.echo(json.dumps(mrz_to_json(mrz), indent=2, ensure_ascii=False) if as_json else "\n".join(mrz.encode()))


def mrz_to_json(mrz: Mrz) -> dict[str, Any]:
    """The zone as the JSON object that `docs/formats/mrz.md` describes."""
    values = {item.name: getattr(mrz, item.name) for item in fields(mrz) if item.name != "format"}
    return {
        "format": FORMAT,
        "version": VERSION,
        "mrz_format": mrz.format.value,
        **values,
        "lines": list(mrz.encode()),
    }


def _decode(file: Path) -> Mrz:
    raw = _read(file)
    try:
        return decode_mrz(raw.decode("ascii"))
    except UnicodeDecodeError as failure:
        raise DecodeError(
            "MRZ has characters other than A-Z, 0-9 and <", offset=failure.start, clause="Doc 9303-3 4.3"
        ) from None


def _read(file: Path) -> bytes:
    if str(file) != "-":
        return read_input(file, MAX_MRZ, "MRZ")
    raw = sys.stdin.buffer.read(MAX_MRZ + 1)
    if not raw or len(raw) > MAX_MRZ:
        raise DecodeError(f"standard input is empty or over {MAX_MRZ} octets, so it is no MRZ")
    return raw


def _read_fields(source: Path) -> dict[str, str]:
    """The fields of a JSON object: those that a zone is built from, or those that `eid mrz read --json` printed."""
    try:
        stated = json.loads(_read(source).decode("utf-8"))
    except (ValueError, RecursionError):
        raise DecodeError("the fields of the MRZ are not JSON") from None
    if not isinstance(stated, dict):
        raise DecodeError("the fields of the MRZ are not a JSON object")
    if stated.pop("format", FORMAT) != FORMAT or stated.pop("version", VERSION) != VERSION:
        raise DecodeError(f"the fields of the MRZ are not of format {FORMAT} version {VERSION}")
    stated.pop("lines", None)
    for read_name, name in (("primary_identifier", "family_name"), ("secondary_identifier", "given_names")):
        if read_name in stated:
            stated.setdefault(name, stated.pop(read_name))
    for name, value in stated.items():
        if name not in (*VALUES, "mrz_format", "language"):
            raise DecodeError(f"MRZ has no field {name[:40]!r}")
        if not isinstance(value, str):
            raise DecodeError(f"MRZ {name} is not a text")
    return stated


def _build(values: dict[str, str]) -> Mrz:
    missing = [name for name in ("mrz_format", *VALUES) if name not in OPTIONAL and not values.get(name)]
    if missing:
        raise RecordError(f"MRZ {missing[0]} is missing")
    try:
        mrz_format = MrzFormat(values["mrz_format"].upper())
    except ValueError:
        raise RecordError(f"MRZ mrz_format is none of {', '.join(item.value for item in MrzFormat)}") from None
    given = {name: values.get(name, "") for name in VALUES}
    return build_mrz(mrz_format, language=values.get("language"), **given)
