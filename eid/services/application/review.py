"""Validation: an officer compares the application with the papers, and the person enters the register.

Who applies for somebody that is registered (the personal number tells) has that person's record brought up to date: the
statement is merged into it, a differing name becomes its next version. A difference that the reason for the card does
not explain must be reconciled by the officer, with a code.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine

from eid.enrolment.application import ApplicationState
from eid.enrolment.deadlines import local_day
from eid.enrolment.names import Spellings, find_name_warnings
from eid.enrolment.person import NAME_FIELDS, PersonRecord, decode_person, encode_name, find_divergences
from eid.enrolment.roles import Actor
from eid.enrolment.rules import EnrolmentRules
from eid.errors import RecordError
from eid.services.application.steps import columns_of, facts_of, load_seen, person_of, rules_of, search_keys_of, step
from eid.store.applications import StoredApplication
from eid.store.audit import bucket_of
from eid.store.database import in_transaction, reading
from eid.store.persons import (
    NameVersion,
    StoredPerson,
    add_name,
    claim_number,
    holder_of_number,
    load_names,
    load_person,
    move_number,
    replace_person,
)

Reconciliation = Literal["spelling", "court-ruling", "civil-status-correction", "register-error"]
CLAIM_STANDS: Final = timedelta(minutes=15)
"""How long a number is kept for whoever is being registered: far longer than the transaction that does it."""
RECONCILE: Final = "reconciliation"
NUMBER_TAKEN: Final = "/personal_number:taken"


@dataclass(frozen=True, slots=True)
class Comparison:
    """An application beside the register.

    Args:
        registered: the person that it is about, None where he is not registered. divergences: names of the fields that
            differ; unexplained: those that the reason does not explain. name_warnings: codes of what to look at again
            in the names, of which nothing forbids one.
    """

    registered: StoredPerson | None
    divergences: frozenset[str]
    unexplained: frozenset[str]
    name_warnings: tuple[str, ...] = ()


def compare(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> Comparison:
    """What an officer sees before he validates: names of fields, no content."""
    with reading(engine) as connection:
        application = load_seen(connection, application_id, actor)
        person = person_of(connection, application)
        number = person.personal_number
    holder = person.id if number is None else _claim(engine, number, person.id, now, take=False)
    with reading(engine) as connection:
        found = _compare(application, person, _registered(connection, person, holder))
    return replace(found, name_warnings=warn_of_names(decode_person(person.record), rules_of(application)))


def warn_of_names(record: PersonRecord, rules: EnrolmentRules) -> tuple[str, ...]:
    """What an officer should look at again in somebody's names, by code; nothing where one of them is missing."""
    family, given = record.family_name, record.given_names
    if family is None or given is None:
        return ()
    name = Spellings(family.by_script, given.by_script)
    return find_name_warnings(name, rules.record.titles, rules.record.given_names)


def validate(
    engine: Engine,
    application_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    *,
    reconciliation: str | None = None,
    declines_category: bool = False,
) -> StoredApplication:
    """An officer finds the application in order; the person is registered, his names as the papers have them.

    Args:
        reconciliation: why the register and the papers differ, where the reason for the card does not say it; a code of
            the rules.
        declines_category: the person is not one of those who come first, whatever the application states.

    Raises:
        EnrolmentError: a guard; "reconciliation" among what is missing: the register differs; the personal number is
            another registered person's. RecordError: an unknown code.
    """
    holder = _settle_number(engine, application_id, actor, now)

    def work(connection: Connection) -> StoredApplication:
        application = load_seen(connection, application_id, actor)
        if reconciliation is not None and reconciliation not in rules_of(application).record.reconciliations:
            raise RecordError("there is no such reconciliation")
        if declines_category:
            application = replace(application, category=None)
        person = person_of(connection, application)
        registered = _registered(connection, person, holder or person.id)
        found = _compare(application, person, registered)
        stated = decode_person(person.record)
        facts = facts_of(connection, application, now, stated)
        open_points = set(facts.missing)
        if found.unexplained and reconciliation is None:
            open_points.add(RECONCILE)
        if holder not in (None, person.id, None if registered is None else registered.id):
            open_points.add(NUMBER_TAKEN)
        values: dict[str, Any] = {"validating_officer": actor.id, "validated_at": now}
        if declines_category:
            values["category"] = None
        detail: dict[str, str] = {}
        if found.divergences:
            detail = {"diverges": ",".join(sorted(found.divergences)), "reconciliation": reconciliation or "explained"}
        if registered is not None and registered.id != person.id:
            values["person_id"] = registered.id
        after = step(
            connection,
            application,
            "validate",
            actor,
            now,
            facts=replace(facts, missing=frozenset(open_points)),
            values=values,
            detail=detail,
        )
        _register(connection, application, person, stated, registered, actor, now)
        return after

    return in_transaction(engine, work)


def _settle_number(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> uuid.UUID | None:
    """Whose the stated personal number is: a step of its own, for numbers are a family of their own.

    The number goes to this person where nobody registered has it, and only if the application could be validated.
    """
    with reading(engine) as connection:
        application = load_seen(connection, application_id, actor)
        person = person_of(connection, application)
    if person.personal_number is None:
        return None
    may_take = application.state == ApplicationState.UNDER_REVIEW.value
    return _claim(engine, person.personal_number, person.id, now, take=may_take)


def _claim(engine: Engine, number: str, person_id: uuid.UUID, now: datetime, *, take: bool) -> uuid.UUID:
    """The holder of a number; take: it goes to this person where nobody has it, or somebody who was never registered.

    Who is being registered at this moment has claimed it a moment ago, and keeps it.
    """
    if not take:
        with reading(engine) as connection:
            return holder_of_number(connection, number) or person_id
    holder = in_transaction(engine, lambda connection: claim_number(connection, number, person_id, now), alone=True)
    if holder == person_id:
        return holder
    with reading(engine) as connection:
        found = load_person(connection, holder)
    if found is not None and found.state == "VALID":
        return holder
    before = now - CLAIM_STANDS
    moved = in_transaction(engine, lambda connection: move_number(connection, number, holder, person_id, now, before))
    return person_id if moved else holder


def _registered(connection: Connection, person: StoredPerson, holder: uuid.UUID) -> StoredPerson | None:
    """The registered person that an application is about, if it lies in the same bucket."""
    if person.state == "VALID":
        return person
    if holder == person.id or _is_elsewhere(person, holder):
        return None
    found = load_person(connection, holder)
    return found if found is not None and found.state == "VALID" else None


def _is_elsewhere(person: StoredPerson, holder: uuid.UUID) -> bool:
    return holder != person.id and bucket_of(holder) != bucket_of(person.id)


def _compare(application: StoredApplication, person: StoredPerson, registered: StoredPerson | None) -> Comparison:
    if registered is None or registered.id == person.id:
        return Comparison(registered, frozenset(), frozenset())
    compared = rules_of(application).record.compared
    differ = find_divergences(decode_person(registered.record), decode_person(person.record), compared)
    return Comparison(registered, differ, differ - _explained(application))


def _explained(application: StoredApplication) -> frozenset[str]:
    """The fields in which it may differ for its reason."""
    return frozenset(rules_of(application).find_reason(application.reason).explains)


def _register(
    connection: Connection,
    application: StoredApplication,
    person: StoredPerson,
    stated: PersonRecord,
    registered: StoredPerson | None,
    actor: Actor,
    now: datetime,
) -> None:
    rules = rules_of(application)
    if registered is None or registered.id == person.id:
        kept = replace_person(
            connection, replace(person, state="VALID"), search_keys_of(stated, rules), now, keep_keys=True
        )
    else:
        merged = _merge(decode_person(registered.record), stated)
        kept = replace_person(
            connection, replace(registered, **columns_of(merged)), search_keys_of(merged, rules), now, keep_keys=True
        )
        gone = replace(person, state="MERGED", merged_into=registered.id, record={}, **_NOTHING)
        replace_person(connection, gone, (), now, keep_keys=False)
    _keep_name(connection, application, kept, actor, now)


_NOTHING: Final[dict[str, Any]] = {"personal_number": None, "date_of_birth": None, "phone": None, "email": None}


def _merge(registered: PersonRecord, stated: PersonRecord) -> PersonRecord:
    """The register brought up to date: what was stated counts, what was left out stays."""
    stated_fields = {name: value for name in stated.model_fields_set if (value := getattr(stated, name)) is not None}
    own = {**registered.own, **stated.own}
    return registered.model_copy(update=stated_fields | ({"details": own} if own else {}))


def _keep_name(
    connection: Connection, application: StoredApplication, person: StoredPerson, actor: Actor, now: datetime
) -> None:
    """The name as the next version, unless it is the last one's."""
    name = encode_name(decode_person(person.record))
    versions = load_names(connection, person.id)
    if not name.keys() & set(NAME_FIELDS) or (versions and versions[-1].name == name):
        return
    rules = rules_of(application)
    papers = rules.papers_for(application.reason, abroad=application.abroad, minor=False)
    source = next((code for code in rules.record.name_sources if code in papers), "claim")
    day = local_day(now, rules)
    version = versions[-1].version + 1 if versions else 1
    add_name(connection, person.id, NameVersion(version, name, source, day, actor.id, now, application.id))
