"""The call centre: who calls proves who he is; then the agent sees where things stand, masked, and can help.

The agent types what the caller says and learns only whether all of it is right, never what would have been. A call is
one agent's, about one person, for a quarter of an hour. What an agent does in it is done by the services that everybody
uses, in his name.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent, Fact
from eid.enrolment.card_status import SuspensionCause
from eid.enrolment.names import fold
from eid.enrolment.person import PersonRecord, TwoScripts, decode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.wall_time import WallTime
from eid.errors import EnrolmentError, NotStoredError, RecordError, Refusal
from eid.services.application.steps import OWN_FILE, is_own_person
from eid.services.appointment import appointments
from eid.services.appointment.desk import Desk
from eid.services.audit.log import note_reading
from eid.services.card.cards import Register
from eid.services.person.notifications import SAID_IN, STANDS
from eid.services.person.search import MaskedPerson, mask_person
from eid.services.registry import Registry
from eid.services.stamp.stamps import StampOffice, resend_digits
from eid.store.applications import StoredApplication, applications_of, parse_number
from eid.store.appointments import Appointment, find_appointment
from eid.store.audit import append_event, bucket_of
from eid.store.caller_checks import CallerCheck, count_failed, insert_check, load_check
from eid.store.cards import RegisteredCard, find_by_application, find_by_person
from eid.store.database import in_transaction
from eid.store.notifications import Notification, notifications_of
from eid.store.outbox import Work, enqueue
from eid.store.persons import StoredPerson, load_person
from eid.store.stamps import StoredStamp, find_stamp
from eid.store.types import new_id_like

ANSWERS: Final = 3  # that a caller must give, all of them right
CALL: Final = timedelta(minutes=15)
FAILURES: Final = 3  # about one person, in
WINDOW: Final = timedelta(hours=1)
PAUSE: Final = timedelta(minutes=1)  # between two messages of one template
_AGENT: Final = frozenset((Role.CALL_CENTRE_AGENT,))


@dataclass(frozen=True, slots=True)
class CallerAnswers:
    """What a caller says of himself; None where he was not asked.

    Args:
        father, mother: their names, in either script. phone: as registered, with or without the country.
        number: of a receipt of his.
    """

    date_of_birth: date | None = field(default=None, repr=False)
    personal_number: str | None = field(default=None, repr=False)
    father: str | None = field(default=None, repr=False)
    mother: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApplicationStanding:
    """Where an application stands, with what belongs to it."""

    application: StoredApplication
    appointment: Appointment | None
    stamp: StoredStamp | None
    messages: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class CallView:
    """What an agent sees of whoever has proved who he is."""

    call: CallerCheck
    person: MaskedPerson
    applications: tuple[ApplicationStanding, ...]
    cards: tuple[RegisteredCard, ...]


def verify_caller(
    registry: Registry, person_id: uuid.UUID, answers: CallerAnswers, actor: Actor, now: datetime
) -> CallerCheck:
    """Open a call, if everything that the caller says is right.

    Raises:
        EnrolmentError: FORBIDDEN, also where it is the agent himself; GUARD caller-verified, something is wrong, never
            which; GUARD caller-tries, too much was wrong about this person in the last hour. RecordError: fewer than
            three answers. NotStoredError: there is no such person.
    """
    role = _require_agent(actor)
    given = {name: said for name in _CHECKS if (said := getattr(answers, name)) is not None}
    if len(given) < ANSWERS:
        raise RecordError(f"a caller answers {ANSWERS} questions or more")

    def work(connection: Connection) -> CallerCheck:
        person = _load_person(connection, person_id, change=True)  # who guesses many times at once takes turns
        if is_own_person(person, actor):
            raise EnrolmentError(Refusal.FORBIDDEN, OWN_FILE, guard="own-file")
        if count_failed(connection, person_id, now - WINDOW) >= FAILURES:
            raise EnrolmentError(Refusal.GUARD, "too many answers were wrong; try later", guard="caller-tries")
        numbers = [item.number for item in applications_of(connection, person_id)]
        record = decode_person(person.record)
        right = [check(record, numbers, str(given[name])) for name, check in _CHECKS.items() if name in given]
        check_id = new_id_like(person_id, now, registry.random)
        made = CallerCheck(check_id, person_id, actor.id, all(right), now, now + CALL)
        insert_check(connection, made)
        told: dict[str, Fact] = {"passed": made.passed, "answers": ",".join(given), "call": str(check_id)}
        event = AuditEvent(now, actor.tag(role), "caller.verify", f"person:{person_id}", told)
        append_event(connection, bucket_of(person_id), event)
        return made

    made = in_transaction(registry.engine, work)
    if not made.passed:
        raise EnrolmentError(Refusal.GUARD, "an answer is wrong", guard="caller-verified")
    return made


def view_call(registry: Registry, call_id: uuid.UUID, actor: Actor, now: datetime) -> CallView:
    """Where the caller's affairs stand; that it was read is noted.

    Raises:
        NotStoredError: there is no such call, it is another agent's, or it is over. EnrolmentError: FORBIDDEN.
    """

    def work(connection: Connection) -> CallView:
        call = _open_call(connection, call_id, actor, now)
        note_reading(connection, call.person_id, "person", actor, _require_agent(actor), now, part="call")
        person = _load_person(connection, call.person_id)
        found = applications_of(connection, call.person_id)
        standing = tuple(_standing(connection, item) for item in reversed(found))
        return CallView(call, mask_person(person), standing, _cards(connection, call.person_id, found))

    return in_transaction(registry.engine, work)


def resend_stamp(
    registry: Registry, call_id: uuid.UUID, stamp_id: uuid.UUID, actor: Actor, now: datetime
) -> StoredStamp:
    """Have the digits of the caller's stamp sent again, to the same telephone.

    Raises:
        NotStoredError: no such call, or no such stamp of the caller. EnrolmentError: as `resend_digits`.
    """
    _require_his(registry, call_id, actor, now, lambda item: item.stamp_id == stamp_id, "stamp")
    return resend_digits(StampOffice.of(registry), stamp_id, actor, now)


def resend_message(
    registry: Registry, call_id: uuid.UUID, application_id: uuid.UUID, template: str, actor: Actor, now: datetime
) -> None:
    """Have something told again that was told before, to where the caller is reached now.

    Raises:
        NotStoredError: no such call, application, or message. EnrolmentError: GUARD, it was told a moment ago.
    """
    role = _require_agent(actor)
    found = _require_his(registry, call_id, actor, now, lambda item: item.id == application_id, "application")

    def work(connection: Connection) -> None:
        told = [item for item in notifications_of(connection, found.id, 100) if item.template == template]
        if not told:
            raise NotStoredError("nothing of that kind was told")
        if now - told[0].at < PAUSE:
            raise EnrolmentError(Refusal.GUARD, "it was told a moment ago", guard="message-pause")
        payload = {"template": template, "application": str(found.id)}
        if found.state != SAID_IN.get(template, found.state):
            raise NotStoredError("what was told is no longer so")
        if template.startswith("appointment-"):
            if found.appointment_id is None or template not in STANDS:
                raise NotStoredError("there is no such appointment any more")
            payload["appointment"] = str(found.appointment_id)
        enqueue(connection, Work(new_id_like(found.id, now, registry.random), "notify", payload, now))
        event = AuditEvent(
            now, actor.tag(role), "application.resend", f"application:{found.id}", {"template": template}
        )
        append_event(connection, bucket_of(found.id), event)

    in_transaction(registry.engine, work)


def suspend_card(
    registry: Registry, call_id: uuid.UUID, card_id: uuid.UUID, cause: SuspensionCause, actor: Actor, now: datetime
) -> RegisteredCard:
    """Suspend the caller's card, which he has lost.

    Raises:
        NotStoredError: no such call, or no such card of the caller. EnrolmentError: it is not active.
    """

    def look(connection: Connection) -> tuple[RegisteredCard, ...]:
        call = _open_call(connection, call_id, actor, now)
        return _cards(connection, call.person_id, applications_of(connection, call.person_id))

    if card_id not in {item.id for item in in_transaction(registry.engine, look)}:
        raise NotStoredError("the caller has no such card")
    return Register(registry.engine).suspend(card_id, cause, actor, now)


def rebook(
    registry: Registry,
    call_id: uuid.UUID,
    application_id: uuid.UUID,
    site: str,
    slot: WallTime,
    actor: Actor,
    now: datetime,
) -> Appointment:
    """Give the caller another time, here or elsewhere; or a first one, where his application waits for it.

    Raises:
        NotStoredError: no such call, application or site. EnrolmentError: as `appointments.hold` and `reschedule`.
    """
    found = _require_his(registry, call_id, actor, now, lambda item: item.id == application_id, "application")
    desk = Desk(registry.engine, registry.rules.appointments, registry.random)
    if found.appointment_id is not None:
        return appointments.reschedule(desk, found.appointment_id, slot, actor, now, code=site)
    held = appointments.hold(desk, found.id, site, slot, actor, now)
    return appointments.book(desk, held.id, actor, now)


# Inside


def _require_agent(actor: Actor) -> Role:
    return actor.require(_AGENT, "this is for call centres")


def _open_call(connection: Connection, call_id: uuid.UUID, actor: Actor, now: datetime) -> CallerCheck:
    _require_agent(actor)
    found = load_check(connection, call_id)
    if found is None or not found.passed or found.agent != actor.id or found.expires_at <= now:
        raise NotStoredError("there is no such call, or it is over")
    return found


def _load_person(connection: Connection, person_id: uuid.UUID, *, change: bool = False) -> StoredPerson:
    found = load_person(connection, person_id, change=change)
    if found is None or found.state not in ("CLAIMED", "VALID"):
        raise NotStoredError("there is no such person")
    return found


def _require_his(
    registry: Registry,
    call_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    is_it: Callable[[StoredApplication], bool],
    what: str,
) -> StoredApplication:
    """The application of the caller's that has it."""

    def work(connection: Connection) -> StoredApplication:
        call = _open_call(connection, call_id, actor, now)
        found = next((item for item in applications_of(connection, call.person_id) if is_it(item)), None)
        if found is None:
            raise NotStoredError(f"the caller has no such {what}")
        return found

    return in_transaction(registry.engine, work)


def _standing(connection: Connection, item: StoredApplication) -> ApplicationStanding:
    stamp = None if item.stamp_id is None else find_stamp(connection, item.stamp_id)
    visit = None if item.appointment_id is None else find_appointment(connection, item.appointment_id)
    return ApplicationStanding(item, visit, stamp, notifications_of(connection, item.id))


def _cards(
    connection: Connection, person_id: uuid.UUID, applications: Iterable[StoredApplication]
) -> tuple[RegisteredCard, ...]:
    """The cards of somebody, those without a person in the register by their application."""
    found = {item.id: item for item in find_by_person(connection, person_id)}
    for application in applications:
        found |= {item.id: item for item in find_by_application(connection, application.id)}
    return tuple(sorted(found.values(), key=lambda item: item.ordered_at, reverse=True))


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _is_name(known: TwoScripts | None, said: str) -> bool:
    """All words of a name, or of its given part, in either script and whatever the spelling that folding forgets."""
    if known is None or not fold(said):
        return False
    return any(_same(fold(said), fold(spelt)) for spelt in known.by_script.values())


def _is_phone(record: PersonRecord, said: str) -> bool:
    """The number with the country's code, or as it is dialled at home; written in any way."""
    known = "" if record.contact is None else record.contact.phone or ""
    digits = re.sub(r"\D", "", known)
    heard = "".join(str(unicodedata.decimal(sign)) for sign in said if sign.isdecimal()).lstrip("0")
    # A country's code has one to three digits (ITU-T E.164 6.2.1); a trunk prefix of zeros is no part of the number.
    return bool(digits) and any(_same(digits[code:], heard) for code in range(4))


def _is_number(numbers: list[str], said: str) -> bool:
    try:
        return parse_number(said) in numbers
    except RecordError:
        return False


_Check = Callable[[PersonRecord, list[str], str], bool]
_CHECKS: Final[Mapping[str, _Check]] = {
    "date_of_birth": lambda record, _, said: (
        record.date_of_birth is not None and _same(record.date_of_birth.isoformat(), said)
    ),
    "personal_number": lambda record, _, said: (
        record.personal_number is not None and _same(record.personal_number, said.strip().upper())
    ),
    "father": lambda record, _, said: _is_name(record.father, said),
    "mother": lambda record, _, said: _is_name(record.mother, said),
    "phone": lambda record, _, said: _is_phone(record, said),
    "number": lambda _, numbers, said: _is_number(numbers, said),
}
