"""OSIA identification: who is like this one, by attributes at once, by biometrics later.

Biometrics are searched by the worker: the probe is kept in the biometric system for the moment of the search, and
forgotten whatever comes of it. Whoever asked fetches the answer with the task's identifier; nobody else can.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from typing import Any, Final

from eid.enrolment.roles import Actor
from eid.errors import GatewayError, GatewayRefusedError, NotStoredError, RecordError
from eid.gateways.abis import Abis, Biometric, Encounter, Pending
from eid.services.application.abis import open_abis
from eid.services.durable.work import Workshop
from eid.services.osia.attributes import NAMES
from eid.services.osia.identity import (
    SETS,
    find_registered,
    is_like,
    note_attributes,
    require_person,
    require_set,
    tell_attributes,
)
from eid.services.osia.records import Body, Held, hold, parse_id, require_held, rewrite
from eid.services.registry import Registry
from eid.store.database import reading
from eid.store.outbox import Work
from eid.store.persons import StoredPerson, find_by_column, find_by_name
from eid.store.types import new_id, new_id_like

TASK: Final = "TASK"
WAITING, DONE, FAILED = "WAITING", "DONE", "FAILED"
IDENTIFY: Final = "osia.identify"
FOUND: Final = 20  # persons that one search tells of
MAX_BIOMETRICS: Final = 12


def identify(registry: Registry, stated: Body, set_name: str, actor: Actor) -> list[Body] | uuid.UUID:
    """Registered persons like this one: at once, or later where biometrics must be searched; then the task.

    Raises:
        RecordError: there is nothing to search by. NotStoredError: there is no such set, or an identifier is nobody's.
    """
    wanted = require_set(set_name)
    if stated.get("biometricData"):
        return _begin_task(registry, stated, set_name, actor)
    found = [person for person in _search(registry, stated) if is_like(registry, person, stated)]
    for person in found:
        note_attributes(registry, person.id, "person.read", actor, {"set": set_name})
    return [tell_attributes(registry, person, wanted) for person in found]


def read_task(registry: Registry, task: str, actor: Actor) -> list[Body] | None:
    """The answer to a search, None while it goes on.

    Raises:
        NotStoredError: the caller has no such task. GatewayError: the biometric system does not answer.
    """
    held = require_held(registry, parse_id(task))
    if held.record.kind != TASK or held.record.owner != actor.id:
        raise NotStoredError("there is no such task")
    if held.record.state == WAITING:
        return None
    if held.record.state == FAILED:
        raise GatewayError("the biometric system has not answered")
    persons = [find_registered(registry, uuid.UUID(item)) for item in held.body["persons"]]
    found = [item for item in persons if item is not None and is_like(registry, item, held.body["attributes"])]
    for person in found:
        note_attributes(registry, person.id, "person.read", actor, {"set": held.body["set"]})
    return [tell_attributes(registry, person, SETS[held.body["set"]]) for person in found]


def handle_identify(workshop: Workshop, work: Work, abis: Abis | None = None) -> None:
    """The work `osia.identify`: ask the biometric system, note who is like the one that is searched."""
    held = require_held(workshop, uuid.UUID(work.payload["task"]))
    if held.record.state != WAITING:
        return
    try:
        persons = _ask(abis or open_abis(workshop.settings), held)
    except GatewayRefusedError:
        rewrite(workshop, held, held.body, workshop.now(), state=FAILED)
        raise
    kept = {**held.body, "persons": persons, "attributes": {**held.body["attributes"], "biometricData": []}}
    rewrite(workshop, held, kept, workshop.now(), state=DONE)


# Inside


def _begin_task(registry: Registry, stated: Body, set_name: str, actor: Actor) -> uuid.UUID:
    if len(stated["biometricData"]) > MAX_BIOMETRICS:
        raise RecordError(f"at most {MAX_BIOMETRICS} biometric items are searched at once")
    now = registry.now()
    task_id = new_id(now, registry.random)
    body = {"attributes": stated, "set": set_name, "persons": []}
    work = Work(new_id_like(task_id, now), IDENTIFY, {"task": str(task_id)}, now)
    hold(registry, TASK, task_id, WAITING, body, actor.id, now, work=(work,))
    return task_id


def _ask(abis: Abis | None, held: Held) -> list[str]:
    """Have the probe kept for the moment of the search; it is forgotten whatever comes of it."""
    if abis is None:
        raise GatewayRefusedError("no biometric system is set up")
    probe = Encounter(str(held.id), str(held.id), tuple(map(_biometric, held.body["attributes"]["biometricData"])))
    abis.create_encounter(probe, str(held.id))
    try:
        answer = abis.identify(probe, str(held.id))
    finally:
        abis.delete_encounter(probe, str(held.id))
    if isinstance(answer, Pending):
        raise GatewayRefusedError("the biometric system is set up to answer later")
    return [item.person for item in answer if item.person != str(held.id)]


def _biometric(item: Mapping[str, Any]) -> Biometric:
    is_template = "template" in item
    try:
        octets = base64.b64decode(item.get("template") or item.get("image") or "", validate=True)
    except ValueError:
        octets = b""
    if not octets:
        raise GatewayRefusedError("a biometric item has neither image nor template in base64")
    form = item.get("templateFormat" if is_template else "compression", "NONE")
    return Biometric(item["biometricType"], item.get("biometricSubType", "UNKNOWN"), form, octets, is_template)


def _search(registry: Registry, stated: Body) -> list[StoredPerson]:
    """Candidates by the strongest thing that is stated."""
    biographic, contact = stated.get("biographicData") or {}, stated.get("contactData") or {}
    numbers = [item["credentialNumber"] for item in stated.get("credentialData") or () if "credentialNumber" in item]
    if numbers:
        return [require_person(registry, numbers[0], "credentialNumber")]
    if "uin" in biographic:
        return [require_person(registry, str(biographic["uin"]), "uin")]
    names = [str(biographic[name]) for name in NAMES if name in biographic]
    with reading(registry.engine) as connection:
        if "phone1" in contact:
            likely = find_by_column(connection, "phone", str(contact["phone1"]), FOUND)
        elif "email" in contact:
            likely = find_by_column(connection, "email", str(contact["email"]).casefold(), FOUND)
        elif names:
            likely = find_by_name(connection, names[0], FOUND)
        else:
            raise RecordError("say a name, a number, a telephone or an address to search by")
    found = (find_registered(registry, person.id) for person in likely)
    return [person for person in found if person is not None]
