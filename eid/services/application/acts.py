"""The acts on an application until the visit: submission, review, one request for papers, decision, appeal, the end.

Each act is one transaction. What it needs beyond the life cycle's own guards is said with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from eid.enrolment.application import ApplicationState
from eid.enrolment.deadlines import end_of_day, local_day
from eid.enrolment.person import decode_person
from eid.enrolment.roles import Actor
from eid.errors import EnrolmentError, RecordError, Refusal
from eid.services.application.drafts import require_faultless
from eid.services.application.fees import fee_for
from eid.services.application.steps import facts_of, load_seen, person_of, rules_of, step
from eid.store.applications import StoredApplication
from eid.store.database import in_transaction

S = ApplicationState
FEE_CHANGED: Final = "the fee is another than the stamp's now: release it and enter one of the new amount"


def submit(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """Submit a draft; from now on the office's own time runs, and the fee is that of this day.

    Raises:
        EnrolmentError: GUARD, something is missing, or the stamp is of the amount that was due before.
    """

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        rules, record = rules_of(application), decode_person(person_of(connection, application).record)
        require_faultless(record, rules, local_day(now, rules), abroad=application.abroad)
        fee = fee_for(application, record, now)
        if application.state == S.DRAFT.value and application.stamp_id is not None and fee != application.fee:
            raise EnrolmentError(Refusal.GUARD, FEE_CHANGED, guard="fee-changed")
        application = replace(application, fee=fee)
        values = {"fee": fee, "submitted_at": now, "decide_by": end_of_day(now, rules.deadlines.decision, rules)}
        facts = facts_of(connection, application, now, record)
        return step(connection, application, "submit", actor, now, facts=facts, values=values)

    return _act(engine, application_id, actor, act)


def take_up(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """An officer takes an application up for review."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "take-up", actor, now))


def request_information(
    engine: Engine, application_id: uuid.UUID, papers: Iterable[str], actor: Actor, now: datetime
) -> StoredApplication:
    """Ask for papers, once; they must come again even where such a paper is there.

    Raises:
        RecordError: no paper is named, or one that the rules do not know.
    """
    wanted = tuple(dict.fromkeys(papers))

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        if not wanted:
            raise RecordError("no paper is asked for")
        for code in wanted:
            rules_of(application).find_paper(code)
        values = {
            "information_requests": application.information_requests + 1,
            "requested_papers": wanted,
            "requested_at": now,
        }
        detail = {"papers": ",".join(wanted)}
        return step(connection, application, "request-information", actor, now, values=values, detail=detail)

    return _act(engine, application_id, actor, act)


def supply(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The applicant has sent what was asked for."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "supply", actor, now))


def reject(engine: Engine, application_id: uuid.UUID, code: str, actor: Actor, now: datetime) -> StoredApplication:
    """Refuse an application, with a code of the rules; an appeal is open for some days.

    Raises:
        RecordError: the rules know no such refusal.
    """

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        rules = rules_of(application)
        until = end_of_day(now, rules.deadlines.appeal, rules) if rules.find_refusal(code).appeal else None
        values = {"refusal": code, "appeal_until": until, "due_at": until or now}
        return step(connection, application, "reject", actor, now, values=values, detail={"refusal": code})

    return _act(engine, application_id, actor, act, change=True)


def appeal(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The applicant appeals: another look is taken at the application."""
    nothing = {"refusal": None, "appeal_until": None}
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "appeal", actor, now, values=nothing))


def withdraw(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The applicant takes the application back; a draft is discarded."""

    def act(connection: Connection, application: StoredApplication) -> StoredApplication:
        event = "discard" if application.state == S.DRAFT.value else "withdraw"
        return step(connection, application, event, actor, now)

    return _act(engine, application_id, actor, act, change=True)


def cancel(engine: Engine, application_id: uuid.UUID, actor: Actor, now: datetime) -> StoredApplication:
    """The authority ends an application."""
    return _act(engine, application_id, actor, lambda c, a: step(c, a, "cancel", actor, now), change=True)


def _act(
    engine: Engine,
    application_id: uuid.UUID,
    actor: Actor,
    act: Callable[[Connection, StoredApplication], StoredApplication],
    *,
    change: bool = False,
) -> StoredApplication:
    """change: nobody else gets at it meanwhile, so that no place is held for what ends here."""

    def work(connection: Connection) -> StoredApplication:
        return act(connection, load_seen(connection, application_id, actor, change=change))

    return in_transaction(engine, work)
