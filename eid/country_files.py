"""Countries that do not come with the system: where their files lie.

`EID_COUNTRIES` names directories, parted as in PATH, that hold a directory for each country:

    NAME/rules.toml         its enrolment rules
         office.toml        its made-up office and demonstration
         PRODUCT.toml       its card profiles, each with its layout beside it
         locale/CODE.toml   languages, or single texts of them in the country's own words

A country's own files come before those of the system with the same name. The environment says it, so that every process
of an installation, and those that they start, find the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "EID_COUNTRIES"
RULES: Final = "rules.toml"
OFFICE: Final = "office.toml"
LOCALE: Final = "locale"
_TABLES: Final = frozenset((RULES, OFFICE))


def find_places() -> str:
    """The directories of countries as the environment says them now; "" for none."""
    return os.environ.get(VARIABLE, "")


def find_country_file(places: str, country: str, name: str) -> Path | None:
    """A file of one country, None where it has none. country: an identifier, such as utopia."""
    if not country.isidentifier():
        return None
    return next((file for file in _within(places, f"{country}/{name}") if file.is_file()), None)


def find_country_profile(places: str, product: str) -> Path | None:
    """The profile of a card product among the files of all countries."""
    name = f"{product}.toml"
    if name in _TABLES or "/" in name:
        return None
    return next((file for file in _within(places, f"*/{name}") if file.is_file()), None)


def find_country_texts(places: str, language: str = "*") -> tuple[Path, ...]:
    """Files of texts, of one language or of all, those that count most first."""
    return tuple(_within(places, f"*/{LOCALE}/{language}.toml"))


def _within(places: str, pattern: str) -> list[Path]:
    directories = (Path(place) for place in places.split(os.pathsep) if place)
    return [file for directory in directories for file in sorted(directory.glob(pattern))]


def name_country(directory: Path) -> str:
    """Let the files of a country count in this process and those that it starts; the country's name.

    Raises:
        ValueError: the directory has no name that a country can have, or no rules.
    """
    place = directory.resolve()
    if not place.name.isidentifier() or not (place / RULES).is_file():
        raise ValueError(f"{directory} is no country's directory: it is named like utopia, and has a {RULES}")
    if str(place.parent) not in find_places().split(os.pathsep):
        os.environ[VARIABLE] = os.pathsep.join(filter(None, (str(place.parent), find_places())))
    return place.name
