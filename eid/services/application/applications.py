"""The way of an application until the visit: draft, submission, review, one request for papers, decision, appeal.

Each act is one transaction. What it needs beyond the life cycle's own guards is said with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent
from eid.enrolment.application import APPLICATION, ApplicationState
from eid.enrolment.card_status import CardState, RevocationCause
from eid.enrolment.deadlines import end_of_day, local_day
from eid.enrolment.person import FaultyRecordError, PersonRecord, decode_person, encode_person, find_faults
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules, load_rules
from eid.errors import EnrolmentError, NotStoredError, RecordError, Refusal
from eid.keystore.service_keys import ServiceKeys
from eid.services.application.steps import (
    SYSTEM,
    compute_fee,
    due_at,
    facts_of,
    find_missing_parts,
    is_staff,
    load_seen,
    note_reading_by_staff,
    person_of,
    rules_of,
    search_keys_of,
    stamp_consumption,
    stamp_release,
    step,
    wanted_papers,
)
from eid.services.card.cards import revoke_card
from eid.services.lifecycle import begin
from eid.store.application_tables import application as table
from eid.store.applications import (
    StoredApplication,
    applications_by,
    build_number,
    change_columns,
    find_by_number,
    insert_application,
    load_application,
    overdue,
    queue,
)
from eid.store.audit import append_event, bucket_of
from eid.store.cards import find_by_application
from eid.store.database import in_transaction, reading
from eid.store.documents import StoredDocument, documents_of
from eid.store.outbox import enqueue
from eid.store.persons import StoredPerson, holder_of_number, insert_person, new_person_id, replace_person
from eid.store.stamps import is_lost
from eid.store.types import new_id_like

S = ApplicationState
EDITABLE: Final = frozenset((S.DRAFT.value, S.INFORMATION_REQUESTED.value))
STAMPABLE: Final = EDITABLE | {S.SUBMITTED.value, S.UNDER_REVIEW.value}
REPLACEABLE: Final = STAMPABLE | {
    state.value
    for state in (S.VALIDATED, S.BOOKED, S.CHECKED_IN, S.CAPTURED, S.IN_ADJUDICATION, S.AWAITING_APPROVAL, S.APPROVED)
}
"""States in which another stamp may take the place of one that was blocked."""
LAPSING: Final = (S.DRAFT.value, S.INFORMATION_REQUESTED.value, S.READY.value, S.REJECTED.value)
PLACE: Final = "person-place"  # purpose of the service's key
MAX_DRAFTS: Final = 12  # of one account at a time
FEE_CHANGED: Final = "the fee is another than the stamp's now: release it and enter one of the new amount"
_BEGINNERS: Final = frozenset((Role.APPLICANT, Role.ENROLMENT_OFFICER))


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What an applicant begins with.

    Args:
        reason: a code of the rules. abroad: whether the papers are those of residents abroad. site: the office that it
            is addressed to. language: in which the applicant is told things. applicant: for whose account an enrolment
            officer begins it, None for his own.
    """

    reason: str
    record: PersonRecord = field(repr=False)
    abroad: bool = False
    site: str | None = None
    language: str = "fr"
    service: str = "card"
    applicant: str | None = None


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
    needs_fingerprints: bool | None
    last_valid_day: date | None


def create_application(
    engine: Engine,
    new: NewApplication,
    actor: Actor,
    now: datetime,
    *,
    rules: str = "morocco",
    keys: ServiceKeys | None = None,
) -> StoredApplication:
    """Begin an application, as a draft.

    Args:
        keys: by which a personal number says where its person lies, registered or not, so that the identifiers of a
            draft tell nobody which; None where whoever asks sees the register anyhow.

    Raises:
        EnrolmentError: FORBIDDEN, the actor is neither applicant nor enrolment officer. FaultyRecordError: the record
            breaks a rule of the country. RecordError: the reason, service or language is not one of the rules.
    """
    role = actor.require(_BEGINNERS, "an application is begun by applicants and enrolment officers")
    loaded = load_rules(rules)
    _require_known(new, loaded.rules)
    day = local_day(now, loaded.rules)
    _require_faultless(new.record, loaded.rules, day, abroad=new.abroad)

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
            service=new.service,
            reason=new.reason,
            abroad=new.abroad,
            site=new.site if new.site is not None else actor.site,
            language=new.language,
            rules=rules,
            rules_digest=loaded.digest,
            fee=compute_fee(loaded.rules, new.service, new.reason, new.record.born, day),
            currency=loaded.rules.stamps.currency,
            created_at=now,
            updated_at=now,
            due_at=due_at(S.DRAFT, loaded.rules, now),
        )
        insert_person(connection, person, search_keys_of(new.record), now)
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
        _require_state(application, EDITABLE, "edit")
        role = actor.require(_BEGINNERS)
        person = person_of(connection, application)
        if person.state != "CLAIMED":
            raise EnrolmentError(Refusal.WRONG_STATE, "the person is registered; an officer corrects the record")
        day = local_day(application.submitted_at or now, rules)
        _require_faultless(record, rules, day, abroad=application.abroad)
        fee = compute_fee(rules, application.service, application.reason, record.born, day)
        if application.stamp_id is not None and fee != application.fee:
            raise EnrolmentError(Refusal.GUARD, "the fee would change under a reserved stamp", guard="stamp-reserved")
        changed = replace(person, **columns_of(record))
        replace_person(connection, changed, search_keys_of(record), now, keep_keys=False)
        return _change(connection, application, "edit", actor.tag(role), now, {"fee": fee})

    return in_transaction(engine, work)


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
    wanted = tuple(states) or tuple(state.value for state in S)
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
            _fee_for(application, record, now) if _has_open_fee(connection, application) else application.fee,
            application.currency,
            rules.find_reason(application.reason).old_card,
            None if born is None else rules.needs_fingerprints(born, day),
            None if born is None else rules.last_valid_day(born, day),
        )

    return in_transaction(engine, work)


def submit(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """Submit a draft; from now on the office's own time runs, and the fee is that of this day.

    Raises:
        EnrolmentError: GUARD, something is missing, or the stamp is of the amount that was due before.
    """

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        rules, record = rules_of(application), decode_person(person_of(connection, application).record)
        _require_faultless(record, rules, local_day(now, rules), abroad=application.abroad)
        fee = _fee_for(application, record, now)
        if application.state == S.DRAFT.value and application.stamp_id is not None and fee != application.fee:
            raise EnrolmentError(Refusal.GUARD, FEE_CHANGED, guard="fee-changed")
        application = replace(application, fee=fee)
        values = {"fee": fee, "submitted_at": now, "decide_by": end_of_day(now, rules.deadlines.decision, rules)}
        facts = facts_of(connection, application, now, record)
        return step(connection, application, "submit", actor, now, facts=facts, values=values)

    return _act(engine, application_id, actor, act)


def take_up(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """An officer takes an application up for review."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "take-up", actor, now))


def request_information(
    engine: Engine, application_id: uuid.UUID, papers: Iterable[str], actor: Actor, now: datetime
) -> StoredApplication:
    """Ask for papers, once; they must come again even where such a paper is there.

    Raises:
        RecordError: no paper is named, or one that the rules do not know.
    """
    wanted = tuple(dict.fromkeys(papers))

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        if not wanted:
            raise RecordError("no paper is asked for")
        for code in wanted:
            rules_of(application).find_paper(code)
        values = {
            "information_requests": application.information_requests + 1,
            "requested_papers": wanted,
            "requested_at": now,
        }
        detail = {"papers": ",".join(wanted)}
        return step(connection, application, "request-information", actor, now, values=values, detail=detail)

    return _act(engine, application_id, actor, act)


def supply(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The applicant has sent what was asked for."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "supply", actor, now))


def reject(engine: Engine, application_id: uuid.UUID, code: str, actor: Actor, now: datetime) -> StoredApplication:
    """Refuse an application, with a code of the rules; an appeal is open for some days.

    Raises:
        RecordError: the rules know no such refusal.
    """

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        rules = rules_of(application)
        until = end_of_day(now, rules.deadlines.appeal, rules) if rules.find_refusal(code).appeal else now
        values = {"refusal": code, "appeal_until": until, "due_at": until}
        return step(connection, application, "reject", actor, now, values=values, detail={"refusal": code})

    return _act(engine, application_id, actor, act)


def appeal(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The applicant appeals: another look is taken at the application."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "appeal", actor, now))


def withdraw(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The applicant takes the application back; a draft is discarded."""

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        event = "discard" if application.state == S.DRAFT.value else "withdraw"
        return step(connection, application, event, actor, now)

    return _act(engine, application_id, actor, act)


def cancel(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The authority ends an application."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "cancel", actor, now))


def bind_stamp(
    connection: Connection,
    application_id: uuid.UUID,
    stamp_id: uuid.UUID | None,
    actor: Actor,
    now: datetime,
    *,
    instead_of: uuid.UUID | None = None,
) -> StoredApplication:
    """Note which stamp is reserved for an application, or that none is any more; twice the same changes nothing.

    The stamp itself is reserved before, and released after, in a step of its own that bears this identifier.

    Args:
        instead_of: one that is bound and was lost to the application: somebody has blocked it.

    Raises:
        EnrolmentError: WRONG_STATE, it is too late for a stamp; GUARD, another one is bound, or the fee is not known.
    """
    application = load_seen(connection, application_id, actor, change=True)
    if application.stamp_id == stamp_id:
        return application
    replaced = instead_of is not None and application.stamp_id == instead_of
    _require_state(application, REPLACEABLE if replaced else STAMPABLE, "stamp")
    if stamp_id is not None and application.stamp_id is not None and not replaced:
        raise EnrolmentError(Refusal.GUARD, "another stamp is reserved", guard="stamp-reserved")
    if stamp_id is not None and application.fee is None:
        raise EnrolmentError(Refusal.GUARD, "the fee is not known before the date of birth", guard="stamp-reserved")
    role = actor.require(_BEGINNERS | {Role.SYSTEM})
    if stamp_id is not None and application.state == S.APPROVED.value:
        enqueue(connection, stamp_consumption(application, stamp_id, now))
    values: dict[str, Any] = {"stamp_id": stamp_id}
    if stamp_id is None and application.state == S.DRAFT.value:
        values["fee"] = _fee_today(connection, application, now)  # the next stamp is of the amount due now
    return _change(connection, application, "stamp", actor.tag(role), now, values)


def load_due(connection: Connection, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The application for which a stamp is wanted; of a draft that holds none, the fee is set to what is due now."""
    application = load_seen(connection, application_id, actor)
    if not _has_open_fee(connection, application):
        return application
    fee = _fee_today(connection, application, now)
    if fee == application.fee:
        return application
    role = actor.require(_BEGINNERS | {Role.SYSTEM})
    return _change(connection, application, "fee", actor.tag(role), now, {"fee": fee})


def _has_open_fee(connection: Connection, application: StoredApplication) -> bool:
    """A draft without a stamp, or whose stamp was blocked: the one that takes its place is of the amount due now."""
    if application.state != S.DRAFT.value:
        return False
    return application.stamp_id is None or is_lost(connection, application.stamp_id, application.id)


def _fee_today(connection: Connection, application: StoredApplication, now: datetime) -> int | None:
    return _fee_for(application, decode_person(person_of(connection, application).record), now)


def _fee_for(application: StoredApplication, record: PersonRecord, now: datetime) -> int | None:
    rules = rules_of(application)
    return compute_fee(rules, application.service, application.reason, record.born, local_day(now, rules))


def end_overdue(engine: Engine, now: datetime, limit: int = 100) -> tuple[uuid.UUID, ...]:
    """Let lapse what nothing happened to in time, each in a transaction of its own; whose they were.

    Of a refused application whose appeal is over the stamp becomes free; a card that was never collected is revoked.
    """
    with reading(engine) as connection:
        found = overdue(connection, LAPSING, now, limit)
    return tuple(one.id for one in found if in_transaction(engine, partial(_end, application_id=one.id, now=now)))


def _end(connection: Connection, application_id: uuid.UUID, now: datetime) -> bool:
    application = load_application(connection, application_id)
    if application is None or application.due_at is None or application.due_at > now:
        return False
    if application.state == S.REJECTED.value:
        if application.stamp_id is not None:
            enqueue(connection, stamp_release(application, now))
        _change(connection, application, "appeal-over", SYSTEM.tag(Role.SYSTEM), now, {"due_at": None})
    elif application.state in LAPSING:
        event = "discard" if application.state == S.DRAFT.value else "lapse"
        step(connection, application, event, SYSTEM, now)
        _end_uncollected(connection, application, now)
    return True


def _end_uncollected(connection: Connection, application: StoredApplication, now: datetime) -> None:
    """The card of an application that has lapsed is nobody's: it waits to be destroyed (`card.delivery`)."""
    for item in find_by_application(connection, application.id):
        if item.state == CardState.IN_STOCK:
            revoke_card(connection, item.id, RevocationCause.UNCOLLECTED, SYSTEM, now)


# Inside


def _act(
    engine: Engine,
    application_id: uuid.UUID,
    actor: Actor,
    act: Callable[[Connection, StoredApplication], StoredApplication],
) -> StoredApplication:
    return in_transaction(engine, lambda connection: act(connection, load_seen(connection, application_id, actor)))


def _change(
    connection: Connection,
    application: StoredApplication,
    what: str,
    actor_tag: str,
    now: datetime,
    values: dict[str, Any],
) -> StoredApplication:
    """Set columns without a change of state, under the version's guard, and tell the audit log."""
    if not change_columns(connection, application, values | {"updated_at": now}):
        raise EnrolmentError(Refusal.WRONG_STATE, "the application was changed by somebody else meanwhile")
    version = application.version + 1
    event = AuditEvent(now, actor_tag, f"application.{what}", f"application:{application.id}", {"version": version})
    append_event(connection, bucket_of(application.id), event)
    return replace(application, version=version, updated_at=now, **values)


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


def columns_of(record: PersonRecord) -> dict[str, Any]:
    """The columns of a person that follow from his record."""
    contact = record.contact
    return {
        "record": encode_person(record),
        "personal_number": record.personal_number,
        "date_of_birth": None if record.date_of_birth is None else record.date_of_birth.isoformat(),
        "phone": None if contact is None else contact.phone,
        "email": None if contact is None or contact.email is None else contact.email.casefold(),
    }


def _require_known(new: NewApplication, rules: EnrolmentRules) -> None:
    rules.find_reason(new.reason)
    if new.language not in rules.languages:
        raise RecordError("the rules know no such language")
    if all(row.service != new.service for row in rules.fees):
        raise RecordError("the rules know no such service")


def _require_faultless(record: PersonRecord, rules: EnrolmentRules, day: date, *, abroad: bool) -> None:
    faults = find_faults(record, rules, day, abroad=abroad)
    if faults:
        raise FaultyRecordError(faults)


def _require_state(application: StoredApplication, states: frozenset[str], what: str) -> None:
    if application.state not in states:
        raise EnrolmentError(Refusal.WRONG_STATE, f"no {what} of an application that is {application.state}")
