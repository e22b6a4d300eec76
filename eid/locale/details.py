"""What a check says beside its reason, in French and Arabic: the English sentence is recognised, its values kept.

A report holds English sentences, so that whoever has only the report can be told in another language what it says.
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


def detail_text(language: str, detail: str) -> tuple[str, str]:
    """A check's detail in a language, and the language that it is in: English where no sentence is known.

    Args:
        language: one of `eid.locale.LANGUAGES`. detail: as the report has it.
    """
    if language == FALLBACK or not detail or len(detail) > MAX_DETAIL:
        return detail, FALLBACK
    return _translate(language, detail)


@lru_cache(maxsize=1024)
def _translate(language: str, detail: str) -> tuple[str, str]:
    for pattern, texts in _sentences():
        found = pattern.fullmatch(detail)
        if found is not None and language in texts:
            return _FIELD.sub(partial(_fill, language, found), texts[language]), language
    return detail, FALLBACK


def _fill(language: str, sentence: re.Match[str], field: re.Match[str]) -> str:
    """A field's value as it is, or what it says where it is a sentence of its own."""
    value = sentence[field[1]]
    text, found = _translate(language, value)
    return text if found == language else isolate(language, value)


@lru_cache(maxsize=1)
def _sentences() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    """Patterns of the English sentences, the most exact first, each with the sentence in every language."""
    raw = (files("eid.locale") / "details.toml").read_text(encoding="utf-8")
    entries: list[dict[str, str]] = tomllib.loads(raw)["detail"]
    entries.sort(key=lambda item: (-len(_FIELD.sub("", item["en"])), item["en"]))
    return tuple((_compile(item["en"]), item) for item in entries)


def _compile(sentence: str) -> re.Pattern[str]:
    parts = _FIELD.split(sentence)
    pieces = (f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return re.compile("".join(pieces))
