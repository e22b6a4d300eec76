"""Erasure: what nobody may keep any more goes, from every table and from the papers' store; the audit log stays whole.

How long what is kept is data of the country's rules (`[retention]`). An application is erased in steps, each of one
family and each harmless when it is done again; its own rows go last, so a process that dies on the way is made up for
by the next turn. Files go before the rows that name them. What stays is without anybody: states and places of cards
(the status lists need them), amounts of stamps, counts, and the audit log, which never had a name in it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, Table

from eid.audit.chain import AuditEvent
from eid.enrolment.application import APPLICATION, ApplicationState
from eid.enrolment.deadlines import local_day
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules
from eid.errors import EidError, EnrolmentError, GatewayError, Refusal
from eid.gateways.abis import Abis, Encounter
from eid.gateways.blobs import BlobStore
from eid.services.application.abis import open_abis
from eid.services.application.adjudication import forget_encounters, forget_later
from eid.services.application.steps import SYSTEM, rules_of
from eid.services.durable.work import Workshop
from eid.services.payment.refunds import awaits_refund
from eid.services.person.statistics import count_new
from eid.store import erasure as rows
from eid.store.application_tables import document
from eid.store.applications import (
    StoredApplication,
    applications_by,
    applications_of,
    load_application,
    require_application,
)
from eid.store.appointments import list_sites
from eid.store.audit import append_event, bucket_of
from eid.store.cards import RegisteredCard, find_by_application
from eid.store.database import in_transaction, reading
from eid.store.osia_records import Record, abandoned_records, buffers_of, delete_record
from eid.store.persons import load_person
from eid.store.production_orders import orders_of
from eid.store.production_tables import capture

S = ApplicationState
SEARCHES: Final = timedelta(days=7)  # that a system's search by biometrics is kept, with its answer
GIVEN_UP: Final = (S.WITHDRAWN.value, S.LAPSED.value, S.CANCELLED.value)
_ERASERS: Final = frozenset((Role.SYSTEM, Role.ADMINISTRATOR, Role.APPLICANT))


@dataclass(frozen=True, slots=True)
class Eraser:
    """What erasure works on. abis: the biometric system; None where this process has none: then a worker sees to it."""

    engine: Engine = field(repr=False)
    blobs: BlobStore = field(repr=False)
    rules: EnrolmentRules = field(repr=False)
    abis: Abis | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased: whole applications; of others the papers, or what was captured; what other systems left."""

    applications: int = 0
    papers: int = 0
    captures: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True)
class KeptApplication:
    """An application that is kept. until: the day after which it is erased, None while it is not over."""

    application: StoredApplication
    until: date | None


@dataclass(frozen=True, slots=True)
class OwnErasure:
    """What became of somebody's wish to be forgotten: numbers of receipts."""

    erased: tuple[str, ...]
    kept: tuple[KeptApplication, ...]


def sweep(workshop: Workshop) -> None:
    """Erase what is due; for the worker, at an interval."""
    blobs = BlobStore(workshop.settings.documents_address, workshop.keys)
    erase_due(Eraser(workshop.engine, blobs, workshop.rules, open_abis(workshop.settings)), workshop.now())


def erase_due(eraser: Eraser, now: datetime) -> Erased:
    """Erase all whose time is over.

    Raises:
        GatewayError: papers or the biometric system cannot be reached; what was begun is done in the next turn.
        EidError: of the first application that could not be erased, once all others are.
    """
    count_new(eraser.engine, eraser.rules.time_zone)  # what is erased is counted before
    kept, failures = eraser.rules.retention, list[EidError]()

    def each(found: Iterator[uuid.UUID], erase: Callable[[uuid.UUID], None]) -> int:
        return sum(_is_done(erase, application_id, failures) for application_id in found)

    whole = each(_due(eraser, now), lambda it: erase_application(eraser, it, SYSTEM, now))
    old_papers = _delivered(eraser, document, now - timedelta(days=kept.papers))
    papers = each(old_papers, lambda it: _erase_part(eraser, it, "papers", now))
    old_captures = _delivered(eraser, capture, now - timedelta(days=kept.biometrics))
    taken = each(old_captures, lambda it: _erase_part(eraser, it, "biometrics", now))
    erased = Erased(whole, papers, taken, _erase_abandoned(eraser, now))
    if failures:
        raise failures[0]
    return erased


def _is_done(erase: Callable[[uuid.UUID], None], application_id: uuid.UUID, failures: list[EidError]) -> bool:
    """Erase one; what is wrong with it alone keeps no other one."""
    try:
        erase(application_id)
    except GatewayError:
        raise
    except EidError as failure:
        failures.append(failure)
        return False
    return True


def erase_own(eraser: Eraser, actor: Actor, now: datetime) -> OwnErasure:
    """An applicant wants to be forgotten: what he gave up goes at once, and he is told until when the rest is kept.

    Raises:
        EnrolmentError: FORBIDDEN. GatewayError: as `erase_due`.
    """
    if Role.APPLICANT not in actor.roles:
        raise EnrolmentError(Refusal.FORBIDDEN, "applicants speak for themselves")
    with reading(eraser.engine) as connection:
        mine = applications_by(connection, actor.id, 1000)
        gone = [item for item in mine if item.state in GIVEN_UP and not awaits_refund(connection, item)]
        kept = tuple(KeptApplication(item, kept_until(connection, item)) for item in mine if item not in gone)
    for item in gone:
        erase_application(eraser, item.id, actor, now)
    return OwnErasure(tuple(item.number for item in gone), kept)


def kept_until(connection: Connection, application: StoredApplication) -> date | None:
    """The last day on which an application is kept, None while it is not over."""
    rules = rules_of(application)
    ended = local_day(application.updated_at, rules)
    if application.state in GIVEN_UP:
        days = rules.retention.never_submitted if application.submitted_at is None else rules.retention.ended
        return ended + timedelta(days=days)
    if application.state == S.REJECTED.value and application.due_at is None:
        return ended + timedelta(days=rules.retention.refused)
    if application.state == S.DELIVERED.value:
        cards = find_by_application(connection, application.id)
        return _last_day(cards, ended) + timedelta(days=rules.retention.identity)
    return None


def erase_application(eraser: Eraser, application_id: uuid.UUID, actor: Actor, now: datetime) -> None:
    """Erase an application that is over, and its person where it was the last one.

    Raises:
        NotStoredError: there is none. EnrolmentError: WRONG_STATE, it is not over; GUARD retention, a card that was
            made for it has not run out; FORBIDDEN. GatewayError: try again.
    """
    role = actor.require(_ERASERS, "erasure is for other roles")
    application = _require_over(eraser, application_id, now)
    with reading(eraser.engine) as connection:
        others, account = _others_of_person(connection, application), _account_of(connection, application)
    _erase_files(eraser, application_id)
    for step in _steps(eraser, application, account, is_last=not others):
        in_transaction(eraser.engine, step)

    def finish(connection: Connection) -> None:
        if eraser.abis is None:
            forget_later(connection, application, now)
        rows.erase_application_rows(connection, application_id)
        event = AuditEvent(now, actor.tag(role), "application.erase", f"application:{application_id}", {})
        append_event(connection, bucket_of(application_id), event)
        if not _others_of_person(connection, application):
            rows.erase_person_rows(connection, application.person_id)
            person = f"person:{application.person_id}"
            append_event(
                connection, bucket_of(application_id), AuditEvent(now, event.actor, "person.erase", person, {})
            )

    in_transaction(eraser.engine, finish)


# Inside


def _due(eraser: Eraser, now: datetime) -> Iterator[uuid.UUID]:
    """Whole applications whose time is over."""
    kept = eraser.rules.retention
    wanted: tuple[tuple[tuple[str, ...], int, bool | None], ...] = (
        (GIVEN_UP, kept.never_submitted, True),
        (GIVEN_UP, kept.ended, False),
        ((S.REJECTED.value,), kept.refused, None),
        ((S.DELIVERED.value,), kept.identity, None),
    )
    for states, days, drafts in wanted:
        find = partial(rows.ended_before, states=states, before=now - timedelta(days=days), drafts=drafts)
        for page in _pages(eraser, find):
            yield from _only_due(eraser, page, now)


def _only_due(eraser: Eraser, found: tuple[uuid.UUID, ...], now: datetime) -> tuple[uuid.UUID, ...]:
    """Of what may be due what is: a card's last day stands elsewhere, and days end by the country's clock."""
    today = local_day(now, eraser.rules)
    with reading(eraser.engine) as connection:
        loaded = [load_application(connection, item) for item in found]
        ends = {item.id: kept_until(connection, item) for item in loaded if item is not None}
    return tuple(item for item, until in ends.items() if until is not None and until < today)


def _delivered(eraser: Eraser, what: Table, before: datetime) -> Iterator[uuid.UUID]:
    for page in _pages(eraser, partial(rows.delivered_with, what=what, before=before)):
        yield from page


def _erase_abandoned(eraser: Eraser, now: datetime) -> int:
    """What other systems began to collect and never finalized goes as drafts do; searches after a week; how many."""
    old = now - timedelta(days=eraser.rules.retention.never_submitted)
    count = 0
    for kind, state, before in (("ENROLLMENT", "IN_PROGRESS", old), ("TASK", None, now - SEARCHES)):
        while True:
            with reading(eraser.engine) as connection:
                found = abandoned_records(connection, kind, state, before, 100)
                files = {item.id: buffers_of(connection, item.id) for item in found}
            for item in found:
                for buffer in files[item.id]:
                    eraser.blobs.delete(buffer.blob)
                if item.kind == "TASK" and item.state != "DONE" and eraser.abis is not None:
                    eraser.abis.delete_encounter(Encounter(str(item.id), str(item.id), ()), str(item.id))  # its probe
                in_transaction(eraser.engine, partial(_erase_record, record=item, now=now))
            count += len(found)
            if len(found) < 100:
                break
    return count


def _erase_record(connection: Connection, record: Record, now: datetime) -> None:
    delete_record(connection, record.id)
    subject = f"osia-{record.kind.lower()}:{record.id}"
    event = AuditEvent(now, SYSTEM.tag(Role.SYSTEM), "osia-record.erase", subject, {})
    append_event(connection, bucket_of(record.id), event)


def _pages(eraser: Eraser, find: Callable[..., tuple[uuid.UUID, ...]]) -> Iterator[tuple[uuid.UUID, ...]]:
    """All pages of a list; what is erased meanwhile lies before the next one."""
    page = rows.Page()
    while True:
        with reading(eraser.engine) as connection:
            found = find(connection, page=page)
        yield found
        if len(found) < page.size:
            return
        page = rows.Page(found[-1])


def _erase_part(eraser: Eraser, application_id: uuid.UUID, part: str, now: datetime) -> None:
    """Papers, or what was captured, of an application that stays."""
    _erase_files(eraser, application_id, part)
    erase = rows.erase_papers if part == "papers" else rows.erase_items

    def work(connection: Connection) -> None:
        count = erase(connection, application_id)
        event = AuditEvent(
            now, SYSTEM.tag(Role.SYSTEM), f"{part}.erase", f"application:{application_id}", {"count": count}
        )
        append_event(connection, bucket_of(application_id), event)

    in_transaction(eraser.engine, work)


def _erase_files(eraser: Eraser, application_id: uuid.UUID, part: str | None = None) -> None:
    with reading(eraser.engine) as connection:
        papers, items = rows.blobs_of(connection, application_id)
        sent = rows.blobs_of_others(connection, application_id)
    wanted = {"papers": papers, "biometrics": items}
    for name in sorted(wanted[part] if part is not None else papers | items | sent):
        eraser.blobs.delete(name)
    if eraser.abis is not None and part is None:
        # The gallery keeps whoever has a card: else he could have another one under another name.
        forget_encounters(eraser.engine, eraser.abis, application_id)


def _steps(
    eraser: Eraser, application: StoredApplication, account: uuid.UUID | None, *, is_last: bool
) -> Iterator[Callable[[Connection], None]]:
    """What lies in other families, each in a transaction of its own."""
    yield partial(
        rows.strip_stamps, application_id=application.id, applicant=None if account is None else application.applicant
    )
    with reading(eraser.engine) as connection:
        sites = [item.site.code for item in list_sites(connection)]
        orders, cards = orders_of(connection, application.id), find_by_application(connection, application.id)
        person = load_person(connection, application.person_id)
    for site in sites:
        yield partial(rows.strip_appointments, application_id=application.id, site=site)
    for number in {*(item.document_number for item in orders), *(item.document_number for item in cards)}:
        if number is not None:
            yield partial(rows.detach_number, number=number)
    for job_id in {*(item.job_id for item in orders), *(item.job_id for item in cards)}:
        if job_id is not None:
            yield partial(rows.forget_document, job_id=job_id)
    yield partial(rows.erase_records_of_others, application_id=application.id)
    if is_last and person is not None and person.personal_number is not None:
        yield partial(rows.free_number, person_id=person.id, number=person.personal_number)
    if account is not None:
        yield partial(rows.erase_account, account_id=account)


def _require_over(eraser: Eraser, application_id: uuid.UUID, now: datetime) -> StoredApplication:
    with reading(eraser.engine) as connection:
        application = require_application(connection, application_id)
        cards = find_by_application(connection, application_id)
    state = S(application.state)
    is_over = APPLICATION.is_final(state) or (state is S.REJECTED and application.due_at is None)
    if not is_over:
        raise EnrolmentError(Refusal.WRONG_STATE, f"no erase of an application that is {application.state}")
    if _last_day(cards, date.min) >= local_day(now, eraser.rules):
        raise EnrolmentError(Refusal.GUARD, "its card has not run out", guard="retention")
    return application


def _last_day(cards: tuple[RegisteredCard, ...], otherwise: date) -> date:
    return max((item.expires_on for item in cards if item.expires_on is not None), default=otherwise)


def _others_of_person(connection: Connection, application: StoredApplication) -> bool:
    return any(item.id != application.id for item in applications_of(connection, application.person_id))


def _account_of(connection: Connection, application: StoredApplication) -> uuid.UUID | None:
    """The account that applied, where it has no other application."""
    if any(item.id != application.id for item in applications_by(connection, application.applicant, 2)):
        return None
    try:
        return uuid.UUID(application.applicant)
    except ValueError:  # somebody at a counter
        return None
