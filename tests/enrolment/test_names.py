"""Folding, search keys, warnings: what people write so or so is found, and nobody's spelling is corrected."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.enrolment.names import KEY_LENGTH, Spellings, build_search_keys, find_name_warnings, fold
from eid.enrolment.rules import load_rules

RECORD = load_rules("morocco").rules.record


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("فاطمة", "فاطمه"),  # teh marbuta
        ("أحمد", "احمد"),  # hamza on alef
        ("إبراهيم", "ابراهيم"),
        ("آمنة", "امنه"),
        ("مصطفى", "مصطفي"),  # alef maksura
        ("محـــمد", "محمد"),  # tatweel
        ("مُحَمَّد", "محمد"),  # vowel signs
        ("عائشة", "عايشه"),  # hamza on yeh
        ("مؤمن", "مومن"),
        ("ﻣﺤﻤﺪ", "محمد"),  # presentation forms
        ("Benoît", "BENOIT"),
        ("BENOI\u0302T", "benoît"),
        ("O'Neil", "oneil"),
        ("N’Diaye", "NDIAYE"),
        ("Ben-Ali", "ben  ali"),
        ("EL\u00a0MITHAL", "el mithal"),
        ("Cœur", "COEUR"),
        ("Weiß", "WEISS"),
        ("١٢", "12"),
    ],
)
def test_one_name_in_two_ways(one: str, other: str) -> None:
    assert fold(one) == fold(other) != ""


@given(st.text(max_size=60))
def test_folding_is_settled_at_once(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded == " ".join(folded.split())
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(st.text(max_size=400), st.text(max_size=400))
def test_keys_are_bounded_and_folded(family: str, given_names: str) -> None:
    keys = build_search_keys([(family, given_names)])
    assert all(0 < len(key) <= KEY_LENGTH for key in keys)
    assert any(key.startswith(fold(family)[:KEY_LENGTH]) for key in keys) or not fold(family)


def test_both_orders_and_without_the_article() -> None:
    keys = build_search_keys([("EL MITHAL", "FATIMA ZAHRA"), ("المثال", "فاطمة")], RECORD.articles)
    assert keys == {
        "el mithal fatima zahra",
        "fatima zahra el mithal",
        "mithal fatima zahra",
        "المثال فاطمه",
        "فاطمه المثال",
        "مثال فاطمه",
    }


@pytest.mark.parametrize(
    ("family", "given_names", "warnings"),
    [
        (("بنعلي", "BENALI"), ("محمد", "MOHAMMED"), ()),
        (("الشرقاوي", "CHERKAOUI"), ("خديجة", "KHADIJA"), ()),
        (("بنعلي", "BENALI"), ("مولاي أحمد", "MOULAY AHMED"), ("legacy-title",)),
        (("بنعلي 2", "BENALI 2"), ("محمد", "MOHAMMED"), ("digits",)),
        (("بنعلي", "BENALI"), ("محمد أمين علي", "MOHAMMED AMINE ALI"), ("many-given-names",)),
        (("بنعلي", "TAZI"), ("محمد", "MOHAMMED"), ("spellings-differ",)),
    ],
)
def test_what_an_officer_should_look_at_again(
    family: tuple[str, str], given_names: tuple[str, str], warnings: tuple[str, ...]
) -> None:
    name = Spellings(*(dict(zip(("arabic", "latin"), part, strict=True)) for part in (family, given_names)))
    assert find_name_warnings(name, RECORD.titles, RECORD.given_names) == warnings


def test_another_countrys_names() -> None:
    """Its titles and its usual number of names; nothing is compared where the sounds of a script are not known."""
    name = Spellings({"greek": "ΟΥΤΟΠΙΟΣ", "latin": "SMITH"}, {"greek": "ΚΥΡ ΝΙΚΟΣ", "latin": "KYR NIKOS"})
    assert find_name_warnings(name, ("κυρ",), 1) == ("legacy-title", "many-given-names")
    assert find_name_warnings(name, ("Moulay",), 2) == ()
    assert build_search_keys([("O UTOPIOS", "NIKOS"), ("", "")], ("o",)) >= {"utopios nikos", "nikos o utopios"}
