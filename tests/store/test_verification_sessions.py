from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from eid.errors import LifecycleError, StoreError
from eid.store.database import in_transaction, open_database
from eid.store.verification_sessions import (
    JUDGING_TIME,
    consume_challenge,
    create_session,
    decide_session,
    expire_sessions,
    forget_sessions,
    load_session,
)

ROOT = Path(__file__).parents[2]
CONTENDERS = 50
LIFETIME = timedelta(minutes=2)


@pytest.fixture
def session(engine, now):
    return in_transaction(
        engine,
        lambda connection: create_session(
            connection, challenge=b"12345678", policy="default", purpose="border", now=now, lifetime=LIFETIME
        ),
    )


def test_life_of_a_session(engine, session, now):
    def run(work):
        return in_transaction(engine, work)

    assert run(lambda c: load_session(c, session.id)) == session
    taken = run(lambda c: consume_challenge(c, session.id, now))
    assert (taken.challenge, taken.state, taken.expires_at) == (b"12345678", "COLLECTING", now + LIFETIME)
    with pytest.raises(LifecycleError, match="been used"):
        run(lambda c: consume_challenge(c, session.id, now))
    report = {"verdict": "TOTAL_PASSED", "checks": []}
    run(lambda c: decide_session(c, session.id, report, now))
    decided = run(lambda c: load_session(c, session.id))
    assert (decided.state, decided.result, decided.decided_at) == ("DECIDED", report, now)
    with pytest.raises(LifecycleError, match="not waiting"):
        run(lambda c: decide_session(c, session.id, {}, now))
    with pytest.raises(LifecycleError, match="been used"):
        run(lambda c: consume_challenge(c, session.id, now))


def test_challenge_is_not_in_the_representation(session):
    assert "12345678" not in repr(session)


def test_unknown_session(engine, now):
    assert in_transaction(engine, lambda c: load_session(c, uuid.uuid4())) is None
    with pytest.raises(StoreError, match="no such"):
        in_transaction(engine, lambda c: consume_challenge(c, uuid.uuid4(), now))


def test_decision_needs_a_consumed_challenge(engine, session, now):
    with pytest.raises(LifecycleError):
        in_transaction(engine, lambda c: decide_session(c, session.id, {}, now))


def test_expired_challenge_is_refused(engine, session, now):
    with pytest.raises(LifecycleError, match="expired"):
        in_transaction(engine, lambda c: consume_challenge(c, session.id, now + LIFETIME))
    late = now + LIFETIME
    assert in_transaction(engine, lambda c: expire_sessions(c, late - timedelta(seconds=1))) == 0
    assert in_transaction(engine, lambda c: expire_sessions(c, late)) == 1
    assert in_transaction(engine, lambda c: load_session(c, session.id)).state == "EXPIRED"
    with pytest.raises(LifecycleError, match="expired"):
        in_transaction(engine, lambda c: consume_challenge(c, session.id, now))


def test_session_that_is_being_judged_is_given_time(engine, session, now):
    in_transaction(engine, lambda c: consume_challenge(c, session.id, now))
    end = now + LIFETIME + JUDGING_TIME
    assert in_transaction(engine, lambda c: expire_sessions(c, end - timedelta(seconds=1))) == 0
    assert in_transaction(engine, lambda c: expire_sessions(c, end)) == 1


def test_old_sessions_are_forgotten(engine, session, now):
    assert in_transaction(engine, lambda c: forget_sessions(c, now + LIFETIME)) == 0
    assert in_transaction(engine, lambda c: forget_sessions(c, now + LIFETIME + timedelta(seconds=1))) == 1
    assert in_transaction(engine, lambda c: load_session(c, session.id)) is None


def test_of_many_threads_one_consumes(engine, session, now):
    outcomes: list[str] = []
    gate = threading.Barrier(CONTENDERS)

    def contend():
        gate.wait()
        try:
            in_transaction(engine, lambda c: consume_challenge(c, session.id, now))
            outcomes.append("won")
        except LifecycleError:
            outcomes.append("lost")

    threads = [threading.Thread(target=contend) for _ in range(CONTENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * (CONTENDERS - 1) + ["won"]


CONTENDER = """
import sys, uuid
from datetime import datetime
from eid.errors import LifecycleError
from eid.store.database import in_transaction, open_database
from eid.store.verification_sessions import consume_challenge
engine = open_database(sys.argv[1])
session, now = uuid.UUID(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    try:
        in_transaction(engine, lambda c: consume_challenge(c, session, now))
        print("won")
    except LifecycleError:
        print("lost")
"""


def test_of_many_processes_one_consumes(engine, session, now, tmp_path):
    command = [sys.executable, "-c", CONTENDER, f"sqlite:///{tmp_path}/eid.db", str(session.id), now.isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    programs = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(5)]  # ten tries each
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    outcomes = [line for program in programs for line in program.communicate(timeout=60)[0].split()]
    assert sorted(outcomes) == ["lost"] * (CONTENDERS - 1) + ["won"]


def test_sessions_survive_the_process(engine, session, tmp_path):
    engine.dispose()
    again = open_database(f"sqlite:///{tmp_path}/eid.db")
    assert in_transaction(again, lambda c: load_session(c, session.id)) == session
    again.dispose()
