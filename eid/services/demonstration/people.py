"""People of a made-up country office: believable names in its scripts, every one marked SPECIMEN, nobody real.

Names, towns, numbers and sites are data: a file for each country beside this one, `offices/NAME.toml`.
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files
from random import Random
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eid.codec.toml import decode_toml
from eid.errors import StoreError

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


class MadeUpOffice(_Table):
    """A country's made-up office.

    Args:
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
    site: tuple[MadeUpSite, ...] = Field(min_length=1)


def load_made_up_office(country: str) -> MadeUpOffice:
    """The made-up office of a country.

    Raises:
        StoreError: there is none, or its file is faulty.
    """
    place = files("eid.services.demonstration") / "offices" / f"{country}.toml"
    if not country.isidentifier() or not place.is_file():
        raise StoreError(f"there is no made-up office of {country!r}: it is a file offices/{country}.toml")
    try:
        return MadeUpOffice.model_validate(decode_toml(place.read_bytes()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StoreError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


class People:
    """Invents one person after another.

    Args:
        choose: which repeats itself with the same seed. country: the code of the state whose nationals they are.
    """

    def __init__(self, office: MadeUpOffice, country: str, choose: Random, today: date) -> None:
        self._office, self._country, self._choose, self._today, self._made = office, country, choose, today, 0
        self._letters = "".join(choose.choices(_LETTERS, k=office.number_letters))
        self._first = choose.randrange(*office.number_from)

    def invent(self) -> dict[str, Any]:
        """The record of an adult (JSON of `eid.enrolment.person`), with a number that nobody else of these has."""
        choose, office = self._choose, self._office
        self._made += 1
        family, town = choose.choice(office.families), choose.choice(office.towns)
        is_woman = choose.random() < 0.5
        born = self._today - timedelta(days=choose.randrange(19 * 366, 85 * 365))
        street = {script: text.format(number=choose.randrange(1, 180)) for script, text in office.street.items()}
        return {
            "specimen": True,
            "family_name": _join(" ", family, office.mark),
            "given_names": choose.choice(office.women if is_woman else office.men),
            "date_of_birth": born.isoformat(),
            "place_of_birth": town,
            "country_of_birth": self._country,
            "sex": "F" if is_woman else "M",
            "nationality": self._country,
            "personal_number": f"{self._letters}{self._first + self._made}",
            "father": _join(" ", choose.choice(office.men), family),
            "mother": _join(" ", choose.choice(office.women), choose.choice(office.families)),
            "civil_status": {"number": f"{choose.randrange(1, 2000)}/{born.year}", "year": born.year},
            "address": {"lines": _join("\n", street, town), "country": self._country},
            "contact": {"phone": "".join(str(choose.randrange(10)) if sign == "#" else sign for sign in office.phone)},
        }


def _join(between: str, *parts: Spelt) -> Spelt:
    return {script: between.join(part[script] for part in parts) for script in parts[0]}
