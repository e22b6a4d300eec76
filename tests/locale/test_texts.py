"""Every code has its text in every language, and no language has a text that no code asks for."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest

from eid.errors import Reason
from eid.locale import LANGUAGES, assurance_text, check_text, direction, isolate, text, texts
from eid.verification.checks import CHECKS
from eid.verification.policy import load_policy, shipped_policies
from eid.verification.policy_lint import Hazard
from eid.verification.report import Outcome, Verdict

CODES = {
    "verdict": {item.value for item in Verdict},
    "outcome": {item.value for item in Outcome},
    "reason": {item.value for item in Reason},
    "hazard": {item.value for item in Hazard},
}
COMING = {"chip.pace_cam"}  # named by policies before there is a check of it


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("table", CODES)
def test_every_code_has_its_text(language: str, table: str) -> None:
    assert set(texts(language)[table]) == CODES[table]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_check_has_its_name(language: str) -> None:
    assert set(texts(language)["check"]) == {item.id for item in CHECKS} | COMING


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_have_the_same_places_to_fill(language: str) -> None:
    def fields(value: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}

    english = texts("en")
    assert texts(language).keys() == english.keys()
    for table, entries in english.items():
        assert texts(language)[table].keys() == entries.keys()
        for code, value in entries.items():
            assert fields(texts(language)[table][code]) == fields(value), (language, table, code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_fit_to_print(language: str) -> None:
    for entries in texts(language).values():
        for code, value in entries.items():
            assert value == value.strip() == unicodedata.normalize("NFC", value), code
            assert value, code
            assert not [letter for letter in value if unicodedata.category(letter)[0] == "C"], code


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("table", ["reason", "hazard"])
def test_sentences_end_and_differ(language: str, table: str) -> None:
    values = list(texts(language)[table].values())
    assert all(value.endswith(".") for value in values)
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("language", ["ar"])
def test_arabic_is_arabic(language: str) -> None:
    """No entry was left in Latin; abbreviations of the specifications may stand in it."""
    for table in ("verdict", "outcome", "reason", "hazard", "check"):
        for code, value in texts(language)[table].items():
            assert re.search("[\u0600-\u06ff]", value), code
            assert not re.search(r"[a-z]{3,}", value.replace("{name}", "")), code


def test_what_has_no_text() -> None:
    assert text("fr", "reason", "NEVER_HEARD_OF") == "NEVER_HEARD_OF"
    assert text("tlh", "reason", "REVOKED") == text("en", "reason", "REVOKED")


def test_data_groups_share_a_text() -> None:
    assert check_text("en", "sod.dg_hashes.dg14") == "DG14 as it was signed"
    assert check_text("ar", "access") == texts("ar")["check"]["access"]


def test_direction() -> None:
    assert {language: direction(language) for language in LANGUAGES} == {"en": "ltr", "ar": "rtl", "fr": "ltr"}
    assert direction("tlh") == "ltr"


def test_values_keep_their_direction() -> None:
    assert isolate("fr", "2026-06-01") == "2026-06-01"
    assert isolate("ar", "2026-06-01") == "\u20662026-06-01\u2069"


@pytest.mark.parametrize("name", shipped_policies())
def test_what_a_policy_assures_is_translated_word_for_word(name: str) -> None:
    own = load_policy(name).assurance
    assert texts("en")["assurance"][name] == own
    assert assurance_text("en", name, own) == (own, "en")
    assert assurance_text("ar", name, own) == (texts("ar")["assurance"][name], "ar")


def test_another_policy_of_a_shipped_name_speaks_for_itself() -> None:
    assert assurance_text("fr", "strict", "Says less.") == ("Says less.", "en")
    assert assurance_text("fr", "own", "Says less.") == ("Says less.", "en")


def test_nothing_is_assured_for_policies_that_there_are_not() -> None:
    assert set(texts("en")["assurance"]) == set(shipped_policies())
