from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from eid.errors import LifecycleError, StoreError
from eid.protocols.exchange import Checkpoint, drive
from eid.store.database import in_transaction
from eid.store.journal import Journal, last_state, read_journal
from eid.store.personalization_jobs import change_job, create_job, jobs_in_state, load_job

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job(engine, now):
    return in_transaction(
        engine, lambda c: create_job(c, profile_digest=bytes(32), reader="virtual", attempt=1, now=now)
    )


@pytest.fixture
def journal(engine, job, now):
    return Journal(engine, job.id, lambda: now)


def test_progress_of_a_job(engine, job, journal, now):
    assert journal.progress().unfinished is None
    journal.record(Checkpoint("put-key", "intent", {"version": "48"}))
    progress = last_state(engine, job.id)
    assert (progress.unfinished.step, progress.unfinished.detail, progress.unfinished.at) == (
        "put-key",
        {"version": "48"},
        now,
    )
    assert not progress.is_finished("put-key")
    journal.record(Checkpoint("put-key", "result", {"check": "A1B2C3"}))
    journal.record(Checkpoint("write", "begin"))  # only measures
    journal.record(Checkpoint("generate", "intent"))
    progress = journal.progress()
    assert progress.results == {"put-key": {"check": "A1B2C3"}}
    assert progress.unfinished.step == "generate"
    assert progress.is_finished("put-key")
    entries = in_transaction(engine, lambda c: read_journal(c, job.id))
    assert [(entry.seq, entry.step, entry.phase) for entry in entries] == [
        (1, "put-key", "intent"),
        (2, "put-key", "result"),
        (3, "generate", "intent"),
    ]


def test_step_that_is_done_again_is_open_until_its_result(journal):
    for phase, detail in [("intent", {}), ("result", {"n": "1"}), ("intent", {})]:
        journal.record(Checkpoint("write", phase, detail))
    assert not journal.progress().is_finished("write")
    journal.record(Checkpoint("write", "result", {"n": "2"}))
    assert journal.progress().results == {"write": {"n": "2"}}
    assert journal.progress().is_finished("write")


def test_result_of_another_step_leaves_the_intent_open(journal):
    journal.record(Checkpoint("a", "intent"))
    journal.record(Checkpoint("b", "result"))
    assert journal.progress().unfinished.step == "a"


def test_exchange_writes_through_drive(job, journal):
    def exchange():
        yield Checkpoint("lock", "intent")
        yield Checkpoint("lock", "result", {"state": "operational"})
        return "locked"

    assert drive(exchange(), None, journal) == "locked"
    assert journal.progress().results == {"lock": {"state": "operational"}}


def test_journal_is_append_only(engine, journal):
    journal.record(Checkpoint("a", "intent"))
    for statement in ("UPDATE personalization_step SET step = 'b'", "DELETE FROM personalization_step"):
        with pytest.raises(StoreError, match="contradicts"):
            in_transaction(engine, lambda c, statement=statement: c.execute(text(statement)))
    assert journal.progress().unfinished.step == "a"


def test_journal_of_an_unknown_job_is_refused(engine, now):
    import uuid

    with pytest.raises(StoreError, match="contradicts"):
        Journal(engine, uuid.uuid4(), lambda: now).record(Checkpoint("a", "intent"))


def test_oversized_detail_is_refused(journal):
    with pytest.raises(StoreError, match="'a' is over"):
        journal.record(Checkpoint("a", "result", {"image": "x" * 20_000}))
    assert journal.progress().results == {}


KILLED = """
import os, sys, uuid
from datetime import datetime
from eid.protocols.exchange import Checkpoint
from eid.store.database import open_database
from eid.store.journal import Journal
journal = Journal(open_database(sys.argv[1]), uuid.UUID(sys.argv[2]), lambda: datetime.fromisoformat(sys.argv[3]))
journal.record(Checkpoint("write", "intent", {"file": "EF.SOD"}))
os.kill(os.getpid(), 9)
"""


def test_intent_survives_a_killed_process(engine, job, now, tmp_path):
    command = [sys.executable, "-c", KILLED, f"sqlite:///{tmp_path}/eid.db", str(job.id), now.isoformat()]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == -9
    unfinished = last_state(engine, job.id).unfinished
    assert (unfinished.step, unfinished.detail) == ("write", {"file": "EF.SOD"})


def test_life_of_a_job(engine, job, now):
    later = now + timedelta(seconds=1)
    running = in_transaction(engine, lambda c: change_job(c, job, "RUNNING", later))
    named = in_transaction(engine, lambda c: change_job(c, running, "RUNNING", later, card_serial="00AA"))
    assert in_transaction(engine, lambda c: jobs_in_state(c, "RUNNING")) == (named,)
    done = in_transaction(engine, lambda c: change_job(c, named, "SUCCEEDED", later))
    assert in_transaction(engine, lambda c: load_job(c, job.id)) == done
    assert (done.version, done.card_serial, done.created_at, done.updated_at) == (4, "00AA", now, later)
    with pytest.raises(LifecycleError, match="from SUCCEEDED to RUNNING"):
        in_transaction(engine, lambda c: change_job(c, done, "RUNNING", later))


def test_job_that_somebody_else_has_changed(engine, job, now):
    in_transaction(engine, lambda c: change_job(c, job, "RUNNING", now))
    with pytest.raises(LifecycleError, match="somebody else"):
        in_transaction(engine, lambda c: change_job(c, job, "RUNNING", now))


def test_job_keeps_its_card(engine, job, now):
    named = in_transaction(engine, lambda c: change_job(c, job, "RUNNING", now, card_serial="00AA"))
    with pytest.raises(LifecycleError, match="another card"):
        in_transaction(engine, lambda c: change_job(c, named, "RUNNING", now, card_serial="00BB"))
    assert in_transaction(engine, lambda c: load_job(c, job.id)) == named
    import uuid

    assert in_transaction(engine, lambda c: load_job(c, uuid.uuid4())) is None
