"""Supporting documents: taken in with suspicion, kept encrypted, shown to whoever may see the application."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent, Fact
from eid.enrolment.application import ApplicationState
from eid.enrolment.deadlines import local_day
from eid.enrolment.documents import (
    MAX_FILES,
    MAX_FILES_OF_A_PAPER,
    MAX_PAGES,
    PDF,
    UploadError,
    UploadRefusal,
    require_fresh,
    require_type,
)
from eid.enrolment.person import decode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules
from eid.errors import DecodeError, EnrolmentError, NotStoredError, Refusal
from eid.gateways.blobs import BlobStore
from eid.imaging.decode import decode_image, inspect_paper
from eid.imaging.header import ImageLimits
from eid.services.application.kept_files import name_or_drop
from eid.services.application.steps import load_seen, note_reading_by_staff, person_of, rules_of, wanted_papers
from eid.store.applications import StoredApplication
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction, reading
from eid.store.documents import StoredDocument, documents_of, insert_document, load_document, replace_document
from eid.store.types import new_id_like

S = ApplicationState
OPEN_FOR_PAPERS: Final = frozenset((S.DRAFT.value, S.INFORMATION_REQUESTED.value))
UPLOADERS: Final = frozenset((Role.APPLICANT, Role.ENROLMENT_OFFICER))
MAX_PIXELS: Final = 30_000_000  # a page of A4 at 600 dots an inch
MEMORY: Final = 1 << 30  # octets of the process that decodes a paper


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it comes. issued_on: the day that stands on the paper."""

    paper: str
    media_type: str
    content: bytes = field(repr=False)
    issued_on: date | None = None


def check_upload(upload: Upload, rules: EnrolmentRules, day: date) -> int:
    """Examine a file; return its number of pages.

    Raises:
        UploadError: it is not taken, and why.
    """
    require_fresh(upload.paper, upload.issued_on, rules, day)
    require_type(upload.content, upload.media_type, rules)
    limits = ImageLimits(octets=rules.papers.max_octets, pixels=MAX_PIXELS, memory=MEMORY)
    decode = _pages_of_pdf if upload.media_type == PDF else _decode
    return decode(upload.content, limits)


def _pages_of_pdf(content: bytes, limits: ImageLimits) -> int:
    """Of a PDF in which nothing acts by itself, looked into by a process that is bounded."""
    try:
        info = inspect_paper(content, limits)
    except DecodeError:
        raise UploadError(UploadRefusal.DAMAGED) from None
    if info.is_encrypted:
        raise UploadError(UploadRefusal.ENCRYPTED)
    if info.active:
        raise UploadError(UploadRefusal.ACTIVE_CONTENT)
    if info.pages > MAX_PAGES:
        raise UploadError(UploadRefusal.TOO_MANY_PAGES)
    return info.pages


def _decode(content: bytes, limits: ImageLimits) -> int:
    """An image is one page, if it can be decoded whole, in a process that is bounded."""
    try:
        decode_image(content, limits)
    except DecodeError:
        raise UploadError(UploadRefusal.DAMAGED) from None
    return 1


def attach(
    engine: Engine, blobs: BlobStore, application_id: uuid.UUID, upload: Upload, actor: Actor, now: datetime
) -> StoredDocument:
    """Take a file in for an application that is a draft, or about which papers were asked for.

    Raises:
        UploadError: the file is not taken. EnrolmentError: WRONG_STATE, no papers are taken at present.
        NotStoredError: there is no such application. GatewayError: the file cannot be kept.
    """
    with reading(engine) as connection:
        application = _open_for_papers(connection, application_id, actor)
        _require_wanted(connection, application, upload.paper, now)
        _require_room(documents_of(connection, application.id), upload.paper)
    pages = check_upload(upload, rules_of(application), local_day(now, rules_of(application)))
    blob = blobs.put(str(application.person_id), upload.content)

    def work(connection: Connection) -> StoredDocument:
        current = _open_for_papers(connection, application_id, actor)
        held = documents_of(connection, current.id)
        same = [item for item in held if (item.blob, item.paper) == (blob, upload.paper)]
        for item in same:  # the same file again is that file, with the day that is stated now
            replace_document(connection, item)
        _require_room([item for item in held if item not in same], upload.paper)
        document = StoredDocument(
            id=new_id_like(current.id, now),
            application_id=current.id,
            paper=upload.paper,
            state="KEPT",
            issued_on=upload.issued_on,
            media_type=upload.media_type,
            octets=len(upload.content),
            pages=pages,
            blob=blob,
            uploaded_by=actor.id,
            uploaded_at=now,
        )
        insert_document(connection, document)
        _tell(connection, document, "document.attach", actor, now)
        return document

    return name_or_drop(engine, blobs, bucket_of(application_id), (blob,), work)


def remove(
    engine: Engine, document_id: uuid.UUID, actor: Actor, now: datetime, *, application_id: uuid.UUID | None = None
) -> None:
    """Take a file back before the application is submitted; its octets go when the person's do.

    Raises:
        NotStoredError: there is none. EnrolmentError: WRONG_STATE, the application has been submitted.
    """

    def work(connection: Connection) -> None:
        document = _load_kept(connection, document_id, application_id)
        _open_for_papers(connection, document.application_id, actor)
        replace_document(connection, document)
        _tell(connection, document, "document.remove", actor, now)

    in_transaction(engine, work)


def list_documents(engine: Engine, application_id: uuid.UUID, actor: Actor) -> tuple[StoredDocument, ...]:
    """The files of an application, without their content."""
    with reading(engine) as connection:
        return documents_of(connection, load_seen(connection, application_id, actor).id)


def open_document(
    engine: Engine,
    blobs: BlobStore,
    document_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    *,
    application_id: uuid.UUID | None = None,
) -> tuple[StoredDocument, bytes]:
    """A file with its content; that staff has read it stands in the audit log before anybody sees it.

    Args:
        application_id: whose it must be, None where the caller does not say.

    Raises:
        NotStoredError: there is none. EnrolmentError: FORBIDDEN, it is another office's, or not for call centres.
        GatewayError: the content cannot be read.
    """

    def work(connection: Connection) -> StoredDocument:
        document = _load_kept(connection, document_id, application_id)
        load_seen(connection, document.application_id, actor)
        if not actor.roles & READERS:
            raise EnrolmentError(Refusal.FORBIDDEN, "documents are for other roles")
        note_reading_by_staff(connection, document.id, "document", actor, now)
        return document

    document = in_transaction(engine, work)
    return document, blobs.get(document.blob)


READERS: Final = frozenset(
    (Role.APPLICANT, Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER, Role.ADJUDICATOR, Role.APPROVER)
)
"""Who may open a document; a call-centre agent may not, nor who makes or hands over cards."""


def _open_for_papers(connection: Connection, application_id: uuid.UUID, actor: Actor) -> StoredApplication:
    application = load_seen(connection, application_id, actor)
    actor.require(UPLOADERS, "papers come from applicants and enrolment officers")
    if application.state not in OPEN_FOR_PAPERS:
        raise EnrolmentError(Refusal.WRONG_STATE, f"no papers are taken while an application is {application.state}")
    return application


def _require_wanted(connection: Connection, application: StoredApplication, paper: str, now: datetime) -> None:
    rules = rules_of(application)
    if all(item.code != paper for item in rules.paper):
        raise UploadError(UploadRefusal.UNKNOWN_PAPER)
    record = decode_person(person_of(connection, application).record)
    # Before the age is known, what a minor sends may be sent; every other paper is for reasons that ask for it.
    perhaps = record.born is None and paper in rules.minors.all_papers
    if not perhaps and paper not in wanted_papers(application, record, now):
        raise UploadError(UploadRefusal.PAPER_NOT_WANTED)


def _require_room(held: tuple[StoredDocument, ...] | list[StoredDocument], paper: str) -> None:
    if len(held) >= MAX_FILES or sum(item.paper == paper for item in held) >= MAX_FILES_OF_A_PAPER:
        raise UploadError(UploadRefusal.TOO_MANY_FILES)


def _load_kept(connection: Connection, document_id: uuid.UUID, application_id: uuid.UUID | None) -> StoredDocument:
    document = load_document(connection, document_id)
    elsewhere = document is not None and application_id not in (None, document.application_id)
    if document is None or elsewhere or document.state != "KEPT":
        raise NotStoredError("there is no such document")
    return document


def _tell(connection: Connection, document: StoredDocument, action: str, actor: Actor, now: datetime) -> None:
    role = actor.acting_as(UPLOADERS) or Role.SYSTEM
    detail: dict[str, Fact] = {
        "application": str(document.application_id),
        "paper": document.paper,
        "octets": document.octets,
    }
    event = AuditEvent(now, actor.tag(role), action, f"document:{document.id}", detail)
    append_event(connection, bucket_of(document.id), event)
