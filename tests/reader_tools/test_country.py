"""`eid country check`: faults by file and key, disagreements of the files by name."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from eid.country_files import VARIABLE
from reader_tools import exit_codes
from reader_tools.main import run

UTOPIA = Path(__file__).parents[1] / "countries" / "utopia"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, "")
    return Path(copytree(UTOPIA, tmp_path / "utopia"))


def change(file: Path, old: str, new: str) -> None:
    raw = file.read_text("utf-8")
    assert raw.count(old) == 1
    file.write_text(raw.replace(old, new), "utf-8")


@pytest.mark.parametrize("country", ["morocco", str(UTOPIA)])
def test_sound_countries(country: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert run(["country", "check", country]) == 0
    assert "rules    sha256 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("rules.toml", '"personal_number", "address", "contact"]', '"personal_number", "contact"]', "requires address"),
        ("rules.toml", 'country = "UTO"', 'country = "UTA"', "the rules are of UTA"),
        ("rules.toml", "number_length = 8", "number_length = 7", "U0000000 is not U and eight"),
        ("rules.toml", '"9#########"', '"9########"', "111111 does not match personal_number of the rules"),
        ("rules.toml", '"9#########"', '"8#########"', "is not ten digits, the first of them 9"),
        ("rules.toml", 'code = "blood_group"', 'code = "blood_type"', "has details.blood_group"),
        ("rules.toml", "required = true\n", "", "requires details.blood_group, and record.detail does not"),
        ("rules.toml", 'languages = ["en", "el"]', 'languages = ["en", "tt"]', None),
        (
            "utopia-id.layout.toml",
            'source = "given_names.greek"',
            'source = "given_names.arabic"',
            "given_names.arabic",
        ),
        ("utopia-id.layout.toml", 'source = "expires_on"', 'source = "father.latin"', "a face shows father.latin"),
        (
            "office.toml",
            'blood_group = "AB+", profession',
            'blood_group = "C", profession',
            "details/blood_group: form",
        ),
        ("office.toml", 'capacity = "grandparent"', 'capacity = "uncle"', "guardian/capacity: choice"),
        ("office.toml", 'sex = "X"', 'sex = "Q"', "demonstration.person/sex: choice"),
        ("office.toml", 'sex = "X"\n', "", "demonstration.person/sex: missing"),
    ],
)
def test_disagreements_are_told(
    place: Path, file: str, old: str, new: str, told: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    change(place / file, old, new)
    code = run(["country", "check", str(place)])
    said = capsys.readouterr()
    if told is None:
        assert (code, "no title in every language" in said.err) == (exit_codes.CANNOT_WRITE, True)
    else:
        assert (code, told in said.out) == (exit_codes.FAILED, True), said


def test_faulty_files_are_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(place / "office.toml", "version = 1", "version = 2")
    assert run(["country", "check", str(place)]) == exit_codes.CANNOT_WRITE
    assert "utopia/office.toml: version" in capsys.readouterr().err
    change(place / "utopia-id.toml", 'format = "TD1"', 'format = "TD9"')
    assert run(["country", "check", str(place)]) == exit_codes.MALFORMED_INPUT
    assert "utopia-id.toml" in capsys.readouterr().err
    assert run(["country", "check", str(place.parent)]) == exit_codes.USAGE
