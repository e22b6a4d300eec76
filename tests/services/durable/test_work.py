"""Durable work: what is done, tried again, kept as a failure; the relay; a worker of this process; workers that die."""

from __future__ import annotations

import io
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from eid.errors import (
    EnrolmentError,
    GatewayError,
    GatewayRefusedError,
    KeyStoreError,
    NotStoredError,
    OvertakenError,
    Refusal,
    StoreError,
    TransportError,
)
from eid.gateways.jobs import Job
from eid.services.durable import worker as workers
from eid.services.durable.handlers import HANDLERS, NEEDS, TIMERS
from eid.services.durable.oversight import ask_for_another_try, look_at_work
from eid.services.durable.relay import drain, relay
from eid.services.durable.work import (
    ATTEMPTS,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Capability,
    Outcome,
    Timer,
    Workshop,
    once,
    pause_after,
    perform,
)
from eid.services.durable.worker import Worker, working
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue
from eid.store.types import new_id
from eid.store.work_records import Lease, hold_lease
from tests.builders.workshop import build_workshop, pretend_dead

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def workshop(any_database: Engine, tmp_path: Path) -> Workshop:
    return build_workshop(any_database, tmp_path)


def put(engine: Engine, kind: str, count: int = 1) -> list[Work]:
    items = [Work(new_id(NOW), kind, {"n": number}, NOW) for number in range(count)]
    in_transaction(engine, lambda connection: [enqueue(connection, item) for item in items])
    return items


def raising(error: Exception) -> Callable[[Workshop, Work], None]:
    def handle(workshop: Workshop, work: Work) -> None:
        raise error

    return handle


@pytest.mark.parametrize(
    "error",
    [
        GatewayError("away"),
        TransportError("away"),
        StoreError("locked"),
        KeyStoreError("no token"),
        OvertakenError(Refusal.WRONG_STATE, "the blank was changed by somebody else meanwhile"),
    ],
)
def test_what_may_help_is_tried_again_but_not_for_ever(workshop: Workshop, error: Exception) -> None:
    (work,) = put(workshop.engine, "x")
    assert perform(workshop, {"x": raising(error)}, work, 0) is Outcome.AGAIN
    assert look_at_work(workshop.engine, NOW).failures == ()
    assert perform(workshop, {"x": raising(error)}, work, ATTEMPTS - 1) is Outcome.FAILED
    (failure,) = look_at_work(workshop.engine, NOW).failures
    assert (failure.work, failure.attempts, failure.why) == (work, ATTEMPTS, str(error))


@pytest.mark.parametrize(
    "error",
    [GatewayRefusedError("no such number"), EnrolmentError(Refusal.WRONG_STATE, "over"), NotStoredError("gone")],
)
def test_what_is_final_is_kept_for_a_person(workshop: Workshop, error: Exception) -> None:
    (work,) = put(workshop.engine, "x")
    assert perform(workshop, {"x": raising(error)}, work, 0) is Outcome.FAILED


def test_kinds_without_a_handler(workshop: Workshop) -> None:
    (work,) = put(workshop.engine, "unheard-of")
    assert perform(workshop, {}, work, 0) is Outcome.FAILED
    assert look_at_work(workshop.engine, NOW).failures[0].why == "there is no handler of this kind"


def test_a_defect_of_a_handler_loses_nothing(workshop: Workshop) -> None:
    (work,) = put(workshop.engine, "x")
    with pytest.raises(ZeroDivisionError):
        perform(workshop, {"x": raising(ZeroDivisionError())}, work, 2)
    (failure,) = look_at_work(workshop.engine, NOW).failures
    assert (failure.work.id, failure.attempts) == (work.id, 3)


def test_a_failure_that_cannot_be_kept_is_no_failure(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr("eid.services.durable.work.keep_failure", refuse)
    (work,) = put(workshop.engine, "x")
    assert perform(workshop, {"x": raising(GatewayRefusedError("no"))}, work, 0) is Outcome.AGAIN


def test_pauses_grow() -> None:
    pauses = [pause_after(attempt) for attempt in range(ATTEMPTS)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


@pytest.mark.both_databases
def test_effects_count_once(workshop: Workshop) -> None:
    (work,) = put(workshop.engine, "x")
    counted: list[int] = []
    assert once(workshop, work, lambda connection: counted.append(1))
    assert not once(workshop, work, lambda connection: counted.append(1))

    def fail(connection: Connection) -> None:
        raise LookupError

    (other,) = put(workshop.engine, "x")
    with pytest.raises(LookupError):
        once(workshop, other, fail)
    assert once(workshop, other, lambda connection: counted.append(1))  # what failed has left no mark
    assert len(counted) == 2


def test_all_work_and_what_it_causes_is_done_here_and_now(workshop: Workshop) -> None:
    done: list[str] = []

    def first(workshop: Workshop, work: Work) -> None:
        done.append("first")
        put(workshop.engine, "second")

    def second(workshop: Workshop, work: Work) -> None:
        done.append("second")
        if len(done) < 6:
            raise GatewayError("try again")

    put(workshop.engine, "first", 2)
    assert drain(workshop, {"first": first, "second": second}) == 4
    assert done[:2] == ["first", "first"]
    assert drain(workshop, {}) == 0


def test_what_a_person_orders_is_tried_again(workshop: Workshop) -> None:
    (work,) = put(workshop.engine, "x")
    drain(workshop, {"x": raising(GatewayRefusedError("no such number"))})
    ask_for_another_try(workshop.engine, work.id)
    done: list[Work] = []
    assert drain(workshop, {"x": lambda _, work: done.append(work)}) == 1
    assert done == [work]
    assert look_at_work(workshop.engine, NOW).failures == ()
    with pytest.raises(NotStoredError):
        ask_for_another_try(workshop.engine, work.id)


def test_what_fails_anew_at_once_is_still_a_failure(workshop: Workshop) -> None:
    """The engine may be done with it before the relay has forgotten the failure that it was."""
    (work,) = put(workshop.engine, "x")
    refused = {"x": raising(GatewayRefusedError("no such number"))}
    drain(workshop, refused)
    ask_for_another_try(workshop.engine, work.id)
    assert drain(workshop, refused) == 1
    (failure,) = look_at_work(workshop.engine, NOW).failures
    assert (failure.work, failure.attempts) == (work, 2)


@pytest.mark.both_databases
def test_a_relay_that_dies_hands_over_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed over twice has the same identifiers; nothing is forgotten before it was handed over."""
    taken: list[tuple[str, int]] = []
    calls: list[int] = []

    class Flaky:
        def submit(self, jobs: Sequence[Job], attempt: int = 0) -> None:
            calls.append(len(jobs))
            taken.extend((job.id, attempt) for job in jobs)
            if len(calls) == 1:
                raise GatewayError("the engine is away")

    items = put(workshop.engine, "x", 3)
    with pytest.raises(GatewayError):
        relay(workshop.engine, Flaky())
    assert look_at_work(workshop.engine, NOW).waiting == 3
    assert relay(workshop.engine, Flaky()) == 3
    assert (calls, taken[:3]) == ([3, 3], taken[3:])
    assert {uuid.UUID(name) for name, _ in taken} == {item.id for item in items}


@pytest.mark.both_databases
def test_a_worker(workshop: Workshop) -> None:
    """On the durable engine: work, a second attempt, a failure, a timer, each once; the work of a dead worker."""
    done: list[str] = []
    turns: list[int] = []

    def twice(workshop: Workshop, work: Work) -> None:
        done.append("twice")
        if done.count("twice") < 2:
            raise GatewayError("not now")

    def plain(workshop: Workshop, work: Work) -> None:
        done.append("plain")

    def fail(workshop: Workshop) -> None:
        raise StoreError("away")

    handlers = {"twice": twice, "plain": plain, "refused": raising(GatewayRefusedError("never"))}
    timers = {
        "broken": Timer(timedelta(hours=1), fail),
        "t": Timer(timedelta(hours=1), lambda _: turns.append(1)),
    }
    put(workshop.engine, "plain", 20)
    for kind in ("twice", "refused"):
        put(workshop.engine, kind)
    stop = threading.Event()
    with working(workshop, "one", handlers=handlers, timers=timers) as worker:
        worker.beat()
        assert not worker.lost.is_set()
        (state,) = look_at_work(workshop.engine, datetime.now(UTC)).workers
        assert (state.name, state.is_alive) == ("one", True)
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        for _ in range(1200):
            if done.count("twice") == 2 and done.count("plain") == 20 and worker.engine.count("PENDING") == 0:
                break
            stop.wait(0.05)
        stop.set()
        thread.join()
        assert worker.engine.count("SUCCESS") == 4  # 22 jobs in three groups, and a second attempt
        _take_over(workshop, worker, done)
        assert worker.engine.forget(datetime.now(UTC) + timedelta(days=1)) == 5
        assert worker.engine.count("SUCCESS") == 0
        worker.run(threading.Event(), until_idle=True)
        _rob(workshop, worker)
    assert sorted(done) == ["plain"] * 22 + ["twice"] * 2
    assert turns == [1]
    found = look_at_work(workshop.engine, datetime.now(UTC))
    assert ([item.name for item in found.workers], found.waiting) == (["one"], 0)  # the name is the thief's
    assert [item.why for item in found.failures] == ["never"]
    assert not found.has_more


def _take_over(workshop: Workshop, worker: Worker, done: list[str]) -> None:
    """A worker whose lease has run out is dead: what it had begun goes back on the queue, and its name is free."""
    (alone,) = put(workshop.engine, "plain")
    assert worker.turn() == 1
    _await(lambda: done.count("plain") == 21 and worker.engine.count("SUCCESS") == 5)
    pretend_dead(workshop, f"{alone.id}:0")
    worker.beat()
    _await(lambda: done.count("plain") == 22 and worker.engine.count("SUCCESS") == 5)
    assert [item.name for item in look_at_work(workshop.engine, datetime.now(UTC)).workers] == ["one"]


def _await(is_so: Callable[[], bool]) -> None:
    for _ in range(1200):
        if is_so():
            return
        time.sleep(0.05)


def _rob(workshop: Workshop, worker: Worker) -> None:
    """A worker that was silent too long finds its name taken, and ends."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    in_transaction(workshop.engine, lambda c: hold_lease(c, Lease("worker:one", "a thief", later), later))
    worker.beat()
    with pytest.raises(StoreError, match="silent too long"):
        worker.run(threading.Event())


@pytest.mark.both_databases
def test_names_are_used_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LEASE", timedelta(seconds=0.5))
    until = datetime.now(UTC) + timedelta(hours=1)
    elsewhere = Lease("worker:one", "another-machine 1 x", until)
    in_transaction(workshop.engine, lambda connection: hold_lease(connection, elsewhere, NOW))
    with pytest.raises(StoreError, match="another name"), working(workshop, "one"):
        pass
    here = Lease("worker:two", f"{workers._process_space()} 999999999 x", until)
    in_transaction(workshop.engine, lambda connection: hold_lease(connection, here, NOW))
    with working(workshop, "two", handlers={}, timers={}) as worker:
        assert worker.name == "two"


def test_it_starts_again_where_its_first_stderr_is_closed(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        with io.TextIOWrapper(io.BytesIO()) as stream, monkeypatch.context() as patch:
            patch.setattr("sys.stderr", stream)
            with working(workshop, "one", handlers={}, timers={}):
                pass
            assert all(getattr(it, "stream", None) is not stream for it in logging.getLogger("dbos").handlers)


@pytest.mark.both_databases
def test_a_database_that_is_away_is_waited_for(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BEAT", 0.01)
    stop, turns = threading.Event(), []

    def turn(self: Worker) -> int:
        turns.append(1)
        if len(turns) == 1:
            raise StoreError("away")
        stop.set()
        return 0

    monkeypatch.setattr(Worker, "turn", turn)
    worker = Worker(workshop, None, "one", {}, "token")  # type: ignore[arg-type]  # the engine is not reached
    worker.run(stop)
    assert len(turns) == 2


def test_the_tables_of_the_worker() -> None:
    assert {"notify", "sms.stamp", "access.code"} <= set(HANDLERS)
    assert NEEDS == {"audit.seal": Capability.SEAL, "status.publish": Capability.PUBLISH}
    assert NEEDS.keys() <= HANDLERS.keys()
    assert {"seal", "status", "unserved"} <= TIMERS.keys()
