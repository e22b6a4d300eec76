"""The chain of audit rows: every alteration, omission and move is found at the row where it was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from eid.audit.chain import AuditEvent, AuditRow, Chain, genesis, link
from eid.errors import Reason, VerificationError

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
BUCKET = 7


def event(number: int) -> AuditEvent:
    return AuditEvent(
        START + timedelta(seconds=number),
        "officer:01",
        "application.validate",
        f"application:{number:04}",
        {"from": "SUBMITTED", "to": "VALIDATED", "version": number, "late": False, "note": None},
    )


def build(count: int = 6) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for number in range(1, count + 1):
        previous = rows[-1].hash if rows else genesis(BUCKET)
        rows.append(link(BUCKET, number, previous, event(number)))
    return rows


def find_fault(rows: list[AuditRow]) -> str | None:
    chain = Chain(BUCKET)
    try:
        for row in rows:
            chain.accept(row)
    except VerificationError as error:
        return error.detail if error.reason is Reason.HASH_FAILURE else repr(error)
    return None


def test_an_honest_chain_is_accepted() -> None:
    rows = build()
    chain = Chain(BUCKET)
    for row in rows:
        chain.accept(row)
    assert (chain.size, chain.hash) == (6, rows[-1].hash)


@pytest.mark.parametrize(
    "change",
    [
        {"at": START},
        {"actor": "officer:02"},
        {"action": "application.reject"},
        {"subject": "application:9999"},
        {"detail": {"from": "SUBMITTED", "to": "REJECTED", "version": 3, "late": False, "note": None}},
        {"detail": {}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_altered_field_is_found(change: dict[str, object]) -> None:
    rows = build()
    rows[2] = replace(rows[2], event=replace(rows[2].event, **change))
    assert find_fault(rows) == "row 3 of chain 7 was altered"


def test_a_row_that_was_altered_and_hashed_anew_breaks_the_next() -> None:
    rows = build()
    rows[2] = link(BUCKET, 3, rows[1].hash, replace(rows[2].event, actor="officer:02"))
    assert find_fault(rows) == "row 4 of chain 7 does not follow the row before it"


def test_dropped_moved_and_inserted_rows_are_found() -> None:
    rows = build()
    assert find_fault(rows[:2] + rows[3:]) == "row 3 of chain 7 is missing: row 4 stands in its place"
    assert (
        find_fault([rows[0], rows[2], rows[1], *rows[3:]]) == "row 2 of chain 7 is missing: row 3 stands in its place"
    )
    assert find_fault([*rows[:3], rows[2], *rows[3:]]) == "row 4 of chain 7 is missing: row 3 stands in its place"
    assert find_fault(rows[1:]) == "row 1 of chain 7 is missing: row 2 stands in its place"


def test_a_chain_does_not_pass_for_another() -> None:
    moved = [replace(row, bucket=8) for row in build()]
    chain = Chain(8)
    with pytest.raises(VerificationError, match="does not follow"):
        chain.accept(moved[0])
    assert genesis(7) != genesis(8)


def test_the_zone_of_a_moment_does_not_count_and_a_missing_one_is_a_mistake() -> None:
    here = replace(event(1), at=START.astimezone(timezone(timedelta(hours=1))))
    there = replace(event(1), at=START)
    assert link(BUCKET, 1, genesis(BUCKET), here).hash == link(BUCKET, 1, genesis(BUCKET), there).hash
    with pytest.raises(ValueError, match="zone"):
        link(BUCKET, 1, genesis(BUCKET), replace(there, at=START.replace(tzinfo=None)))
