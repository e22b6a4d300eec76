"""Personal numbers for those who have none yet (OSIA UIN): drawn at random, in a form that the country's rules say."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.roles import Actor
from eid.errors import EnrolmentError, NotStoredError, RecordError, Refusal
from eid.services.osia.records import parse_id
from eid.services.registry import Registry
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction, reading
from eid.store.outbox import Work
from eid.store.persons import claim_number, holder_of_number, load_person, new_person_id
from eid.store.work_records import is_first_time

DRAWS: Final = 64
GENERATE: Final = "personal-number.generate"
HAS_ONE: Final = "the person has a number"


def generate_number(
    registry: Registry, attributes: Mapping[str, Any], actor: Actor, random: Callable[[int], bytes] = os.urandom
) -> str:
    """A personal number that nobody has; with a personId among the attributes, it is that person's from now on.

    Raises:
        RecordError: no attributes, or no such person. EnrolmentError: the country's rules give out no numbers, or the
            person has one.
    """
    form = registry.rules.new_personal_number
    if not attributes:
        raise RecordError("there are no attributes")
    if not form:
        raise EnrolmentError(Refusal.FORBIDDEN, "the rules of the country give out no numbers")
    person = _person_for_number(registry, attributes.get("personId"))
    for _ in range(DRAWS):
        number = _draw(form, random)
        if _take(registry, number, person, actor):
            return number
    raise EnrolmentError(Refusal.FORBIDDEN, "no number is free")


def _person_for_number(registry: Registry, named: object) -> uuid.UUID:
    if named is None:
        return new_person_id(registry.now())
    try:
        person_id = parse_id(str(named))
    except NotStoredError:
        raise RecordError("there is no such person") from None
    with reading(registry.engine) as connection:
        person = load_person(connection, person_id)
    if person is None:
        raise RecordError("there is no such person")
    if person.personal_number is not None:
        raise EnrolmentError(Refusal.FORBIDDEN, HAS_ONE)
    return person_id


def _take(registry: Registry, number: str, person: uuid.UUID, actor: Actor) -> bool:
    now = registry.now()

    def work(connection: Connection) -> bool:
        if holder_of_number(connection, number) is not None or claim_number(connection, number, person, now) != person:
            return False
        if not is_first_time(connection, Work(person, GENERATE, {}, now), now):  # another call has found him one
            raise EnrolmentError(Refusal.FORBIDDEN, HAS_ONE)
        event = AuditEvent(now, f"osia:{actor.id}", GENERATE, f"person:{person}", {})
        append_event(connection, bucket_of(person), event)
        return True

    return in_transaction(registry.engine, work)


def _draw(form: str, random: Callable[[int], bytes]) -> str:
    """Letters of a form as they are, a digit for each #; the first of them is not 0."""
    drawn = ""
    for letter in form:
        low = 0 if "#" in form[: len(drawn)] else 1
        drawn += str(low + int.from_bytes(random(8), "big") % (10 - low)) if letter == "#" else letter
    return drawn
