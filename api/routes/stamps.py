"""`/v1/stamps`: ordered, looked up, sent again, blocked, refunded; entered in an application. Digits never in a URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.access import OwnLanguage, current_caller, require
from api.openapi import problems
from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.schemas import stamps as schemas
from eid.enrolment.roles import Actor, Role
from eid.enrolment.stamp import StampState
from eid.services.caller.tokens import Caller
from eid.services.payment import payments, refunds
from eid.services.payment.payments import PaymentDesk
from eid.services.stamp import spending, stamps
from eid.services.stamp.counter import CounterCase, spend_at_counter
from eid.services.stamp.stamps import StampOffice, TooManyTriesError
from eid.store.refunds import StoredRefund
from eid.store.stamps import StoredStamp

router = APIRouter(tags=["stamps"])
Buyer = Annotated[Actor, Depends(require(Role.APPLICANT, Role.CASHIER))]
Viewer = Annotated[
    Actor,
    Depends(require(Role.APPLICANT, Role.CASHIER, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER, Role.ADMINISTRATOR)),
]
Resender = Annotated[Actor, Depends(require(Role.APPLICANT, Role.CASHIER, Role.CALL_CENTRE_AGENT, Role.ADMINISTRATOR))]
Operator = Annotated[Actor, Depends(require(Role.CASHIER, Role.CALL_CENTRE_AGENT, Role.ADMINISTRATOR))]
Spender = Annotated[Actor, Depends(require(Role.APPLICANT, Role.ENROLMENT_OFFICER))]
Blocker = Annotated[Actor, Depends(require(Role.CALL_CENTRE_AGENT, Role.ADMINISTRATOR))]
Administrator = Annotated[Actor, Depends(require(Role.ADMINISTRATOR))]
Refunder = Annotated[Actor, Depends(require(Role.CASHIER, Role.ADMINISTRATOR))]
RefundReader = Annotated[Actor, Depends(require(Role.CASHIER, Role.ADMINISTRATOR, Role.AUDITOR))]
SPEND: Final = "stamp.spend"  # scope of partners that spend stamps
SEEN: Any = problems(RegistryProblem.UNKNOWN)
STEP: Any = problems(RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.CONDITION)


@router.post(
    "/v1/stamps",
    operation_id="orderStamp",
    summary="Order a stamp",
    status_code=201,
    responses=problems(RegistryProblem.INVALID_VALUE),
)
def order_stamp(registry: CurrentRegistry, actor: Buyer, own: OwnLanguage, body: schemas.NewStamp) -> schemas.Stamp:
    """It is to be paid before `pay_before`; then its digits go to the telephone."""
    order = stamps.StampOrder(body.service, body.date_of_birth, body.phone, body.language or own, body.abroad)
    return render_stamp(stamps.order_stamp(StampOffice.of(registry), order, actor, registry.now()))


@router.get("/v1/stamps", operation_id="listStamps", summary="The caller's own stamps")
def list_stamps(registry: CurrentRegistry, actor: Buyer) -> schemas.Stamps:
    """The newest first, a hundred at most."""
    return render_stamps(stamps.list_stamps(StampOffice.of(registry), actor))


@router.get("/v1/stamps/unsent", operation_id="listUnsentStamps", summary="Paid, and no message sent")
def list_unsent(
    registry: CurrentRegistry, actor: Operator, minutes: Annotated[int, Query(ge=0, le=10080)] = 5
) -> schemas.Stamps:
    """The operators' queue: stamps whose digits have not reached their buyer for that long, the oldest first."""
    waited = timedelta(minutes=minutes)
    return render_stamps(stamps.list_unsent(StampOffice.of(registry), actor, registry.now(), waited))


@router.post(
    "/v1/stamps/look-up",
    operation_id="lookUpStamp",
    summary="Whether digits are a usable stamp",
    responses=problems(RegistryProblem.INVALID_VALUE, RegistryProblem.TOO_MANY_REQUESTS),
)
def look_up_stamp(registry: CurrentRegistry, actor: Viewer, body: schemas.TypedDigits) -> schemas.Usable:
    """Unknown, spent, reserved and blocked ones get one and the same answer. A caller has twenty tries an hour."""
    with too_many_tries():
        found = stamps.look_up(StampOffice.of(registry), body.digits, actor, registry.now())
    if found is None:
        return schemas.Usable(usable=False)
    return schemas.Usable(usable=True, service=found.service, amount=found.amount, currency=found.currency)


def at_counter(caller: Annotated[Caller, Depends(current_caller)]) -> Actor:
    """An officer at a counter, or a partner's system whose token has the scope; 403 else."""
    if Role.ENROLMENT_OFFICER in caller.actor.roles:
        return caller.actor.placed(frozenset((Role.ENROLMENT_OFFICER,)))
    if Role.RELYING_PARTY in caller.actor.roles and SPEND in caller.scopes:
        return caller.actor
    raise ProblemError(RegistryProblem.FORBIDDEN)


@router.post(
    "/v1/stamps/spend",
    operation_id="spendStamp",
    summary="Spend a stamp at a counter",
    responses=problems(RegistryProblem.CONDITION, RegistryProblem.INVALID_VALUE, RegistryProblem.TOO_MANY_REQUESTS),
)
def spend_stamp(
    registry: CurrentRegistry, actor: Annotated[Actor, Depends(at_counter)], body: schemas.NewSpending
) -> schemas.Spent:
    """For a service whose files lie in another system: a passport form, a consular act.

    The same digits for the same reference are answered the same. Partners bring the scope `stamp.spend`.
    """
    office, case = StampOffice.of(registry), CounterCase(body.service, body.amount, body.reference)
    with too_many_tries():
        found = spend_at_counter(office, case, body.digits, actor, registry.now())
    return schemas.Spent(**{name: getattr(found, name) for name in schemas.Spent.model_fields})


@router.get("/v1/stamps/{stamp_id}", operation_id="showStamp", summary="Where a stamp stands", responses=SEEN)
def show_stamp(registry: CurrentRegistry, actor: Viewer, stamp_id: UUID) -> schemas.Stamp:
    """To who ordered it, and to staff."""
    return render_stamp(stamps.show_stamp(StampOffice.of(registry), stamp_id, actor))


@router.post("/v1/stamps/{stamp_id}/cancel", operation_id="cancelStamp", summary="Give up an order", responses=STEP)
def cancel_stamp(
    registry: CurrentRegistry, actor: Annotated[Actor, Depends(require(Role.APPLICANT))], stamp_id: UUID
) -> schemas.Stamp:
    """As long as it is not paid."""
    return render_stamp(stamps.cancel_order(StampOffice.of(registry), stamp_id, actor, registry.now()))


@router.post(
    "/v1/stamps/{stamp_id}/resend", operation_id="resendStamp", summary="Send the digits again", responses=STEP
)
def resend_stamp(registry: CurrentRegistry, actor: Resender, stamp_id: UUID) -> schemas.Stamp:
    """The same digits to the same telephone; once a minute, ten times in all."""
    return render_stamp(stamps.resend_digits(StampOffice.of(registry), stamp_id, actor, registry.now()))


@router.post("/v1/stamps/{stamp_id}/block", operation_id="blockStamp", summary="Block a stamp", responses=STEP)
def block_stamp(registry: CurrentRegistry, actor: Blocker, stamp_id: UUID, body: schemas.StampReason) -> schemas.Stamp:
    """Somebody else has learned its digits."""
    office = StampOffice.of(registry)
    return render_stamp(stamps.block_stamp(office, stamp_id, actor, registry.now(), body.reason))


@router.post("/v1/stamps/{stamp_id}/unblock", operation_id="unblockStamp", summary="Unblock a stamp", responses=STEP)
def unblock_stamp(
    registry: CurrentRegistry, actor: Administrator, stamp_id: UUID, body: schemas.StampReason
) -> schemas.Stamp:
    """A reservation that it had is gone."""
    office = StampOffice.of(registry)
    return render_stamp(stamps.unblock_stamp(office, stamp_id, actor, registry.now(), body.reason))


@router.post("/v1/stamps/{stamp_id}/refund", operation_id="refundStamp", summary="Refund a stamp", responses=STEP)
def refund_stamp(
    registry: CurrentRegistry, actor: Refunder, stamp_id: UUID, body: schemas.StampReason
) -> schemas.Stamp:
    """One that is neither reserved nor spent; its price goes back the way that it came."""
    desk = PaymentDesk(StampOffice.of(registry), registry.channels)
    return render_stamp(payments.refund_stamp(desk, stamp_id, actor, registry.now(), body.reason))


@router.get("/v1/refunds", operation_id="listRefunds", summary="Money that somebody must decide to give back")
def list_refunds(registry: CurrentRegistry, actor: RefundReader) -> schemas.Refunds:
    """Of cancelled applications whose stamp was spent, and where a provider declines; the oldest first."""
    found = refunds.list_refunds(StampOffice.of(registry), actor)
    return schemas.Refunds(refunds=[_render_refund(item) for item in found])


@router.post("/v1/refunds/{refund_id}/grant", operation_id="grantRefund", summary="Give it back", responses=STEP)
def grant_refund(registry: CurrentRegistry, actor: Refunder, refund_id: UUID) -> schemas.Refund:
    """The way that it came; of what a provider has declined he is asked again."""
    desk = PaymentDesk(StampOffice.of(registry), registry.channels)
    return _render_refund(refunds.grant_refund(desk, refund_id, actor, registry.now()))


@router.post(
    "/v1/refunds/{refund_id}/refuse", operation_id="refuseRefund", summary="Do not give it back", responses=STEP
)
def refuse_refund(
    registry: CurrentRegistry, actor: Refunder, refund_id: UUID, body: schemas.StampReason
) -> schemas.Refund:
    """The reason, a code, stands in the audit log."""
    office = StampOffice.of(registry)
    return _render_refund(refunds.refuse_refund(office, refund_id, body.reason, actor, registry.now()))


def _render_refund(found: StoredRefund) -> schemas.Refund:
    return schemas.Refund(**{name: getattr(found, name) for name in schemas.Refund.model_fields})


@router.put(
    "/v1/applications/{application_id}/stamp",
    operation_id="enterStamp",
    summary="Enter a stamp in an application",
    responses=problems(
        RegistryProblem.UNKNOWN,
        RegistryProblem.WRONG_STATE,
        RegistryProblem.CONDITION,
        RegistryProblem.INVALID_VALUE,
        RegistryProblem.TOO_MANY_REQUESTS,
    ),
)
def enter_stamp(
    registry: CurrentRegistry, actor: Spender, application_id: UUID, body: schemas.TypedDigits
) -> schemas.Stamp:
    """It is reserved for this application alone. Unknown, spent, reserved and blocked ones are refused in one way."""
    with too_many_tries():
        office = StampOffice.of(registry)
        found = spending.enter_stamp(office, application_id, body.digits, actor, registry.now())
    return render_stamp(found)


@router.delete(
    "/v1/applications/{application_id}/stamp",
    operation_id="takeBackStamp",
    summary="Take the stamp out of an application",
    status_code=204,
    responses=STEP,
)
def take_back_stamp(registry: CurrentRegistry, actor: Spender, application_id: UUID) -> None:
    """It is then as good as before."""
    spending.take_back(StampOffice.of(registry), application_id, actor, registry.now())


@contextmanager
def too_many_tries() -> Iterator[None]:
    """Answer 429 where somebody has tried digits too often."""
    try:
        yield
    except TooManyTriesError as refused:
        raise ProblemError(RegistryProblem.TOO_MANY_REQUESTS, str(refused)) from None


def render_stamp(found: StoredStamp) -> schemas.Stamp:
    """A stamp as it may be seen."""
    return schemas.Stamp(
        id=found.id,
        state=StampState(found.state),
        service=found.service,
        amount=found.amount,
        currency=found.currency,
        ordered_at=found.ordered_at,
        pay_before=found.pay_before,
        paid_at=found.paid_at,
        last_four=found.last_four,
        messages=found.messages,
        message_sent_at=found.message_sent_at,
    )


def render_stamps(found: tuple[StoredStamp, ...]) -> schemas.Stamps:
    """Several stamps."""
    return schemas.Stamps(stamps=[render_stamp(item) for item in found])
