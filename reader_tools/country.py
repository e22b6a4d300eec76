"""`eid country`: whether a country's files are sound and agree with each other."""

from __future__ import annotations

import os
from pathlib import Path

import click

from eid.country_files import name_country
from eid.enrolment.person import FaultyRecordError, decode_person, find_faults, find_missing
from eid.enrolment.product import find_disagreements
from eid.enrolment.rules import EnrolmentRules, load_rules
from eid.locale import find_languages
from eid.profile.layout import decode_face_layout
from eid.profile.loader import load_profile
from eid.services.demonstration.people import MadeUpDemonstration, load_made_up_office
from reader_tools import exit_codes
from reader_tools.acting import current_moment
from reader_tools.command_group import CommandGroup


@click.group(name="country", cls=CommandGroup)
def command() -> None:
    """A country's files: rules, made-up office, card profile with its faces, languages (docs/another-country.md)."""


def resolve_country(stated: str) -> str:
    """The name of a country that somebody says by its name or by the directory of its files, which count from now on.

    Raises:
        BadParameter: the directory is no country's.
    """
    if os.sep not in stated and stated.isidentifier():
        return stated
    try:
        return name_country(Path(stated))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@command.command(name="check")
@click.argument("country", metavar="NAME|DIRECTORY")
def check(country: str) -> int:
    """Check a country's files, each for itself and all with each other.

    A faulty file ends with exit code 65 or 73, its name, the first faulty key and why; disagreements are all told, exit
    code 1.
    """
    name = resolve_country(country)
    loaded = load_rules(name)
    rules = loaded.rules
    card = load_profile(rules.issuer.profile)
    layout = None if card.layout is None else decode_face_layout(card.layout)
    made_up = load_made_up_office(name)
    found = list(find_disagreements(rules, card.profile, layout))
    found += [f"there are no texts in the language {code}" for code in rules.languages if code not in find_languages()]
    if made_up.demonstration is not None:
        found += _find_in_demonstration(made_up.demonstration, rules)
    for sentence in found:
        click.echo(sentence)
    if found:
        return exit_codes.FAILED
    click.echo(f"{name}: {rules.title}\n  rules    sha256 {loaded.digest.hex()}")
    click.echo(f"  product  sha256 {card.digest.hex()}  {card.profile.name}")
    return exit_codes.PASSED


def _find_in_demonstration(plan: MadeUpDemonstration, rules: EnrolmentRules) -> list[str]:
    """Why the person of the demonstration could not apply."""
    today = current_moment().date()
    try:
        record = decode_person(plan.describe_person(today))
        faults = find_faults(record, rules, today, abroad=False)
    except FaultyRecordError as faulty:
        return [f"demonstration.person{fault.pointer}: {fault.code}" for fault in faulty.faults]
    missing = sorted(find_missing(record, rules, today))
    return [
        *(f"demonstration.person{fault.pointer}: {fault.code}" for fault in faults),
        *(f"demonstration.person{pointer}: missing" for pointer in missing),
    ]
