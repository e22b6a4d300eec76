"""Staff looks somebody up: by personal number, number of a receipt or card, or the beginning of a name.

What is shown is masked: enough to tell two people apart, too little to learn who lives where. Each person that is
shown is noted in the audit log. What was typed is noted nowhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine

from eid.enrolment.names import fold
from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.services.application.steps import OWN_FILE, is_own_person
from eid.services.audit.log import note_reading
from eid.store.applications import find_by_number, load_application
from eid.store.audit import bucket_of
from eid.store.cards import find_by_number as find_cards
from eid.store.database import in_transaction
from eid.store.persons import StoredPerson, find_by_column, find_by_name, load_person

SEARCHERS: Final = frozenset(
    (Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER, Role.ADJUDICATOR)
)
AT_ONCE: Final = 10
SHORTEST: Final = 3  # letters of a name
HIDDEN: Final = "•••"


@dataclass(frozen=True, slots=True)
class Wanted:
    """By what somebody is looked up: exactly one of these.

    Args:
        number: of an application's receipt. name: how it begins, in any of the scripts, in either order.
    """

    personal_number: str | None = field(default=None, repr=False)
    number: str | None = field(default=None, repr=False)
    document_number: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MaskedPerson:
    """What staff sees of somebody before he has proved who he is.

    Args:
        name: by script, the first letter of each word of the name. personal_number: its last two characters.
    """

    id: uuid.UUID
    state: str
    name: Mapping[str, str] = field(repr=False)
    birth_year: int | None = field(repr=False)
    personal_number: str | None = field(repr=False)


def search_persons(engine: Engine, wanted: Wanted, actor: Actor, now: datetime) -> tuple[MaskedPerson, ...]:
    """The people that this may mean, masked, ten at most; each is noted in the audit log.

    Raises:
        EnrolmentError: FORBIDDEN, also where it is the actor himself. RecordError: not exactly one thing to look for, a
            name that is too short, or no number of a receipt; nothing of it is repeated.
    """
    role = actor.require(SEARCHERS, "people are looked up by other roles")

    def work(connection: Connection) -> tuple[MaskedPerson, ...]:
        found = _without_himself(find_persons(connection, wanted), actor)
        for person in sorted(found, key=lambda item: bucket_of(item.id)):  # chains are locked in one order
            note_reading(connection, person.id, "person", actor, role, now, part="masked")
        return tuple(mask_person(person) for person in found)

    return in_transaction(engine, work)


def _without_himself(found: tuple[StoredPerson, ...], actor: Actor) -> tuple[StoredPerson, ...]:
    """Those found but the actor; who looks for himself alone is told that this is not for him to see."""
    others = tuple(person for person in found if not is_own_person(person, actor))
    if found and not others:
        raise EnrolmentError(Refusal.FORBIDDEN, OWN_FILE, guard="own-file")
    return others


def find_persons(connection: Connection, wanted: Wanted) -> tuple[StoredPerson, ...]:
    """The people that this may mean, ten at most.

    Raises:
        RecordError: as `search_persons`.
    """
    if (
        sum(item is not None for item in (wanted.personal_number, wanted.number, wanted.document_number, wanted.name))
        != 1
    ):
        raise RecordError("exactly one thing is looked for")
    if wanted.name is not None:
        if len(fold(wanted.name)) < SHORTEST:
            raise RecordError(f"a name is looked for by {SHORTEST} letters or more")
        return find_by_name(connection, wanted.name, AT_ONCE)
    if wanted.personal_number is not None:
        return find_by_column(connection, "personal_number", wanted.personal_number.strip().upper(), AT_ONCE)
    if wanted.number is not None:
        application = find_by_number(connection, wanted.number)
        return () if application is None else _load(connection, (application.person_id,))
    return _load(connection, _holders(connection, str(wanted.document_number).strip().upper()))


def _load(connection: Connection, identifiers: Iterable[uuid.UUID]) -> tuple[StoredPerson, ...]:
    found = (load_person(connection, identifier) for identifier in identifiers)
    return tuple(person for person in found if person is not None)


def mask_person(person: StoredPerson) -> MaskedPerson:
    """What may be seen of somebody."""
    number, born = person.personal_number, person.date_of_birth
    return MaskedPerson(
        person.id,
        person.state,
        {script: _mask_name(person.record, script) for script in _scripts_of(person.record)},
        None if born is None else int(born[:4]),
        None if number is None else HIDDEN + number[-2:],
    )


def mask_number(number: str | None) -> str | None:
    """A document number as far as a call centre may see it: its last three characters."""
    return None if number is None else HIDDEN + number[-3:]


def _mask_name(record: Mapping[str, Any], script: str) -> str:
    words = " ".join(str(record.get(part, {}).get(script, "")) for part in ("given_names", "family_name")).split()
    return " ".join(word[0] + HIDDEN for word in words)


def _scripts_of(record: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys(script for part in ("given_names", "family_name") for script in record.get(part, {}))


def _holders(connection: Connection, document_number: str) -> tuple[uuid.UUID, ...]:
    """Whose cards have this number: of a card, or of the application that it was made for."""
    found = []
    for card in find_cards(connection, document_number):
        application = None if card.application_id is None else load_application(connection, card.application_id)
        person = card.person_id or (None if application is None else application.person_id)
        if person is not None:
            found.append(person)
    return tuple(dict.fromkeys(found))
