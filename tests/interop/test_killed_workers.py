"""Worker processes that are killed with kill -9; the long form is `python -m tests.load.kill_workers`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.load.kill_workers import run


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_is_done_twice(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = "" if kind == "sqlite" else request.getfixturevalue("postgres").create_database()
    tally = run(6, database=database, home=tmp_path, seed=7, pause=(1.0, 3.0), batch=40)
    assert (tally.findings, tally.kills, tally.affairs) == ([], 6, 240)
    assert tally.in_flight > 0
