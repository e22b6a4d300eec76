"""Profiles load, and a faulty one is explained by key and line."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import ProfileError
from eid.profile.loader import check_profile, index_lines, load_profile, shipped_profiles
from eid.profile.schema import CardProfile
from tests.builders.sweep import examples

if TYPE_CHECKING:
    from pathlib import Path


def toml(name: str = "ma-cnie") -> str:
    return (files("card_profiles") / f"{name}.toml").read_text("utf-8")


def problems(text: str) -> list[str]:
    profile, found = check_profile(text.encode())
    assert profile is None
    return [str(item) for item in found]


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


@pytest.mark.parametrize("name", shipped_profiles())
def test_shipped_profiles_are_sound(name: str) -> None:
    loaded = load_profile(name)
    assert loaded.profile.name == name
    assert len(loaded.digest) == 32


def test_every_shipped_profile_says_what_is_fact_and_what_is_assumption() -> None:
    for name in shipped_profiles():
        assert "Assumptions" in toml(name)
        assert "Public facts" in toml(name)


def test_pace_info_is_derived_from_intent() -> None:
    info = load_profile("ma-cnie").profile.access.pace[0].info
    # id-PACE-ECDH-GM-AES-CBC-CMAC-256 and brainpoolP256r1 (Doc 9303-11 9.2.1, table of standardised parameters)
    assert (info.protocol, info.version, info.parameter_id) == ("0.4.0.127.0.7.2.2.4.2.4", 2, 13)


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        (
            'curve = "brainpoolP256r1"\nhash',
            'curve = "P-385"\nhash',
            "application.keys[0].curve",
            "'P-385' is not a curve",
        ),
        ("can_digits = 6", "can_digits = 60", "document.can_digits", "less than or equal to 12"),
        ("dialect =", "dialekt =", "personalization.dialect", "Field required"),
        ('interface = "contactless"', 'interface = "wireless"', "chip.interface", "'contact' or 'contactless'"),
        ('historical_bytes = "4549442D43415244"', 'historical_bytes = "45 zz"', "chip.historical_bytes", "fromhex"),
        ('"DG11", ', '"DG17", ', "application", "'DG17' is not a data group"),
        ('"DG14", "DG15"', '"DG14"', "application", "DG15 and an active-authentication key go together"),
        ("reference = 2", "reference = 1", "application", "share a reference"),
        ("[A-Z0-9]{6,9}", "[A-Z0-9{6,9}", "document.document_number.pattern", "not a regular expression"),
        ('cipher = "AES_256", par', 'cipher = "AES_512", par', "access.pace[0].cipher", "'AES_512' is none of"),
        (
            'parameters = "brainpoolP256r1"',
            'parameters = "brainpoolP160r1"',
            "access.pace[0].parameters",
            "no standardised",
        ),
        ('passwords = ["MRZ", "CAN"]', 'passwords = ["CAN"]', "access", "BAC needs the MRZ"),
    ],
)
def test_faults_name_key_line_and_cause(old: str, new: str, key: str, message: str) -> None:
    text = toml()
    assert old in text
    faulty = text.replace(old, new, 1)
    found = problems(faulty)
    hit = [item for item in found if f": {key}:" in item and message in item]
    assert hit, found
    assert not hit[0].startswith("line 1:")


def test_line_numbers_are_those_of_the_key() -> None:
    text = toml().replace('hash = "sha256"\n\n[[application.keys]]', 'hash = "md5"\n\n[[application.keys]]', 1)
    expected = line_of(text, 'hash = "md5"')
    assert any(item.startswith(f"line {expected}: application.hash") for item in problems(text))


def test_unknown_key_is_refused() -> None:
    text = toml().replace("[access]", "[access]\nbacc = true", 1)
    expected = line_of(text, "bacc = true")
    assert any(item.startswith(f"line {expected}: access.bacc: Extra inputs") for item in problems(text))


def test_syntax_error_names_its_line() -> None:
    assert problems("a = 1\nb = = 2\n") == ["line 2: Invalid value (at line 2, column 5)"]


def test_open_chip_is_refused() -> None:
    text = toml("eu-td1-id-card")
    start = text.index("pace = [{")
    text = text[:start] + text[text.index("\n", start) :]
    assert any("anyone near it reads it" in item for item in problems(text))


def test_not_utf8() -> None:
    assert check_profile(b"a = 1\n\xff")[1][0].line == 2


def test_unknown_name_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no profile 'nowhere'; there are au-passport-2016"):
        load_profile("nowhere")
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(str(tmp_path / "none.toml"))


def test_load_from_path_with_layout_beside(tmp_path: Path) -> None:
    place = tmp_path / "own.toml"
    place.write_text(toml().replace('"ma-cnie.layout.toml"', '"own.layout.toml"'))
    with pytest.raises(ProfileError, match=r"own\.layout\.toml"):
        load_profile(str(place))
    (tmp_path / "own.layout.toml").write_text("x = 1")
    with pytest.raises(ProfileError, match=r"own\.layout\.toml: layout\.format is missing"):
        load_profile(str(place))
    layout = load_profile("ma-cnie").layout
    assert layout is not None
    (tmp_path / "own.layout.toml").write_bytes(layout)
    assert load_profile(str(place)).layout == layout


def test_layout_cannot_lead_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "own.toml"
    place.write_text(toml().replace('"ma-cnie.layout.toml"', '"../layout.toml"'))
    with pytest.raises(ProfileError, match="beside the profile"):
        load_profile(str(place))


def test_first_fault_is_raised_with_its_line(tmp_path: Path) -> None:
    place = tmp_path / "own.toml"
    text = toml().replace("can_digits = 6", "can_digits = 60")
    place.write_text(text)
    with pytest.raises(ProfileError, match=f"line {line_of(text, 'can_digits')}: document.can_digits"):
        load_profile(str(place))


def test_index_of_tables_and_arrays() -> None:
    lines = index_lines("a = 1\n[b]\nc = 2\n[[d.e]]\nf = 3\n[[d.e]]\nf = 4\n")
    assert lines["a"] == 1
    assert lines["b.c"] == 3
    assert (lines["d.e[0].f"], lines["d.e[1].f"]) == (5, 7)
    lines = index_lines("[[d.e]]\nf = 1\n[d.e.g]\nh = 2\n[[d.e]]\n[d.e.g]\nh = 3\n[d.eg]\ni = 4\n")
    assert (lines["d.e[0].g.h"], lines["d.e[1].g.h"], lines["d.eg.i"]) == (4, 7, 9)


def test_a_fault_in_a_curve_of_the_chips_own_names_its_line() -> None:
    text = toml("own-curve").replace("\na = ", "\na = 7 # ", 1)
    assert any(item.startswith(f"line {line_of(text, 'a = 7')}: access.pace[0].curve.a") for item in problems(text))
    text = toml("own-curve").replace("parameter_id = 32", "parameter_id = 13", 1)
    expected = line_of(text, "parameter_id = 13")
    assert any(item.startswith(f"line {expected}: access.pace[0].curve.parameter_id") for item in problems(text))


@settings(max_examples=examples(100))
@given(st.binary(max_size=400))
def test_any_bytes_give_problems_not_exceptions(raw: bytes) -> None:
    profile, found = check_profile(raw)
    assert isinstance(profile, CardProfile) or found
