"""OSIA enrolments: what another system collects of a person, in pieces, until it says that it is all there.

Finalizing is where such a record meets the office's own files. One that names an application in its `contextualData`
is the capture of that application's person: record and signature of the officer are there too, and are judged like any
other (`application.enrolment`). One that names none begins an application, as a draft with its papers. After that it
stays as it is. Images may be sent by themselves before; a reference leads to those buffers and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection

from eid.audit.chain import AuditEvent
from eid.enrolment.capture import PORTRAIT, SIGNATURE, CaptureRecord, decode_signed_capture
from eid.enrolment.deadlines import local_day
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import EnrolmentRules
from eid.errors import EidError, EnrolmentError, NotStoredError, RecordError, Refusal
from eid.identity import FINGERS
from eid.services.application.acts import withdraw
from eid.services.application.documents import Upload, attach, check_upload
from eid.services.application.drafts import NewApplication, create_application
from eid.services.application.enrolment import record_capture
from eid.services.application.kept_files import name_or_drop
from eid.services.osia.attributes import read_person
from eid.services.osia.expressions import Expression, matches, wanted
from eid.services.osia.records import (
    Body,
    Held,
    acting,
    browse,
    drop,
    find_held,
    hold,
    identify_record,
    require_held,
    rewrite,
)
from eid.services.registry import Registry
from eid.store.audit import append_event, bucket_of
from eid.store.captures import last_capture
from eid.store.database import in_transaction, reading
from eid.store.osia_records import Buffer, buffers_of, insert_buffer
from eid.store.types import new_id_like

KIND: Final = "ENROLLMENT"
OPEN: Final = "IN_PROGRESS"
FINAL: Final = "FINALIZED"
SCANNED: Final = 2000  # records that one search looks at
PAGE: Final = 100
MAX_BUFFERS: Final = 40
_OFFICE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ITEMS: Final = {"FACE": PORTRAIT, "SIGNATURE": SIGNATURE}


def create_enrolment(registry: Registry, name: str, body: Body, actor: Actor, *, final: bool) -> None:
    """Keep a new enrolment; where it is final at once and cannot be, nothing is kept.

    Raises:
        AlreadyDoneError: there is one under this identifier. Others: see `finalize`.
    """
    record_id = identify_record(registry, KIND, name)
    held = hold(registry, KIND, record_id, OPEN, {**body, "enrollmentId": name}, actor.id, registry.now())
    _note(registry, held, "create", actor)
    if not final:
        return
    done = False
    try:
        _finalize(registry, held, actor)
        done = True
    finally:
        if not done:
            drop(registry, held)


def read_enrolment(registry: Registry, name: str, actor: Actor) -> Body:
    """An enrolment; that it was read stands in the audit log.

    Raises:
        NotStoredError: there is none.
    """
    held = _require(registry, name)
    _note(registry, held, "read", actor)
    return _describe(held)


def update_enrolment(registry: Registry, name: str, body: Body, actor: Actor, *, final: bool) -> None:
    """Write an open enrolment anew.

    Raises:
        NotStoredError: there is none. EnrolmentError: it is final. Others: see `finalize`.
    """
    held = rewrite(registry, _require_open(registry, name), {**body, "enrollmentId": name}, registry.now())
    _note(registry, held, "update", actor)
    if final:
        _finalize(registry, held, actor)


def load_for_change(registry: Registry, name: str) -> Body:
    """What an open enrolment holds, to be merged with a part of it (RFC 7396).

    Raises:
        NotStoredError: there is none. EnrolmentError: it is final.
    """
    return _require_open(registry, name).body


def finalize(registry: Registry, name: str, actor: Actor) -> None:
    """All is there: take in the capture, or begin an application.

    Raises:
        NotStoredError: there is none, or no such application. RecordError, DecodeError: what was collected is not what
            that needs. EnrolmentError: it is final, or the office's rules forbid it.
    """
    _finalize(registry, _require_open(registry, name), actor)


def delete_enrolment(registry: Registry, name: str, actor: Actor) -> None:
    """Drop an open enrolment, and the images that were sent for it.

    Raises:
        NotStoredError: there is none. EnrolmentError: it is final.
    """
    held = _require_open(registry, name)
    buffers = in_transaction(registry.engine, lambda connection: buffers_of(connection, held.id))
    drop(registry, held)
    _note(registry, held, "delete", actor)
    for buffer in buffers:
        registry.blobs.delete(buffer.blob)


def find_enrolments(
    registry: Registry, expressions: Iterable[Expression], offset: int, limit: int, actor: Actor
) -> list[Body]:
    """Enrolments whose attributes are so, the newest first; without an identifier, of the newest so many of a state."""
    conditions, found = tuple(expressions), []
    named = wanted(conditions, "enrollmentId")
    state = wanted(conditions, "status")
    for page in _pages(registry, state) if named is None else (_find_one(registry, named),):
        found += [held for held in page if matches(conditions, _flatten(held))]
        if len(found) >= offset + limit:
            break
    chosen = found[offset : offset + limit]
    for held in chosen:
        _note(registry, held, "read", actor)
    return [_describe(held) for held in chosen]


def keep_buffer(registry: Registry, name: str, content: bytes, media_type: str, actor: Actor) -> uuid.UUID:
    """Keep an image that is sent by itself, encrypted.

    Raises:
        NotStoredError: there is no such enrolment. EnrolmentError: it is final, or has too many.
        GatewayError: it cannot be kept.
    """
    held, now = _require_open(registry, name), registry.now()

    def require_room(connection: Connection) -> None:
        if len(buffers_of(connection, held.id)) >= MAX_BUFFERS:
            raise EnrolmentError(Refusal.GUARD, "the enrolment has too many buffers")

    in_transaction(registry.engine, require_room)  # before it is kept: what no row names nobody erases
    blob = registry.blobs.put(str(held.id), content)
    buffer = Buffer(new_id_like(held.id, now, registry.random), held.id, media_type, blob, now)

    def work(connection: Connection) -> uuid.UUID:
        require_room(connection)
        insert_buffer(connection, buffer)
        return buffer.id

    kept = name_or_drop(registry.engine, registry.blobs, bucket_of(held.id), (blob,), work)
    _note(registry, held, "buffer", actor)
    return kept


def read_buffer(registry: Registry, name: str, buffer_id: uuid.UUID, actor: Actor) -> tuple[bytes, str]:
    """Content and media type of a buffer.

    Raises:
        NotStoredError: there is none.
    """
    held = _require(registry, name)
    for buffer in in_transaction(registry.engine, lambda connection: buffers_of(connection, held.id)):
        if buffer.id == buffer_id:
            _note(registry, held, "buffer-read", actor)
            return registry.blobs.get(buffer.blob), buffer.media_type
    raise NotStoredError("there is no such buffer")


# Inside


def _pages(registry: Registry, state: str | None) -> Iterator[tuple[Held, ...]]:
    for start in range(0, SCANNED, PAGE):
        page = browse(registry, KIND, PAGE, start, state)
        yield page
        if len(page) < PAGE:
            return


def _find_one(registry: Registry, name: str) -> tuple[Held, ...]:
    with suppress(RecordError):
        held = find_held(registry, identify_record(registry, KIND, name))
        return () if held is None else (held,)
    return ()


def _require(registry: Registry, name: str) -> Held:
    return require_held(registry, identify_record(registry, KIND, name))


def _require_open(registry: Registry, name: str) -> Held:
    held = _require(registry, name)
    _require_unfinalized(held)
    return held


def _require_unfinalized(held: Held) -> None:
    if held.record.state != OPEN:
        raise EnrolmentError(Refusal.WRONG_STATE, "the enrolment is final")


def _finalize(registry: Registry, held: Held, actor: Actor) -> None:
    officer = acting(actor, Role.ENROLMENT_OFFICER)
    named = held.body.get("contextualData", {}).get("applicationId")
    application = _begin(registry, held, officer) if named is None else _capture(registry, held, officer)
    current = find_held(registry, held.id) or held
    try:
        _require_unfinalized(current)
        rewrite(registry, current, current.body, registry.now(), state=FINAL, subject=application)
    except EidError:
        if named is None:  # of two who finalize at once one has begun an application too many
            withdraw(registry.engine, application, acting(actor, Role.APPLICANT), registry.now())
        raise
    _note(registry, held, "finalize", actor)


def _begin(registry: Registry, held: Held, officer: Actor) -> uuid.UUID:
    """Begin an application with what was collected, papers included; where a paper is refused, nothing begins."""
    request, context = held.body.get("requestData", {}), held.body.get("contextualData", {})
    now = registry.now()
    uploads = [_upload(registry, held, item) for item in held.body.get("documentData", ())]
    for upload in uploads:
        check_upload(upload, registry.rules, local_day(now, registry.rules))
    new = NewApplication(
        reason_of(registry.rules, request),
        read_person(
            held.body.get("biographicData", {}),
            registry.rules.record.all_scripts,
            [item.code for item in registry.rules.record.detail],
        ),
        abroad=context.get("abroad") is True,
        site=read_office(request),
        language=_text(context, "language"),
    )
    application = create_application(registry.engine, new, officer, now, rules=registry.country, keys=registry.keys).id
    done = False
    try:
        for upload in uploads:
            attach(registry.engine, registry.blobs, application, upload, officer, now)
        done = True
    finally:
        if not done:
            withdraw(registry.engine, application, acting(officer, Role.APPLICANT), now)
    return application


def _upload(registry: Registry, held: Held, item: Mapping[str, Any]) -> Upload:
    """A supporting document: of OTHER the details are the code of the rules; its day stands in the context."""
    kind = item["documentType"]
    paper = registry.rules.osia.papers.get(kind) or _text(item, "documentTypeOther")
    if paper is None or len(item["parts"]) != 1:
        raise RecordError("a document is of a type that the rules know, and has one part")
    (part,) = item["parts"]
    stated = _text(held.body.get("contextualData", {}).get("documentDates", {}), paper)
    try:
        day = None if stated is None else date.fromisoformat(stated)
    except ValueError:
        raise RecordError("contextualData.documentDates has something other than days") from None
    return Upload(paper, part.get("mimeType", ""), _content_of(registry, held, part), day)


def reason_of(rules: EnrolmentRules, request: Mapping[str, Any]) -> str:
    """The reason of the rules that OSIA's request type stands for; OTHER says the code itself.

    Raises:
        RecordError: the request has no type.
    """
    kind, other = _text(request, "requestType"), request.get("requestTypeOther")
    meant = {str(asked): code for asked, code in rules.osia.requests.items()}
    if kind in meant:
        return meant[kind]
    if kind == "OTHER" and isinstance(other, str):
        return other
    raise RecordError("requestData has no requestType")


def read_office(request: Mapping[str, Any]) -> str | None:
    """The code of the office that a request names, None where it names none.

    Raises:
        RecordError: it is no code.
    """
    found = request.get("deliveryOffice")
    if found is not None and not (isinstance(found, str) and _OFFICE.fullmatch(found)):
        raise RecordError("deliveryOffice is not the code of an office")
    return found


def _capture(registry: Registry, held: Held, officer: Actor) -> uuid.UUID:
    """Take in what was captured of the person of an application, as its officer signed it."""
    context = held.body["contextualData"]
    signed = _octets(context.get("captureRecord"))
    record = decode_signed_capture(signed).record
    if str(record.application) != context["applicationId"]:
        raise RecordError("the capture record is of another application")
    if not _is_taken_in(registry, record, signed, officer):  # by a process that died before it could say so
        items = {_name_of(item): _content_of(registry, held, item) for item in held.body.get("biometricData", ())}
        record_capture(registry.engine, registry.blobs, signed, items, officer, registry.now())
    return record.application


def _is_taken_in(registry: Registry, record: CaptureRecord, signed: bytes, officer: Actor) -> bool:
    with reading(registry.engine) as connection:
        stored = last_capture(connection, record.application)
    return stored is not None and (stored.record, stored.officer) == (signed, officer.id)


def _name_of(item: Mapping[str, Any]) -> str:
    kind = item["biometricType"]
    name = str(item.get("biometricSubType", "")).lower().replace("_", "-")
    if kind in _ITEMS:
        return _ITEMS[kind]
    if kind == "FINGER" and name in FINGERS:
        return name
    raise RecordError("a capture has a face, single fingers and a signature")


def _content_of(registry: Registry, held: Held, item: Mapping[str, Any]) -> bytes:
    """What an item holds: in itself, or in a buffer of the same enrolment; nothing is fetched from elsewhere."""
    for member in ("image", "template", "data"):
        if member in item:
            return _octets(item[member])
    named = next((str(item[member]) for member in ("imageRef", "templateRef", "dataRef") if member in item), "")
    for buffer in in_transaction(registry.engine, lambda connection: buffers_of(connection, held.id)):
        if named.endswith(f"/buffer/{buffer.id}"):
            return registry.blobs.get(buffer.blob)
    raise RecordError("an item has neither content nor a buffer of its enrollment")


def _octets(stated: object) -> bytes:
    try:
        return base64.b64decode(str(stated if isinstance(stated, str) else "?"), validate=True)
    except (binascii.Error, ValueError):
        raise RecordError("an image, template or capture record is not base64") from None


def _text(table: object, name: str) -> str | None:
    found = table.get(name) if isinstance(table, Mapping) else None
    return found if isinstance(found, str) else None


def _describe(held: Held) -> Body:
    return {**held.body, "status": held.record.state}


def _flatten(held: Held) -> Body:
    """What a search may ask for: members of every open object, and the enrolment's own."""
    parts = (held.body.get(name, {}) for name in ("requestData", "contextualData", "biographicData"))
    flat: Body = {}
    for part in parts:
        flat |= part
    own: Body = {name: held.body[name] for name in ("enrollmentId", "enrollmentType") if name in held.body}
    return {**flat, **own, "status": held.record.state}


def _note(registry: Registry, held: Held, what: str, actor: Actor) -> None:
    event = AuditEvent(registry.now(), f"osia:{actor.id}", f"osia-enrollment.{what}", f"osia-enrollment:{held.id}", {})
    in_transaction(registry.engine, lambda connection: append_event(connection, bucket_of(held.id), event))
