"""OSIA credential management: requests are applications, credentials are cards of the register.

A request goes the office's own way (papers, stamp, two officers): asking for a credential approves nothing. The scope
of an operation stands for one role; the life cycles judge as they do for everybody.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.card_status import CardState, RevocationCause, SuspensionCause
from eid.enrolment.person import decode_person
from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, EnrolmentError, NotStoredError, RecordError, Refusal
from eid.profile.loader import load_profile
from eid.services.application.acts import withdraw
from eid.services.application.drafts import NewApplication, create_application
from eid.services.card.cards import Register
from eid.services.osia.attributes import describe_person
from eid.services.osia.enrolments import read_office, reason_of
from eid.services.osia.expressions import Expression, matches, wanted
from eid.services.osia.records import (
    Body,
    Held,
    acting,
    find_held,
    hold,
    identify_record,
    parse_id,
    require_held,
    rewrite,
)
from eid.services.registry import Registry
from eid.store.applications import StoredApplication, load_application
from eid.store.audit import append_event, bucket_of
from eid.store.cards import RegisteredCard, find_by_application, find_by_number, find_by_person, load_card
from eid.store.database import in_transaction, reading
from eid.store.persons import StoredPerson, load_person
from eid.store.production_orders import ProductionOrder, orders_of

REQUEST: Final = "REQUEST"
NOTE: Final = "CREDENTIAL"
ISSUED: Final = frozenset(("PRODUCED", "SHIPPED", "READY", "DELIVERED"))
FAILED: Final = frozenset(("REJECTED", "LAPSED"))
CANCELLED: Final = frozenset(("WITHDRAWN", "CANCELLED"))
STATUSES: Final = {
    CardState.ORDERED: "NEW",
    CardState.PERSONALISED: "NEW",
    CardState.IN_STOCK: "NEW",
    CardState.ACTIVE: "ACTIVE",
    CardState.SUSPENDED: "SUSPENDED",
    CardState.REVOKED: "REVOKED",
    CardState.VOID: "OTHER",
}
NOTED: Final = ("issuingAuthority", "issuingPlace", "others")
_SETTLED: Final = ("requestType", "requestTypeOther", "credentialProfileId", "deliveryOffice")


# --- requests


def create_request(registry: Registry, name: str, body: Body, actor: Actor) -> None:
    """Ask for a credential: an application begins, as a draft.

    Raises:
        AlreadyDoneError: there is a request under this identifier. RecordError: no such person, product or reason, or
            the biographic data are not those of the person. EnrolmentError: the office's rules forbid it.
    """
    record_id = identify_record(registry, REQUEST, name)
    if find_held(registry, record_id) is not None:
        raise AlreadyDoneError("there is a request under this identifier")
    request = body["requestData"]
    if request["credentialProfileId"] != registry.rules.issuer.profile:
        raise RecordError("there is no such credential profile")
    record = decode_person(_person_for(registry, body).record)
    known = describe_person(record)
    if any(known.get(member) != value for member, value in body["biographicData"].items()):
        raise RecordError("the biographic data are not those of the person")
    new = NewApplication(reason_of(registry.rules, request), record, site=read_office(request))
    officer, now = acting(actor, Role.ENROLMENT_OFFICER), registry.now()
    application = create_application(registry.engine, new, officer, now, rules=registry.country, keys=registry.keys)
    hold(registry, REQUEST, record_id, "KEPT", {**body, "credentialRequestId": name}, actor.id, now, application.id)


def read_request(registry: Registry, name: str, actor: Actor) -> Body:
    """A request, with where it stands.

    Raises:
        NotStoredError: there is none.
    """
    held = _require_request(registry, name)
    application = _application_of(registry, held)
    _note(registry, application.id, "osia-request.read", actor)
    return {**held.body, "status": _status_of(application), "credentialIds": _cards_for(registry, application)}


def update_request(registry: Registry, name: str, body: Body, actor: Actor) -> None:
    """Write a request anew, before its application is submitted; for whom and for what stays.

    Raises:
        NotStoredError: there is none. EnrolmentError: WRONG_STATE.
    """
    held = _require_request(registry, name)
    application = _application_of(registry, held)
    old, new = held.body["requestData"], body["requestData"]
    is_same = body["personId"] == held.body["personId"] and body["biographicData"] == held.body["biographicData"]
    if not is_same or any(old.get(part) != new.get(part) for part in _SETTLED) or application.state != "DRAFT":
        raise EnrolmentError(Refusal.WRONG_STATE, "what the application was begun with cannot be changed")
    rewrite(registry, held, {**body, "credentialRequestId": name}, registry.now())
    _note(registry, application.id, "osia-request.update", actor)


def cancel_request(registry: Registry, name: str, actor: Actor) -> None:
    """Take a request back, before the visit.

    Raises:
        NotStoredError: there is none. EnrolmentError: it is too late, or it is another system's.
    """
    application = _application_of(registry, _require_request(registry, name))
    if application.applicant != actor.id:
        raise EnrolmentError(Refusal.FORBIDDEN, "the request is another system's")
    withdraw(registry.engine, application.id, acting(actor, Role.APPLICANT), registry.now())


def _require_request(registry: Registry, name: str) -> Held:
    return require_held(registry, identify_record(registry, REQUEST, name))


def _application_of(registry: Registry, held: Held) -> StoredApplication:
    subject = held.record.subject
    with reading(registry.engine) as connection:
        found = None if subject is None else load_application(connection, subject)
    if found is None:
        raise NotStoredError("the application is not there any more")
    return found


def _person_for(registry: Registry, body: Mapping[str, Any]) -> StoredPerson:
    found = None
    with suppress(NotStoredError), reading(registry.engine) as connection:
        found = load_person(connection, parse_id(body["personId"]))
    if found is None or found.state not in ("CLAIMED", "VALID"):
        raise RecordError("there is no such person")
    return found


def _status_of(application: StoredApplication) -> str:
    for status, states in (("ISSUED", ISSUED), ("FAILED", FAILED), ("CANCELLED", CANCELLED)):
        if application.state in states:
            return status
    return "PENDING"


def _cards_for(registry: Registry, application: StoredApplication) -> list[str]:
    with reading(registry.engine) as connection:
        cards = find_by_application(connection, application.id)
    return [str(item.id) for item in cards if item.state != CardState.VOID]


# --- credentials


def read_credential(registry: Registry, credential: str, actor: Actor) -> Body:
    """A card.

    Raises:
        NotStoredError: there is none.
    """
    card = _require_card(registry, credential)
    _note(registry, card.id, "card.read", actor)
    return describe_card(registry, card)


def find_credentials(registry: Registry, expressions: Iterable[Expression], actor: Actor) -> list[Body]:
    """Cards by credentialId, credentialNumber or personId, and whatever else is asked of them.

    Raises:
        RecordError: none of the three is asked for: the whole register is nobody's to list. NotStoredError: there is no
            such card, number or person.
    """
    conditions = tuple(expressions)
    cards = _candidates(registry, conditions)
    if not cards:
        raise NotStoredError("there is no such credential, number or person")
    found = []
    for card in cards:
        described = describe_card(registry, card)
        if matches(conditions, described):
            _note(registry, card.id, "card.read", actor)
            found.append(described)
    return found


def update_credential(registry: Registry, credential: str, body: Body, actor: Actor) -> None:
    """Note who issued a card, and where; what is signed on its chip stays.

    Raises:
        NotStoredError: there is none. EnrolmentError: the chip says another last day.
    """
    card = _require_card(registry, credential)
    stated = body.get("expiryDate")
    if stated is not None and stated != describe_card(registry, card).get("expiryDate"):
        raise EnrolmentError(Refusal.WRONG_STATE, "the last day is signed on the chip")
    noted: Body = {name: body[name] for name in NOTED if name in body}
    record_id, now = _note_id(registry, card), registry.now()
    held = find_held(registry, record_id)
    if held is None:
        hold(registry, NOTE, record_id, "KEPT", noted, actor.id, now, card.id)
    else:
        rewrite(registry, held, noted, now)
    _note(registry, card.id, "card.note", actor)


def suspend_credential(registry: Registry, credential: str, reason: str | None, actor: Actor) -> None:
    """Suspend a card. reason: lost, stolen; any other means that somebody looks into it.

    Raises:
        NotStoredError: there is none. EnrolmentError: it is not active.
    """
    card = _require_card(registry, credential)
    causes = {cause.value: cause for cause in SuspensionCause}
    cause = causes.get((reason or "").lower(), SuspensionCause.EXAMINED)
    Register(registry.engine).suspend(card.id, cause, acting(actor, Role.ADMINISTRATOR), registry.now())


def unsuspend_credential(registry: Registry, credential: str, actor: Actor) -> None:
    """Let a suspended card be good again.

    Raises:
        NotStoredError: there is none. EnrolmentError: it is not suspended.
    """
    card = _require_card(registry, credential)
    Register(registry.engine).resume(card.id, acting(actor, Role.ENROLMENT_OFFICER), registry.now())


def revoke_credential(registry: Registry, credential: str, reason: str | None, actor: Actor) -> None:
    """Revoke a card for ever.

    Raises:
        NotStoredError: there is none. RecordError: the reason is none of the causes. EnrolmentError: it is revoked, or
            no card yet.
    """
    card = _require_card(registry, credential)
    causes = {cause.value: cause for cause in RevocationCause}
    cause = causes.get((reason or "").lower())
    if cause is None:
        raise RecordError(f"reason is not one of {', '.join(causes)}")
    Register(registry.engine).revoke(card.id, cause, acting(actor, Role.ADMINISTRATOR), registry.now())


def set_status(registry: Registry, credential: str, status: str, reason: str | None, actor: Actor) -> None:
    """Bring a card to a status: ACTIVE, SUSPENDED or REVOKED.

    Raises:
        RecordError: another status, or no cause. NotStoredError: there is none. EnrolmentError: not from where it is.
    """
    if status == "SUSPENDED":
        suspend_credential(registry, credential, reason, actor)
    elif status == "REVOKED":
        revoke_credential(registry, credential, reason, actor)
    elif status == "ACTIVE":
        card = _require_card(registry, credential)
        register, officer = Register(registry.engine), acting(actor, Role.ENROLMENT_OFFICER)
        act = register.activate if card.state == CardState.IN_STOCK else register.resume
        act(card.id, officer, registry.now())
    else:
        raise RecordError("status is not one of ACTIVE, SUSPENDED, REVOKED")


def find_profiles(registry: Registry, expressions: Iterable[Expression]) -> list[Body]:
    """The product that the rules name.

    Raises:
        NotStoredError: another one is asked for by its identifier.
    """
    conditions = tuple(expressions)
    name = registry.rules.issuer.profile
    asked = wanted(conditions, "credentialProfileId")
    if asked is not None and asked != name:
        raise NotStoredError("there is no such profile")
    profile = load_profile(name)
    described = {
        "credentialProfileId": name,
        "name": name,
        "description": registry.rules.title,
        "credentialType": "SMARTCARD",
        "defaultLifetime": _lifetime(registry),
        "credentialProfileVersion": profile.digest.hex()[:16],
    }
    return [described] if matches(conditions, described) else []


def describe_card(registry: Registry, card: RegisteredCard) -> Body:
    """A card as OSIA's CredentialData."""
    order, state = _order_of(registry, card), CardState(card.state)
    held = find_held(registry, _note_id(registry, card))
    stated: dict[str, Any] = {
        "credentialId": str(card.id),
        "status": STATUSES[state],
        "statusOther": "spoiled in production" if state is CardState.VOID else None,
        "credentialNumber": card.document_number,
        "personId": "" if card.person_id is None else str(card.person_id),
        "credentialProfileId": registry.rules.issuer.profile if order is None else order.profile,
        "issuedDate": None if order is None else _moment(registry, order.issued_on, time(0)),
        "expiryDate": _moment(registry, card.expires_on, time(23, 59, 59)),
        "serialNumber": None if order is None else order.serial,
        "issuingAuthority": registry.rules.issuer.name["latin"],
        **({} if held is None else held.body),
    }
    return {name: value for name, value in stated.items() if value is not None}


def load_card_by_id(registry: Registry, card_id: uuid.UUID) -> RegisteredCard | None:
    """The card with this identifier, or None."""
    return in_transaction(registry.engine, lambda connection: load_card(connection, card_id))


def _candidates(registry: Registry, conditions: tuple[Expression, ...]) -> tuple[RegisteredCard, ...]:
    one, number, person = (wanted(conditions, name) for name in ("credentialId", "credentialNumber", "personId"))
    if one is None and number is None and person is None:
        raise RecordError("say credentialId, credentialNumber or personId, with the operator =")

    def work(connection: Connection) -> tuple[RegisteredCard, ...]:
        if one is not None:
            card = load_card(connection, parse_id(one))
            return () if card is None else (card,)
        return find_by_number(connection, number) if number else find_by_person(connection, parse_id(person or ""))

    return in_transaction(registry.engine, work)


def _require_card(registry: Registry, credential: str) -> RegisteredCard:
    found = load_card_by_id(registry, parse_id(credential))
    if found is None:
        raise NotStoredError("there is no such credential")
    return found


def _order_of(registry: Registry, card: RegisteredCard) -> ProductionOrder | None:
    application = card.application_id
    if application is None:
        return None
    orders = in_transaction(registry.engine, lambda connection: orders_of(connection, application))
    return next((order for order in orders if order.card_id == card.id), None)


def _note_id(registry: Registry, card: RegisteredCard) -> uuid.UUID:
    return identify_record(registry, NOTE, str(card.id))


def _lifetime(registry: Registry) -> int:
    return max(row.years for row in registry.rules.validity) * 1461 // 4


def _moment(registry: Registry, day: date | None, at: time) -> str | None:
    """A day's moment in the time zone of the rules, RFC 3339."""
    return None if day is None else datetime.combine(day, at, ZoneInfo(registry.rules.time_zone)).isoformat()


def _note(registry: Registry, subject: uuid.UUID, action: str, actor: Actor) -> None:
    kind = "card" if action.startswith("card") else "application"
    event = AuditEvent(registry.now(), f"osia:{actor.id}", action, f"{kind}:{subject}", {})
    in_transaction(registry.engine, lambda connection: append_event(connection, bucket_of(subject), event))
