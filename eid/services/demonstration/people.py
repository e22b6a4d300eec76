"""People of a made-up country office: believable names in its scripts, every one marked SPECIMEN, nobody real.

Names, towns, numbers and sites are data: a file for each country beside this one, `offices/NAME.toml`, or its own
(`eid.country_files`).
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files
from random import Random
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eid.codec.toml import decode_toml
from eid.country_files import OFFICE, find_country_file, find_places
from eid.enrolment.rules import EnrolmentRules
from eid.errors import DecodeError, StoreError

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Spelt = dict[str, str]
"""One text by script."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MadeUpSite(_Table):
    """Where people are seen; hours and places are the same at every one."""

    code: str
    kind: str
    time_zone: str
    title: dict[str, str]


class MadeUpDemonstration(_Table):
    """Whose card `eid demo` makes, and what is to be seen of it.

    Args:
        reason: of the application. asked_again: the paper that an officer asks for once more. person: the record (JSON
            of `eid.enrolment.person`). age: where his date of birth is to be that of somebody so old.
        expected: what the chip says of him, by label of `eid read`, in this order.
    """

    reason: str
    asked_again: str
    person: dict[str, Any]
    age: int | None = Field(default=None, ge=0, le=120)
    expected: dict[str, tuple[str, ...]] = {}

    def describe_person(self, today: date) -> dict[str, Any]:
        """The record on a day."""
        half_a_year_ago = today - timedelta(days=183)
        born = f"{half_a_year_ago.year - (self.age or 0):04}-{half_a_year_ago.month:02}-15"
        return {**self.person, **({} if self.age is None else {"date_of_birth": born}), "specimen": True}


class MadeUpOffice(_Table):
    """A country's made-up office.

    Args:
        civil_number: of a civil-status record, with the {number} and the {year} of birth. full_name: of a parent, with
            {given} and {family}. details: of the country's own values, what may stand there, by code.
        reasons: of the applications. phone: of people, a digit for each #. number_letters: so many letters begin every
            personal number; number_from: between which two numbers the count of the rest begins. mark: behind every
            family name. street: an address, with the {number} of the house.
    """

    format: Literal["eid-made-up-office"]
    version: Literal[1]
    reasons: tuple[str, ...] = Field(min_length=1)
    phone: str
    number_letters: int = Field(default=0, ge=0, le=10)
    number_from: tuple[int, int]
    mark: Spelt
    street: Spelt
    families: tuple[Spelt, ...] = Field(min_length=1)
    women: tuple[Spelt, ...] = Field(min_length=1)
    men: tuple[Spelt, ...] = Field(min_length=1)
    towns: tuple[Spelt, ...] = Field(min_length=1)
    civil_number: str = "{number}/{year}"
    full_name: str = "{given} {family}"
    details: dict[str, tuple[str, ...]] = {}
    site: tuple[MadeUpSite, ...] = Field(min_length=1)
    demonstration: MadeUpDemonstration | None = None


def load_made_up_office(country: str) -> MadeUpOffice:
    """The made-up office of a country.

    Raises:
        StoreError: there is none, or its file is faulty; the text names the file, the first faulty key, and why.
    """
    ours = files("eid.services.demonstration") / "offices" / f"{country}.toml"
    place = find_country_file(find_places(), country, OFFICE) or ours
    if not country.isidentifier() or not place.is_file():
        raise StoreError(f"there is no made-up office of {country!r}: it is a file offices/{country}.toml")
    try:
        return MadeUpOffice.model_validate(decode_toml(place.read_bytes()))
    except DecodeError as error:
        raise StoreError(f"{place}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StoreError(f"{place}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


class People:
    """Invents one person after another.

    Args:
        choose: which repeats itself with the same seed. rules: of the state whose nationals they are.
    """

    def __init__(self, office: MadeUpOffice, rules: EnrolmentRules, choose: Random, today: date) -> None:
        self._office, self._rules, self._choose, self._today, self._made = office, rules, choose, today, 0
        self._of_age = max(19, *(row.guardian_below for row in rules.ages))
        self._letters = "".join(choose.choices(_LETTERS, k=office.number_letters))
        self._first = choose.randrange(*office.number_from)

    def invent(self) -> dict[str, Any]:
        """The record of an adult (JSON of `eid.enrolment.person`), with a number that nobody else of these has."""
        choose, office, country = self._choose, self._office, self._rules.country
        self._made += 1
        family, town = choose.choice(office.families), choose.choice(office.towns)
        is_woman = choose.random() < 0.5
        born = self._today - timedelta(days=choose.randrange(self._of_age * 366, 85 * 365))
        street = {script: text.format(number=choose.randrange(1, 180)) for script, text in office.street.items()}
        stated = {
            "specimen": True,
            "family_name": _join(" ", family, office.mark),
            "given_names": choose.choice(office.women if is_woman else office.men),
            "date_of_birth": born.isoformat(),
            "place_of_birth": town,
            "country_of_birth": country,
            "sex": "F" if is_woman else "M",
            "nationality": country,
            "personal_number": f"{self._letters}{self._first + self._made}",
            "father": self._name_in_full(choose.choice(office.men), family),
            "mother": self._name_in_full(choose.choice(office.women), choose.choice(office.families)),
            "civil_status": {
                "number": office.civil_number.format(number=choose.randrange(1, 2000), year=born.year),
                "year": born.year,
            },
            "address": {"lines": _join("\n", street, town), "country": country},
            "contact": {"phone": "".join(str(choose.randrange(10)) if sign == "#" else sign for sign in office.phone)},
        }
        taken = self._rules.record.known_fields | {"specimen"}
        details = {code: choose.choice(texts) for code, texts in office.details.items()}
        return {name: value for name, value in stated.items() if name in taken} | (
            {"details": details} if details else {}
        )

    def _name_in_full(self, given: Spelt, family: Spelt) -> Spelt:
        return {script: self._office.full_name.format(given=given[script], family=family[script]) for script in family}


def _join(between: str, *parts: Spelt) -> Spelt:
    return {script: between.join(part[script] for part in parts) for script in parts[0]}
