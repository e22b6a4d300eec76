"""Worker processes that are killed with kill -9; the long form is `python -m tests.load.kill_workers`."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select

from eid.enrolment.card_status import SuspensionCause
from eid.services.audit.log import PUBLIC_KEY, RECORD, read_public_key
from eid.services.audit.verification import verify_audit_log
from eid.services.card.cards import Register
from eid.store.card_tables import status_publication
from eid.store.cards import RegisteredCard, last_change
from eid.store.database import in_transaction
from eid.store.standing_work import list_outstanding
from eid.store.status_publications import newest_issue
from eid.store.tree_heads import has_unsealed
from tests.builders.cards import AGENT, COUNTER, SERIES, active_card
from tests.builders.running_office import await_something
from tests.load.books import examine_publications
from tests.load.deaths import MOMENTS
from tests.load.kill_workers import Tally, Workers, open_world, run, start_nursery


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_is_done_twice(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = "" if kind == "sqlite" else request.getfixturevalue("postgres").create_database()
    tally = run(8, database=database, home=tmp_path, seed=7, seconds=20)
    assert (tally.findings, tally.kills) == ([], 8)
    assert tally.affairs > 0  # whether so few kills meet work under way is chance; the moments below are not
    assert "nothing is wrong" in tally.said[-1]
    assert {"audit.seal", "status.publish", "sms.stamp", "stamp.consume"} <= tally.jobs.keys()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_who_dies_in_mid_signature_is_followed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """At each moment between a signature and the end of its work another worker does what is left, no more."""
    database = "" if kind == "sqlite" else request.getfixturevalue("postgres").create_database()
    with open_world(tmp_path, database) as (settings, engine, _, environment):
        workers = Workers(settings, start_nursery(tmp_path, environment), random.Random(7), Tally())
        card = active_card(engine)
        try:
            for number, moment in enumerate(MOMENTS):
                change(engine, card, lost=number % 2 == 0)
                workers.bear("doomed", f"doomed-{number} {moment}")
                await_death(workers.alive.pop("doomed"))
                workers.bear("heir", f"heir-{number} -")
                await_something(lambda: is_settled(engine) or None, f"what is left where {moment}")
                workers.kill("heir")
        finally:
            workers.end()
        report = verify_audit_log(
            engine, settings.audit_origin, read_public_key(tmp_path / PUBLIC_KEY), settings.heads_directory
        )
        assert (report.findings, report.sealed, report.exported) == ((), report.rows, report.heads)
        assert examine_publications(engine, tmp_path / "www") == []
        with engine.connect() as connection:
            publications = connection.execute(select(func.count()).select_from(status_publication)).scalar_one()
    told = (tmp_path / "workers.log").read_text()
    assert [moment for moment in MOMENTS if f"dies where {moment}" not in told] == []
    # Whoever died lost one head and the two forms of one list at most; nothing else was signed twice.
    require_few_lost(tmp_path / RECORD / "audit.signatures", report.heads, lost=range(1, len(MOMENTS) + 1))
    lists = tmp_path / "pki/signatures/sls-001.signatures"
    require_few_lost(lists, publications, lost=range(4, 2 * len(MOMENTS) + 1))


def require_few_lost(record: Path, kept: int, *, lost: range) -> None:
    """Whether a key has signed what is kept, and of what nobody kept as much as the deaths explain."""
    assert count_signatures(record) - kept in lost


def count_signatures(record: Path) -> int:
    return len(record.read_text("ascii").splitlines())


def change(engine: Engine, card: RegisteredCard, *, lost: bool) -> None:
    """Something that is to be sealed and to be published."""
    register, now = Register(engine), datetime.now(UTC)
    if lost:
        register.suspend(card.id, SuspensionCause.LOST, AGENT, now)
    else:
        register.resume(card.id, COUNTER, now)


def await_death(process: int) -> None:
    await_something(lambda: not Path(f"/proc/{process}").exists() or None, "the death of a worker")


def is_settled(engine: Engine) -> bool:
    """Whether all is sealed, all is published, and nothing is outstanding."""

    def look(connection: Connection) -> bool:
        newest, changed = newest_issue(connection, SERIES, "CWT"), last_change(connection, SERIES)
        is_published = newest is not None and changed is not None and newest[0] >= changed.replace(microsecond=0)
        return is_published and not has_unsealed(connection) and not list_outstanding(connection)

    return in_transaction(engine, look)
