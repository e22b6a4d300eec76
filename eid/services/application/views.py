"""Applications read: one with all it has, where it stands, what it needs; those of an account or office."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from eid.enrolment.application import ApplicationState
from eid.enrolment.deadlines import local_day
from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.roles import Actor
from eid.errors import NotStoredError
from eid.services.application.fees import fee_for, has_open_fee
from eid.services.application.steps import (
    find_missing_parts,
    is_staff,
    load_seen,
    note_reading_by_staff,
    person_of,
    rules_of,
    wanted_papers,
)
from eid.store.applications import StoredApplication, applications_by, find_by_number, queue
from eid.store.database import in_transaction, reading
from eid.store.documents import StoredDocument, documents_of
from eid.store.persons import StoredPerson


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application with the person and the papers."""

    application: StoredApplication
    person: StoredPerson
    record: PersonRecord = field(repr=False)
    documents: tuple[StoredDocument, ...]


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an application needs and what of it is missing.

    Args:
        papers: codes. missing: JSON pointers of fields, codes of papers. fee: in whole units of `currency`, None while
            the age is not known. old_card: what becomes of the card before it.
    """

    papers: tuple[str, ...]
    missing: frozenset[str]
    fee: int | None
    currency: str
    old_card: str
    is_mandatory: bool | None
    needs_fingerprints: bool | None
    last_valid_day: date | None


def view_application(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> ApplicationView:
    """An application with all that belongs to it; that staff has read it stands in the audit log.

    Raises:
        NotStoredError: there is none that the actor may know of. EnrolmentError: it is another office's.
    """

    def work(connection: Connection) -> ApplicationView:
        application = load_seen(connection, application_id, actor)
        note_reading_by_staff(connection, application.id, "application", actor, now)
        person = person_of(connection, application)
        return ApplicationView(
            application, person, decode_person(person.record), documents_of(connection, application.id)
        )

    return in_transaction(engine, work)


def find_application(engine: Engine, number: str, actor: Actor) -> StoredApplication:
    """The application with a receipt's number, without the person.

    Raises:
        NotStoredError: there is none that the actor may know of. RecordError: it is no number of a receipt.
    """
    with reading(engine) as connection:
        found = find_by_number(connection, number)
        if found is None:
            raise NotStoredError("there is no such application")
        return load_seen(connection, found.id, actor)


def find_named(engine: Engine, text: str, actor: Actor) -> uuid.UUID:
    """The identifier of an application that a person has named by identifier, which is not looked up, or by number.

    Raises:
        NotStoredError: there is none that the actor may know of. RecordError: it is no number of a receipt.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        return find_application(engine, text, actor).id


def read_status(engine: Engine, application_id: uuid.UUID, actor: Actor) -> StoredApplication:
    """Where an application stands, without the person.

    Raises:
        NotStoredError: there is none that the actor may know of. EnrolmentError: it is another office's.
    """
    with reading(engine) as connection:
        return load_seen(connection, application_id, actor)


def list_applications(
    engine: Engine,
    actor: Actor,
    states: Iterable[str] = (),
    *,
    after: uuid.UUID | None = None,
    limit: int = 100,
) -> tuple[StoredApplication, ...]:
    """The actor's own applications, newest first; of staff those of the office, oldest first. states: empty means all.

    Args:
        after: the last one that was seen; for staff.
    """
    wanted = tuple(states) or tuple(state.value for state in ApplicationState)
    with reading(engine) as connection:
        if is_staff(actor):
            return queue(connection, wanted, site=actor.site, after=after, limit=limit)
        return tuple(item for item in applications_by(connection, actor.id, limit) if item.state in wanted)


def requirements(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> Requirements:
    """What an application needs, by its reason, age and place, and what is missing.

    It tells something of the person: that staff has read it stands in the audit log.
    """

    def work(connection: Connection) -> Requirements:
        application = load_seen(connection, application_id, actor)
        note_reading_by_staff(connection, application.id, "application", actor, now)
        rules, record = rules_of(application), decode_person(person_of(connection, application).record)
        day, born = local_day(application.submitted_at or now, rules), record.born
        return Requirements(
            wanted_papers(application, record, now),
            find_missing_parts(connection, application, record, now),
            fee_for(application, record, now) if has_open_fee(connection, application) else application.fee,
            application.currency,
            rules.find_reason(application.reason).old_card,
            None if born is None else rules.is_mandatory(born, day),
            None if born is None else rules.needs_fingerprints(born, day),
            None if born is None else rules.last_valid_day(born, day),
        )

    return in_transaction(engine, work)
