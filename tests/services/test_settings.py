"""Settings: command line before environment before file before defaults, and nothing half understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from eid.errors import ProfileError
from eid.services.settings import Settings, load_settings


def stated(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "eid.toml").write_text(text, "utf-8")


def test_defaults() -> None:
    settings = load_settings({})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///var/eid/eid.db"
    assert settings.trust_directory == Path("var/eid/trust")
    assert settings.stations_directory is None


def test_order(tmp_path: Path) -> None:
    stated(tmp_path, 'port = 1\nhost = "file"\ntrust = "t"\nchallenge_seconds = 7\nhome = "elsewhere"\n')
    environment = {"EID_HOME": str(tmp_path), "EID_PORT": "2", "EID_HOST": "environment", "EID_UNRELATED": "x"}
    settings = load_settings(environment, port=3, host=None)
    assert settings == Settings(tmp_path, trust="t", host="environment", port=3, challenge_seconds=7)
    assert settings.trust_directory == Path("t")
    assert load_settings(environment, home=tmp_path / "other").home == tmp_path / "other"


def test_paths_given_as_paths(tmp_path: Path) -> None:
    settings = load_settings({"EID_STATIONS": "s", "EID_DATABASE": "sqlite:///x"}, trust=tmp_path / "t", home="h")
    assert settings.stations_directory == Path("s")
    assert settings.trust == str(tmp_path / "t")
    assert settings.home == Path("h")
    assert settings.database_url == "sqlite:///x"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "unknown setting 'colour'"),
        ("database_url = 'x'", "unknown setting 'database_url'"),  # a property, not a setting
        ("port = true", "port is not a whole number from 0 to 65535"),
        ("port = '80'", "port is not a whole number"),
        ("port = 80.5", "port is not a whole number"),
        ("port = 65536", "port is not a whole number"),
        ("challenge_seconds = 0", "challenge_seconds is not a whole number from 1"),
        ("host = 5", "host is not a text"),
        ("trust = ['a']", "trust is not a text"),
        ("port =", "Invalid value"),
        ("a = " + "[" * 40_000, ""),
        ("x" * 70_000, "larger than"),
    ],
    ids=range(12),
)
def test_faulty_files_are_named(tmp_path: Path, text: str, says: str) -> None:
    stated(tmp_path, text)
    with pytest.raises(ProfileError, match=r"eid\.toml") as failure:
        load_settings({"EID_HOME": str(tmp_path)})
    assert says in str(failure.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("EID_PORT", "eighty"), ("EID_PORT", "-1"), ("EID_PORT", "١٢"), ("EID_PORT", "9" * 5000), ("EID_PORT", "70000")],
    ids=range(5),
)
def test_faulty_environment_is_named(name: str, text: str) -> None:
    with pytest.raises(ProfileError, match=name):
        load_settings({name: text})


def test_faulty_command_line_is_named() -> None:
    with pytest.raises(ProfileError, match="command line: port"):
        load_settings({}, port=-5)
    with pytest.raises(ProfileError, match="unknown setting"):
        load_settings({}, colour="red")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert load_settings({"EID_HOME": str(tmp_path)}).home == tmp_path
    with pytest.raises(ProfileError, match="no such file"):
        load_settings({"EID_CONFIG": str(tmp_path / "missing.toml")})
    with pytest.raises(ProfileError, match="directory"):
        load_settings({"EID_CONFIG": str(tmp_path)})
    (tmp_path / "latin.toml").write_bytes(b'host = "\xe9"')
    with pytest.raises(ProfileError, match="UTF-8"):
        load_settings({"EID_CONFIG": str(tmp_path / "latin.toml")})
    (tmp_path / "named.toml").write_text("port = 99")
    assert load_settings({"EID_CONFIG": str(tmp_path / "named.toml")}).port == 99
