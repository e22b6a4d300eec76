"""The card register, on both databases: changes by the right roles, audited, and what relying parties see of them."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from eid.audit.chain import Chain
from eid.enrolment.card_status import CARD, CardState, RevocationCause, SuspensionCause, status_value
from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, EidError, EnrolmentError, NotStoredError, Refusal, StoreError
from eid.pki.status_list import StatusType
from eid.services.card.cards import (
    CardOrder,
    ProducedCard,
    Register,
    is_expired,
    order_card,
    record_personalised,
    status_for_relying_parties,
    store_card,
    void_card,
)
from eid.services.card.status_lists import read_statuses
from eid.services.person.notifications import TEMPLATES
from eid.store.audit import bucket_of, read_chain
from eid.store.cards import RegisteredCard, find_by_application, find_by_job, find_by_person
from eid.store.database import in_transaction
from eid.store.outbox import waiting
from eid.store.types import new_id
from tests.builders.cards import (
    AGENT,
    CHIEF,
    COUNTER,
    EXPIRES,
    MAKER,
    NOW,
    SERIES,
    active_card,
    actor,
    card_in_stock,
    personalised_job,
)
from tests.builders.databases import ready_sqlite
from tests.builders.sweep import examples

LATER, TODAY = NOW + timedelta(hours=1), NOW.date()
LOST, STOLEN = SuspensionCause.LOST, RevocationCause.STOLEN


def refused(refusal: Refusal, work) -> None:
    with pytest.raises(EnrolmentError) as failure:
        work()
    assert failure.value.refusal is refusal


def audited(engine: Engine, card_id: uuid.UUID) -> list[tuple[str, str]]:
    chain, found = Chain(bucket_of(card_id)), []
    with engine.connect() as connection:
        for row in read_chain(connection, bucket_of(card_id)):
            chain.accept(row)
            if row.event.subject == f"card:{card_id}":
                found.append((row.event.actor, row.event.action))
                assert "SPM00001" not in str(row.event)
    return found


@pytest.mark.both_databases
def test_a_card_from_order_to_revocation(any_database: Engine) -> None:
    register, application = Register(any_database), new_id(NOW)
    card = active_card(any_database, application_id=application, person_id=application, holder="account-1")
    assert (card.state, card.version, card.status_uri, card.status_place) == ("ACTIVE", 4, SERIES, 7)
    assert (card.document_number, card.expires_on) == ("SPM00001", EXPIRES)
    assert bucket_of(card.id) == bucket_of(application)
    suspended = register.suspend(card.id, LOST, AGENT, LATER)
    assert (suspended.state, suspended.cause, suspended.changed_at) == ("SUSPENDED", "lost", LATER)
    resumed = register.resume(card.id, COUNTER, LATER)
    assert (resumed.state, resumed.cause) == ("ACTIVE", None)
    heir = uuid.uuid4()
    revoked = register.revoke(card.id, RevocationCause.SUPERSEDED, CHIEF, LATER, replaced_by=heir)
    assert (revoked.state, revoked.cause, revoked.replaced_by) == ("REVOKED", "superseded", heir)
    for work in (
        lambda: register.suspend(card.id, LOST, AGENT, LATER),
        lambda: register.resume(card.id, COUNTER, LATER),
        lambda: register.revoke(card.id, STOLEN, CHIEF, LATER),
    ):
        refused(Refusal.WRONG_STATE, work)
    assert register.require(card.id) == revoked
    assert audited(any_database, card.id) == [
        ("production-operator:press-1", "card.create"),
        ("production-operator:press-1", "card.personalise"),
        ("production-operator:press-1", "card.store"),
        ("delivery-operator:counter-1", "card.activate"),
        ("call-centre-agent:agent-1", "card.suspend"),
        ("delivery-operator:counter-1", "card.resume"),
        ("administrator:chief-1", "card.revoke"),
    ]
    with any_database.connect() as connection:
        for found in (find_by_person(connection, application), find_by_application(connection, application)):
            assert found == (revoked,)
        assert card.job_id is not None
        assert find_by_job(connection, bucket_of(card.id), card.job_id) == revoked


def test_the_holder_is_told(any_database: Engine) -> None:
    """By work in the same transaction; nobody is told of a card without an application, or of one that he gave back."""
    register, application = Register(any_database), new_id(NOW)
    card, other = active_card(any_database, application_id=application), active_card(any_database, "SPM00002", 8)
    for one in (card, other):
        register.suspend(one.id, LOST, AGENT, NOW)
        register.resume(one.id, COUNTER, LATER)
    register.revoke(card.id, STOLEN, CHIEF, LATER + timedelta(hours=1))
    superseded = active_card(any_database, "SPM00003", 9, application_id=application)
    register.revoke(superseded.id, RevocationCause.SUPERSEDED, CHIEF, LATER)
    refused(Refusal.WRONG_STATE, lambda: register.resume(card.id, COUNTER, LATER))
    with any_database.connect() as connection:
        told = [(work.kind, dict(work.payload), bucket_of(work.id)) for work in waiting(connection)]
    assert told == [
        (
            "notify",
            {"template": template, "application": str(application), "card": str(card.id)},
            bucket_of(application),
        )
        for template in ("card-suspended", "card-resumed", "card-revoked")
    ]
    assert {told[0][1]["template"], told[1][1]["template"], told[2][1]["template"]} <= set(TEMPLATES)


def test_who_may_not(any_database: Engine) -> None:
    register = Register(any_database)
    card = active_card(any_database, holder="account-1")
    holder, stranger = actor(Role.APPLICANT, name="account-1"), actor(Role.APPLICANT, name="account-2")
    refused(Refusal.GUARD, lambda: register.suspend(card.id, LOST, stranger, LATER))
    assert register.suspend(card.id, LOST, holder, LATER).state == "SUSPENDED"
    for who in (holder, AGENT, MAKER, actor(Role.RELYING_PARTY), actor(Role.AUDITOR)):
        refused(Refusal.FORBIDDEN, lambda who=who: register.resume(card.id, who, LATER))
        refused(Refusal.FORBIDDEN, lambda who=who: register.revoke(card.id, STOLEN, who, LATER))
    with pytest.raises(NotStoredError):
        register.suspend(uuid.uuid4(), LOST, AGENT, LATER)


def test_who_may_look(any_database: Engine) -> None:
    register = Register(any_database)
    card = active_card(any_database, holder="account-1")
    holder = actor(Role.APPLICANT, name="account-1")
    assert register.own(holder) == (card,) == register.search("SPM00001", AGENT, NOW)
    assert (register.own(AGENT), register.search("SPM00002", AGENT, NOW)) == ((), ())
    assert register.view(card.id, holder, NOW) == card == register.view(card.id, AGENT, NOW)
    for stranger in (actor(Role.APPLICANT, name="account-2"), actor(Role.RELYING_PARTY)):
        with pytest.raises(NotStoredError):
            register.view(card.id, stranger, NOW)
        refused(Refusal.FORBIDDEN, lambda stranger=stranger: register.search("SPM00001", stranger, NOW))
    reads = [entry for entry in audited(any_database, card.id) if entry[1] == "card.read"]
    assert reads == [("call-centre-agent:agent-1", "card.read")] * 2  # the holder's own look is not noted


def test_what_relying_parties_learn(any_database: Engine) -> None:
    register, party = Register(any_database), actor(Role.RELYING_PARTY, name="bank-1")
    ask = lambda today=TODAY: register.ask("SPM00001", party, LATER, today)  # noqa: E731
    assert ask() is StatusType.INVALID  # a number that nobody has
    card = card_in_stock(any_database)
    assert ask() is StatusType.INVALID
    register.activate(card.id, COUNTER, NOW)
    assert (ask(), ask(today=EXPIRES)) == (StatusType.VALID, StatusType.VALID)
    assert ask(today=EXPIRES + timedelta(days=1)) is StatusType.INVALID
    register.suspend(card.id, LOST, AGENT, LATER)
    assert ask() is StatusType.SUSPENDED
    register.revoke(card.id, STOLEN, CHIEF, LATER)
    assert ask() is StatusType.INVALID
    refused(Refusal.FORBIDDEN, lambda: register.ask("SPM00001", AGENT, LATER, NOW.date()))
    assert is_expired(card, date(2037, 1, 1))


@pytest.mark.both_databases
def test_of_two_that_act_at_once_one_wins(any_database: Engine) -> None:
    """The second has read the card before the first changed it."""
    from eid.enrolment.card_status import CardFacts
    from eid.services.lifecycle import Standing, advance
    from eid.store.card_tables import card as table

    register = Register(any_database)
    card = active_card(any_database)
    stale = Standing(table, card.id, card.state, card.version)
    register.suspend(card.id, LOST, AGENT, LATER)
    work = lambda connection: advance(connection, CARD, stale, "suspend", CardFacts(), AGENT, LATER)  # noqa: E731
    refused(Refusal.WRONG_STATE, lambda: in_transaction(any_database, work))


def test_spoiled_cards_stay_invalid(any_database: Engine) -> None:
    def work(connection):
        job, document = personalised_job(connection, "SPM00009", 9)
        first = order_card(connection, CardOrder(), MAKER, NOW)
        second = order_card(connection, CardOrder(), MAKER, NOW)
        record_personalised(connection, first.id, ProducedCard(job, document, "SPM00009", EXPIRES), MAKER, NOW)
        void_card(connection, first.id, MAKER, NOW)
        void_card(connection, second.id, MAKER, NOW)
        return read_statuses(connection, SERIES)

    assert in_transaction(any_database, work) == {9: 1}


@pytest.mark.both_databases
def test_a_job_makes_one_card(any_database: Engine) -> None:
    card = card_in_stock(any_database, application_id=uuid.UUID(int=5))
    assert card.job_id is not None
    produced = ProducedCard(card.job_id, uuid.uuid4(), "SPM00002", EXPIRES)

    def again(connection):
        made = order_card(connection, CardOrder(application_id=uuid.UUID(int=5)), MAKER, NOW)
        record_personalised(connection, made.id, produced, MAKER, NOW)

    with pytest.raises(StoreError, match="contradicts"):
        in_transaction(any_database, again)

    def without_place(connection):
        made = order_card(connection, CardOrder(), MAKER, NOW)
        record_personalised(connection, made.id, ProducedCard(uuid.uuid4(), uuid.uuid4(), "X", EXPIRES), MAKER, NOW)

    with pytest.raises(NotStoredError, match="no place"):
        in_transaction(any_database, without_place)


def test_a_card_without_an_application_is_entered(any_database: Engine) -> None:
    register = Register(any_database)
    job, document = in_transaction(any_database, lambda connection: personalised_job(connection, "SPM00003", 3))
    card = register.enter(document, "SPM00003", EXPIRES, MAKER, NOW)
    assert (card.state, card.job_id, card.document_id, card.status_place) == ("IN_STOCK", job, document, 3)
    assert register.find("SPM00003") == (card,)
    with pytest.raises(AlreadyDoneError):
        register.enter(document, "SPM00003", EXPIRES, MAKER, NOW)
    with pytest.raises(NotStoredError):
        register.enter(uuid.uuid4(), "SPM00004", EXPIRES, MAKER, NOW)
    refused(Refusal.FORBIDDEN, lambda: register.enter(_another(any_database), "SPM00005", EXPIRES, AGENT, NOW))
    assert register.find("SPM00005") == ()


def test_a_card_of_an_application_becomes_active_in_its_holders_hand_only(any_database: Engine) -> None:
    """Else it would be good while it lies at the counter, and could not be handed over any more."""
    stocked = card_in_stock(any_database, application_id=new_id(NOW))
    with pytest.raises(EnrolmentError) as failure:
        Register(any_database).activate(stocked.id, COUNTER, NOW)
    assert (failure.value.refusal, failure.value.guard) == (Refusal.GUARD, "collector-checked")
    assert Register(any_database).require(stocked.id) == stocked


def _another(engine: Engine) -> uuid.UUID:
    return in_transaction(engine, lambda connection: personalised_job(connection, "SPM00005", 5))[1]


EVENTS = ("personalise", "void", "store", "activate", "suspend", "resume", "revoke")


class Walk:
    """A card, and the job that makes it."""

    def __init__(self, engine: Engine, place: int) -> None:
        self.engine, self.register, self.number = engine, Register(engine), f"SPM{place:05}"
        self.id = in_transaction(engine, lambda c: order_card(c, CardOrder(), MAKER, NOW)).id
        made = in_transaction(engine, lambda c: personalised_job(c, self.number, place, size=1 << 16))
        self.produced = ProducedCard(*made, self.number, EXPIRES)
        self.state, self.steps = CardState.ORDERED, 1

    def do(self, event: str, who: Actor) -> str:
        if event in ("personalise", "void", "store"):
            return in_transaction(self.engine, lambda connection: self._make(connection, event, who)).state
        if event in ("suspend", "revoke"):
            cause = LOST if event == "suspend" else STOLEN
            return getattr(self.register, event)(self.id, cause, who, NOW).state
        return getattr(self.register, event)(self.id, who, NOW).state

    def _make(self, connection: Connection, event: str, who: Actor) -> RegisteredCard:
        if event == "personalise":
            return record_personalised(connection, self.id, self.produced, who, NOW)
        return (void_card if event == "void" else store_card)(connection, self.id, who, NOW)


@pytest.fixture(scope="module")
def one_engine(tmp_path_factory):
    engine = ready_sqlite(tmp_path_factory.mktemp("walk") / "eid.db")
    yield engine
    engine.dispose()


PLACES = count(1)


@settings(max_examples=examples(21))
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(EVENTS), st.sampled_from(sorted(Role))), max_size=30))
def test_whatever_happens_the_lists_say_what_the_register_says(one_engine: Engine, steps) -> None:
    """Any events by any roles: no card is valid unless active, nothing leaves an end, the log has every step."""
    walks = [Walk(one_engine, next(PLACES)) for _ in range(2)]
    for number, event, role in steps:
        walk = walks[number]
        try:
            after = CardState(walk.do(event, actor(role)))
        except EidError:
            assert walk.register.require(walk.id).state == walk.state
            continue
        assert walk.state not in (CardState.REVOKED, CardState.VOID)
        walk.state, walk.steps = after, walk.steps + 1
    statuses = in_transaction(one_engine, lambda connection: read_statuses(connection, SERIES))
    for walk in walks:
        found = walk.register.require(walk.id)
        if found.status_place is not None:
            assert statuses.get(found.status_place, 0) == status_value(walk.state)
        is_valid = status_for_relying_parties(found, NOW.date()) is StatusType.VALID
        assert is_valid == (walk.state is CardState.ACTIVE)
        assert len(audited(one_engine, walk.id)) == walk.steps == found.version
