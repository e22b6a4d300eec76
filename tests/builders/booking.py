"""Sites and applications to book with: invented, and the applications validated without their way there."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eid.enrolment.person import decode_person, encode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.enrolment.site import decode_site
from eid.services.appointment.desk import Desk
from eid.services.appointment.sites import put_site
from eid.store.applications import StoredApplication, build_number, insert_application
from eid.store.database import in_transaction
from eid.store.persons import StoredPerson, insert_person
from eid.store.types import new_id, new_id_like

NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday
LOADED: Final = load_rules("morocco")
ADMIN: Final = Actor("admin-1", frozenset((Role.ADMINISTRATOR,)))
AGENT: Final = Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))
WEEKDAYS: Final = ["mon", "tue", "wed", "thu", "fri"]
RABAT: Final[dict[str, Any]] = {
    "code": "rabat-agdal",
    "kind": "centre",
    "title": {"fr": "Rabat Agdal (SPECIMEN)", "ar": "الرباط أكدال"},
    "time_zone": "Africa/Casablanca",
    "places": 2,
    "services": ["card"],
    "hours": [{"days": WEEKDAYS, "from": "09:00", "until": "10:00"}],
}
PARIS: Final[dict[str, Any]] = {
    **RABAT,
    "code": "paris",
    "kind": "consulate",
    "title": {"fr": "Paris (SPECIMEN)"},
    "time_zone": "Europe/Paris",
}


def applicant(number: int = 1) -> Actor:
    return Actor(f"applicant-{number}", frozenset((Role.APPLICANT,)))


def officer(site: str = "rabat-agdal") -> Actor:
    return Actor(f"officer-{site}", frozenset((Role.ENROLMENT_OFFICER,)), site)


def build_desk(engine: Engine, *definitions: dict[str, Any], now: datetime = NOW) -> Desk:
    """A desk with these sites."""
    desk = Desk(engine, LOADED.rules.appointments)
    for definition in definitions:
        put_site(desk, decode_site(definition), ADMIN, now)
    return desk


def store_application(
    connection: Connection,
    number: int = 1,
    *,
    state: str = "VALIDATED",
    reason: str = "expiry",
    site: str | None = None,
    category: str | None = None,
    born: str | None = None,
    phone: str | None = None,
) -> uuid.UUID:
    """An application of `applicant(number)`."""
    person_id = new_id(NOW)
    identifier = new_id_like(person_id, NOW)
    person = StoredPerson(
        person_id,
        "CLAIMED",
        1,
        encode_person(decode_person({"specimen": True, "date_of_birth": born} if born else {"specimen": True})),
        phone=phone,
    )
    insert_person(connection, person, (), NOW)
    application = StoredApplication(
        id=identifier,
        number=build_number(identifier),
        state=state,
        version=1,
        person_id=person_id,
        applicant=applicant(number).id,
        service="card",
        reason=reason,
        abroad=False,
        site=site,
        category=category,
        language="fr",
        rules="morocco",
        rules_digest=LOADED.digest,
        fee=75,
        currency="MAD",
        created_at=NOW,
        updated_at=NOW,
    )
    insert_application(connection, application)
    return identifier


def make_application(engine: Engine, number: int = 1, **how: Any) -> uuid.UUID:
    return in_transaction(engine, lambda connection: store_application(connection, number, **how))
