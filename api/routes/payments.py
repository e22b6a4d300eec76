"""Payments: begun by who buys a stamp, told of by providers (`/v1/payment-callbacks`), reconciled by the day."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from api.access import require
from api.intake import BODY
from api.openapi import problems
from api.problems import ProblemError
from api.registry_context import CurrentRegistry
from api.registry_problems import RegistryProblem
from api.routes.stamps import Buyer, Resender
from api.schemas import stamps as schemas
from eid.enrolment.payment import Channel, PaymentState
from eid.enrolment.roles import Actor, Role
from eid.errors import AuthenticationError
from eid.gateways.payment.signature import HEADER
from eid.services.payment import payments, reconciliation
from eid.services.payment.payments import PaymentDesk, PaymentRequest
from eid.services.registry import Registry
from eid.services.stamp.stamps import StampOffice
from eid.store.payments import StoredPayment, StoredReconciliation

router = APIRouter(tags=["payments"])
Reconciler = Annotated[Actor, Depends(require(Role.CASHIER, Role.ADMINISTRATOR))]
ReportReader = Annotated[Actor, Depends(require(Role.CASHIER, Role.ADMINISTRATOR, Role.AUDITOR))]
_CALLBACK_BODY: Any = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "An event of a payment (docs/payments.md)",
    },
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": True,
            "schema": {"type": "string"},
            "description": "t=<seconds>,v1=<HMAC-SHA-256 over seconds, full stop and body>",
        }
    ],
}
_STATEMENT_BODY: Any = {
    "requestBody": {
        "required": False,
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "description": "The provider's statement (docs/payments.md); without one it is fetched from the provider",
    }
}


@router.get("/v1/payment-channels", operation_id="listPaymentChannels", summary="The ways to pay")
def list_channels(registry: CurrentRegistry) -> schemas.PaymentChannels:
    """Those that this office has set up."""
    return schemas.PaymentChannels(channels=sorted(registry.channels))


@router.post(
    "/v1/stamps/{stamp_id}/payments",
    operation_id="beginPayment",
    summary="Begin to pay a stamp",
    status_code=201,
    responses=problems(
        RegistryProblem.UNKNOWN, RegistryProblem.WRONG_STATE, RegistryProblem.INVALID_VALUE, RegistryProblem.GATEWAY
    ),
)
def begin_payment(
    registry: CurrentRegistry, actor: Buyer, stamp_id: UUID, body: schemas.NewPayment
) -> schemas.BegunPayment:
    """The same way again has its instruction told again. A counter's terminal is the cashier's."""
    wanted = PaymentRequest(body.channel.value, body.phone, body.terminal)
    payment, told = payments.request_payment(_desk(registry), stamp_id, wanted, actor, registry.now())
    instruction = schemas.WhatToDo(form=told.form, url=told.url, code=told.code)
    return schemas.BegunPayment(payment=render_payment(payment), instruction=instruction)


@router.get(
    "/v1/payments/{payment_id}",
    operation_id="showPayment",
    summary="Where a payment stands",
    responses=problems(RegistryProblem.UNKNOWN),
)
def show_payment(registry: CurrentRegistry, actor: Resender, payment_id: UUID) -> schemas.Payment:
    """To who ordered its stamp, and to staff."""
    return render_payment(payments.show_payment(_desk(registry), payment_id, actor))


@router.post(
    "/v1/payment-callbacks/{channel}",
    operation_id="receiveCallback",
    summary="A provider tells what became of a payment",
    responses=problems(
        RegistryProblem.UNAUTHENTICATED,
        RegistryProblem.UNKNOWN,
        RegistryProblem.ALREADY_DONE,
        RegistryProblem.INVALID_VALUE,
    ),
    openapi_extra=_CALLBACK_BODY,
)
def receive_callback(request: Request, registry: CurrentRegistry, channel: Channel) -> schemas.CallbackResult:
    """Believed for its signature, which is good for five minutes. The same event again is answered the same."""
    body, header = bytes(request.scope.get(BODY, b"")), request.headers.get(HEADER)
    try:
        result = payments.receive(_desk(registry), channel.value, header, body, registry.now())
    except AuthenticationError:
        raise ProblemError(RegistryProblem.UNAUTHENTICATED) from None
    return schemas.CallbackResult.model_validate({"result": result.value})  # never DECLINED, which a refund alone is


@router.post(
    "/v1/reconciliations/{channel}/{day}",
    operation_id="reconcile",
    summary="Compare a provider's statement of a day with the register",
    status_code=201,
    responses=problems(RegistryProblem.UNKNOWN, RegistryProblem.INVALID_VALUE, RegistryProblem.GATEWAY),
    openapi_extra=_STATEMENT_BODY,
)
def reconcile(
    request: Request, registry: CurrentRegistry, actor: Reconciler, channel: Channel, day: date
) -> schemas.Reconciliation:
    """Money that came in without a callback is settled here; every other difference is for people."""
    raw = bytes(request.scope.get(BODY, b"")) or None
    return _render(reconciliation.reconcile(_desk(registry), channel.value, day, actor, registry.now(), raw))


@router.get("/v1/reconciliations", operation_id="listReconciliations", summary="The newest reconciliations")
def list_reconciliations(registry: CurrentRegistry, actor: ReportReader) -> schemas.Reconciliations:
    """A hundred at most."""
    found = reconciliation.list_reconciliations(_desk(registry), actor)
    return schemas.Reconciliations(reconciliations=[_render(item) for item in found])


@router.get(
    "/v1/reconciliations/{report_id}",
    operation_id="showReconciliation",
    summary="A reconciliation",
    responses=problems(RegistryProblem.UNKNOWN),
)
def show_reconciliation(registry: CurrentRegistry, actor: ReportReader, report_id: UUID) -> schemas.Reconciliation:
    """Every difference, and which of them were put right."""
    return _render(reconciliation.show_reconciliation(_desk(registry), report_id, actor))


def render_payment(found: StoredPayment) -> schemas.Payment:
    """A payment as it may be seen."""
    return schemas.Payment(
        id=found.id,
        stamp_id=found.stamp_id,
        state=PaymentState(found.state),
        channel=Channel(found.channel),
        amount=found.amount,
        currency=found.currency,
        created_at=found.created_at,
        settled_at=found.settled_at,
        refunded_at=found.refunded_at,
    )


def _render(found: StoredReconciliation) -> schemas.Reconciliation:
    return schemas.Reconciliation(
        id=found.id,
        channel=Channel(found.channel),
        day=found.day,
        movements=found.movements,
        differences=found.findings["count"],
        repaired=found.findings["repaired"],
        rows=[schemas.DifferenceRow(**row) for row in found.findings["differences"]],
        made_at=found.made_at,
    )


def _desk(registry: Registry) -> PaymentDesk:
    return PaymentDesk(StampOffice.of(registry), registry.channels)
