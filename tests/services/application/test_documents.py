"""Papers: what is taken and what is not, on both databases, and who may open them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from eid.enrolment.documents import MAX_FILES_OF_A_PAPER, HeldPaper, UploadError, UploadRefusal, find_missing_papers
from eid.enrolment.rules import load_rules
from eid.errors import EnrolmentError, GatewayError, NotStoredError
from eid.gateways.blobs import BlobStore
from eid.imaging.portrait import draw_specimen_portrait
from eid.keystore.service_keys import ServiceKeys
from eid.locale import LANGUAGES, texts
from eid.services.application import acts, documents
from eid.services.application.documents import Upload, check_upload
from eid.store.audit import bucket_of, read_chain
from eid.store.types import new_id
from tests.builders.applicants import (
    AGENT,
    APPLICANT,
    ELSEWHERE,
    NOW,
    OTHER_APPLICANT,
    VALIDATOR,
    applicant_record,
    begin_application,
    build_pdf,
    complete_application,
    paper,
)

RULES = load_rules("morocco").rules
DAY = date(2026, 11, 22)
PNG = draw_specimen_portrait(width=60, height=80)


@pytest.fixture
def blobs(tmp_path) -> BlobStore:
    return BlobStore(str(tmp_path / "documents"), ServiceKeys(bytes(32)))


def refusal_of(upload: Upload, day: date = DAY) -> UploadRefusal:
    with pytest.raises(UploadError) as refused:
        check_upload(upload, RULES, day)
    return refused.value.refusal


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"paper": "love-letter"}, UploadRefusal.UNKNOWN_PAPER),
        ({"content": b""}, UploadRefusal.EMPTY),
        ({"content": b"%PDF-" + bytes(RULES.papers.max_octets)}, UploadRefusal.TOO_LARGE),
        ({"media_type": "image/gif"}, UploadRefusal.TYPE_NOT_TAKEN),
        ({"media_type": "image/jpeg"}, UploadRefusal.OTHER_TYPE),
        ({"content": PNG}, UploadRefusal.OTHER_TYPE),
        ({"content": b"MZ" + build_pdf()}, UploadRefusal.OTHER_TYPE),
        ({"content": build_pdf()[:-20]}, UploadRefusal.DAMAGED),
        ({"content": PNG[:-200], "media_type": "image/png"}, UploadRefusal.DAMAGED),
        ({"content": build_pdf(catalogue=b"/AA<</S/Launch>>")}, UploadRefusal.ACTIVE_CONTENT),
        ({"content": build_pdf(trailer=b"/Encrypt 3 0 R")}, UploadRefusal.ENCRYPTED),
        ({"content": build_pdf(pages=41)}, UploadRefusal.TOO_MANY_PAGES),
        ({"issued_on": None}, UploadRefusal.DATE_MISSING),
        ({"issued_on": DAY + timedelta(days=1)}, UploadRefusal.DATE_IN_THE_FUTURE),
        ({"issued_on": DAY - timedelta(days=93)}, UploadRefusal.TOO_OLD),
    ],
)
def test_each_refusal(changes, refusal: UploadRefusal) -> None:
    assert refusal_of(replace(paper("birth-record"), **changes)) is refusal


def test_what_is_taken() -> None:
    assert check_upload(paper("birth-record", issued_on=DAY - timedelta(days=92)), RULES, DAY) == 1
    assert check_upload(replace(paper("birth-record"), content=build_pdf(pages=40)), RULES, DAY) == 40
    assert check_upload(Upload("photograph", "image/png", PNG), RULES, DAY) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_a_sentence(language: str) -> None:
    assert texts(language)["upload"].keys() == {item.value for item in UploadRefusal}


def test_a_paper_is_missing_or_too_old() -> None:
    old = HeldPaper("birth-record", date(2026, 1, 1), DAY)
    wanted = ("birth-record", "photograph")
    assert find_missing_papers(wanted, [old], RULES) == {"birth-record:too-old", "photograph"}
    held = [old, HeldPaper("birth-record", DAY, DAY), HeldPaper("photograph", None, DAY)]
    assert find_missing_papers(wanted, held, RULES) == frozenset()


@pytest.mark.both_databases
def test_a_paper_is_kept_once_and_read_with_a_trace(any_database: Engine, blobs: BlobStore, tmp_path) -> None:
    draft = begin_application(any_database)
    first = documents.attach(any_database, blobs, draft.id, paper("birth-record"), APPLICANT, NOW)
    again = documents.attach(
        any_database, blobs, draft.id, paper("birth-record", issued_on=date(2026, 11, 2)), APPLICANT, NOW
    )
    assert first.blob == again.blob
    assert len([path for path in tmp_path.rglob("documents/*/*") if path.is_file()]) == 1
    assert documents.list_documents(any_database, draft.id, APPLICANT) == (again,)
    found, content = documents.open_document(any_database, blobs, again.id, VALIDATOR, NOW)
    assert (found, content) == (again, paper("birth-record").content)
    documents.open_document(any_database, blobs, again.id, APPLICANT, NOW)
    with pytest.raises(NotStoredError):
        documents.open_document(any_database, blobs, first.id, VALIDATOR, NOW)
    with any_database.connect() as connection:
        events = [row.event for row in read_chain(connection, bucket_of(draft.id))]
    assert [(event.action, event.actor) for event in events if event.subject == f"document:{again.id}"] == [
        ("document.attach", "applicant:applicant-1"),
        ("document.read", "validating-officer:validator-1"),  # the applicant reads his own without a trace
    ]


def test_who_may_not_open_a_paper(any_database: Engine, blobs: BlobStore) -> None:
    draft = begin_application(any_database)
    kept = documents.attach(any_database, blobs, draft.id, paper("birth-record"), APPLICANT, NOW)
    for actor, error in (
        (OTHER_APPLICANT, NotStoredError),
        (ELSEWHERE, EnrolmentError),
        (AGENT, EnrolmentError),
    ):
        with pytest.raises(error):
            documents.open_document(any_database, blobs, kept.id, actor, NOW)
    with pytest.raises(NotStoredError):
        documents.open_document(any_database, blobs, kept.id, APPLICANT, NOW, application_id=new_id(NOW))
    with pytest.raises(EnrolmentError, match="papers come from"):
        documents.attach(any_database, blobs, draft.id, paper("photograph"), VALIDATOR, NOW)


def test_only_papers_that_are_wanted_and_only_in_time(any_database: Engine, blobs: BlobStore) -> None:
    draft = begin_application(any_database)
    with pytest.raises(UploadError, match="paper-not-wanted"):
        documents.attach(any_database, blobs, draft.id, paper("sworn-statement"), APPLICANT, NOW)
    with pytest.raises(UploadError, match="unknown-paper"):
        documents.attach(any_database, blobs, draft.id, paper("love-letter"), APPLICANT, NOW)
    complete_application(any_database, blobs, draft)
    acts.submit(any_database, draft.id, APPLICANT, NOW)
    (kept, *_) = documents.list_documents(any_database, draft.id, APPLICANT)
    with pytest.raises(EnrolmentError, match="SUBMITTED"):
        documents.attach(any_database, blobs, draft.id, paper("photograph"), APPLICANT, NOW)
    with pytest.raises(EnrolmentError, match="SUBMITTED"):
        documents.remove(any_database, kept.id, APPLICANT, NOW)


def test_files_are_counted(any_database: Engine, blobs: BlobStore) -> None:
    draft = begin_application(any_database, record=applicant_record(date_of_birth=None))
    documents.attach(any_database, blobs, draft.id, paper("guardian-card"), APPLICANT, NOW)  # the age is not known yet
    for number in range(MAX_FILES_OF_A_PAPER):
        documents.attach(any_database, blobs, draft.id, paper("birth-record", marker=b"%d" % number), APPLICANT, NOW)
    with pytest.raises(UploadError, match="too-many-files"):
        documents.attach(any_database, blobs, draft.id, paper("birth-record", marker=b"more"), APPLICANT, NOW)
    held = documents.list_documents(any_database, draft.id, APPLICANT)
    kept = next(one for one in held if one.paper == "birth-record")
    documents.remove(any_database, kept.id, APPLICANT, NOW)
    documents.attach(any_database, blobs, draft.id, paper("birth-record", marker=b"more"), APPLICANT, NOW)


def test_a_store_that_fails_leaves_no_row(any_database: Engine, tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    broken = BlobStore(str(tmp_path / "file"), ServiceKeys(bytes(32)))
    draft = begin_application(any_database)
    with pytest.raises(GatewayError):
        documents.attach(any_database, broken, draft.id, paper("birth-record"), APPLICANT, NOW)
    assert documents.list_documents(any_database, draft.id, APPLICANT) == ()
