"""`/v1/personalizationJobs`, `/v1/stockItems` and what belongs to them; the way of a finished card to its holder.

Cards are written where the readers are. A station has its orders, what goes on the card and the journal from here, and
tells what became of it (`eid production write --registry`); card and keys are its own.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.access import require
from api.registry_context import CurrentRegistry
from api.routes.applications import ACT, READ, describe
from api.schemas.applications import Application
from api.schemas.production import (
    BatchBody,
    BegunJob,
    CardReport,
    Claim,
    CountResult,
    Destruction,
    HandOver,
    Job,
    JobEvent,
    JobEvents,
    JobList,
    JournalStep,
    NewBatch,
    NewJobEvents,
    NewStore,
    ProductBalance,
    Serial,
    Spoiling,
    SpoiltBlank,
    StationAtWork,
    StockBalance,
    StockCount,
    StockItem,
    StockItemList,
    StoreBody,
    StoreList,
    WrittenJob,
)
from eid.enrolment.production import BlankState, OrderState
from eid.enrolment.roles import Actor, Role
from eid.identity import encode_identity_record
from eid.protocols.exchange import Checkpoint
from eid.services.card import delivery, production, remote_writing, stock
from eid.services.card.delivery import CollectorCheck
from eid.services.card.writing_desk import WritingDesk
from eid.services.issuing.job_book import FinishedCard
from eid.services.registry import Registry
from eid.store.production_orders import ProductionOrder

router = APIRouter(tags=["production"])

Maker = Annotated[Actor, Depends(require(Role.PRODUCTION_OPERATOR))]
Watcher = Annotated[
    Actor,
    Depends(require(Role.PRODUCTION_OPERATOR, Role.DELIVERY_OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR)),
]
Keeper = Annotated[Actor, Depends(require(Role.PRODUCTION_OPERATOR, Role.ADMINISTRATOR))]
StockReader = Annotated[Actor, Depends(require(Role.PRODUCTION_OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR))]
Sender = Annotated[Actor, Depends(require(Role.DELIVERY_OPERATOR))]
Counter = Annotated[Actor, Depends(require(Role.DELIVERY_OPERATOR, Role.ENROLMENT_OFFICER))]
Limit = Annotated[int, Query(ge=1, le=1000)]
RECORD: Final[Any] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "The record"}
}


# --- orders


@router.get("/v1/personalizationJobs", operation_id="listJobs", summary="Production orders", responses=READ)
def list_jobs(
    registry: CurrentRegistry, actor: Watcher, state: OrderState = OrderState.QUEUED, limit: Limit = 100
) -> JobList:
    """Those in a state, the most urgent first."""
    found = production.queued_orders(registry.engine, state.value, actor, limit)
    return JobList(jobs=[describe_job(item) for item in found])


@router.get("/v1/personalizationJobs/{job_id}", operation_id="readJob", summary="An order", responses=READ)
def read_job(registry: CurrentRegistry, actor: Watcher, job_id: UUID) -> Job:
    """Where it stands."""
    return describe_job(production.view_order(registry.engine, job_id, actor))


@router.get(
    "/v1/personalizationJobs/{job_id}/events",
    operation_id="readJobEvents",
    summary="What was done to the card",
    responses=READ,
)
def read_job_events(registry: CurrentRegistry, actor: Watcher, job_id: UUID) -> JobEvents:
    """The journal's steps, without their details."""
    entries = production.order_journal(registry.engine, job_id, actor)
    return JobEvents(
        events=[
            JobEvent.model_validate({"seq": item.seq, "step": item.step, "phase": item.phase, "at": item.at})
            for item in entries
        ]
    )


@router.post(
    "/v1/personalizationJobs/{job_id}/claim", operation_id="claimJob", summary="Reserve a blank", responses=ACT
)
def claim_job(registry: CurrentRegistry, actor: Maker, job_id: UUID, body: Claim) -> Job:
    """And a document number; the stamp must be consumed."""
    return describe_job(
        production.reserve(registry.engine, job_id, body.store_id, actor, registry.now(), registry.random)
    )


@router.post(
    "/v1/personalizationJobs/{job_id}/release", operation_id="releaseJob", summary="Give the blank back", responses=ACT
)
def release_job(registry: CurrentRegistry, actor: Maker, job_id: UUID) -> Job:
    """Where nothing was written to it."""
    return describe_job(production.release(registry.engine, job_id, actor, registry.now()))


@router.post(
    "/v1/personalizationJobs/{job_id}/start",
    operation_id="startJob",
    summary="Begin to write the card, or go on",
    responses=ACT,
)
def start_job(registry: CurrentRegistry, actor: Maker, job_id: UUID, body: StationAtWork) -> BegunJob:
    """At a station. Once it has begun the same is answered again, with what was done to the card so far."""
    digest = bytes.fromhex(body.profile_digest)
    begun = remote_writing.begin(_desk(registry), job_id, digest, body.reader, actor, registry.random)
    uri, place = begun.place
    return BegunJob(
        id=begun.job.id,
        state=begun.job.state,
        attempt=begun.job.attempt,
        reader=begun.job.reader,
        serial=begun.order.serial or "",
        status_list=uri,
        status_place=place,
        events=[
            JournalStep.model_validate({"step": item.step, "phase": item.phase, "detail": item.detail})
            for item in begun.entries
        ],
    )


@router.get(
    "/v1/personalizationJobs/{job_id}/record",
    operation_id="readJobRecord",
    summary="What goes on the card",
    response_class=Response,
    responses={**READ, **ACT, **RECORD},
)
def read_job_record(registry: CurrentRegistry, actor: Maker, job_id: UUID) -> Response:
    """The identity record (docs/formats/identity-record.md), while the card is being written; who had it is noted."""
    record = remote_writing.hand_out_record(_desk(registry), job_id, actor)
    return Response(encode_identity_record(record), media_type="application/json")


@router.post(
    "/v1/personalizationJobs/{job_id}/events",
    operation_id="recordJobEvents",
    summary="What is to be done to the card, and what was",
    status_code=204,
    responses=ACT,
)
def record_job_events(registry: CurrentRegistry, actor: Maker, job_id: UUID, body: NewJobEvents) -> None:
    """Kept before the station does it, so that whoever takes the card up knows what to ask it."""
    steps = [Checkpoint(item.step, item.phase, item.detail) for item in body.events]
    remote_writing.note_steps(_desk(registry), job_id, steps, actor)


@router.post(
    "/v1/personalizationJobs/{job_id}/retry", operation_id="retryJob", summary="Nothing was written", responses=ACT
)
def retry_job(registry: CurrentRegistry, actor: Maker, job_id: UUID) -> Job:
    """The blank is as it was, and still the order's."""
    return describe_job(remote_writing.give_up(_desk(registry), job_id, actor))


@router.post(
    "/v1/personalizationJobs/{job_id}/written",
    operation_id="reportJob",
    summary="The chip is written, locked, read back and verified",
    responses=ACT,
)
def report_job(registry: CurrentRegistry, actor: Maker, job_id: UUID, body: CardReport) -> WrittenJob:
    """Believed where the journal knows of this very card; told again it changes nothing."""
    finished = FinishedCard(
        bytes.fromhex(body.sod_hash),
        body.card_serial,
        bytes.fromhex(body.document_number_tag),
        body.key_versions,
        bytes.fromhex(body.report_digest),
    )
    order, document = remote_writing.finish(_desk(registry), job_id, finished, actor)
    return WrittenJob(job=describe_job(order), document_id=document.id)


@router.post(
    "/v1/personalizationJobs/{job_id}/pass", operation_id="passJob", summary="The finished card is good", responses=ACT
)
def pass_job(registry: CurrentRegistry, actor: Maker, job_id: UUID) -> Job:
    """An operator has looked at it; its chip was read back and verified before."""
    return describe_job(production.inspect_card(registry.engine, job_id, actor, registry.now()))


@router.post(
    "/v1/personalizationJobs/{job_id}/reject", operation_id="rejectJob", summary="The card is no good", responses=ACT
)
def reject_job(registry: CurrentRegistry, actor: Maker, job_id: UUID, body: Spoiling) -> Job:
    """Its blank is spoiled, its number void, and the next order is queued."""
    return describe_job(production.spoil(registry.engine, job_id, body.cause, actor, registry.now()))


# --- stock


@router.post(
    "/v1/stockStores", operation_id="openStore", summary="Open a store of blanks", status_code=201, responses=ACT
)
def open_store(registry: CurrentRegistry, actor: Keeper, body: NewStore) -> StoreBody:
    """A place where blanks are kept."""
    made = stock.open_store(registry.engine, body.name, actor, registry.now())
    return StoreBody(id=made.id, name=made.name)


@router.get("/v1/stockStores", operation_id="listStores", summary="All stores", responses=READ)
def list_stores(registry: CurrentRegistry, actor: StockReader) -> StoreList:
    """Oldest first."""
    found = stock.list_stores(registry.engine)
    return StoreList(stores=[StoreBody(id=item.id, name=item.name) for item in found])


@router.get(
    "/v1/stockStores/{store_id}/balance", operation_id="readBalance", summary="Where every blank is", responses=READ
)
def read_balance(registry: CurrentRegistry, actor: StockReader, store_id: UUID) -> StockBalance:
    """What was delivered, and what became of it."""
    stock.require_store(registry.engine, store_id)
    found = stock.balance_stock(registry.engine, store_id)
    return StockBalance(
        products=[
            ProductBalance(product=item.product, delivered=item.delivered, states=item.states, is_even=item.is_even)
            for item in found
        ]
    )


@router.post(
    "/v1/stockStores/{store_id}/counts", operation_id="takeStock", summary="Compare a count by hand", responses=ACT
)
def take_stock(registry: CurrentRegistry, actor: Keeper, store_id: UUID, body: StockCount) -> CountResult:
    """What lies there, blanks and spoiled ones; what is missing is noted."""
    stock.require_store(registry.engine, store_id)
    found = stock.take_stock(registry.engine, store_id, body.serials, actor, registry.now())
    return CountResult(missing=list(found.missing), found_again=list(found.found_again), unknown=list(found.unknown))


@router.post(
    "/v1/stockBatches", operation_id="receiveBatch", summary="Take in a delivery", status_code=201, responses=ACT
)
def receive_batch(registry: CurrentRegistry, actor: Keeper, body: NewBatch) -> BatchBody:
    """Whole, or not at all."""
    batch = stock.receive_batch(
        registry.engine, body.store_id, body.name, body.product, body.serials, actor, registry.now()
    )
    return BatchBody(id=batch, size=len(body.serials))


@router.get("/v1/stockItems", operation_id="listStockItems", summary="Blanks of a store", responses=READ)
def list_stock_items(
    registry: CurrentRegistry,
    actor: StockReader,
    store_id: UUID,
    state: BlankState | None = None,
    limit: Limit = 100,
) -> StockItemList:
    """Oldest first."""
    stock.require_store(registry.engine, store_id)
    found = stock.list_blanks(registry.engine, store_id, state=state, limit=limit)
    return StockItemList(
        items=[
            StockItem(
                serial=item.serial, state=item.state, product=item.product, order_id=item.order_id, cause=item.cause
            )
            for item in found
        ]
    )


@router.post(
    "/v1/stockItems/{serial}/spoil",
    operation_id="spoilStockItem",
    summary="A blank is no good",
    status_code=204,
    responses=ACT,
)
def spoil_stock_item(registry: CurrentRegistry, actor: Maker, serial: Serial, body: SpoiltBlank) -> None:
    """Before anybody asked for it."""
    stock.spoil_in_store(registry.engine, body.store_id, serial, body.cause, actor, registry.now())


@router.post(
    "/v1/stockItems/{serial}/destroy",
    operation_id="destroyStockItem",
    summary="Destroy a spoiled blank",
    status_code=204,
    responses=ACT,
)
def destroy_stock_item(registry: CurrentRegistry, actor: Keeper, serial: Serial, body: Destruction) -> None:
    """Before a second person."""
    stock.destroy_blank(registry.engine, body.store_id, serial, body.witness, actor, registry.now())


# --- delivery


@router.post("/v1/applications/{application_id}/ship", operation_id="shipCard", summary="Send the card", responses=ACT)
def ship_card(registry: CurrentRegistry, actor: Sender, application_id: UUID) -> Application:
    """To the site where it will be handed over."""
    return describe(delivery.ship(registry.engine, application_id, actor, registry.now()))


@router.post(
    "/v1/applications/{application_id}/arrive", operation_id="receiveCard", summary="The card arrived", responses=ACT
)
def receive_card(registry: CurrentRegistry, actor: Counter, application_id: UUID) -> Application:
    """At its site; the applicant is told."""
    return describe(delivery.arrive(registry.engine, application_id, actor, registry.now()))


@router.post(
    "/v1/applications/{application_id}/hand-over",
    operation_id="handOverCard",
    summary="Hand the card over",
    responses=ACT,
)
def hand_over_card(registry: CurrentRegistry, actor: Counter, application_id: UUID, body: HandOver) -> Application:
    """Activates it, and ends the cards before it."""
    check = CollectorCheck(
        body.relation, body.comparison, body.personal_number, bytes.fromhex(body.sod_hash), body.old_card_returned
    )
    return describe(delivery.hand_over(registry.engine, application_id, check, actor, registry.now()))


def describe_job(order: ProductionOrder) -> Job:
    """An order as it is answered."""
    return Job.model_validate({name: getattr(order, name) for name in Job.model_fields})


def _desk(registry: Registry) -> WritingDesk:
    return WritingDesk(registry.engine, registry.blobs, registry.now)
