"""Texts for people, by the stable codes that programs use: in English, French and Arabic, and what a file is added for.

One TOML file per language, with the same tables and keys in each: a test holds them complete against the code. Programs
decide by codes; nothing is decided by a text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from eid.country_files import find_country_texts, find_places

FALLBACK: Final = "en"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # letters of Arabic script join or part by these
_NAME: Final = re.compile(r"([a-z]{2,3})\.toml", re.ASCII)  # ISO 639


def text(language: str, table: str, code: str) -> str:
    """The text for a code in a language; where there is none, in English; where there is none either, the code.

    Args:
        language: one of `LANGUAGES`. table: such as "reason", "outcome", "verdict", "check", "hazard" or "page".
    """
    for wanted in (language, FALLBACK):
        found = texts(wanted).get(table, {}).get(code)
        if found is not None:
            return found
    return code


def check_text(language: str, check_id: str) -> str:
    """The name of a check; the data group's number of a family such as sod.dg_hashes.dg2 is put in."""
    family, _, member = check_id.rpartition(".")
    if family == "sod.dg_hashes":
        return text(language, "check", family).replace("{name}", member.upper())
    return text(language, "check", check_id)


def assurance_text(language: str, policy: str, assurance: str) -> tuple[str, str]:
    """What a policy's verdict says, and the language of that: translated only if these are the very words."""
    if language != FALLBACK and texts(FALLBACK)["assurance"].get(policy) == assurance:
        return text(language, "assurance", policy), language
    return assurance, FALLBACK


def isolate(language: str, value: str) -> str:
    """A value to set into a text: kept in its own direction where the text runs from right to left (UAX 9, 2.4.2).

    Without it a date such as 2026-06-01 would be shown in another order.
    """
    return f"\u2066{value}\u2069" if direction(language) == "rtl" else value


def clean_text(text: str) -> str:
    """A text of somebody else's with everything that a terminal or page could take for an order replaced."""
    return "".join(letter if letter.isprintable() or letter in JOINERS else REPLACEMENT for letter in text)


def direction(language: str) -> str:
    """The direction of a language's script, as HTML wants it: "ltr" or "rtl"."""
    return texts(language).get("language", {}).get("direction", "ltr")


def find_languages() -> tuple[str, ...]:
    """The languages that there is a file of, English first."""
    return _find_languages(find_places())


@lru_cache(maxsize=8)
def _find_languages(places: str) -> tuple[str, ...]:
    names = (_NAME.fullmatch(place.name) for place in (*files("eid.locale").iterdir(), *find_country_texts(places)))
    others = sorted({found[1] for found in names if found is not None})
    return (FALLBACK, *(language for language in others if language != FALLBACK))


def texts(language: str) -> Mapping[str, Mapping[str, str]]:
    """All texts of a language, by table and code, a country's own before ours; none for a language without any."""
    return _texts(language, find_places())


@lru_cache(maxsize=32)
def _texts(language: str, places: str) -> Mapping[str, Mapping[str, str]]:
    if language not in _find_languages(places):
        return MappingProxyType({})
    ours = files("eid.locale") / f"{language}.toml"
    found: dict[str, Mapping[str, str]] = {}
    for place in (*([ours] if ours.is_file() else []), *reversed(find_country_texts(places, language))):
        for table, said in tomllib.loads(place.read_text(encoding="utf-8")).items():
            found[table] = {**found.get(table, {}), **said}
    return MappingProxyType(found)


def is_spoken(language: str) -> bool:
    """Whether there are texts of a language."""
    return language in find_languages()


LANGUAGES: Final = find_languages()
"""The languages of this installation. A file more is a language more."""
