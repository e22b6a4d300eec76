"""The draft of an application: begun, and its record written anew while it can be changed.

Each act is one transaction.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, Engine

from eid.enrolment.application import APPLICATION, ApplicationState
from eid.enrolment.deadlines import local_day
from eid.enrolment.person import FaultyRecordError, PersonRecord, find_faults
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules, load_rules
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.keystore.service_keys import ServiceKeys
from eid.services.application.steps import (
    BEGINNERS,
    EDITABLE,
    change_values,
    columns_of,
    compute_fee,
    due_at,
    load_seen,
    person_of,
    require_state,
    rules_of,
    search_keys_of,
)
from eid.services.lifecycle import begin
from eid.store.application_tables import application as table
from eid.store.applications import StoredApplication, applications_by, build_number, insert_application
from eid.store.database import in_transaction
from eid.store.persons import StoredPerson, holder_of_number, insert_person, new_person_id, replace_person
from eid.store.types import new_id_like

S = ApplicationState
PLACE: Final = "person-place"  # purpose of the service's key
MAX_DRAFTS: Final = 12  # of one account at a time


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What an applicant begins with.

    Args:
        reason: a code of the rules. abroad: whether the papers are those of residents abroad. site: the office that it
            is addressed to. language: in which the applicant is told things, None for the country's first. service:
            None for the first whose files are kept here. applicant: for whose account an enrolment officer begins it,
            None for his own. category: of those who come first, as the applicant says.
    """

    reason: str
    record: PersonRecord = field(repr=False)
    abroad: bool = False
    site: str | None = None
    language: str | None = None
    service: str | None = None
    applicant: str | None = None
    category: str | None = None


def create_application(
    engine: Engine,
    new: NewApplication,
    actor: Actor,
    now: datetime,
    *,
    rules: str,
    keys: ServiceKeys | None = None,
) -> StoredApplication:
    """Begin an application, as a draft.

    Args:
        rules: the country's name. keys: by which a personal number says where its person lies, registered or not, so
            that the identifiers of a draft tell nobody which; None where whoever asks sees the register anyhow.

    Raises:
        EnrolmentError: FORBIDDEN, the actor is neither applicant nor enrolment officer. FaultyRecordError: the record
            breaks a rule of the country. RecordError: reason, category, service or language are not of the rules.
    """
    role = actor.require(BEGINNERS, "an application is begun by applicants and enrolment officers")
    loaded = load_rules(rules)
    service, language = _settle(new, loaded.rules)
    day = local_day(now, loaded.rules)
    require_faultless(new.record, loaded.rules, day, abroad=new.abroad)

    def work(connection: Connection) -> StoredApplication:
        _require_few_drafts(connection, actor)
        person = _new_person(connection, new.record, now, keys)
        application_id = new_id_like(person.id, now)
        application = StoredApplication(
            id=application_id,
            number=build_number(application_id),
            state=S.DRAFT.value,
            version=1,
            person_id=person.id,
            applicant=new.applicant if new.applicant and role is Role.ENROLMENT_OFFICER else actor.id,
            service=service,
            reason=new.reason,
            abroad=new.abroad,
            site=new.site if new.site is not None else actor.site,
            language=language,
            rules=rules,
            rules_digest=loaded.digest,
            fee=compute_fee(loaded.rules, service, new.reason, new.record.born, day),
            currency=loaded.rules.stamps.currency,
            created_at=now,
            updated_at=now,
            due_at=due_at(S.DRAFT, loaded.rules, now),
            category=new.category,
        )
        insert_person(connection, person, search_keys_of(new.record, loaded.rules), now)
        insert_application(connection, application)
        begin(connection, APPLICATION, table, application.id, actor.tag(role), now, detail={"reason": new.reason})
        return application

    return in_transaction(engine, work)


def edit_record(
    engine: Engine, application_id: uuid.UUID, record: PersonRecord, actor: Actor, now: datetime
) -> StoredApplication:
    """Write the record of a draft, or of an application about which more was asked, anew.

    Raises:
        EnrolmentError: WRONG_STATE, it can be changed no more; GUARD, the fee would change under a reserved stamp; the
            person is registered already. FaultyRecordError: the record breaks a rule.
    """

    def work(connection: Connection) -> StoredApplication:
        application = load_seen(connection, application_id, actor)
        rules = rules_of(application)
        require_state(application, EDITABLE, "edit")
        role = actor.require(BEGINNERS)
        person = person_of(connection, application)
        if person.state != "CLAIMED":
            raise EnrolmentError(Refusal.WRONG_STATE, "the person is registered; an officer corrects the record")
        day = local_day(application.submitted_at or now, rules)
        require_faultless(record, rules, day, abroad=application.abroad)
        fee = compute_fee(rules, application.service, application.reason, record.born, day)
        if application.stamp_id is not None and fee != application.fee:
            raise EnrolmentError(Refusal.GUARD, "the fee would change under a reserved stamp", guard="stamp-reserved")
        changed = replace(person, **columns_of(record))
        replace_person(connection, changed, search_keys_of(record, rules), now, keep_keys=False)
        return change_values(connection, application, "edit", actor.tag(role), now, {"fee": fee})

    return in_transaction(engine, work)


def state_category(
    engine: Engine, application_id: uuid.UUID, category: str | None, actor: Actor, now: datetime
) -> StoredApplication:
    """Say, of a draft or where more was asked, that the person is one of those who come first; None takes it back.

    Raises:
        EnrolmentError: WRONG_STATE, it can be changed no more. RecordError: the rules know no such category.
    """

    def work(connection: Connection) -> StoredApplication:
        application = load_seen(connection, application_id, actor)
        if category is not None:
            rules_of(application).appointments.find_category(category)
        require_state(application, EDITABLE, "edit")
        role = actor.require(BEGINNERS)
        return change_values(connection, application, "category", actor.tag(role), now, {"category": category})

    return in_transaction(engine, work)


def require_faultless(record: PersonRecord, rules: EnrolmentRules, day: date, *, abroad: bool) -> None:
    """Insist that a record breaks no rule of the country.

    Raises:
        FaultyRecordError: it does; every fault is named.
    """
    faults = find_faults(record, rules, day, abroad=abroad)
    if faults:
        raise FaultyRecordError(faults)


def _new_person(connection: Connection, record: PersonRecord, now: datetime, keys: ServiceKeys | None) -> StoredPerson:
    """A claimed person; where the personal number is registered, beside its holder, so that both lie together."""
    number = record.personal_number
    holder = None if number is None else holder_of_number(connection, number)
    if holder is not None:
        person_id = new_id_like(holder, now)
    else:
        person_id = new_person_id(now)
        if number is not None and keys is not None:
            place = keys.tag(PLACE, number.encode())[:1]
            person_id = uuid.UUID(bytes=person_id.bytes[:15] + place)
    return StoredPerson(person_id, "CLAIMED", 1, **columns_of(record))


def _require_few_drafts(connection: Connection, actor: Actor) -> None:
    drafts = sum(item.state == S.DRAFT.value for item in applications_by(connection, actor.id))
    if Role.APPLICANT in actor.roles and drafts >= MAX_DRAFTS:
        raise EnrolmentError(Refusal.GUARD, "there are too many drafts: submit or withdraw one", guard="few-drafts")


def _settle(new: NewApplication, rules: EnrolmentRules) -> tuple[str, str]:
    """The service and the language of a new application.

    Raises:
        RecordError: the rules do not know the reason, the category, the service or the language; or files of the
            service lie elsewhere: its stamp, which may cost less, buys no card.
    """
    rules.find_reason(new.reason)
    if new.category is not None:
        rules.appointments.find_category(new.category)
    service = new.service or rules.service
    if not rules.is_in_files(service):
        raise RecordError("the rules know no such service")
    return service, rules.require_language(new.language)
