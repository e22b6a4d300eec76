"""Work of which one piece at most is outstanding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from eid.store import standing_work
from eid.store.database import in_transaction
from eid.store.outbox import Work, forget, waiting
from eid.store.standing_work import REMINDER, Outstanding, ask, list_outstanding, settle
from eid.store.work_records import find_lease, keep_failure, list_failures

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + REMINDER
KIND = "audit.seal"


def ask_at(engine: Engine, *moments: datetime) -> tuple[Work, ...]:
    """What is in the outbox after it was asked for at these moments."""
    for moment in moments:
        in_transaction(engine, lambda connection, at=moment: ask(connection, KIND, at))
    return in_transaction(engine, waiting)


@pytest.mark.both_databases
def test_it_is_asked_for_once(any_database: Engine) -> None:
    (work,) = ask_at(any_database, NOW, NOW, NOW + timedelta(minutes=1), LATER)
    assert (work.kind, work.created_at) == (KIND, NOW)
    in_transaction(any_database, lambda connection: ask(connection, "status.publish", NOW))
    assert in_transaction(any_database, list_outstanding) == (
        Outstanding(KIND, NOW),
        Outstanding("status.publish", NOW),
    )
    in_transaction(any_database, lambda connection: settle(connection, work))
    after = [item.id for item in ask_at(any_database, LATER) if item.kind == KIND]
    assert (len(after), after[0]) == (2, work.id)


def test_what_was_lost_is_brought_back_under_its_identifier(any_database: Engine) -> None:
    (work,) = ask_at(any_database, NOW)
    in_transaction(any_database, lambda connection: forget(connection, work))  # the relay has taken it
    assert ask_at(any_database, LATER - timedelta(seconds=1)) == ()
    (again,) = ask_at(any_database, LATER, LATER)
    assert (again.id, again.kind) == (work.id, work.kind)


def test_what_has_failed_is_tried_again(any_database: Engine) -> None:
    (work,) = ask_at(any_database, NOW)
    in_transaction(any_database, lambda connection: forget(connection, work))
    in_transaction(any_database, lambda connection: keep_failure(connection, work, 40, "no token", NOW))
    assert ask_at(any_database, LATER) == ()
    (failure,) = in_transaction(any_database, lambda connection: list_failures(connection, asked_again=True))
    assert failure.work == work


def test_what_is_over_is_not_asked_for_under_its_old_identifier(
    any_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looked before it was over and writes afterwards would hand over what the engine knows as done."""
    (work,) = ask_at(any_database, NOW)
    in_transaction(any_database, lambda connection: forget(connection, work))
    seen = in_transaction(any_database, lambda connection: find_lease(connection, f"standing:{KIND}"))
    in_transaction(any_database, lambda connection: settle(connection, work))
    with monkeypatch.context() as late:
        late.setattr(standing_work, "find_lease", lambda connection, name: seen)
        assert ask_at(any_database, NOW + timedelta(seconds=1), LATER) == ()
    (other,) = ask_at(any_database, LATER)
    assert other.id != work.id
    in_transaction(any_database, lambda connection: settle(connection, work))  # by one that was begun again
    assert [item.kind for item in in_transaction(any_database, list_outstanding)] == [KIND]
