"""Work that needs a key: it waits for who has it, is done once however often it is tried, and does not pile up."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from eid.audit.chain import AuditEvent
from eid.enrolment.card_status import SuspensionCause
from eid.errors import KeyStoreError, StoreError
from eid.gateways import work as engine
from eid.gateways.jobs import Job
from eid.services.audit import log as audit_log
from eid.services.audit import work as audit_work
from eid.services.card import status_lists, status_work
from eid.services.card.cards import Register
from eid.services.card.status_lists import REST, PublicationTerms
from eid.services.durable.handlers import NEEDS
from eid.services.durable.oversight import look_at_work, tell_unserved
from eid.services.durable.relay import drain
from eid.services.durable.work import Capability, Outcome, Timer, Workshop, perform
from eid.services.durable.worker import working
from eid.store.audit import append_event
from eid.store.card_tables import status_publication
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue, waiting
from eid.store.standing_work import ask, list_outstanding
from eid.store.tree_heads import read_seals
from eid.store.types import new_id
from tests.builders.cards import AGENT, COUNTER, NOW, active_card
from tests.builders.workshop import build_workshop, give_keys, pretend_dead

KINDS = ("audit.seal", "status.publish")
HANDLERS = {"audit.seal": audit_work.seal, "status.publish": status_work.publish}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def plain(any_database: Engine, tmp_path: Path) -> Workshop:
    """Without a key, and with something to seal and to publish."""
    active_card(any_database)
    return build_workshop(any_database, tmp_path)


@pytest.fixture
def signing(plain: Workshop) -> Workshop:
    return give_keys(plain)


def ask_for(workshop: Workshop, *kinds: str) -> tuple[Work, ...]:
    for kind in kinds:
        in_transaction(workshop.engine, lambda connection, asked=kind: ask(connection, asked, workshop.now()))
    return in_transaction(workshop.engine, waiting)


def outstanding(workshop: Workshop) -> list[str]:
    return [item.kind for item in in_transaction(workshop.engine, list_outstanding)]


def count_heads(workshop: Workshop) -> int:
    return len(in_transaction(workshop.engine, lambda connection: read_seals(connection, 0, 100)))


def tokens(workshop: Workshop) -> dict[str, bytes]:
    """What was published, by the names of the files; of each form the one that was kept, or an error."""
    with workshop.engine.connect() as connection:
        rows = connection.execute(select(status_publication.c.form, status_publication.c.token)).all()
    found = {f"1.{row.form.lower()}": row.token for row in rows}
    assert len(found) == len(rows)
    return found


def files(workshop: Workshop) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workshop.settings.home / "www").glob("1.*")}


@pytest.mark.both_databases
def test_done_twice_it_is_done_once(signing: Workshop) -> None:
    for work in ask_for(signing, *KINDS) * 2:
        assert perform(signing, HANDLERS, work, 0) is Outcome.DONE
    assert count_heads(signing) == 1
    assert set(tokens(signing)) == {"1.jwt", "1.cwt"}
    assert files(signing) == tokens(signing)
    assert outstanding(signing) == []
    record = signing.settings.home / audit_log.RECORD / "audit.signatures"
    assert len(record.read_text().splitlines()) == 1  # written down before it was signed, and signed once


def test_what_dies_after_it_was_kept_is_only_finished(signing: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process dies between the database and the files, whoever is next signs nothing more."""
    works = {work.kind: work for work in ask_for(signing, *KINDS)}

    def die(*_: object) -> None:
        raise StoreError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(audit_work, "export_heads", die)
        patch.setattr(status_lists, "write_publications", die)
        for kind in KINDS:
            assert perform(signing, HANDLERS, works[kind], 0) is Outcome.AGAIN
    kept, heads = tokens(signing), signing.settings.heads_directory
    assert (len(kept), files(signing), heads.exists(), outstanding(signing)) == (2, {}, False, list(KINDS))
    for kind in KINDS:
        assert perform(signing, HANDLERS, works[kind], 1) is Outcome.DONE
    assert (tokens(signing), files(signing), count_heads(signing)) == (kept, kept, 1)
    assert len(list(heads.rglob("*.checkpoint"))) == 1


def test_a_torn_or_old_file_is_replaced(signing: Workshop) -> None:
    (work,) = ask_for(signing, "status.publish")
    status_work.publish(signing, work)
    (signing.settings.home / "www/1.jwt").write_bytes(b"torn")
    status_work.publish(signing, work)
    assert files(signing) == tokens(signing)


def test_without_the_key_it_waits(plain: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    works = ask_for(plain, *KINDS)
    for work in works:
        assert perform(plain, HANDLERS, work, 0) is Outcome.AGAIN
        with pytest.raises(KeyStoreError, match="has not the"):
            HANDLERS[work.kind](plain, work)
    assert drain(plain) == 0  # nor does who works without a worker
    assert in_transaction(plain.engine, waiting) == works
    found = look_at_work(plain.engine, plain.now())
    assert [item.kind for item in found.unserved(NEEDS)] == list(KINDS)
    with caplog.at_level(logging.WARNING, "eid.worker"):
        tell_unserved(plain, NEEDS)
    assert [record.args[0] for record in caplog.records if record.args] == list(KINDS)


def test_it_is_asked_for_where_there_is_something_to_do(plain: Workshop, any_database: Engine) -> None:
    for _ in range(3):
        audit_work.ask_to_seal(plain)
        status_work.ask_to_publish(plain)
    assert [work.kind for work in in_transaction(any_database, waiting)] == list(KINDS)


def test_nothing_to_seal_and_nothing_to_publish(any_database: Engine, tmp_path: Path) -> None:
    empty = build_workshop(any_database, tmp_path)
    audit_work.ask_to_seal(empty)
    status_work.ask_to_publish(empty)
    assert in_transaction(any_database, waiting) == ()


@pytest.mark.both_databases
def test_a_change_is_published_soon_but_not_with_every_change(plain: Workshop) -> None:
    register, moment = Register(plain.engine), [NOW]
    signing = replace(give_keys(plain, PublicationTerms(rest=REST)), now=lambda: moment[0])
    card = active_card(plain.engine, "SPM00002", 2)
    lose = lambda: register.suspend(card.id, SuspensionCause.LOST, AGENT, moment[0])  # noqa: E731
    find = lambda: register.resume(card.id, COUNTER, moment[0])  # noqa: E731
    lose()
    assert outstanding(signing) == []  # nobody has published the list yet: a timer asks for the first time
    status_work.publish(signing, ask_for(signing, "status.publish")[-1])
    moment[0] += MINUTE / 2
    find()
    assert outstanding(signing) == []  # a timer asks for it when the list has rested
    moment[0] += MINUTE
    lose()
    assert outstanding(signing) == ["status.publish"]  # in the transaction of the change
    find()
    assert [work.kind for work in in_transaction(plain.engine, waiting)].count("status.publish") == 2
    first = len(list_publications(signing))
    status_work.publish(signing, ask_for(signing)[-1])
    assert len(list_publications(signing)) == first + 2


def list_publications(workshop: Workshop) -> list[tuple[object, ...]]:
    with workshop.engine.connect() as connection:
        columns = (status_publication.c.uri, status_publication.c.form, status_publication.c.issued_at)
        return [tuple(row) for row in connection.execute(select(*columns))]


@pytest.mark.both_databases
def test_a_worker_leaves_what_it_has_no_key_for(plain: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """It ends when it is idle; dead workers' jobs go back to their own queue; who has the keys does the rest."""
    done: list[str] = []
    handlers = {**HANDLERS, "plain": lambda _, work: done.append(work.kind)}
    works = ask_for(plain, *KINDS)
    in_transaction(plain.engine, lambda connection: enqueue(connection, Work(new_id(NOW), "plain", {}, NOW)))
    with working(plain, "poor", handlers=handlers, timers={}) as worker:
        with caplog.at_level(logging.WARNING, "eid.worker"):
            worker.run(threading.Event(), until_idle=True)
        assert "2 groups of jobs are left" in caplog.text
        (state,) = look_at_work(plain.engine, plain.now()).workers
        assert (state.name, state.capabilities) == ("poor", {Capability.WORK})
        pretend_dead(plain, f"{works[0].id}:0")
        worker.beat()
        worker.run(threading.Event(), until_idle=True)
        assert worker.engine.count("ENQUEUED") == 2
    assert (done, count_heads(plain), tokens(plain)) == (["plain"], 0, {})
    signing = give_keys(plain)
    turns: list[int] = []
    timers = {"t": Timer(MINUTE, lambda _: turns.append(1))}
    in_transaction(plain.engine, lambda connection: enqueue(connection, Work(new_id(NOW), "plain", {}, NOW)))
    with working(signing, "rich", handlers=handlers, timers=timers, keys_only=True) as worker:
        worker.run(threading.Event(), until_idle=True)
        found = look_at_work(plain.engine, plain.now())
        assert {item.name: item.capabilities for item in found.workers} == {"rich": {"seal", "publish"}}
        assert worker.engine.count("ENQUEUED") == 1  # ordinary work is left to others
    assert (done, count_heads(plain), outstanding(plain)) == (["plain"], 1, [])
    assert files(signing) == tokens(signing)


def test_what_an_earlier_release_has_queued_is_ordinary() -> None:
    told = engine._tell(Job("1", "notify", {"n": 1}, NOW, "seal"))
    assert engine._read(told).queue == "seal"
    del told["queue"]
    assert engine._read(told) == Job("1", "notify", {"n": 1}, NOW)


def test_rows_that_come_meanwhile_are_asked_for_again(signing: Workshop) -> None:
    (work,) = ask_for(signing, "audit.seal")
    audit_work.seal(signing, work)
    event = AuditEvent(NOW, "system:worker", "affair.go-on", "affair:1", {})
    in_transaction(signing.engine, lambda connection: append_event(connection, 1, event))
    audit_work.ask_to_seal(signing)
    assert outstanding(signing) == ["audit.seal"]
    assert datetime.now(UTC) - in_transaction(signing.engine, list_outstanding)[0].since < MINUTE
