"""`eid profile`: what there is, what it states, and where exactly a file is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eid.profile.loader import load_profile, shipped_profiles

Eid = Callable[..., object]
SHIPPED = Path(__file__).parents[2] / "card_profiles"


def text_of(name: str = "icao-td3-passport") -> str:
    return (SHIPPED / f"{name}.toml").read_text("utf-8")


def line_of(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_list(eid: Eid) -> None:
    told = eid("profile", "list")
    assert told.code == 0
    assert [line.split()[0] for line in told.out.splitlines()] == list(shipped_profiles())


@pytest.mark.parametrize("name", shipped_profiles())
def test_show_and_check_every_profile(eid: Eid, name: str) -> None:
    shown = eid("profile", "show", name)
    assert shown.code == 0
    assert f"sha256 {load_profile(name).digest.hex()}" in shown.out
    told = json.loads(eid("profile", "show", name, "--json").out)
    assert (told["name"], told["digest"]) == (name, load_profile(name).digest.hex())
    path = SHIPPED / f"{name}.toml"
    assert eid("profile", "check", path).out == f"{path}: sound: {told['title']}\n"


def test_show_what_there_is_not(eid: Eid, tmp_path: Path) -> None:
    told = eid("profile", "show", "no-such")
    assert told.code == 65
    assert all(name in told.err for name in shipped_profiles())
    assert eid("profile", "show", tmp_path / "no.toml").code == 65


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("[document]", "[document", ""),
        ("code =", 'code = "TOO LONG"', "document.code"),
        ("issuing_state =", "", "document.issuing_state"),
        ("key_length =", "key_length = 17", "security_domain.key_length"),
        ("bac =", 'bac = "perhaps"', "access.bac"),
        ("data_groups =", 'data_groups = ["DG1"]', "DG2 are mandatory"),
        ("csca_curve =", 'csca_curve = "P-999"', "authority.csca_curve"),
        ("dialect =", 'dialect = "none"\ncolour = 1', "personalization.colour"),
    ],
)
def test_check_names_the_line(eid: Eid, tmp_path: Path, line: str, instead: str, says: str) -> None:
    text = text_of()
    number = line_of(text, line)
    lines = text.splitlines()
    lines[number - 1] = instead
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(lines), "utf-8")
    told = eid("profile", "check", path)
    assert told.code == 65
    assert says in told.out
    places = [int(found.split(": line ")[1].split(":")[0]) for found in told.out.splitlines()]
    # A key that is missing is told where its table begins; a broken header where the reader noticed.
    assert any(abs(place - number) <= 3 for place in places), told.out
    assert places == sorted(places)


def test_check_several(eid: Eid, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad.toml"
    good.write_text(text_of(), "utf-8")  # its name need not end in .toml
    bad.write_text("format = 1\n")
    told = eid("profile", "check", bad, good, tmp_path / "missing")
    assert told.code == 65
    assert f"{good}: sound" in told.out
    assert f"{bad}: line 1: format" in told.out
    assert f"{tmp_path / 'missing'}: No such file" in told.out


def test_check_looks_at_the_layout_too(eid: Eid, tmp_path: Path) -> None:
    path = tmp_path / "ma-cnie.toml"
    path.write_text(text_of("ma-cnie"), "utf-8")
    told = eid("profile", "check", path)
    assert told.code == 65
    assert "ma-cnie.layout.toml" in told.out
    (tmp_path / "ma-cnie.layout.toml").write_text("format = 1\n")
    told = eid("profile", "check", path)
    assert told.code == 65
    assert "layout" in told.out


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"a = " + b"[" * 60_000, b"x" * (1 << 19), b"\x00", b"[[a]]\n" * 10_000, b'a."' + b"b" * 9000],
    ids=range(7),
)
def test_check_junk(eid: Eid, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.toml"
    path.write_bytes(content)
    told = eid("profile", "check", path)
    assert told.code == 65
    assert str(path) in told.out
    assert eid("profile", "show", path).code == 65
