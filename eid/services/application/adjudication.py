"""Adjudication: whether the person of a file is somebody who is known under another name, and other open questions.

After a capture the biometric system keeps the encounter and is asked for others like it. The encounter is kept first:
of two who come at once under two names at least the later search finds the other. An answer may come at once, or later
by a call; the same one twice changes nothing. Every candidate other than the person himself is a hold, which an
adjudicator settles; where there is none, the file goes on by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent
from eid.enrolment.capture import PORTRAIT, CaptureRecord, QualityFormat, decode_signed_capture
from eid.enrolment.roles import Actor, Role
from eid.errors import AlreadyDoneError, EnrolmentError, GatewayError, NotStoredError, RecordError, Refusal
from eid.gateways.abis import Abis, Biometric, Candidate, Encounter, Pending
from eid.gateways.blobs import BlobStore
from eid.identity import FINGERS
from eid.services.application.abis import open_abis
from eid.services.application.enrolment import SEARCH, require_signed
from eid.services.application.steps import SYSTEM, facts_of, load_seen, step
from eid.services.durable.work import Workshop
from eid.store import captures
from eid.store.applications import StoredApplication, applications_of, load_application, require_application
from eid.store.audit import append_event, bucket_of
from eid.store.captures import Hold, Search, StoredCapture
from eid.store.database import in_transaction, reading
from eid.store.erasure import captures_of
from eid.store.osia_records import is_search
from eid.store.outbox import Work, enqueue
from eid.store.types import new_id_like

DUPLICATE: Final = "duplicate"
OTHER_PERSON: Final = "other-person"  # the encounters kept under this identifier are not like this one
NOT_SEARCHED: Final = "not-searched"  # no biometric system is set up: a person must compare
HOLD_CODES: Final = (DUPLICATE, OTHER_PERSON, NOT_SEARCHED, "name-divergence", "document-doubt", "watch-list")
CLEARING: Final = ("different-person", "twin", "same-person-explained", "explained", "compared-by-hand")
CONFIRMING: Final = ("same-person", "impostor", "forged-document")
_NOBODY: Final = Candidate("", 0, 0.0)
FORGET: Final = "abis.forget"  # the work that an erasure causes where the biometric system is a worker's to reach
PATIENCE: Final = timedelta(minutes=10)  # after which an answer that did not come is asked for again
_ADJUDICATORS: Final = frozenset((Role.ADJUDICATOR,))
_PLACERS: Final = frozenset((Role.ADJUDICATOR, Role.APPROVER, Role.VALIDATING_OFFICER, Role.SYSTEM))


def begin_search(engine: Engine, abis: Abis | None, blobs: BlobStore, application_id: uuid.UUID, now: datetime) -> None:
    """Ask for others like the person of an application; done again it goes on where it broke off.

    Args:
        abis: None where none is set up; then an adjudicator must compare by hand.

    Raises:
        GatewayError: the system cannot be reached; try again. NotStoredError: there is no such application or capture.
    """
    begun = in_transaction(engine, lambda connection: _begin(connection, application_id, now))
    if begun is None:
        return
    application, stored, search, blob_names = begun
    if abis is None:
        in_transaction(engine, lambda c: _answer(c, search, (_NOBODY,), (), now, code=NOT_SEARCHED))
        return
    if search.task is not None and abis.redeliver(search.task):
        return  # the answer comes by a call, as was said
    encounter = _build_encounter(application, stored, blobs, blob_names)
    transaction = str(search.id)
    abis.create_encounter(encounter, transaction)
    answer = abis.identify(encounter, transaction)
    if isinstance(answer, Pending):
        task = answer.task
        in_transaction(engine, lambda connection: captures.note_task(connection, search, task))
        return
    accept_candidates(engine, search.id, answer, now)


def accept_candidates(
    engine: Engine, search_id: uuid.UUID, candidates: Iterable[Candidate], now: datetime, task: str | None = None
) -> bool:
    """Take the answer to a search; the same one again, or a late one, changes nothing.

    Args:
        task: under which it came, where it came later.

    Returns:
        whether it was the first.

    Raises:
        NotStoredError: there is no such search, or it was asked under another task.
    """
    given = tuple(candidates)

    def work(connection: Connection) -> bool:
        search = captures.find_search(connection, search_id)
        if search is None or (task is not None and search.task is not None and search.task != task):
            raise NotStoredError("there is no such search")
        application = require_application(connection, search.application_id)
        others = tuple(
            item
            for item in given
            if item.person != str(application.person_id) and not is_search(connection, item.person)
        )
        doubts = (_NOBODY,) if _is_unlike_himself(connection, application, search, given) else ()
        return _answer(connection, search, others, doubts, now, code=DUPLICATE)

    return in_transaction(engine, work)


def chase_searches(engine: Engine, now: datetime, limit: int = 100) -> int:
    """Have answers that did not come asked for again, each by work of its own; how many there were.

    So one for which the system has no answer keeps no other waiting, and one that it has forgotten is begun anew.
    """
    with reading(engine) as connection:
        late = captures.list_late_searches(connection, now - PATIENCE, limit)
    for search in late:
        in_transaction(engine, partial(_chase, search=search, now=now))
    return len(late)


def forget_encounters(engine: Engine, abis: Abis, application_id: uuid.UUID) -> None:
    """Have the biometric system forget what was captured for an application: at the end of the time for keeping it.

    Raises:
        GatewayError: it cannot be reached; try again.
    """

    def work(connection: Connection) -> tuple[StoredApplication, tuple[uuid.UUID, ...]]:
        return require_application(connection, application_id), captures_of(connection, application_id)

    application, taken = in_transaction(engine, work)
    _forget(abis, str(application.person_id), map(str, taken))


def forget_later(connection: Connection, application: StoredApplication, now: datetime) -> None:
    """As `forget_encounters`, by a worker: for processes that are not let to the biometric system."""
    taken = [str(item) for item in captures_of(connection, application.id)]
    if taken:
        told = {"person": str(application.person_id), "captures": taken}
        enqueue(connection, Work(new_id_like(application.id, now), FORGET, told, now))


def _forget(abis: Abis, person: str, taken: Iterable[str]) -> None:
    for capture_id in taken:  # of every attempt
        abis.delete_encounter(Encounter(person, capture_id, ()), capture_id)


# --- holds


def place_hold(engine: Engine, application_id: uuid.UUID, code: str, actor: Actor, now: datetime) -> None:
    """An officer has a question about a file; until it is settled the file does not go on to approval.

    Raises:
        RecordError: an unknown code. AlreadyDoneError: it has that hold, or had it. EnrolmentError: FORBIDDEN, or the
            file is decided upon. NotStoredError: there is no such application.
    """
    role = actor.require(_PLACERS)
    if code not in HOLD_CODES:
        raise RecordError(f"code is not one of {', '.join(HOLD_CODES)}")

    def work(connection: Connection) -> None:
        application = load_seen(connection, application_id, actor, change=True)
        if application.state not in ("CAPTURED", "IN_ADJUDICATION", "AWAITING_APPROVAL"):
            raise EnrolmentError(Refusal.WRONG_STATE, f"no hold on an application that is {application.state}")
        if not captures.place_hold(connection, application_id, code, "", None, actor.tag(role), now):
            raise AlreadyDoneError("the application has this hold, or had it")
        _audit(connection, application_id, "hold.place", actor.tag(role), now, code=code)

    in_transaction(engine, work)


def settle_hold(engine: Engine, hold_id: uuid.UUID, reason: str, actor: Actor, now: datetime) -> Hold:
    """An adjudicator answers an open question. What he confirms keeps the file from going on: it is to be refused.

    Args:
        reason: one of `CLEARING`, or of `CONFIRMING`.

    Raises:
        RecordError: an unknown reason. EnrolmentError: FORBIDDEN, or somebody settled it before. NotStoredError.
    """
    role = actor.require(_ADJUDICATORS)
    if reason not in (*CLEARING, *CONFIRMING):
        raise RecordError(f"reason is not one of {', '.join((*CLEARING, *CONFIRMING))}")
    state = "CLEARED" if reason in CLEARING else "CONFIRMED"

    def work(connection: Connection) -> Hold:
        hold = captures.find_hold(connection, hold_id)
        if hold is None:
            raise NotStoredError("there is no such hold")
        application = load_seen(connection, hold.application_id, actor)
        if actor.id == application.applicant:
            raise EnrolmentError(Refusal.FORBIDDEN, "nobody decides on his own file", guard="own-file")
        if not captures.settle_hold(connection, hold, state, reason, actor.tag(role), now):
            raise EnrolmentError(Refusal.WRONG_STATE, "the hold was settled before")
        _audit(connection, hold.application_id, "hold.settle", actor.tag(role), now, hold=str(hold_id), reason=reason)
        return replace(hold, state=state, reason=reason)

    return in_transaction(engine, work)


def clear(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """An adjudicator lets a file go on to approval.

    Raises:
        EnrolmentError: something is open still, or the life cycle forbids it. NotStoredError: no such application.
    """

    def work(connection: Connection) -> StoredApplication:
        application = load_seen(connection, application_id, actor, change=True)
        waiting = captures.last_capture(connection, application_id)
        if waiting is not None and captures.open_search(connection, waiting, now).state == "WAITING":
            raise EnrolmentError(Refusal.GUARD, "the search for duplicates is not answered yet", guard="no-holds")
        return _clear(connection, application, actor, now)

    return in_transaction(engine, work)


def list_holds(engine: Engine, actor: Actor, limit: int = 100) -> tuple[Hold, ...]:
    """The queue of open questions, oldest first; whoever works at an office sees those about its files.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    actor.require(frozenset((Role.ADJUDICATOR, Role.APPROVER, Role.AUDITOR)))
    return in_transaction(engine, lambda connection: captures.open_holds(connection, limit, site=actor.site))


def holds_of(engine: Engine, application_id: uuid.UUID, actor: Actor) -> tuple[Hold, ...]:
    """All questions about a file, also settled ones; the applicant does not see them.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: there is no such application.
    """
    actor.require(frozenset((Role.ADJUDICATOR, Role.APPROVER, Role.AUDITOR)))

    def work(connection: Connection) -> tuple[Hold, ...]:
        load_seen(connection, application_id, actor)
        return captures.holds_of(connection, application_id)

    return in_transaction(engine, work)


# --- work


def handle_search(workshop: Workshop, work: Work) -> None:
    """The work `abis.search`."""
    blobs = BlobStore(workshop.settings.documents_address, workshop.keys)
    application_id = uuid.UUID(work.payload["application"])
    begin_search(workshop.engine, open_abis(workshop.settings), blobs, application_id, workshop.now())


def handle_forget(workshop: Workshop, work: Work) -> None:
    """The work `abis.forget`; where no biometric system is set up, none has kept anything."""
    abis = open_abis(workshop.settings)
    if abis is not None:
        _forget(abis, work.payload["person"], work.payload["captures"])


def chase(workshop: Workshop) -> None:
    """The timer of answers that did not come."""
    chase_searches(workshop.engine, workshop.now())


# --- inside transactions

_Begun = tuple[StoredApplication, StoredCapture, Search, dict[str, str]]


def _begin(connection: Connection, application_id: uuid.UUID, now: datetime) -> _Begun | None:
    """Take the file into adjudication; None where its search was answered."""
    application = require_application(connection, application_id)
    stored = captures.last_capture(connection, application_id)
    if stored is None:
        raise NotStoredError("nothing was captured for this application")
    if application.state == "CAPTURED":
        search = captures.open_search(connection, stored, now)
        application = step(connection, application, "search", SYSTEM, now, detail={"search": str(search.id)})
    elif application.state != "IN_ADJUDICATION":
        return None
    search = captures.open_search(connection, stored, now)
    if search.state != "WAITING":
        return None
    return application, stored, search, captures.captured_blobs(connection, stored)


def _chase(connection: Connection, search: Search, now: datetime) -> None:
    application = load_application(connection, search.application_id)
    stored = captures.last_capture(connection, search.application_id)
    waits = application is not None and application.state == "IN_ADJUDICATION"
    if not waits or stored is None or stored.id != search.capture_id:
        captures.answer_search(connection, search, now)  # nobody needs to know any more
    elif captures.note_asked(connection, search, now):
        told = {"application": str(search.application_id)}
        enqueue(connection, Work(new_id_like(search.application_id, now), SEARCH, told, now))


def _answer(
    connection: Connection,
    search: Search,
    others: tuple[Candidate, ...],
    doubts: tuple[Candidate, ...],
    now: datetime,
    *,
    code: str,
) -> bool:
    if not captures.answer_search(connection, search, now):
        return False
    tag = SYSTEM.tag(Role.SYSTEM)
    for kind, found in ((code, others), (OTHER_PERSON, doubts)):
        for item in found:
            score = item.score if item.person else None
            captures.place_hold(connection, search.application_id, kind, item.person[:64], score, tag, now)
    holds = len(others) + len(doubts)
    _audit(connection, search.application_id, "search.answer", tag, now, search=str(search.id), holds=holds)
    application = require_application(connection, search.application_id)
    blocked = captures.blocking_codes(connection, search.application_id)
    if application.state == "IN_ADJUDICATION" and not blocked:
        _clear(connection, application, SYSTEM, now)
    return True


def _clear(connection: Connection, application: StoredApplication, actor: Actor, now: datetime) -> StoredApplication:
    holds = captures.blocking_codes(connection, application.id)
    facts = replace(facts_of(connection, application, now), holds=holds)
    return step(connection, application, "clear", actor, now, facts=facts)


def _is_unlike_himself(
    connection: Connection, application: StoredApplication, search: Search, given: tuple[Candidate, ...]
) -> bool:
    """Whether somebody was captured before under this identifier, and the system finds him unlike.

    Where the system does not say which encounters it means, nothing is concluded from a find.
    """
    before = (item for item in applications_of(connection, application.person_id) if item.id != application.id)
    if not any(captures.count_captures(connection, item.id) for item in before):
        return False
    own = [item for item in given if item.person == str(application.person_id)]
    told = frozenset(name for item in own for name in item.encounters)
    return not own or (bool(told) and told <= {str(search.capture_id)})


def _build_encounter(
    application: StoredApplication, stored: StoredCapture, blobs: BlobStore, blob_names: dict[str, str]
) -> Encounter:
    """What goes to the biometric system: face and fingers, under identifiers that say nothing elsewhere."""
    record = decode_signed_capture(stored.record).record
    wanted = (PORTRAIT, *FINGERS)
    items = tuple(
        _to_biometric(record, name, blobs.get(blob_names[name]))
        for name in wanted
        if _is_there(record, name, blob_names)
    )
    if not items:
        raise GatewayError("what was captured is erased: there is nothing to search with")
    return Encounter(str(application.person_id), str(stored.id), items)


def _is_there(record: CaptureRecord, name: str, blob_names: dict[str, str]) -> bool:
    return record.find(name) is not None and name in blob_names


def _to_biometric(record: CaptureRecord, name: str, octets: bytes) -> Biometric:
    item = record.find(name)
    if item is None:
        raise NotStoredError("the record names no such item")
    require_signed(record, name, octets)  # another's face in its place would hide a duplicate
    is_face = name == PORTRAIT
    scaled = item.quality_format is not QualityFormat.NONE
    return Biometric(
        "FACE" if is_face else "FINGER",
        "PORTRAIT" if is_face else name.upper().replace("-", "_"),
        item.format.value,
        octets,
        not item.format.is_image,
        item.quality if scaled else None,
        item.quality_format.value if scaled else None,
    )


def _audit(
    connection: Connection, application: uuid.UUID, action: str, actor: str, now: datetime, **detail: str | int
) -> None:
    event = AuditEvent(now, actor, action, f"application:{application}", detail)
    append_event(connection, bucket_of(application), event)
