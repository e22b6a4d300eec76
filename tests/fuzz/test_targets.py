"""Fuzzing leaves no decoder out, and what it begins with is taken or refused as the manner is (`make fuzz` goes on)."""

from __future__ import annotations

import pytest

from tests.fuzz import seeds, targets

NAMES = sorted(targets.decoders())


@pytest.fixture(scope="module")
def vectors() -> list[bytes]:
    found = {raw for raw in seeds.from_vectors() if 0 < len(raw) <= 2000}
    return sorted(found, key=lambda raw: (len(raw), raw))[::7]


def test_every_decoder_is_a_target_or_says_why_not() -> None:
    known = {name.partition(" ")[0] for name in NAMES} | targets.EXEMPT.keys()
    assert targets.decode_functions().keys() - known == set()
    assert targets.EXEMPT.keys() - targets.decode_functions().keys() == set()
    assert targets.OTHERWISE.keys() - known == set()
    assert {name for names in targets.groups().values() for name in names} == set(NAMES)


def test_what_the_registry_writes_is_taken_by_its_decoder() -> None:
    for name, raw in seeds.from_registry().items():
        assert targets.attempt(name, targets.decoders()[name], raw), name


@pytest.mark.parametrize("name", NAMES)
def test_vectors_of_all_others_are_taken_or_refused(name: str, vectors: list[bytes]) -> None:
    decode = targets.decoders()[name]
    for raw in vectors:
        targets.attempt(name, decode, raw)
        targets.attempt(name, decode, raw[:-1])
