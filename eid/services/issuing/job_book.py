"""What is kept of one personalisation job while its card is written: its journal, and what only the register knows.

There are two books: `StoredJob` in the database, and `eid.services.card.station.RemoteJob`, which has the registry keep
it, over HTTP, for a station that reaches no database.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

from eid.errors import AlreadyDoneError, LifecycleError
from eid.profile.loader import LoadedProfile
from eid.protocols.exchange import Checkpoint
from eid.store.database import in_transaction
from eid.store.issued_documents import IssuedDocument, find_documents, register_document
from eid.store.journal import JobProgress, Journal
from eid.store.personalization_jobs import PersonalizationJob, change_job, jobs_in_state
from eid.store.status_places import allocate_place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FinishedCard:
    """What the register is told of a card that was written, locked, read back and verified.

    Args:
        sod_hash, report_digest: SHA-256. card_serial: hexadecimal. key_versions: e.g. {"scp03": 48}.
        document_number_tag: `eid.store.issued_documents.tag_document_number`.
    """

    sod_hash: bytes
    card_serial: str
    document_number_tag: bytes = field(repr=False)
    key_versions: dict[str, int]
    report_digest: bytes


class JobBook(Protocol):
    """The book of one job. Whatever it returns from is durable."""

    @property
    def job(self) -> PersonalizationJob:
        """The job as it stands."""

    def progress(self) -> JobProgress:
        """How far it has come, for whoever takes it up again."""

    def record(self, checkpoint: Checkpoint) -> None:
        """Keep an intent or a result before the next command; checkpoints of other phases are passed over."""

    def bind(self, serial: str) -> None:
        """Bind the job to its card, before that is touched.

        Raises:
            LifecycleError: the job was begun with another card, or the card by another job.
        """

    def require_unissued(self, document_number_tag: bytes) -> None:
        """Insist that no document has this number yet.

        Raises:
            AlreadyDoneError: one has.
        """

    def allocate_place(self) -> tuple[str, int]:
        """The card's place in a status list, which no other card has: URI and index; again: the same."""

    def change(self, state: str) -> None:
        """The job has FAILED, and its blank is as it was; or it is SPOILED."""

    def register(self, finished: FinishedCard) -> IssuedDocument:
        """Enter the document; the job has succeeded."""


@dataclass(slots=True)
class StoredJob:
    """The book of a job in the database."""

    engine: Engine = field(repr=False)
    loaded: LoadedProfile
    job: PersonalizationJob
    now: Callable[[], datetime]
    random: Callable[[int], bytes] = os.urandom

    @property
    def _journal(self) -> Journal:
        return Journal(self.engine, self.job.id, self.now)

    def _work(self, work: Callable[[Connection], T]) -> T:
        return in_transaction(self.engine, work)

    def progress(self) -> JobProgress:
        """How far it has come."""
        return self._journal.progress()

    def record(self, checkpoint: Checkpoint) -> None:
        """Keep an intent or a result."""
        self._journal.record(checkpoint)

    def bind(self, serial: str) -> None:
        """Bind the job to its card."""
        self.job = self._work(lambda connection: bind_card(connection, self.job, serial, self.now()))

    def require_unissued(self, document_number_tag: bytes) -> None:
        """Insist that no document has this number yet."""
        self._work(lambda connection: require_unissued(connection, document_number_tag))

    def allocate_place(self) -> tuple[str, int]:
        """The card's place in a status list."""
        return self._work(lambda connection: job_place(connection, self.loaded, self.job, self.random))

    def change(self, state: str) -> None:
        """Move the job to another state."""
        self.job = self._work(lambda connection: change_job(connection, self.job, state, self.now()))

    def register(self, finished: FinishedCard) -> IssuedDocument:
        """Enter the document; the job has succeeded."""
        document, self.job = self._work(
            lambda connection: register_finished(connection, self.job, self.loaded, finished, self.now())
        )
        return document


# --- inside transactions, for both books


def bind_card(connection: Connection, job: PersonalizationJob, serial: str, now: datetime) -> PersonalizationJob:
    """Bind a job to its card, see `JobBook.bind`."""
    for other in jobs_in_state(connection, "RUNNING"):
        if other.card_serial == serial and other.id != job.id:
            raise LifecycleError(f"this card was begun by job {other.id}: resume that one")
    return change_job(connection, job, "RUNNING", now, card_serial=serial)


def require_unissued(connection: Connection, document_number_tag: bytes) -> None:
    """Insist that no document has this number yet, see `JobBook.require_unissued`."""
    if find_documents(connection, document_number_tag):
        raise AlreadyDoneError("a document with this document_number is issued already")


def job_place(
    connection: Connection, loaded: LoadedProfile, job: PersonalizationJob, random: Callable[[int], bytes]
) -> tuple[str, int]:
    """The place of a job's card in the profile's status lists, drawn where it has none."""
    stated = loaded.profile.authority
    return allocate_place(connection, stated.status_list_uri, stated.status_list_size, job.id, random)


def register_finished(
    connection: Connection, job: PersonalizationJob, loaded: LoadedProfile, finished: FinishedCard, now: datetime
) -> tuple[IssuedDocument, PersonalizationJob]:
    """Enter the document of a job, which has succeeded."""
    document = register_document(
        connection,
        profile_name=loaded.profile.name,
        profile_digest=loaded.digest,
        sod_hash=finished.sod_hash,
        card_serial=finished.card_serial,
        document_number_tag=finished.document_number_tag,
        key_versions=finished.key_versions,
        attempt=job.attempt,
        report_digest=finished.report_digest,
        now=now,
        job_id=job.id,
    )
    return document, change_job(connection, job, "SUCCEEDED", now)
