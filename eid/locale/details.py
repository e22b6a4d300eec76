"""Sentences of the program in French and Arabic: the English one is recognised, its values kept.

A report holds English sentences, so that whoever has only the report can be told in another language what it says. So
do refusals, of which each is made where its rule stands, and told where somebody's language is known.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache, partial
from importlib.resources import files
from typing import Final

from eid.locale import FALLBACK, isolate

_FIELD: Final = re.compile(r"\{([a-z]+)\}")
MAX_DETAIL: Final = 400  # characters; a longer sentence is none of these
DETAILS: Final = "details"  # what checks say beside their reason
REFUSALS: Final = "refusals"  # why an act or a value is refused


def detail_text(language: str, detail: str, file: str = DETAILS) -> tuple[str, str]:
    """A detail in a language, and the language that it is in: English where no sentence is known.

    Args:
        language: one of `eid.locale.LANGUAGES`. detail: as the report or the error has it. file: DETAILS or REFUSALS.
    """
    if language == FALLBACK or not detail or len(detail) > MAX_DETAIL:
        return detail, FALLBACK
    return _translate(language, detail, file)


@lru_cache(maxsize=1024)
def _translate(language: str, detail: str, file: str) -> tuple[str, str]:
    for pattern, texts in _sentences(file):
        found = pattern.fullmatch(detail)
        if found is not None and language in texts:
            return _FIELD.sub(partial(_fill, language, file, found), texts[language]), language
    return detail, FALLBACK


def _fill(language: str, file: str, sentence: re.Match[str], field: re.Match[str]) -> str:
    """A field's value as it is, or what it says where it is a sentence of its own."""
    value = sentence[field[1]]
    text, found = _translate(language, value, file)
    return text if found == language else isolate(language, value)


@lru_cache(maxsize=2)
def _sentences(file: str) -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    """Patterns of the English sentences, the most exact first, each with the sentence in every language."""
    raw = (files("eid.locale") / f"{file}.toml").read_text(encoding="utf-8")
    entries: list[dict[str, str]] = tomllib.loads(raw)["detail"]
    entries.sort(key=lambda item: (-len(_FIELD.sub("", item["en"])), item["en"]))
    return tuple((_compile(item["en"]), item) for item in entries)


def _compile(sentence: str) -> re.Pattern[str]:
    parts = _FIELD.split(sentence)
    pieces = (f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.compile("".join(pieces))
