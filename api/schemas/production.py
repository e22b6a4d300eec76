"""Bodies of capture, adjudication, approval, production, stock and delivery."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Base64Bytes, Field, StringConstraints
from pydantic_core import PydanticCustomError

from api.schemas.registry import RequestBody, ResponseBody
from eid.enrolment.capture import NAMES
from eid.services.application.adjudication import CLEARING, CONFIRMING, HOLD_CODES
from eid.services.card.delivery import Comparison, Relation
from eid.services.card.stock import CAUSES
from eid.store.journal import MAX_DETAIL

MAX_ITEM = 1 << 20  # octets of one image
MAX_STEP = 64  # characters
MAX_FACT = 15_000  # characters: a signed file in hexadecimal is the longest


def require_small(detail: dict[str, str]) -> dict[str, str]:
    """What the journal has room for."""
    if len(json.dumps(detail)) > MAX_DETAIL:
        raise PydanticCustomError("too_long", "the facts of a step are too long")
    return detail


Octets = Annotated[Base64Bytes, Field(min_length=1, max_length=MAX_ITEM)]
ItemName = Annotated[str, StringConstraints(pattern=f"^({'|'.join(NAMES)})$")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{2,64}$")]
Cause = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(CAUSES))})$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ReaderName = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,128}$")]
Detail = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=MAX_FACT)]],
    Field(max_length=12),
    AfterValidator(require_small),
]
PersonalNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ]{1,24}$")]


class NewOfficerKey(RequestBody):
    """A key with which an officer signs captures."""

    officer: Identifier = Field(description="His identifier, as in his access token")
    public_key: Annotated[Base64Bytes, Field(max_length=256)] = Field(
        description="SubjectPublicKeyInfo (DER, base64) of a P-256 key"
    )


class RegisteredKey(ResponseBody):
    """A key that counts."""

    key_id: str = Field(description="SHA-256 of its SubjectPublicKeyInfo, hexadecimal")
    officer: str
    since: datetime


class NewCapture(RequestBody):
    """What an officer captured."""

    record: Annotated[Base64Bytes, Field(max_length=16 << 10)] = Field(
        description="The capture record in a COSE_Sign1 of the officer (docs/formats/capture-record.md), base64"
    )
    items: dict[ItemName, Octets] = Field(description="What the record names, base64", max_length=len(NAMES))


class QualityFinding(ResponseBody):
    """What of a capture is not as it should be."""

    item: str
    code: str
    warning: bool = Field(description="Whether the capture was taken in all the same")


class Capture(ResponseBody):
    """A capture that was taken in, without the things themselves."""

    id: UUID
    attempt: int
    officer: str
    site: str
    captured_at: datetime
    items: list[str]
    findings: list[QualityFinding]


class KeptCaptureBody(ResponseBody):
    """A capture that was just taken in."""

    id: UUID
    state: str = Field(description="Of the application")
    findings: list[QualityFinding]


class NewHold(RequestBody):
    """A question about a file."""

    code: Annotated[str, StringConstraints(pattern=f"^({'|'.join(HOLD_CODES)})$")]


class HoldAnswer(RequestBody):
    """An adjudicator's answer."""

    reason: Annotated[str, StringConstraints(pattern=f"^({'|'.join((*CLEARING, *CONFIRMING))})$")]


class HoldBody(ResponseBody):
    """A question about a file. candidate: identifier of the person that it may be."""

    id: UUID
    application_id: UUID
    code: str
    candidate: str
    score: float | None
    state: Literal["OPEN", "CLEARED", "CONFIRMED"]
    placed_at: datetime
    reason: str | None


class HoldList(ResponseBody):
    """Questions, oldest first."""

    holds: list[HoldBody]


class Approval(RequestBody):
    """How a card is ordered."""

    priority: int = Field(default=5, ge=0, le=9, description="9 is made first")
    personal_number: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}$")] | None = Field(
        default=None, description="For a person who has none yet"
    )


class Job(ResponseBody):
    """A production order; of the person and the document number nothing."""

    id: UUID
    state: str
    application_id: UUID
    attempt: int
    priority: int
    profile: str
    deliver_to: str
    created_at: datetime
    store_id: UUID | None
    serial: str | None
    issued_on: date | None
    expires_on: date | None
    card_id: UUID | None
    cause: str | None


class JobList(ResponseBody):
    """Orders, the most urgent first."""

    jobs: list[Job]


class JobEvent(ResponseBody):
    """A step on the card, as its journal has it."""

    seq: int
    step: str
    phase: Literal["intent", "result"]
    at: datetime


class JobEvents(ResponseBody):
    """The steps on the card."""

    events: list[JobEvent]


class StationAtWork(RequestBody):
    """Where the card is written, and by what."""

    reader: ReaderName = Field(description="Name of the reader")
    profile_digest: Sha256 = Field(description="Of the station's card profile: the registry's must be the same")


class JournalStep(RequestBody):
    """A step on the card: what is to be done, or what came of it."""

    step: Annotated[str, StringConstraints(min_length=1, max_length=MAX_STEP)]
    phase: Literal["intent", "result"]
    detail: Detail = Field(description="Facts worth keeping; never a secret, never personal data")


class NewJobEvents(RequestBody):
    """Steps, in order; kept all or none."""

    events: Annotated[list[JournalStep], Field(min_length=1, max_length=16)]


class BegunJob(ResponseBody):
    """A personalisation that may begin, or go on; with it and the record a station writes the card."""

    id: UUID = Field(description="Of the personalisation, from which CAN, PIN and PUK are derived")
    state: str = Field(description="Of the personalisation: PLANNED is new, RUNNING broke off, SUCCEEDED is finished")
    attempt: int
    reader: str
    serial: str = Field(description="Of the reserved blank: no other may be written")
    status_list: str = Field(description="URI of the status list that the card's DG13 names")
    status_place: int
    events: list[JournalStep] = Field(description="What was done before it broke off")


class CardReport(RequestBody):
    """A card that was written, locked, read back and verified."""

    sod_hash: Sha256 = Field(description="SHA-256 of EF.SOD; the journal has the file")
    card_serial: Serial = Field(description="Key diversification data of the card, as in the journal")
    document_number_tag: Sha256 = Field(description="HMAC of the number under the authority's key")
    key_versions: dict[Annotated[str, StringConstraints(max_length=16)], Annotated[int, Field(ge=0, le=255)]] = Field(
        max_length=8
    )
    report_digest: Sha256 = Field(description="Of the quality check's report")


class WrittenJob(ResponseBody):
    """The order, WRITTEN, and its document."""

    job: Job
    document_id: UUID


class Claim(RequestBody):
    """Out of which store the blank is taken."""

    store_id: UUID


class Spoiling(RequestBody):
    """Why a card or blank is no good."""

    cause: Cause


class NewStore(RequestBody):
    """A place where blanks are kept."""

    name: Label


class StoreBody(ResponseBody):
    """A place where blanks are kept."""

    id: UUID
    name: str


class StoreList(ResponseBody):
    """All stores."""

    stores: list[StoreBody]


class NewBatch(RequestBody):
    """A delivery of blanks."""

    store_id: UUID
    name: Label = Field(description="As on the delivery note")
    product: Label = Field(description="Card profile of the blanks")
    serials: Annotated[list[Serial], Field(min_length=1, max_length=2000)]


class BatchBody(ResponseBody):
    """A delivery that was taken in."""

    id: UUID
    size: int


class ProductBalance(ResponseBody):
    """What became of the blanks of a product."""

    product: str
    delivered: int
    states: dict[str, int]
    is_even: bool = Field(description="Whether every blank is accounted for")


class StockBalance(ResponseBody):
    """For each product."""

    products: list[ProductBalance]


class StockItem(ResponseBody):
    """A blank."""

    serial: str
    state: str
    product: str
    order_id: UUID | None
    cause: str | None


class StockItemList(ResponseBody):
    """Blanks of a store."""

    items: list[StockItem]


class SpoiltBlank(RequestBody):
    """A blank of a store that is no good."""

    store_id: UUID
    cause: Cause


class Destruction(RequestBody):
    """A spoiled blank is destroyed, before a second person."""

    store_id: UUID
    witness: Identifier


class StockCount(RequestBody):
    """A count by hand: all that lies in the store, blanks and spoiled ones; what is not named is missing."""

    serials: Annotated[list[Serial], Field(max_length=15_000)]


class CountResult(ResponseBody):
    """Where count and register differ."""

    missing: list[str]
    found_again: list[str]
    unknown: list[str]


class HandOver(RequestBody):
    """What was checked at the counter."""

    relation: Relation
    comparison: Comparison
    personal_number: PersonalNumber = Field(description="Of the collector, as his paper says it")
    sod_hash: Sha256 = Field(description="SHA-256 of EF.SOD, read from the card at the counter")
    old_card_returned: bool = False


Candidates = Annotated[list[dict[str, Any]], Field(max_length=100)]
"""OSIA's list of Candidate; read by `eid.gateways.abis.messages`."""
