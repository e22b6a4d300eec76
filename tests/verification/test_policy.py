"""Policies by name and by file, and what is wrong with a faulty one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from eid.errors import ProfileError
from eid.verification.policy import decode_policy, load_policy, shipped_policies

STRICT = (files("eid.verification") / "policies" / "strict.toml").read_bytes()


@pytest.mark.parametrize("name", shipped_policies())
def test_shipped_policies_carry_their_names(name: str) -> None:
    assert load_policy(name).name == name


def test_a_policy_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(STRICT)
    assert load_policy(str(tmp_path / "own.toml")) == load_policy("strict")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match=r"no policy 'lenient'; there are .*passive.*strict"):
        load_policy("lenient")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"absent\.toml.*No such file"):
        load_policy(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b"version = 1", b"version = 2", "version"),
        (b"version = 1", b"version = 1\nsurprise = true", "surprise"),
        (b"version = 1", b"version = = 1", "line"),
        (b"version = 1", b"\xff", "(?i)utf-8"),
        (b"revision = ", b"revision = -", "revision"),
    ],
)
def test_a_faulty_policy_is_explained(before: bytes, after: bytes, told: str) -> None:
    assert before in STRICT
    with pytest.raises(ProfileError, match=told):
        decode_policy(STRICT.replace(before, after, 1), "own.toml")
