"""One step of an application, whoever makes it: who may know of it, what the guards look at, what it causes.

Whatever changes an application's state (the acts in `eid.services.application.acts`, booking, capture, approval,
production) goes through `step`, so that its deadlines and the notices that it causes are the same everywhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent, Fact
from eid.enrolment.application import APPLICATION, CAPTURED, COMPLETE, ApplicationFacts, ApplicationState
from eid.enrolment.deadlines import end_of_day, local_day
from eid.enrolment.documents import HeldPaper, find_missing_papers
from eid.enrolment.names import build_search_keys
from eid.enrolment.person import PersonRecord, decode_person, encode_person, find_missing
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules, age_on, load_rules
from eid.errors import EnrolmentError, NotStoredError, OvertakenError, Refusal
from eid.services.audit.log import note_reading
from eid.services.lifecycle import Standing, advance
from eid.store.application_tables import application as table
from eid.store.applications import StoredApplication, change_columns, require_application
from eid.store.appointments import find_held
from eid.store.audit import append_event, bucket_of
from eid.store.documents import documents_of
from eid.store.outbox import Work
from eid.store.persons import StoredPerson, load_person
from eid.store.types import new_id_like

S = ApplicationState
EDITABLE: Final = frozenset((S.DRAFT.value, S.INFORMATION_REQUESTED.value))
BEGINNERS: Final = frozenset((Role.APPLICANT, Role.ENROLMENT_OFFICER))
SYSTEM: Final = Actor("service", frozenset((Role.SYSTEM,)))  # its own timers
_STAFF: Final = frozenset(Role) - {
    Role.APPLICANT, Role.PAYMENT_PROVIDER, Role.RELYING_PARTY, Role.KEY_OPERATOR, Role.CASHIER
}  # fmt: skip
NOTICES: Final = frozenset(
    ("submit", "request-information", "validate", "arrive", "hand-over", "reject", "withdraw", "lapse", "cancel")
)
"""Events of which the applicant is told: work of the kind "notify", payload template and application."""
_ASK_FOR_PAPERS: Final = frozenset(
    row.event for row in APPLICATION.transitions if {COMPLETE, CAPTURED}.intersection(row.guards)
)
_NOT_LOOKED: Final = frozenset(("not-looked-at",))
CATEGORY: Final = "/category"  # among what is missing: it cannot be the person's
OWN_FILE: Final = "nobody decides on his own file"
STAMP_ENDS: Final = frozenset((S.WITHDRAWN, S.LAPSED, S.CANCELLED))
PLACE_ENDS: Final = STAMP_ENDS | {S.REJECTED}
"""States in which an application keeps no place, held or booked; in the first ones it keeps no stamp either."""


def rules_of(application: StoredApplication) -> EnrolmentRules:
    """The rules under which an application was begun."""
    return load_rules(application.rules).rules


def may_see(application: StoredApplication, actor: Actor) -> bool:
    """Whether somebody may know of an application: its applicant, and staff of the office addressed or booked at.

    Staff that works nowhere in particular (a call centre, the central office) sees all.
    """
    if Role.APPLICANT in actor.roles and actor.id == application.applicant:
        return True
    if Role.SYSTEM in actor.roles:
        return True
    if not is_staff(actor):
        return False
    return actor.site is None or actor.site in (application.site, application.appointment_site)


def is_staff(actor: Actor) -> bool:
    """Whether somebody works for the service, in a role that has to do with applications."""
    return bool(actor.roles & _STAFF)


def load_seen(
    connection: Connection, application_id: uuid.UUID, actor: Actor, *, change: bool = False
) -> StoredApplication:
    """The application, for somebody who may know of it; `change` lets nobody else at it until the transaction ends.

    Raises:
        NotStoredError: there is none, or it is another applicant's. EnrolmentError: FORBIDDEN, it is another office's,
            or is about him who looks at it as staff.
    """
    found = require_application(connection, application_id, change=change)
    if may_see(found, actor):
        refuse_own_person(connection, found, actor)
        return found
    if is_staff(actor):
        raise EnrolmentError(Refusal.FORBIDDEN, "the application is another office's")
    raise NotStoredError("there is no such application")


def note_reading_by_staff(connection: Connection, subject: uuid.UUID, kind: str, actor: Actor, now: datetime) -> None:
    """As `note_reading`, where it is staff that reads: applicants read what is theirs without a trace."""
    role = actor.acting_as(_STAFF)
    if role is not None:
        note_reading(connection, subject, kind, actor, role, now)


def person_of(connection: Connection, application: StoredApplication) -> StoredPerson:
    """The person of an application.

    Raises:
        NotStoredError: there is none any more.
    """
    found = load_person(connection, application.person_id)
    if found is None:
        raise NotStoredError("there is no such person")
    return found


def search_keys_of(record: PersonRecord, rules: EnrolmentRules) -> frozenset[str]:
    """The keys by which somebody with this record is found, in every script."""
    family, given = ({} if name is None else name.by_script for name in (record.family_name, record.given_names))
    pairs = [(family.get(script, ""), given.get(script, "")) for script in dict.fromkeys((*family, *given))]
    return build_search_keys(pairs, rules.record.articles)


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


# Facts


def facts_of(
    connection: Connection, application: StoredApplication, now: datetime, record: PersonRecord | None = None
) -> ApplicationFacts:
    """What the guards look at, as far as application, person and papers tell it; later steps add theirs (`replace`).

    Args:
        record: the person's, where the caller has it already.
    """
    rules = rules_of(application)
    record = record or decode_person(person_of(connection, application).record)
    born = record.born
    day = local_day(application.submitted_at or now, rules)
    return replace(
        _facts_of_row(application, now),
        missing=find_missing_parts(connection, application, record, now),
        fingerprints_expected=born is None or rules.needs_fingerprints(born, day),
    )


def facts_for(connection: Connection, application: StoredApplication, event: str, now: datetime) -> ApplicationFacts:
    """`facts_of`, without a look at person and papers where no guard of the event asks for them."""
    return facts_of(connection, application, now) if event in _ASK_FOR_PAPERS else _facts_of_row(application, now)


def _facts_of_row(application: StoredApplication, now: datetime) -> ApplicationFacts:
    """What the row tells; a guard that asks for more refuses."""
    return ApplicationFacts(
        missing=_NOT_LOOKED,
        expects_stamp=application.fee != 0,
        stamp_reserved=application.stamp_id is not None,
        information_requests=application.information_requests,
        requests_allowed=rules_of(application).papers.requests,
        has_appointment=application.appointment_id is not None,
        validating_officer=application.validating_officer,
        capturing_officer=application.capturing_officer,
        site=application.appointment_site,
        appeal_open=application.appeal_until is not None and now < application.appeal_until,
    )


def find_missing_parts(
    connection: Connection, application: StoredApplication, record: PersonRecord, now: datetime
) -> frozenset[str]:
    """Fields (JSON pointers) and papers (codes) that are missing; of those asked for, what has not come since."""
    rules = rules_of(application)
    reference = application.submitted_at or now
    documents = documents_of(connection, application.id)
    held = [
        HeldPaper(item.paper, item.issued_on, local_day(max(reference, item.uploaded_at), rules)) for item in documents
    ]
    missing = find_missing(record, rules, local_day(reference, rules)) | find_missing_papers(
        wanted_papers(application, record, now), held, rules
    )
    if not _may_come_first(application, record, rules, local_day(reference, rules)):
        missing |= {CATEGORY}
    if application.requested_at is not None:
        since = {item.paper for item in documents if item.uploaded_at > application.requested_at}
        missing |= frozenset(application.requested_papers) - since
    return missing


def wanted_papers(application: StoredApplication, record: PersonRecord, now: datetime) -> tuple[str, ...]:
    """Codes of the papers that an application needs, by its reason and category, the person's age and guardian."""
    rules, born = rules_of(application), record.born
    day = local_day(application.submitted_at or now, rules)
    minor = born is not None and rules.needs_guardian(born, day)
    capacity = None if record.guardian is None else record.guardian.capacity
    wanted = rules.papers_for(application.reason, abroad=application.abroad, minor=minor, capacity=capacity)
    category = rules.appointments.known_category(application.category)
    shown = () if category is None else category.papers
    return tuple(dict.fromkeys((*wanted, *shown, *application.requested_papers)))


def _may_come_first(application: StoredApplication, record: PersonRecord, rules: EnrolmentRules, day: date) -> bool:
    """Whether the category that an application states can be the person's; also where it states none."""
    category, born = rules.appointments.known_category(application.category), record.born
    age = None if born is None else age_on(born, day)
    return application.category is None or (category is not None and category.fits(application.reason, age))


def compute_fee(rules: EnrolmentRules, service: str, reason: str, born: date | None, day: date) -> int | None:
    """What an application costs, in whole units; None where the age decides and is not known."""
    if not rules.find_reason(reason).fee:
        return 0
    return None if born is None else rules.fee(service, born, day)


# Changes


def step(
    connection: Connection,
    application: StoredApplication,
    event: str,
    actor: Actor,
    now: datetime,
    *,
    facts: ApplicationFacts | None = None,
    values: Mapping[str, Any] | None = None,
    detail: Mapping[str, Fact] | None = None,
    work: Iterable[Work] = (),
) -> StoredApplication:
    """Let an event happen to an application, with its deadline, its notice and, where it ends, the stamp's release.

    Args:
        facts: None takes `facts_for`. values: further columns. work: besides what the event itself causes.

    Raises:
        EnrolmentError: the life cycle, a role, a guard or somebody quicker forbids it.
    """
    known = facts_for(connection, application, event, now) if facts is None else facts
    target = APPLICATION.step(S(application.state), event, known, actor)[0].target
    _refuse_own_file(application, event, actor)
    refuse_own_person(connection, application, actor)
    changed = {"due_at": due_at(target, rules_of(application), now), "updated_at": now, **(values or {})}
    settled = replace(application, state=target.value, **changed)
    caused = (*work, *_works_of(connection, application, event, settled, now))
    standing = Standing(table, application.id, application.state, application.version)
    after = advance(
        connection, APPLICATION, standing, event, known, actor, now, detail=detail, values=changed, work=caused
    )
    return replace(application, state=after.state, version=after.version, **changed)


def change_values(
    connection: Connection,
    application: StoredApplication,
    what: str,
    actor_tag: str,
    now: datetime,
    values: dict[str, Any],
) -> StoredApplication:
    """Set columns without a change of state, under the version's guard, and tell the audit log."""
    if not change_columns(connection, application, values | {"updated_at": now}):
        raise OvertakenError(Refusal.WRONG_STATE, "the application was changed by somebody else meanwhile")
    version = application.version + 1
    event = AuditEvent(now, actor_tag, f"application.{what}", f"application:{application.id}", {"version": version})
    append_event(connection, bucket_of(application.id), event)
    return replace(application, version=version, updated_at=now, **values)


def require_state(application: StoredApplication, states: frozenset[str], what: str) -> None:
    """Insist on a state.

    Raises:
        EnrolmentError: WRONG_STATE, it is another.
    """
    if application.state not in states:
        raise EnrolmentError(Refusal.WRONG_STATE, f"no {what} of an application that is {application.state}")


def due_at(state: ApplicationState, rules: EnrolmentRules, now: datetime) -> datetime | None:
    """When an application that comes into a state now lapses, None where no time runs."""
    days = {
        S.DRAFT: rules.deadlines.draft,
        S.INFORMATION_REQUESTED: rules.deadlines.information,
        S.REJECTED: rules.deadlines.appeal,
        S.READY: rules.deadlines.uncollected,
    }.get(state)
    return None if days is None else end_of_day(now, days, rules)


_DECISIONS: Final = frozenset(
    ("take-up", "request-information", "validate", "reject", "capture", "approve", "return", "clear", "cancel")
)
"""Events that are not for the account that has filed the application."""


def _refuse_own_file(application: StoredApplication, event: str, actor: Actor) -> None:
    if event in _DECISIONS and actor.id == application.applicant:
        raise EnrolmentError(Refusal.FORBIDDEN, OWN_FILE, guard="own-file")


def refuse_own_person(connection: Connection, application: StoredApplication, actor: Actor) -> None:
    """Staff has nothing to do with the file about itself, from whatever account it was filed.

    Raises:
        EnrolmentError: FORBIDDEN, the personal number of the person is the actor's own.
    """
    if actor.own is not None and is_own_person(load_person(connection, application.person_id), actor):
        raise EnrolmentError(Refusal.FORBIDDEN, OWN_FILE, guard="own-file")


def is_own_person(person: StoredPerson | None, actor: Actor) -> bool:
    """Whether a person is the actor himself, as far as his token tells his personal number."""
    return actor.own is not None and person is not None and actor.own.is_of(person.personal_number)


def _works_of(
    connection: Connection, application: StoredApplication, event: str, settled: StoredApplication, now: datetime
) -> Iterable[Work]:
    """What an event causes: of the application as it was, and as it is then."""
    target = S(settled.state)
    if event in NOTICES:
        told = {"template": f"application-{event}", "until": day_told(settled, event)}
        yield _work(application, "notify", now, **told)
    if event == "cancel" and application.state == S.APPROVED:
        yield _work(application, "production.cancel", now)
    if target in PLACE_ENDS and (application.appointment_id is not None or find_held(connection, application.id)):
        yield _work(application, "appointment.release", now)
    if target in STAMP_ENDS and application.stamp_id is not None:
        yield stamp_release(application, now)


def day_told(application: StoredApplication, event: str) -> str:
    """The day that people are told of with an event: what ends for them then, else until when the office decides."""
    moment = application.appeal_until if event == "reject" else application.due_at
    moment = moment or application.decide_by
    if moment is None:
        return ""
    zone = ZoneInfo(rules_of(application).time_zone)
    return str((moment - timedelta(microseconds=1)).astimezone(zone).date())  # it ends with that day


def stamp_release(application: StoredApplication, now: datetime) -> Work:
    """The work of giving back the stamp that is reserved for an application."""
    return _work(application, "stamp.release", now, stamp=str(application.stamp_id))


def stamp_consumption(application: StoredApplication, stamp_id: uuid.UUID, now: datetime) -> Work:
    """The work of spending the stamp that is reserved for an approved application."""
    return _work(application, "stamp.consume", now, stamp=str(stamp_id))


def _work(application: StoredApplication, kind: str, now: datetime, **payload: str) -> Work:
    return Work(new_id_like(application.id, now), kind, {"application": str(application.id), **payload}, now)
