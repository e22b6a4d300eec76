"""A step of a life cycle, on both databases: row, audit log and work together or not at all; one of two wins."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, SmallInteger, String, Table, Uuid, insert, select

from eid.audit.chain import Chain
from eid.enrolment.card_status import CARD, CardFacts
from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, Refusal
from eid.services.lifecycle import Standing, advance, begin
from eid.store.audit import bucket_of, read_chain
from eid.store.database import in_transaction
from eid.store.outbox import Work, waiting
from eid.store.types import new_id, new_id_like

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MAKER = Actor("press-1", frozenset((Role.PRODUCTION_OPERATOR,)))
THINGS = Table(
    "specimen_thing",
    MetaData(),
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("note", String(16)),
)


@pytest.fixture
def made(any_database: Engine) -> Standing:
    THINGS.create(any_database)
    subject = new_id(NOW)

    def make(connection) -> Standing:
        row = {"bucket": bucket_of(subject), "id": subject, "state": CARD.initial.value, "version": 1}
        connection.execute(insert(THINGS).values(**row))
        return begin(connection, CARD, THINGS, subject, MAKER.tag(Role.PRODUCTION_OPERATOR), NOW)

    return in_transaction(any_database, make)


def stored(engine: Engine, standing: Standing) -> tuple[str, int, str | None]:
    with engine.connect() as connection:
        columns = (THINGS.c.state, THINGS.c.version, THINGS.c.note)
        return tuple(connection.execute(select(*columns).where(THINGS.c.id == standing.id)).one())


def audited(engine: Engine, standing: Standing) -> list[tuple[str, str, dict]]:
    bucket = bucket_of(standing.id)
    chain, found = Chain(bucket), []
    with engine.connect() as connection:
        for row in read_chain(connection, bucket):
            chain.accept(row)
            found.append((row.event.actor, row.event.action, dict(row.event.detail)))
    return found


@pytest.mark.both_databases
def test_a_step_changes_row_log_and_outbox_together(any_database: Engine, made: Standing) -> None:
    work = Work(new_id_like(made.id, NOW), "notify", {"card": str(made.id)}, NOW)
    after = in_transaction(
        any_database,
        lambda connection: advance(
            connection,
            CARD,
            made,
            "personalise",
            CardFacts(),
            MAKER,
            NOW,
            detail={"job": "7"},
            values={"note": "laser"},
            work=(work,),
        ),
    )
    assert (after.state, after.version) == ("PERSONALISED", 2)
    assert stored(any_database, made) == ("PERSONALISED", 2, "laser")
    assert audited(any_database, made) == [
        ("production-operator:press-1", "card.create", {"to": "ORDERED", "version": 1}),
        (
            "production-operator:press-1",
            "card.personalise",
            {"from": "ORDERED", "to": "PERSONALISED", "version": 2, "job": "7"},
        ),
    ]
    with any_database.connect() as connection:
        assert waiting(connection) == (work,)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("event", "who", "refusal"),
    [
        ("activate", MAKER, Refusal.WRONG_STATE),
        ("personalise", Actor("a", frozenset((Role.AUDITOR,))), Refusal.FORBIDDEN),
        ("melt", MAKER, Refusal.UNKNOWN_EVENT),
    ],
)
def test_what_is_refused_leaves_no_trace(
    any_database: Engine, made: Standing, event: str, who: Actor, refusal: Refusal
) -> None:
    with pytest.raises(EnrolmentError) as refused:
        in_transaction(any_database, lambda connection: advance(connection, CARD, made, event, CardFacts(), who, NOW))
    assert refused.value.refusal is refusal
    assert stored(any_database, made) == ("ORDERED", 1, None)
    assert len(audited(any_database, made)) == 1


@pytest.mark.both_databases
def test_a_stale_view_is_refused_whole(any_database: Engine, made: Standing) -> None:
    stale = replace(made, version=0)
    work = Work(new_id_like(made.id, NOW), "notify", {}, NOW)
    with pytest.raises(EnrolmentError, match="meanwhile"):
        in_transaction(
            any_database,
            lambda connection: advance(connection, CARD, stale, "personalise", CardFacts(), MAKER, NOW, work=(work,)),
        )
    with any_database.connect() as connection:
        assert waiting(connection) == ()
    assert len(audited(any_database, made)) == 1


@pytest.mark.both_databases
def test_of_many_who_act_at_once_one_wins(any_database: Engine, made: Standing) -> None:
    told: list[str] = []

    def act(number: int) -> None:
        who = Actor(f"press-{number}", frozenset((Role.PRODUCTION_OPERATOR,)))
        try:
            in_transaction(
                any_database, lambda connection: advance(connection, CARD, made, "personalise", CardFacts(), who, NOW)
            )
            told.append("done")
        except EnrolmentError as refused:
            told.append(refused.refusal.value)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["WRONG_STATE"] * 4 + ["done"]
    assert stored(any_database, made) == ("PERSONALISED", 2, None)
    assert len(audited(any_database, made)) == 2
