"""Where a country's own files are found: in the directories that the environment names, before those of the system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eid.country_files import VARIABLE, find_country_file, find_country_profile, find_country_texts, name_country
from eid.enrolment.rules import load_rules
from eid.errors import ProfileError, StoreError
from eid.locale import find_languages, is_spoken, text
from eid.profile.loader import load_profile

COUNTRIES = Path(__file__).parent / "countries"
MOROCCO = Path(__file__).parents[1] / "eid" / "enrolment" / "rules" / "morocco.toml"


def test_a_country_has_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(StoreError, match="no enrolment rules 'utopia'"):
        load_rules("utopia")
    with pytest.raises(ProfileError, match="no profile 'utopia-id'"):
        load_profile("utopia-id")
    assert not is_spoken("el")
    monkeypatch.setenv(VARIABLE, f"{os.sep}nowhere{os.pathsep}{COUNTRIES}")
    assert load_rules("utopia").rules.country == "UTO"
    assert load_profile("utopia-id").profile.name == "utopia-id"
    assert load_rules("morocco").rules.country == "MAR"
    assert find_languages() == ("en", "ar", "el", "fr")
    assert text("el", "problem", "invalid-request").startswith("Το αίτημα")
    assert text("el", "problem", "forbidden") == text("en", "problem", "forbidden")


def test_own_files_come_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "morocco"
    (place / "locale").mkdir(parents=True)
    raw = MOROCCO.read_text("utf-8").replace("mandatory = 16", "mandatory = 15")
    (place / "rules.toml").write_text(raw, "utf-8")
    (place / "locale" / "fr.toml").write_text('[problem]\nforbidden = "Non."\n', "utf-8")
    usual = load_rules("morocco")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert load_rules("morocco").rules.ages[0].mandatory == 15
    assert load_rules("morocco").digest != usual.digest
    assert text("fr", "problem", "forbidden") == "Non."
    assert text("fr", "problem", "not-found") != "not-found"
    (place / "rules.toml").write_text(raw.replace('currency = "MAD"', 'currency = "dirham"'), "utf-8")
    monkeypatch.setenv(VARIABLE, f"{tmp_path}{os.sep}")
    with pytest.raises(StoreError, match=r"morocco/rules\.toml.*stamps\.currency"):
        load_rules("morocco")


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").touch()
    (tmp_path / "utopia").mkdir()
    places = str(tmp_path / "utopia")
    assert find_country_file(places, "..", "rules.toml") is None
    assert find_country_file(str(COUNTRIES), "utopia", "nothing.toml") is None
    assert find_country_profile(str(COUNTRIES), "rules") is None
    assert find_country_profile(str(COUNTRIES), "utopia/utopia-id") is None
    assert find_country_texts("") == ()


def test_a_directory_names_its_country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/elsewhere")
    assert name_country(COUNTRIES / "utopia") == "utopia"
    assert os.environ[VARIABLE] == f"{COUNTRIES.resolve()}{os.pathsep}/elsewhere"
    assert name_country(COUNTRIES / "utopia") == "utopia"
    assert os.environ[VARIABLE].count(str(COUNTRIES.resolve())) == 1
    for wrong in (tmp_path, tmp_path / "9th", COUNTRIES):
        with pytest.raises(ValueError, match="is no country's directory"):
            name_country(wrong)
