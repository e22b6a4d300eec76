"""Worker processes that are killed with kill -9; the long form is `python -m tests.load.kill_workers`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.load.kill_workers import run


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_is_done_twice(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = "" if kind == "sqlite" else request.getfixturevalue("postgres").create_database()
    tally = run(8, database=database, home=tmp_path, seed=7, seconds=20)
    assert (tally.findings, tally.kills) == ([], 8)
    assert tally.in_flight > 0
    assert tally.affairs > 0
    assert "nothing is wrong" in tally.said[-1]
    assert {"audit.seal", "status.publish", "sms.stamp", "stamp.consume"} <= tally.jobs.keys()
