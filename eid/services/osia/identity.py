"""OSIA third-party services: attributes of registered persons, verified and read.

Only persons whom an officer has compared with the civil status are told of. What is asked for is matched strictly:
an attribute that the register does not have matches nothing.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.roles import Actor
from eid.errors import NotStoredError, RecordError
from eid.services.application.enrolment import CARD_PORTRAIT, load_captured
from eid.services.osia.attributes import describe_contact, describe_person
from eid.services.osia.credentials import describe_card
from eid.services.osia.records import Body
from eid.services.registry import Registry
from eid.store.applications import applications_of
from eid.store.audit import append_event, bucket_of
from eid.store.cards import find_by_number, find_by_person
from eid.store.database import in_transaction
from eid.store.persons import (
    StoredPerson,
    holder_of_number,
    load_person,
)

MATCHED, NOT_MATCHED = 1, 0


@dataclass(frozen=True, slots=True)
class AttributeSet:
    """Which attributes a system is told: members of each part. portrait: the one of the chip."""

    biographic: tuple[str, ...] = ()
    contact: tuple[str, ...] = ()
    credential: tuple[str, ...] | None = None
    portrait: bool = False


CREDENTIAL_MEMBERS: Final = (
    "credentialId",
    "status",
    "statusOther",
    "credentialNumber",
    "personId",
    "credentialType",
    "issuedDate",
    "expiryDate",
    "serialNumber",
    "issuingAuthority",
    "issuingPlace",
    "others",
)
SETS: Final[Mapping[str, AttributeSet]] = {
    "DEFAULT_SET_01": AttributeSet(("lastName", "firstName", "dateOfBirth", "gender", "nationality")),
    "EIDAS": AttributeSet(("uin", "lastName", "firstName", "dateOfBirth", "placeOfBirth", "gender")),
    "SET_CONTACT_01": AttributeSet((), ("phone1", "email")),
    "SET_CREDENTIAL_01": AttributeSet((), (), ("credentialNumber", "status", "credentialType", "expiryDate")),
    "SET_BIOM_01": AttributeSet(("lastName", "firstName", "dateOfBirth"), portrait=True),
}
"""Sets that are named; a token needs the scope id.NAME.read for each."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether all attributes are the person's. proof: for this service to recognise again, None where not wanted."""

    is_match: bool
    proof: str | None = field(default=None, repr=False)


def verify_attributes(
    registry: Registry, identifier: str, kind: str, stated: Body, actor: Actor, *, transaction: str, with_proof: bool
) -> Verified:
    """Compare attributes with the register, strictly.

    Raises:
        NotStoredError: nobody registered has this identifier. RecordError: nothing to compare, biometrics, or an
            identifier of another kind.
    """
    if stated.get("biometricData"):
        raise RecordError("biometric data are not compared here")
    if not any(stated.get(part) for part in ("biographicData", "contactData", "credentialData")):
        raise RecordError("there is nothing to compare")
    person = require_person(registry, identifier, kind)
    is_match = is_like(registry, person, stated)
    note_attributes(registry, person.id, "person.verify", actor, {"match": int(is_match)})
    proof = _prove(registry, person, stated, transaction) if is_match and with_proof else None
    return Verified(is_match, proof)


def read_set(registry: Registry, name: str, identifier: str, kind: str, actor: Actor) -> Body:
    """A named set of a person's attributes.

    Raises:
        NotStoredError: there is no such set, or nobody registered with this identifier.
    """
    wanted = require_set(name)
    person = require_person(registry, identifier, kind)
    note_attributes(registry, person.id, "person.read", actor, {"set": name})
    return tell_attributes(registry, person, wanted)


def read_attributes(registry: Registry, wanted: AttributeSet, identifier: str, kind: str, actor: Actor) -> Body:
    """Attributes of a person that the caller names.

    Raises:
        NotStoredError: nobody registered has this identifier.
    """
    person = require_person(registry, identifier, kind)
    note_attributes(registry, person.id, "person.read", actor, {"set": "named"})
    return tell_attributes(registry, person, wanted)


def require_set(name: str) -> AttributeSet:
    """The set of this name.

    Raises:
        NotStoredError: there is none.
    """
    if name not in SETS:
        raise NotStoredError("there is no such set of attributes")
    return SETS[name]


def require_person(registry: Registry, identifier: str, kind: str) -> StoredPerson:
    """The registered person with an identifier. kind: uin or credentialNumber.

    Raises:
        NotStoredError: there is none. RecordError: another kind of identifier.
    """

    def work(connection: Connection) -> uuid.UUID | None:
        if kind == "uin":
            return holder_of_number(connection, identifier)
        card = next(iter(find_by_number(connection, identifier)), None)
        return None if card is None else card.person_id

    if kind not in ("uin", "credentialNumber"):
        raise RecordError("identifierType is uin or credentialNumber")
    person_id = in_transaction(registry.engine, work)
    found = None if person_id is None else find_registered(registry, person_id)
    if found is None:
        raise NotStoredError("nobody registered has this identifier")
    return found


def find_registered(registry: Registry, person_id: uuid.UUID) -> StoredPerson | None:
    """The person, if an officer has compared him with the civil status."""
    found = in_transaction(registry.engine, lambda connection: load_person(connection, person_id))
    return found if found is not None and found.state == "VALID" else None


# --- inside: comparing and telling


def is_like(registry: Registry, person: StoredPerson, stated: Body) -> bool:
    """Whether every attribute that is stated is the person's."""
    record = decode_person(person.record)
    pairs = ((describe_person(record), "biographicData"), (describe_contact(record), "contactData"))
    if any(known.get(name) != value for known, part in pairs for name, value in (stated.get(part) or {}).items()):
        return False
    asked = stated.get("credentialData") or ()
    cards = _credentials(registry, person) if asked else []
    return all(any(card.items() >= item.items() for card in cards) for item in asked)


def tell_attributes(registry: Registry, person: StoredPerson, wanted: AttributeSet) -> Body:
    """Those of a person's attributes that are wanted and known."""
    record: PersonRecord = decode_person(person.record)
    found: Body = {}
    for part, known, names in (
        ("biographicData", describe_person(record), wanted.biographic),
        ("contactData", describe_contact(record), wanted.contact),
    ):
        if names:
            found[part] = {name: known[name] for name in names if name in known}
    if wanted.credential is not None:
        cards = _credentials(registry, person)
        found["credentialData"] = [{name: card[name] for name in wanted.credential if name in card} for card in cards]
    if wanted.portrait:
        found["biometricData"] = _portrait(registry, person)
    return found


def _credentials(registry: Registry, person: StoredPerson) -> list[Body]:
    cards = in_transaction(registry.engine, lambda connection: find_by_person(connection, person.id))
    described = ({**describe_card(registry, card), "credentialType": "ID_CARD"} for card in cards)
    return [{name: card[name] for name in CREDENTIAL_MEMBERS if name in card} for card in described]


def _portrait(registry: Registry, person: StoredPerson) -> list[Body]:
    """The portrait of the newest capture, as the chip has it."""
    applications = in_transaction(registry.engine, lambda connection: applications_of(connection, person.id))
    for application in reversed(applications):
        try:
            image = load_captured(registry.engine, registry.blobs, application.id).get(CARD_PORTRAIT)
        except NotStoredError:
            continue
        if image is not None:
            told = base64.b64encode(image).decode()
            kind = {"biometricType": "FACE", "biometricSubType": "PORTRAIT", "compression": "JPEG2000"}
            return [{**kind, "mimeType": "image/jp2", "image": told}]
    return []


def _prove(registry: Registry, person: StoredPerson, stated: Body, transaction: str) -> str:
    """A keyed hash over who, what, when and for which transaction, and the moment it was made."""
    moment = registry.now().isoformat(timespec="seconds")
    told = json.dumps([str(person.id), stated, transaction, moment], sort_keys=True, ensure_ascii=False).encode()
    return f"{moment}.{base64.urlsafe_b64encode(registry.keys.tag('osia-proof', told)).decode().rstrip('=')}"


def pick(wanted: Iterable[str] | None) -> tuple[str, ...]:
    """Names that a caller lists, none twice."""
    return tuple(dict.fromkeys(wanted or ()))


def note_attributes(
    registry: Registry, person: uuid.UUID, action: str, actor: Actor, detail: Mapping[str, str | int]
) -> None:
    """Tell the audit log that a system was told of a person. detail: no personal data."""
    event = AuditEvent(registry.now(), f"osia:{actor.id}", action, f"person:{person}", dict(detail))
    in_transaction(registry.engine, lambda connection: append_event(connection, bucket_of(person), event))
