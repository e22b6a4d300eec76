"""Effects that count once, failures that wait for a person, leases that run out: on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from eid.errors import NotStoredError
from eid.store.database import in_transaction
from eid.store.outbox import Work
from eid.store.types import new_id
from eid.store.work_records import (
    Lease,
    ask_again,
    drop_failure,
    forget_done,
    hold_lease,
    is_first_time,
    keep_failure,
    list_failures,
    list_leases,
    release_lease,
    renew_lease,
    take_turn,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORK = Work(new_id(NOW), "sign", {"n": 1}, NOW)
SOON = NOW + timedelta(seconds=10)


def run(engine: Engine, work, *arguments, **named):
    return in_transaction(engine, lambda connection: work(connection, *arguments, **named))


def test_an_effect_counts_once(any_database: Engine) -> None:
    assert run(any_database, is_first_time, WORK, NOW)
    assert not run(any_database, is_first_time, WORK, SOON)
    assert run(any_database, forget_done, NOW) == 0
    assert run(any_database, forget_done, SOON) == 1


def test_failures_wait_for_a_person(any_database: Engine) -> None:
    with pytest.raises(NotStoredError):
        run(any_database, ask_again, WORK.id)
    run(any_database, keep_failure, WORK, 1, "x" * 600, NOW)
    run(any_database, keep_failure, WORK, 4, "refused", SOON)
    (failure,) = run(any_database, list_failures)
    assert (failure.work, failure.attempts, failure.why, failure.failed_at) == (WORK, 4, "refused", SOON)
    run(any_database, ask_again, WORK.id)
    assert run(any_database, list_failures) == ()
    (asked,) = run(any_database, list_failures, asked_again=True)
    assert asked.work == WORK
    run(any_database, keep_failure, WORK, 5, "refused anew", SOON)
    run(any_database, drop_failure, asked)  # what has failed since is another failure
    assert [item.attempts for item in run(any_database, list_failures)] == [5]
    run(any_database, ask_again, WORK.id)
    (asked,) = run(any_database, list_failures, asked_again=True)
    run(any_database, drop_failure, asked)
    run(any_database, drop_failure, asked)
    assert run(any_database, list_failures, asked_again=True) == ()


def test_one_holds_a_lease_until_it_runs_out(any_database: Engine) -> None:
    mine, yours = Lease("worker:a", "me", SOON), Lease("worker:a", "you", SOON + timedelta(seconds=10))
    assert run(any_database, hold_lease, mine, NOW)
    assert run(any_database, hold_lease, mine, NOW)
    assert not run(any_database, hold_lease, yours, NOW)
    assert not run(any_database, renew_lease, yours)
    assert run(any_database, renew_lease, mine)
    assert run(any_database, hold_lease, yours, SOON)
    assert not run(any_database, renew_lease, mine)
    run(any_database, release_lease, mine)
    assert run(any_database, list_leases, "worker:") == (yours,)
    assert run(any_database, list_leases, "worker_") == ()
    run(any_database, release_lease, yours)
    assert run(any_database, list_leases, "worker:") == ()


def test_a_turn_is_taken_once(any_database: Engine) -> None:
    """Also by the one who took the turn before."""
    first, second = Lease("timer:seal", "me", SOON), Lease("timer:seal", "me", SOON + timedelta(seconds=10))
    assert run(any_database, take_turn, first, NOW)
    assert not run(any_database, take_turn, first, NOW + timedelta(seconds=9))
    assert run(any_database, take_turn, second, SOON)
    assert not run(any_database, take_turn, second, SOON)


def test_a_turn_that_a_clock_took_that_was_ahead_is_void(any_database: Engine) -> None:
    """Else no timer would have a turn until that moment comes."""
    length, skew = timedelta(hours=1), timedelta(minutes=5)
    ahead = Lease("timer:seal", "me", NOW + timedelta(days=30))
    assert run(any_database, take_turn, ahead, NOW + timedelta(days=30) - length)
    assert ahead.is_turn_over(NOW, length)
    assert run(any_database, take_turn, Lease("timer:seal", "you", NOW + length), NOW)
    for end, is_over in ((NOW, True), (SOON, False), (NOW + length + skew, False), (NOW + length + 2 * skew, True)):
        assert Lease("timer:seal", "you", end).is_turn_over(NOW, length) == is_over
