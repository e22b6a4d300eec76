"""What is kept about somebody, whole, for himself: as JSON values, and as a ZIP with his papers.

Who handled and read it is told by role and moment: an officer's identifier is the officer's own personal data.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, NotStoredError, Refusal
from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import ServiceKeys
from eid.services.application.steps import person_of
from eid.services.audit.log import note_reading
from eid.services.osia.records import open_body
from eid.services.person.erasure import kept_until
from eid.store.applications import StoredApplication, applications_by, applications_of
from eid.store.appointments import find_appointment
from eid.store.audit import bucket_of
from eid.store.captures import StoredCapture, captured_blobs, list_captures
from eid.store.cards import find_by_application
from eid.store.database import in_transaction
from eid.store.documents import StoredDocument, documents_of
from eid.store.notifications import notifications_of
from eid.store.osia_records import buffers_of, records_about
from eid.store.persons import load_names
from eid.store.stamps import StoredStamp, find_stamp, stamps_of
from eid.store.tables import audit_row

FORMAT: Final = "eid-personal-data"
_ADJUDICATION: Final = ("hold.", "search.")
ENDINGS: Final = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


def export_own(engine: Engine, keys: ServiceKeys, actor: Actor, now: datetime) -> dict[str, Any]:
    """All that is kept about an applicant: his applications, the people they are for, his stamps.

    Raises:
        EnrolmentError: FORBIDDEN.
    """
    if Role.APPLICANT not in actor.roles:
        raise EnrolmentError(Refusal.FORBIDDEN, "applicants speak for themselves")

    def work(connection: Connection) -> dict[str, Any]:
        mine = applications_by(connection, actor.id, 1000)
        return _document(connection, keys, mine, stamps_of(connection, actor.id, 1000), now)

    return in_transaction(engine, work)


def export_person(
    engine: Engine, keys: ServiceKeys, person_id: uuid.UUID, actor: Actor, now: datetime
) -> dict[str, Any]:
    """All that is kept about a person, for who asks in writing; that it was read is noted.

    Raises:
        EnrolmentError: FORBIDDEN. NotStoredError: there is no such person.
    """
    role = actor.require(frozenset((Role.ADMINISTRATOR,)), "exports are an administrator's")

    def work(connection: Connection) -> dict[str, Any]:
        found = applications_of(connection, person_id)
        if not found:
            raise NotStoredError("there is no such person")
        note_reading(connection, person_id, "person", actor, role, now, part="export")
        return _document(connection, keys, found, (), now)

    return in_transaction(engine, work)


def build_archive(engine: Engine, blobs: BlobStore, document: Mapping[str, Any]) -> bytes:
    """A ZIP with the document and the files that it names, decrypted.

    Raises:
        GatewayError: a file cannot be read. NotStoredError: an application was erased meanwhile.
    """
    archive, at = io.BytesIO(), datetime.fromisoformat(document["at"])
    moment = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    with zipfile.ZipFile(archive, "w") as file:

        def add(name: str, content: str | bytes) -> None:
            file.writestr(zipfile.ZipInfo(name, moment), content, zipfile.ZIP_DEFLATED)

        add("data.json", json.dumps(document, indent=2, ensure_ascii=False))
        for application in document["applications"]:
            for name, blob in in_transaction(engine, partial(_files, application=application)):
                add(name, blobs.get(blob))
    return archive.getvalue()


# Inside


def _document(
    connection: Connection,
    keys: ServiceKeys,
    found: Iterable[StoredApplication],
    stamps: Iterable[StoredStamp],
    now: datetime,
) -> dict[str, Any]:
    applications = tuple(found)
    people = {item.person_id: person_of(connection, item) for item in applications}
    return {
        "format": FORMAT,
        "version": 1,
        "at": now.isoformat(),
        "persons": [
            {
                "id": str(person.id),
                "state": person.state,
                "record": dict(person.record),
                "names": [
                    {"name": dict(item.name), "source": item.source, "from": item.effective_from.isoformat()}
                    for item in load_names(connection, person.id)
                ],
                "handled": _handled(connection, "person", person.id),
            }
            for person in people.values()
        ],
        "applications": [_application(connection, keys, item) for item in applications],
        "stamps": [_stamp(connection, item) for item in stamps],
    }


_TOLD: Final = (
    "id", "number", "state", "person_id", "service", "reason", "category", "abroad", "site", "language", "fee",
    "currency", "requested_papers", "refusal", "appeal_until", "submitted_at", "decide_by", "validated_at", "due_at",
    "created_at", "updated_at",
)  # fmt: skip


def _application(connection: Connection, keys: ServiceKeys, item: StoredApplication) -> dict[str, Any]:
    visit = None if item.appointment_id is None else find_appointment(connection, item.appointment_id)
    captures, cards = list_captures(connection, item.id), find_by_application(connection, item.id)
    until = kept_until(connection, item)
    return {
        **{name: _plain(getattr(item, name)) for name in _TOLD},
        "kept_until": _plain(until),
        "documents": [
            {"file": _file_name(item, paper), "paper": paper.paper, "issued_on": _plain(paper.issued_on),
             "uploaded_at": _plain(paper.uploaded_at), "handled": _handled(connection, "document", paper.id)}
            for paper in documents_of(connection, item.id)
        ],
        "appointment": None if visit is None else {"site": visit.site, "slot": visit.slot, "state": visit.state,
                                                   "category": visit.category},
        "stamp": None if item.stamp_id is None else _stamp(connection, find_stamp(connection, item.stamp_id)),
        "captured": _capture(connection, item, captures[-1]) if captures else None,
        "captured_before": [_capture(connection, item, stored) for stored in captures[:-1]],
        "cards": [
            {"document_number": card.document_number, "state": card.state, "cause": card.cause,
             "expires_on": _plain(card.expires_on), "ordered_at": _plain(card.ordered_at),
             "handled": _handled(connection, "card", card.id), "asked": _handled(connection, "card-status", card.id)}
            for card in cards
        ],
        "messages": _messages(connection, item.id),
        "held_for_others": [
            {"system": record.owner, "kind": record.kind, "state": record.state, "at": _plain(record.created_at),
             "content": open_body(keys, record), "handled": _handled(connection, "osia-enrollment", record.id)}
            for record in records_about(connection, (item.id, *(card.id for card in cards)))
        ],
        "handled": _handled(connection, "application", item.id),
    }  # fmt: skip


def _capture(connection: Connection, item: StoredApplication, stored: StoredCapture) -> dict[str, Any]:
    return {
        "at": _plain(stored.captured_at),
        "site": stored.site,
        "files": sorted(_capture_files(connection, item, stored)),
        "handled": _handled(connection, "capture", stored.id),
    }


def _messages(connection: Connection, subject: uuid.UUID) -> list[dict[str, Any]]:
    return [
        {
            "template": told.template,
            "channel": told.channel,
            "to": told.masked_to,
            "state": told.state,
            "at": _plain(told.at),
        }
        for told in notifications_of(connection, subject)
    ]


def _stamp(connection: Connection, found: StoredStamp) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "state": found.state,
        "service": found.service,
        "amount": found.amount,
        "currency": found.currency,
        "last_four": found.last_four,
        "ordered_at": _plain(found.ordered_at),
        "messages": _messages(connection, found.id),
        "handled": _handled(connection, "stamp", found.id),
    }


def _handled(connection: Connection, kind: str, subject: uuid.UUID) -> list[dict[str, str]]:
    """What was done to something and who read it, by role, oldest first; what adjudicators ask stays with them."""
    query = (
        select(audit_row.c.at, audit_row.c.actor, audit_row.c.action)
        .where(audit_row.c.bucket == bucket_of(subject), audit_row.c.subject == f"{kind}:{subject}")
        .order_by(audit_row.c.seq)
    )
    rows = connection.execute(query)
    return [
        {"at": row.at.isoformat(), "role": row.actor.partition(":")[0], "action": row.action}
        for row in rows
        if not row.action.startswith(_ADJUDICATION)
    ]


def _files(connection: Connection, application: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names in the archive, and of the blobs."""
    found = applications_of(connection, uuid.UUID(application["person_id"]))
    item = next((item for item in found if str(item.id) == application["id"]), None)
    if item is None:
        raise NotStoredError("the application was erased meanwhile")
    papers = [(_file_name(item, paper), paper.blob) for paper in documents_of(connection, item.id)]
    taken = [_capture_files(connection, item, stored) for stored in list_captures(connection, item.id)]
    cards = [card.id for card in find_by_application(connection, item.id)]
    sent = [
        (f"{item.number}/sent/{buffer.id}", buffer.blob)
        for record in records_about(connection, (item.id, *cards))
        for buffer in buffers_of(connection, record.id)
    ]
    return papers + sorted(file for files in taken for file in files.items()) + sent


def _capture_files(connection: Connection, item: StoredApplication, stored: StoredCapture) -> dict[str, str]:
    kept = captured_blobs(connection, stored)
    return {f"{item.number}/captured-{stored.attempt}/{name}": blob for name, blob in kept.items()}


def _file_name(item: StoredApplication, paper: StoredDocument) -> str:
    return f"{item.number}/{paper.paper}-{paper.id}.{ENDINGS.get(paper.media_type, 'bin')}"


def _plain(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
