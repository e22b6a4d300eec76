from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import RecordError
from eid.mrz import build_mrz_name, transliterate
from eid.mrz.names import split_mrz_name
from eid.mrz.transliteration import ARABIC, BEYOND, CYRILLIC, LATIN
from tests.builders.sweep import examples

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mrz-names.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS["transliteration"], ids=lambda vector: vector["mrz"])
def test_published_transliterations(vector: dict[str, str]) -> None:
    assert transliterate(vector["name"]) == vector["mrz"]


@pytest.mark.parametrize("vector", VECTORS["names"], ids=lambda vector: vector["field"])
def test_published_name_fields(vector: dict[str, object]) -> None:
    field, truncated = build_mrz_name(str(vector["primary"]), str(vector["secondary"]), int(str(vector["width"])))
    assert field == vector["field"]
    assert truncated == vector["truncated"]


@pytest.mark.parametrize(
    ("name", "language", "latin"),
    [
        ("Ægir Þór", None, "AEGIR THOR"),
        ("Gößmann", None, "GOESSMANN"),
        ("Łukasz Żółć", None, "LUKASZ ZOLC"),
        ("Nguyễn", None, "NGUYEN"),
        ("Горбачёв", None, "GORBACHEV"),
        ("Зоряна", "uk", "ZORIANA"),
        ("Юлія", "uk", "YULIIA"),
        ("Гриша", "uk", "HRYSHA"),
        ("Щърбов", "bg", "SHTIERBOV"),
        ("Живко", "sr", "ZIVKO"),
        ("Ќосев", "mk", "KJOSEV"),
        ("فاطمة الزهراء", None, "FAXTTMXAH ALZHRAXE"),
        ("فاطمةً", None, "FAXTTMXAH"),
        ("مُحَمَّد", None, "MXHMMD"),
        ("ةب", None, "XTAB"),
        ("ّب", None, "B"),
        ("Jean–Luc, Marie", None, "JEAN LUC MARIE"),
        ("St. John", None, "ST JOHN"),
        (" - ", None, ""),
        ("'", None, ""),
        ("e\u0301t\u00e9", None, "ETE"),
    ],
)
def test_transliteration_of_further_names(name: str, language: str | None, latin: str) -> None:
    assert transliterate(name, language) == latin


def test_a_character_without_a_value_is_named_by_its_code_point() -> None:
    with pytest.raises(RecordError, match=r"U\+4E2D"):
        transliterate("中")
    with pytest.raises(RecordError, match=r"U\+0032"):
        transliterate("A2")


def test_tables_yield_only_letters_of_the_zone() -> None:
    for table in (LATIN, CYRILLIC, ARABIC, BEYOND):
        for letter, value in table.items():
            assert len(letter) == 1
            assert value == "" or (value.isascii() and value.isalpha() and value.isupper())


WORDS = st.lists(st.text("ABC", min_size=1, max_size=20), min_size=1, max_size=40).map(" ".join)


@given(WORDS, WORDS | st.just(""), st.sampled_from((30, 31, 39)))
@settings(max_examples=examples(200))
def test_fields_have_their_width_and_show_truncation(primary: str, secondary: str, width: int) -> None:
    field, truncated = build_mrz_name(primary, secondary, width)
    assert len(field) == width
    first, second = split_mrz_name(field)
    assert build_mrz_name(first, second, width)[0] == field
    assert first
    assert bool(second) == bool(secondary)
    if not truncated:
        assert (first, second) == (primary, secondary)
    elif len(primary) + len(secondary) > width + 20 and " " not in primary + secondary:
        assert field[-1] != "<"


@given(st.text(max_size=30))
@settings(max_examples=examples(200))
def test_any_text_gives_letters_or_an_error(name: str) -> None:
    try:
        latin = transliterate(name)
    except RecordError:
        return
    assert all(character == " " or "A" <= character <= "Z" for character in latin)
