"""What is remembered of kinds of cards, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eid.inspection.habits import UNKNOWN, ReadingHabits
from eid.lds.files import LDS1_AID
from eid.store.reading_habits import FILE_NAME, MAX_KINDS, key_of, load_habits, store_habits

ATR = bytes.fromhex("3B8880014549442D4341524478")
KEY = key_of(ATR, LDS1_AID)
SLOW = ReadingHabits(160, False)


def test_kept_and_found_again(tmp_path: Path) -> None:
    assert load_habits(tmp_path, KEY) == UNKNOWN
    store_habits(tmp_path / "new", KEY, SLOW)
    assert load_habits(tmp_path / "new", KEY) == SLOW
    assert load_habits(tmp_path / "new", key_of(ATR, b"\xa0")) == UNKNOWN


def test_the_file_is_no_record_of_readings(tmp_path: Path) -> None:
    store_habits(tmp_path, KEY, UNKNOWN)
    assert not (tmp_path / FILE_NAME).exists(), "what is usual leaves no entry"
    store_habits(tmp_path, KEY, SLOW)
    path = tmp_path / FILE_NAME
    told = json.loads(path.read_text())
    assert told == {
        "format": "eid-reading-habits",
        "version": 1,
        "kinds": {KEY: {"piece": 160, "is_eager": False}},
    }
    assert ATR.hex() not in path.read_text().lower()
    written = path.stat().st_mtime_ns, path.stat().st_ino
    store_habits(tmp_path, KEY, SLOW)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written, "not even that it was read again"
    store_habits(tmp_path, KEY, UNKNOWN)
    assert json.loads(path.read_text())["kinds"] == {}


def test_the_oldest_gives_way(tmp_path: Path) -> None:
    for number in range(MAX_KINDS + 3):
        store_habits(tmp_path, f"{number:016x}", SLOW)
    kinds = json.loads((tmp_path / FILE_NAME).read_text())["kinds"]
    assert list(kinds) == [f"{number:016x}" for number in range(3, MAX_KINDS + 3)]


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        "{}",
        '{"format": "eid-reading-habits", "version": 2, "kinds": {}}',
        '{"format": "eid-reading-habits", "version": 1, "kinds": {"K": 5}}',
        '{"format": "eid-reading-habits", "version": 1, "kinds": {"K": {"piece": -1, "is_eager": true}}}',
        '{"format": "eid-reading-habits", "version": 1, "kinds": {"K": {"piece": true, "is_eager": true}}}',
        '{"format": "eid-reading-habits", "version": 1, "kinds": {"K": {"piece": 5, "is_eager": 1}}}',
        '{"format": "eid-reading-habits", "version": 1, "kinds": []}',
    ],
)
def test_a_damaged_file_is_learnt_anew(tmp_path: Path, damaged: str) -> None:
    (tmp_path / FILE_NAME).write_text(damaged)
    assert load_habits(tmp_path, "K") == UNKNOWN
    store_habits(tmp_path, "K", SLOW)
    assert load_habits(tmp_path, "K") == SLOW


def test_a_place_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store_habits(tmp_path / "file", KEY, SLOW)
    assert load_habits(tmp_path / "file", KEY) == UNKNOWN


def test_a_file_that_is_nested_without_end_is_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("[" * 60_000, "ascii")
    assert load_habits(tmp_path, "0" * 16) == UNKNOWN
