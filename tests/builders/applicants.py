"""Invented applicants, their papers, and the actors of an office."""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine

from eid.enrolment.person import PersonRecord, decode_person
from eid.enrolment.roles import Actor, Role
from eid.gateways.blobs import BlobStore
from eid.services.application import documents, drafts, fees, views
from eid.services.application.documents import Upload
from eid.services.application.drafts import NewApplication
from eid.store.applications import StoredApplication
from eid.store.database import in_transaction
from eid.store.types import new_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
APPLICANT = Actor("applicant-1", frozenset((Role.APPLICANT,)))
OTHER_APPLICANT = Actor("applicant-2", frozenset((Role.APPLICANT,)))
CLERK = Actor("clerk-1", frozenset((Role.ENROLMENT_OFFICER,)), "rabat-1")
VALIDATOR = Actor("validator-1", frozenset((Role.VALIDATING_OFFICER,)), "rabat-1")
ELSEWHERE = Actor("validator-9", frozenset((Role.VALIDATING_OFFICER,)), "paris-1")
CENTRAL = Actor("validator-0", frozenset((Role.VALIDATING_OFFICER,)))
AGENT = Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))
ADMINISTRATOR = Actor("admin-1", frozenset((Role.ADMINISTRATOR,)))

DOCUMENT: dict[str, Any] = {
    "specimen": True,
    "family_name": {"arabic": "عينة", "latin": "SPECIMEN"},
    "given_names": {"arabic": "فاطمة الزهراء", "latin": "FATIMA ZAHRA"},
    "date_of_birth": "1985-02-14",
    "place_of_birth": {"arabic": "الرباط", "latin": "RABAT"},
    "country_of_birth": "MAR",
    "sex": "F",
    "nationality": "MAR",
    "personal_number": "ZZ123456",
    "father": {"arabic": "محمد عينة", "latin": "MOHAMMED SPECIMEN"},
    "mother": {"arabic": "خديجة النموذج", "latin": "KHADIJA ENNAMOUDAJ"},
    "civil_status": {"number": "123/1985", "year": 1985},
    "address": {"lines": {"arabic": "12 زنقة النموذج\nالرباط", "latin": "12 RUE DU MODELE\nRABAT"}, "country": "MAR"},
    "contact": {"phone": "+212600000001", "email": "fatima@specimen.invalid"},
}
GUARDIAN = {
    "capacity": "mother",
    "name": {"arabic": "خديجة النموذج", "latin": "KHADIJA ENNAMOUDAJ"},
    "personal_number": "ZZ654321",
}


def applicant_record(**changes: Any) -> PersonRecord:
    """The record of an invented person; a change to None leaves the field out."""
    document = {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not None}
    return decode_person(document)


def build_pdf(body: bytes = b"", *, catalogue: bytes = b"", pages: int = 1, trailer: bytes = b"") -> bytes:
    """A small PDF with a classic cross-reference. body: further objects."""
    kids = b" ".join(b"%d 0 R" % (10 + number) for number in range(pages))
    raw = b"%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 2 0 R" + catalogue + b">>\nendobj\n"
    raw += b"2 0 obj\n<</Type /Pages /Kids [" + kids + b"] /Count %d>>\nendobj\n" % pages
    for number in range(pages):
        raw += b"%d 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]>>\nendobj\n" % (10 + number)
    raw += body
    offset = len(raw)
    raw += b"xref\n0 1\n0000000000 65535 f \ntrailer\n<</Root 1 0 R /Size 40" + trailer + b">>\n"
    return raw + b"startxref\n%d\n%%%%EOF\n" % offset


def object_stream(content: bytes, number: int = 30, *, name: bytes = b"/ObjStm") -> bytes:
    """A compressed object stream."""
    packed = zlib.compress(content)
    head = b"%d 0 obj\n<</Type %s /N 1 /First 5 /Filter /FlateDecode /Length %d>>\n" % (number, name, len(packed))
    return head + b"stream\n" + packed + b"\nendstream\nendobj\n"


def paper(code: str, *, issued_on: date | None = date(2026, 11, 1), marker: bytes = b"") -> Upload:
    """A paper as an applicant sends it, as PDF."""
    return Upload(code, "application/pdf", build_pdf(b"% " + code.encode() + marker + b"\n"), issued_on)


def begin_application(engine: Engine, now: datetime = NOW, actor: Actor = APPLICANT, **given: Any) -> StoredApplication:
    """A draft, addressed to rabat-1, for the first card unless told otherwise."""
    record, rules = given.pop("record", None) or applicant_record(), given.pop("rules", "morocco")
    new = NewApplication(**{"reason": "first", "record": record, "site": "rabat-1", **given})
    return drafts.create_application(engine, new, actor, now, rules=rules)


def complete_application(
    engine: Engine, blobs: BlobStore, application: StoredApplication, now: datetime = NOW, actor: Actor = APPLICANT
) -> StoredApplication:
    """Attach every paper that is wanted and bind a stamp."""
    needs = views.requirements(engine, application.id, actor, now)
    for code in needs.papers:
        documents.attach(engine, blobs, application.id, paper(code, issued_on=now.date()), actor, now)
    if needs.fee == 0:
        return application
    stamp = new_id(now)
    return in_transaction(engine, lambda connection: fees.bind_stamp(connection, application.id, stamp, actor, now))
