"""Daily reconciliation: a provider's statement beside our register; what only a lost callback explains is put right.

Money that came in without our knowing is settled, and its stamp issued. Everything else is reported and left to people.
A statement that somebody brings could be his own work: of one that was not fetched, nothing is put right before the
provider himself has confirmed it.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.payment import Money, Outcome, PaymentState
from eid.enrolment.payment_statement import (
    Difference,
    Finding,
    KnownPayment,
    StatementLine,
    compare_statement,
)
from eid.enrolment.roles import Actor, Role
from eid.enrolment.wall_time import require_day
from eid.errors import GatewayError, RecordError
from eid.gateways.payment.statement import decode_statement
from eid.services.payment.payments import Movement, PaymentDesk, Result, apply_movement, lock_payment, provider_actor
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction
from eid.store.payments import (
    StoredPayment,
    StoredReconciliation,
    find_payments,
    find_reconciliation,
    insert_reconciliation,
    newest_reconciliations,
    refunded_between,
    settled_between,
)
from eid.store.types import new_id

MAX_FINDINGS: Final = 1000  # kept in a report; the count is of all
_RECONCILERS: Final = frozenset((Role.CASHIER, Role.ADMINISTRATOR, Role.SYSTEM))
_READERS: Final = _RECONCILERS | {Role.AUDITOR}


@dataclass(frozen=True, slots=True)
class JudgedFinding:
    """A difference, and whether it was put right."""

    finding: Finding
    repaired: bool


def reconcile(
    desk: PaymentDesk, channel: str, day: date, actor: Actor, now: datetime, raw: bytes | None = None
) -> StoredReconciliation:
    """Compare a provider's statement of a day with our register, and keep a report.

    Args:
        day: of the country's calendar, over already. raw: the statement as CSV, brought by hand; None: it is fetched
            from the provider.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: there is no such way to pay. GatewayError: the provider fails.
        DecodeError: the statement is malformed. RecordError: the day is not over, or a movement is of another day.
    """
    role = actor.require(_RECONCILERS, "reconciliation is for cashiers and administrators")
    start, end = _bounds(require_day(day), ZoneInfo(desk.office.rules.time_zone))
    if end > now:
        raise RecordError("the day is not over yet")
    statement = desk.channel(channel).statement(day) if raw is None else raw
    lines = decode_statement(statement)
    if any(not start <= line.at < end for line in lines):
        raise RecordError("a movement of the statement is of another day")
    found = _compare(desk, channel, lines, start, end)
    judged = [_judge(desk, channel, finding, lines, now, by_hand=raw is not None) for finding in found]
    report = StoredReconciliation(
        id=new_id(now, desk.office.random),
        channel=channel,
        day=day,
        digest=hashlib.sha256(statement).digest(),
        movements=len(lines),
        findings=_render(judged),
        made_by=actor.id,
        made_at=now,
    )
    in_transaction(desk.office.engine, lambda connection: _keep(connection, report, actor.tag(role), now))
    return report


def show_reconciliation(desk: PaymentDesk, report_id: uuid.UUID, actor: Actor) -> StoredReconciliation:
    """A report.

    Raises:
        NotStoredError: there is none. EnrolmentError: FORBIDDEN.
    """
    _require_reader(actor)
    return in_transaction(desk.office.engine, lambda connection: find_reconciliation(connection, report_id))


def list_reconciliations(desk: PaymentDesk, actor: Actor) -> tuple[StoredReconciliation, ...]:
    """The newest reports.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    _require_reader(actor)
    return in_transaction(desk.office.engine, newest_reconciliations)


def _require_reader(actor: Actor) -> None:
    actor.require(_READERS, "reconciliations are read by cashiers, administrators and auditors")


def _bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The moments at which a day begins and ends."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    return start, datetime(following.year, following.month, following.day, tzinfo=zone)


def _compare(
    desk: PaymentDesk, channel: str, lines: tuple[StatementLine, ...], start: datetime, end: datetime
) -> tuple[Finding, ...]:
    def work(connection: Connection) -> tuple[Finding, ...]:
        known = find_payments(connection, (line.reference for line in lines))
        ours = {item.id: _known(item) for item in known if item.channel == channel}
        settled = [item.id for item in settled_between(connection, channel, start, end)]
        refunded = [item.id for item in refunded_between(connection, channel, start, end)]
        return compare_statement(ours, lines, settled, refunded)

    return in_transaction(desk.office.engine, work)


def _judge(
    desk: PaymentDesk,
    channel: str,
    finding: Finding,
    lines: tuple[StatementLine, ...],
    now: datetime,
    *,
    by_hand: bool,
) -> JudgedFinding:
    """Put right what can be: money that came in, or went back, with the right amount and no callback."""
    wanted = {
        Difference.NOT_SETTLED_HERE: ("payment", Outcome.SETTLED),
        Difference.REFUND_NOT_HERE: ("refund", Outcome.REFUNDED),
    }.get(finding.difference)
    if wanted is None or (by_hand and not _is_confirmed(desk, channel, finding.reference, wanted[1])):
        return JudgedFinding(finding, False)
    line = next(item for item in lines if (item.reference, item.kind) == (finding.reference, wanted[0]))

    def work(connection: Connection) -> Result:
        payment, stamp = lock_payment(connection, finding.reference, channel)
        told = Movement(wanted[1], line.money, line.at)
        return apply_movement(connection, desk.office, payment, stamp, told, provider_actor(channel), now)

    return JudgedFinding(finding, in_transaction(desk.office.engine, work) is Result.APPLIED)


def _is_confirmed(desk: PaymentDesk, channel: str, reference: uuid.UUID, outcome: Outcome) -> bool:
    """Whether the provider, asked, says the same."""
    try:
        return desk.channel(channel).ask(reference) is outcome
    except GatewayError:
        return False


def _known(payment: StoredPayment) -> KnownPayment:
    return KnownPayment(payment.id, PaymentState(payment.state), Money(payment.amount, payment.currency))


def _render(judged: list[JudgedFinding]) -> dict[str, Any]:
    shown = judged[:MAX_FINDINGS]
    return {
        "count": len(judged),
        "repaired": sum(item.repaired for item in judged),
        "differences": [
            {
                "difference": item.finding.difference.value,
                "payment": str(item.finding.reference),
                "ours": item.finding.ours,
                "theirs": item.finding.theirs,
                "repaired": item.repaired,
            }
            for item in shown
        ],
    }


def _keep(connection: Connection, report: StoredReconciliation, actor: str, now: datetime) -> None:
    insert_reconciliation(connection, report)
    detail = {
        "channel": report.channel,
        "day": report.day.isoformat(),
        "statement": report.digest.hex(),
        "differences": report.findings["count"],
        "repaired": report.findings["repaired"],
    }
    subject = f"reconciliation:{report.id}"
    append_event(connection, bucket_of(report.id), AuditEvent(now, actor, "reconciliation.make", subject, detail))
