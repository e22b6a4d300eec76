"""Capturing at the counter, on both databases: who may, what must fit, what is kept, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from eid.enrolment.capture import ItemFormat, Presence, QualityFormat, decode_signed_capture, sign_capture
from eid.enrolment.roles import Actor, Role
from eid.errors import DecodeError, EnrolmentError, NotStoredError, RecordError, Refusal, StoreError
from eid.identity import FINGERS
from eid.imaging.fingerprint import draw_specimen_fingerprint
from eid.imaging.header import ImageFormat, inspect_image
from eid.services.application import enrolment
from eid.services.application.enrolment import CARD_PORTRAIT, CaptureRefusedError
from eid.store.applications import StoredApplication
from eid.store.audit import bucket_of, read_chain
from eid.store.captures import captured_blobs, last_capture
from eid.store.outbox import waiting
from eid.store.production_tables import capture, captured_item, officer_key
from tests.builders.applicants import ADMINISTRATOR, APPLICANT, CLERK, GUARDIAN, VALIDATOR, applicant_record
from tests.builders.counter import (
    ADJUDICATOR,
    CLOCK,
    OFFICER,
    SITE,
    Counter,
    build_counter,
    describe,
    minutiae,
    portrait,
    signature,
    take,
)
from tests.builders.issuance import signer

CHILD = applicant_record(date_of_birth="2020-05-01", guardian=GUARDIAN)


@pytest.fixture
def counter(any_database: Engine, tmp_path: Path) -> Counter:
    return build_counter(any_database, tmp_path)


def refused(error: pytest.ExceptionInfo[EnrolmentError]) -> tuple[Refusal, str | None]:
    return error.value.refusal, error.value.guard


@pytest.mark.both_databases
def test_a_capture_is_judged_kept_and_searched(counter: Counter, tmp_path: Path) -> None:
    application = counter.present()
    items = {**take(), "signature": signature(), "right-index": draw_specimen_fingerprint(3)}
    record = counter.record(application, items)
    finger = describe("right-index", items["right-index"], format=ItemFormat.JPEG2000)
    record = replace(record, items=tuple(finger if item.name == finger.name else item for item in record.items))
    kept = counter.take_in(record, items)
    assert kept.application.state == "CAPTURED"
    assert kept.application.capturing_officer == OFFICER.id
    with counter.engine.connect() as connection:
        stored = last_capture(connection, application.id)
        works = [work.kind for work in waiting(connection) if work.kind == "abis.search"]
        told = [
            (row.event.action, row.event.detail.get("capture"))
            for row in read_chain(connection, bucket_of(application.id))
        ]
    assert stored is not None
    assert (stored.id, stored.attempt, works) == (kept.id, 1, ["abis.search"])
    assert decode_signed_capture(stored.record).record == record
    assert ("application.capture", str(kept.id)) in told
    captured = enrolment.load_captured(counter.engine, counter.blobs, application.id)
    assert {name: captured[name] for name in items} == items
    assert inspect_image(captured[CARD_PORTRAIT]).format is ImageFormat.JPEG2000
    for path in (tmp_path / "documents").rglob("*"):  # nothing lies there in clear
        assert not path.is_file() or items["portrait"][:64] not in path.read_bytes()


BAD_CIRCUMSTANCES: tuple[tuple[dict[str, object], Actor, tuple[Refusal, str | None]], ...] = (
    ({"officer": "officer-2"}, OFFICER, (Refusal.FORBIDDEN, None)),
    ({"site": "paris-1"}, OFFICER, (Refusal.FORBIDDEN, None)),
    ({}, replace(OFFICER, site="paris-1"), (Refusal.FORBIDDEN, None)),
    ({}, replace(OFFICER, roles=frozenset((Role.VALIDATING_OFFICER,))), (Refusal.FORBIDDEN, None)),
    ({"captured_at": CLOCK - timedelta(days=8)}, OFFICER, (Refusal.GUARD, "captured-at")),
    ({"captured_at": CLOCK + timedelta(minutes=6)}, OFFICER, (Refusal.GUARD, "captured-at")),
)


def test_who_when_where_and_what_must_fit(counter: Counter) -> None:
    application, items = counter.present(), take()
    for change, actor, expected in BAD_CIRCUMSTANCES:
        with pytest.raises(EnrolmentError) as error:
            counter.take_in(counter.record(application, items, **change), items, actor)
        assert refused(error) == expected
    _refuse_bad_signatures(counter, application, items)
    _refuse_other_items(counter, application, items)
    _refuse_poor_items(counter, application)
    assert counter.reload(application).state == "CHECKED_IN"


def test_what_is_refused_leaves_nothing_behind(counter: Counter, tmp_path: Path) -> None:
    """Not even where it is refused after it was kept; what both captures have stays."""
    application = counter.capture(counter.present(), take("one"))
    files = {path for path in (tmp_path / "documents").rglob("*") if path.is_file()}
    other = take("another")
    with pytest.raises(EnrolmentError) as error:
        counter.take_in(counter.record(application, other), other)
    assert error.value.refusal is Refusal.WRONG_STATE
    assert {path for path in (tmp_path / "documents").rglob("*") if path.is_file()} == files


def test_the_officer_who_validated_does_not_capture_alone(counter: Counter) -> None:
    application, items = counter.present(), take()
    both = Actor(VALIDATOR.id, frozenset((Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER)), "rabat-1")
    key = signer("other", "P-256", "sha256")
    enrolment.register_officer_key(counter.engine, both.id, key.public_key_info, ADMINISTRATOR, CLOCK)
    theirs = replace(counter, key=key)
    with pytest.raises(EnrolmentError) as error:
        theirs.take_in(theirs.record(application, items, officer=both.id), items, both)
    assert refused(error) == (Refusal.GUARD, "not-alone")


def _refuse_bad_signatures(counter: Counter, application: StoredApplication, items: dict[str, bytes]) -> None:
    record = counter.record(application, items)
    stranger = signer("stranger", "P-256", "sha256")
    altered = bytearray(counter.sign(record))
    altered[-1] ^= 1
    unknown = replace(counter, key=stranger).sign(record)
    forged = sign_capture(record, stranger.sign, counter.key_id)
    for signed in (unknown, forged, bytes(altered)):
        with pytest.raises(EnrolmentError) as error:
            enrolment.record_capture(counter.engine, counter.blobs, signed, items, OFFICER, CLOCK)
        assert refused(error) == (Refusal.GUARD, "officer-signature")


def _refuse_other_items(counter: Counter, application: StoredApplication, items: dict[str, bytes]) -> None:
    record = counter.record(application, items)
    lacking = {name: raw for name, raw in items.items() if name != "left-index"}
    more = {**items, "right-thumb": minutiae("x")}
    other = {**items, "left-index": minutiae("somebody else")}
    for given in (lacking, more, other):
        with pytest.raises(EnrolmentError) as error:
            counter.take_in(record, given)
        assert refused(error) == (Refusal.GUARD, "captured-items")
    with pytest.raises(DecodeError):
        counter.capture(application, {**take(), "signature": b"%PDF-1.7 no image"})
    record = counter.record(application, take())
    png = replace(record, items=tuple(replace(item, format=ItemFormat.PNG) for item in record.items[:1]))
    with pytest.raises(DecodeError, match="portrait is not of the format"):
        counter.take_in(png, {"portrait": portrait()})


def _refuse_poor_items(counter: Counter, application: StoredApplication) -> None:
    items = {**take(), "portrait": portrait(200, 258)}
    record = counter.record(application, items)
    low = tuple(
        replace(item, quality=5) if item.name == "left-index" else replace(item, quality_format=QualityFormat.NONE)
        for item in record.items
    )
    with pytest.raises(CaptureRefusedError) as error:
        counter.take_in(replace(record, items=low), items)
    assert [(item.item, item.code.value, item.is_warning) for item in error.value.findings] == [
        ("portrait", "PORTRAIT_TOO_SMALL", False),
        ("right-index", "FINGER_QUALITY_UNKNOWN", True),
        ("left-index", "FINGER_QUALITY_LOW", False),
    ]
    bare = {name: raw for name, raw in take().items() if name != "portrait"}
    with pytest.raises(EnrolmentError) as guarded:
        counter.capture(application, bare)
    assert refused(guarded) == (Refusal.GUARD, "captured")


def test_the_best_of_poor_fingers_is_taken_once(counter: Counter) -> None:
    application, items = counter.present(), take()
    record = counter.record(application, items)
    tried = tuple(replace(item, quality=5, attempts=3) if item.name in FINGERS else item for item in record.items)
    assert counter.take_in(replace(record, items=tried), items).findings == ()
    with pytest.raises(EnrolmentError) as error:
        counter.take_in(record, items)
    assert refused(error)[0] is Refusal.WRONG_STATE
    enrolment.end_key(counter.engine, counter.key_id, ADMINISTRATOR, CLOCK - timedelta(minutes=1))
    with pytest.raises(EnrolmentError) as error:
        counter.take_in(record, items)
    assert refused(error) == (Refusal.GUARD, "officer-signature")
    with pytest.raises(NotStoredError):
        enrolment.end_key(counter.engine, counter.key_id, ADMINISTRATOR, CLOCK)


def test_fingers_by_age_and_those_that_are_missing(counter: Counter) -> None:
    child = counter.present(record=CHILD)
    with pytest.raises(CaptureRefusedError, match="FINGER_NOT_WANTED"):
        counter.capture(child)
    assert counter.capture(child, take(fingers=False)).state == "CAPTURED"
    adult = counter.present(record=applicant_record(personal_number="ZZ123457"))
    with pytest.raises(CaptureRefusedError, match="FINGER_UNACCOUNTED"):
        counter.capture(adult, take(fingers=False))
    lost = (("right-index", Presence.AMPUTATED), ("left-index", Presence.BANDAGED))
    assert counter.capture(adult, take(fingers=False), missing=lost).state == "CAPTURED"


def test_looking_at_what_was_captured_is_told_to_the_audit_log(counter: Counter) -> None:
    application = counter.present()
    with pytest.raises(NotStoredError):
        enrolment.view_capture(counter.engine, application.id, ADJUDICATOR, CLOCK)
    counter.capture(application)
    stored = enrolment.view_capture(counter.engine, application.id, ADJUDICATOR, CLOCK)
    item, octets = enrolment.view_item(counter.engine, counter.blobs, application.id, "portrait", ADJUDICATOR, CLOCK)
    assert (item.name, octets) == ("portrait", portrait())
    with counter.engine.connect() as connection:
        read = [row.event for row in read_chain(connection, bucket_of(application.id))][-2:]
    assert [(item.action, item.subject, item.actor, dict(item.detail)) for item in read] == [
        ("capture.read", f"capture:{stored.id}", "adjudicator:adjudicator-1", told)
        for told in ({"part": "findings"}, {"item": "portrait"})
    ]
    with pytest.raises(NotStoredError):
        enrolment.view_item(counter.engine, counter.blobs, application.id, "left-thumb", ADJUDICATOR, CLOCK)
    with pytest.raises(EnrolmentError):
        enrolment.view_capture(counter.engine, application.id, ADMINISTRATOR, CLOCK)


def test_what_was_altered_after_the_officers_signature_goes_no_further(counter: Counter) -> None:
    """By somebody who may write into the database: another's face, another record, a key that was ended before."""
    application = counter.capture(counter.present())
    another = counter.capture(counter.present(record=applicant_record(personal_number="ZZ123457")), take("another"))

    def blobs_of(item: StoredApplication) -> dict[str, str]:
        with counter.engine.connect() as connection:
            stored = last_capture(connection, item.id)
            assert stored is not None
            return captured_blobs(connection, stored)

    def put(name: str, blob: str) -> None:
        where = (captured_item.c.bucket == bucket_of(application.id), captured_item.c.name == name)
        with counter.engine.begin() as connection:
            connection.execute(update(captured_item).where(*where).values(blob=blob))

    def load() -> dict[str, bytes]:
        return enrolment.load_captured(counter.engine, counter.blobs, application.id)

    own, theirs = blobs_of(application), blobs_of(another)
    for name in ("left-index", CARD_PORTRAIT):
        put(name, theirs[name])
        with pytest.raises(EnrolmentError) as error:
            load()
        assert refused(error) == (Refusal.GUARD, "captured-items")
        if name != CARD_PORTRAIT:
            for look in (lambda: counter.search(application), lambda: view(counter, application, "left-index")):
                with pytest.raises(EnrolmentError) as error:
                    look()
                assert refused(error) == (Refusal.GUARD, "captured-items")
        put(name, own[name])
    assert load()
    with counter.engine.begin() as connection:
        early = CLOCK - timedelta(minutes=1)
        connection.execute(update(officer_key).values(until=early))
    with pytest.raises(EnrolmentError) as error:
        load()
    assert refused(error) == (Refusal.GUARD, "officer-signature")
    with counter.engine.begin() as connection:
        connection.execute(update(officer_key).values(until=CLOCK + timedelta(minutes=1)))  # ended later: it counted
    assert load()
    with counter.engine.begin() as connection:
        record = connection.execute(select(capture.c.record).where(capture.c.application_id == another.id)).scalar_one()
        connection.execute(update(capture).where(capture.c.application_id == application.id).values(record=record))
    with pytest.raises(EnrolmentError) as error:
        load()
    assert refused(error) == (Refusal.GUARD, "officer-signature")


def view(counter: Counter, application: StoredApplication, name: str) -> object:
    return enrolment.view_item(counter.engine, counter.blobs, application.id, name, ADJUDICATOR, CLOCK)


def test_who_filed_an_application_does_not_capture_for_it(counter: Counter) -> None:
    applicant = Actor(APPLICANT.id, frozenset((Role.ENROLMENT_OFFICER,)), SITE)
    station = replace(counter, key=signer("own", "P-256", "sha256"))
    enrolment.register_officer_key(counter.engine, applicant.id, station.key.public_key_info, ADMINISTRATOR, CLOCK)
    application, items = counter.present(), take()
    with pytest.raises(EnrolmentError) as refused:
        station.take_in(station.record(application, items, officer=applicant.id), items, applicant)
    assert (refused.value.refusal, refused.value.guard) == (Refusal.FORBIDDEN, "own-file")
    assert counter.reload(application).state == "CHECKED_IN"


def test_officers_keys(any_database: Engine) -> None:
    rsa = bytes.fromhex("3000")
    with pytest.raises(RecordError, match="P-256"):
        enrolment.register_officer_key(any_database, "officer-1", rsa, ADMINISTRATOR, CLOCK)
    p384 = signer("p384", "P-384", "sha384").public_key_info
    with pytest.raises(RecordError, match="P-256"):
        enrolment.register_officer_key(any_database, "officer-1", p384, ADMINISTRATOR, CLOCK)
    good = signer("good", "P-256", "sha256").public_key_info
    with pytest.raises(RecordError, match="identifier"):
        enrolment.register_officer_key(any_database, "", good, ADMINISTRATOR, CLOCK)
    with pytest.raises(EnrolmentError):
        enrolment.register_officer_key(any_database, "officer-1", good, CLERK, CLOCK)
    enrolment.register_officer_key(any_database, "officer-1", good, ADMINISTRATOR, CLOCK)
    with pytest.raises(StoreError):
        enrolment.register_officer_key(any_database, "officer-2", good, ADMINISTRATOR, CLOCK)
