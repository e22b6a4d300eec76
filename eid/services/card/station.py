"""Writing a card at a station: reader and keys are here, the register is reached over HTTP only.

The steps are the same as where the register is at hand (`eid.services.issuing.issuance`); in the place of the database
stands `RemoteJob`, which has the registry keep the journal. The card is told nothing before the registry has noted it,
so what breaks off can be taken up again, here or at another station of the same authority.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from eid.errors import GatewayError
from eid.gateways.registry import RegistryClient
from eid.identity import decode_identity_record
from eid.personalization.build import CardSecrets
from eid.profile.loader import LoadedProfile, load_profile
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection
from eid.services.card.card_writing import RightBlank, card_secrets
from eid.services.issuing.issuance import Issuance, IssuedCard
from eid.services.issuing.job_book import FinishedCard
from eid.services.pki.authority import IssuingAuthority
from eid.store.issued_documents import IssuedDocument
from eid.store.journal import JobProgress, JournalEntry, summarize
from eid.store.personalization_jobs import PersonalizationJob
from eid.store.tables import STEP_PHASES

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Station:
    """Where cards are written.

    Args:
        client: of a production operator. loaded: the card profile of the blanks. now: the clock.
        trust_points: CVCA certificates, where the profile has Terminal Authentication.
    """

    client: RegistryClient = field(repr=False)
    authority: IssuingAuthority = field(repr=False)
    loaded: LoadedProfile = field(repr=False)
    now: Callable[[], datetime]
    trust_points: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StationCard:
    """What a station knows of a card that is WRITTEN. issued: None where it was finished before this process."""

    job_id: uuid.UUID
    serial: str
    secrets: CardSecrets = field(repr=False)
    issued: IssuedCard | None


def write_at_station(
    station: Station, order_id: uuid.UUID, card: Connection, reader: str, sink: CheckpointSink | None = None
) -> StationCard:
    """Write the card of an order to the blank in the reader: begin, or go on where it broke off.

    Args:
        reader: its name. sink: is told every checkpoint after it is durable.

    Raises:
        GatewayRefusedError: the registry refuses, GatewayError: it cannot be reached; call again with the same card.
        And whatever `eid.services.card.card_writing.write` raises of card, record and authority.
    """
    place = _path(order_id)
    begun = station.client.post(f"{place}/start", {"reader": reader, "profile_digest": station.loaded.digest.hex()})
    book = _open_book(station, place, begun)
    issued = None
    if book.job.state != "SUCCEEDED":
        record = decode_identity_record(station.client.get(f"{place}/record"))
        making = Issuance(book, station.authority, station.loaded, station.now, station.trust_points)
        issued = making.run(record, card, RightBlank(book.serial, sink))
    secrets = card_secrets(station.authority, station.loaded, book.serial, book.job.id)
    return StationCard(book.job.id, book.serial, secrets, issued)


def load_order_profile(client: RegistryClient, order_id: uuid.UUID) -> LoadedProfile:
    """The card profile of an order.

    Raises:
        GatewayError: see `RegistryClient.get`. ProfileError: this station does not have it.
    """
    name: str = _read(client.get(_path(order_id)), lambda raw: str(json.loads(raw)["profile"]))
    return load_profile(name)


@dataclass(slots=True)
class RemoteJob:
    """The book of a job that the registry keeps.

    A result goes with the intent after it: until then the card is told nothing, and whoever takes the job up asks it.

    Args:
        place: path of the order. serial: of the reserved blank. status: URI of a status list and the index there.
    """

    client: RegistryClient = field(repr=False)
    place: str
    loaded: LoadedProfile = field(repr=False)
    job: PersonalizationJob
    serial: str
    status: tuple[str, int]
    entries: tuple[JournalEntry, ...] = field(repr=False)
    now: Callable[[], datetime]
    _held: list[Checkpoint] = field(default_factory=list, repr=False)

    def progress(self) -> JobProgress:
        """How far it has come."""
        return summarize(self.entries)

    def record(self, checkpoint: Checkpoint) -> None:
        """Keep an intent, with the results before it; a result is held until then."""
        if checkpoint.phase in STEP_PHASES:
            self._held.append(checkpoint)
        if checkpoint.phase == "intent":
            self._send()

    def bind(self, serial: str) -> None:
        """The registry binds the job to the card as it is told of the first step."""

    def require_unissued(self, document_number_tag: bytes) -> None:
        """The registry gave this number to this order alone, and looks at the tag when the card is finished."""

    def allocate_place(self) -> tuple[str, int]:
        """The card's place in a status list."""
        return self.status

    def change(self, state: str) -> None:
        """Tell that nothing was written to the blank, or that it is spoiled."""
        self._held.clear()
        if state == "SPOILED":
            self.client.post(f"{self.place}/reject", {"cause": "quality"})
        else:
            self.client.post(f"{self.place}/retry")
        self._note(state)

    def register(self, finished: FinishedCard) -> IssuedDocument:
        """Report the card."""
        self._send()
        report = {
            "sod_hash": finished.sod_hash.hex(),
            "card_serial": finished.card_serial,
            "document_number_tag": finished.document_number_tag.hex(),
            "key_versions": finished.key_versions,
            "report_digest": finished.report_digest.hex(),
        }
        answer = self.client.post(f"{self.place}/written", report)
        self._note("SUCCEEDED")
        return IssuedDocument(
            id=_read(answer, lambda told: uuid.UUID(told["document_id"])),
            profile_name=self.loaded.profile.name,
            profile_digest=self.loaded.digest,
            sod_hash=finished.sod_hash,
            card_serial=finished.card_serial,
            document_number_tag=finished.document_number_tag,
            key_versions=finished.key_versions,
            attempt=self.job.attempt,
            report_digest=finished.report_digest,
            issued_at=self.now(),
            job_id=self.job.id,
        )

    def _send(self) -> None:
        told = [{"step": item.step, "phase": item.phase, "detail": item.detail} for item in self._held]
        if told:
            self.client.post(f"{self.place}/events", {"events": told})
        self._held.clear()

    def _note(self, state: str) -> None:
        self.job = replace(self.job, state=state)


def _open_book(station: Station, place: str, answer: Any) -> RemoteJob:
    moment = station.now()

    def read(told: Any) -> RemoteJob:
        job = PersonalizationJob(
            id=uuid.UUID(told["id"]),
            state=str(told["state"]),
            version=0,
            attempt=int(told["attempt"]),
            profile_digest=station.loaded.digest,
            reader=str(told["reader"]),
            card_serial=None,
            created_at=moment,
            updated_at=moment,
        )
        entries = tuple(
            JournalEntry(seq, item["step"], item["phase"], item["detail"], moment)
            for seq, item in enumerate(told["events"], 1)
        )
        status = (str(told["status_list"]), int(told["status_place"]))
        return RemoteJob(station.client, place, station.loaded, job, str(told["serial"]), status, entries, station.now)

    return _read(answer, read)


def _read(answer: Any, read: Callable[[Any], T]) -> T:
    """What an answer of the registry says.

    Raises:
        GatewayError: it is not such an answer.
    """
    try:
        return read(answer)
    except (ValueError, TypeError, LookupError) as failure:
        raise GatewayError("the registry's answer is not what was asked for") from failure


def _path(order_id: uuid.UUID) -> str:
    return f"/v1/personalizationJobs/{order_id}"
