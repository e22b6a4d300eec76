"""An application from draft to decision, on both databases: what each act asks, leaves behind, and refuses."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, update

from eid.enrolment.names import build_search_keys
from eid.enrolment.person import Fault, FaultyRecordError, PersonRecord
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.errors import EidError, EnrolmentError, NotStoredError, RecordError, Refusal
from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import ServiceKeys
from eid.services.application import acts, documents, drafts, fees, lapses, review, views
from eid.services.application.drafts import NewApplication
from eid.store.application_tables import application as application_table
from eid.store.applications import StoredApplication, build_number, load_application, parse_number
from eid.store.audit import bucket_of, read_chain
from eid.store.database import in_transaction
from eid.store.outbox import waiting
from eid.store.persons import (
    StoredPerson,
    claim_number,
    find_by_column,
    find_by_name,
    holder_of_number,
    insert_person,
    load_names,
    load_person,
)
from eid.store.types import new_id
from tests.builders.applicants import (
    ADMINISTRATOR,
    AGENT,
    APPLICANT,
    CENTRAL,
    CLERK,
    ELSEWHERE,
    GUARDIAN,
    NOW,
    OTHER_APPLICANT,
    VALIDATOR,
    applicant_record,
    begin_application,
    complete_application,
    paper,
)

DAY = timedelta(days=1)


@pytest.fixture
def blobs(tmp_path) -> BlobStore:
    return BlobStore(str(tmp_path / "documents"), ServiceKeys(bytes(32)))


def stored(engine: Engine, application: StoredApplication) -> StoredApplication:
    with engine.connect() as connection:
        found = load_application(connection, application.id)
    assert found is not None
    return found


def told(engine: Engine, application: StoredApplication) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        rows = [row.event for row in read_chain(connection, bucket_of(application.id))]
    return [(event.action, event.actor) for event in rows if event.subject == f"application:{application.id}"]


def named(connection: Connection, prefix: str) -> tuple[uuid.UUID, ...]:
    """Who is found under the beginning of a name."""
    return tuple(person.id for person in find_by_name(connection, prefix))


def works(engine: Engine) -> list[tuple[str, str | None]]:
    with engine.connect() as connection:
        return [(work.kind, work.payload.get("template")) for work in waiting(connection)]


def submitted(engine: Engine, blobs: BlobStore, **given) -> StoredApplication:
    application = complete_application(engine, blobs, begin_application(engine, **given))
    return acts.submit(engine, application.id, APPLICANT, NOW)


def under_review(engine: Engine, blobs: BlobStore, **given) -> StoredApplication:
    return acts.take_up(engine, submitted(engine, blobs, **given).id, VALIDATOR, NOW)


@pytest.mark.both_databases
def test_the_way_to_a_registered_person(any_database: Engine, blobs: BlobStore) -> None:
    draft = begin_application(any_database)
    assert (draft.state, draft.fee, draft.currency) == ("DRAFT", 75, "MAD")
    needs = views.requirements(any_database, draft.id, APPLICANT, NOW)
    assert needs.papers == ("birth-record", "photograph", "residence-certificate")
    assert needs.missing == set(needs.papers)
    assert (needs.needs_fingerprints, needs.last_valid_day, needs.old_card) == (True, date(2036, 11, 21), "none")
    with pytest.raises(EnrolmentError, match="birth-record") as refused:
        acts.submit(any_database, draft.id, APPLICANT, NOW)
    assert refused.value.guard == "papers-complete"

    complete_application(any_database, blobs, draft)
    receipt = acts.submit(any_database, draft.id, APPLICANT, NOW)
    assert (receipt.state, receipt.submitted_at, receipt.number) == ("SUBMITTED", NOW, build_number(draft.id))
    assert receipt.decide_by is not None
    assert receipt.decide_by.isoformat() == "2027-01-21T23:00:00+00:00"  # sixty days, to the end of the last one
    assert receipt.due_at is None
    assert views.find_application(any_database, receipt.number.lower(), VALIDATOR).id == draft.id

    acts.take_up(any_database, draft.id, VALIDATOR, NOW)
    assert review.compare(any_database, draft.id, VALIDATOR, NOW).registered is None
    validated = review.validate(any_database, draft.id, VALIDATOR, NOW + DAY)
    assert (validated.state, validated.validating_officer) == ("VALIDATED", "validator-1")
    assert stored(any_database, draft) == validated
    with any_database.connect() as connection:
        person = load_person(connection, draft.person_id)
        names = load_names(connection, draft.person_id)
        assert person is not None
        assert (person.state, person.personal_number) == ("VALID", "ZZ123456")
        assert [(name.source, name.recorded_by, name.application_id) for name in names] == [
            ("birth-record", "validator-1", draft.id)
        ]
        for prefix in ("spec", "SPECIMEN FAT", "fatima z", "عينة", "فاطمه الزهراء"):
            assert named(connection, prefix) == (draft.person_id,), prefix
        assert named(connection, "fatima x") == named(connection, "' -") == ()
        (found,) = find_by_column(connection, "personal_number", "ZZ123456")
        assert found.id == draft.person_id
    assert [action for action, _ in told(any_database, draft)] == [
        "application.create",
        "application.stamp",
        "application.submit",
        "application.take-up",
        "application.validate",
    ]
    assert works(any_database) == [("notify", "application-submit"), ("notify", "application-validate")]


def test_what_the_audit_log_tells_is_nobody_s_name(any_database: Engine, blobs: BlobStore) -> None:
    application = under_review(any_database, blobs)
    review.validate(any_database, application.id, VALIDATOR, NOW)
    views.view_application(any_database, application.id, VALIDATOR, NOW)
    with any_database.connect() as connection:
        rows = list(read_chain(connection, bucket_of(application.id)))
        text = repr(rows) + repr(waiting(connection)) + repr(application)
    for secret in ("SPECIMEN", "FATIMA", "ZZ123456", "1985-02-14", "+212", "عينة", "invalid"):
        assert secret not in text
    assert [row.event.actor for row in rows if row.event.action == "application.read"] == [
        "validating-officer:validator-1"
    ]


def test_a_draft_is_edited_until_it_is_submitted(any_database: Engine, blobs: BlobStore) -> None:
    draft = begin_application(any_database, record=applicant_record(date_of_birth=None, mother=None))
    assert draft.fee is None
    with pytest.raises(EnrolmentError, match="date of birth"):
        complete_application(any_database, blobs, draft)  # the fee is not known, so no stamp
    edited = drafts.edit_record(any_database, draft.id, applicant_record(), APPLICANT, NOW)
    assert (edited.fee, edited.version) == (75, 2)
    complete_application(any_database, blobs, edited)
    child = applicant_record(date_of_birth="2020-05-05", guardian=GUARDIAN)
    with pytest.raises(EnrolmentError, match="reserved stamp"):
        drafts.edit_record(any_database, draft.id, child, APPLICANT, NOW)
    renamed = applicant_record(family_name={"arabic": "نموذج", "latin": "ENNAMOUDAJ"})
    drafts.edit_record(any_database, draft.id, renamed, APPLICANT, NOW)
    with any_database.connect() as connection:
        assert named(connection, "specimen") == ()
        assert named(connection, "namoudaj") == ()
        assert named(connection, "ennam") == (draft.person_id,)
    acts.submit(any_database, draft.id, APPLICANT, NOW)
    with pytest.raises(EnrolmentError) as refused:
        drafts.edit_record(any_database, draft.id, renamed, APPLICANT, NOW)
    assert refused.value.refusal is Refusal.WRONG_STATE


def test_a_child_needs_a_guardian_and_pays_less(any_database: Engine) -> None:
    draft = begin_application(any_database, record=applicant_record(date_of_birth="2020-05-05"), abroad=True)
    needs = views.requirements(any_database, draft.id, APPLICANT, NOW)
    assert {"/guardian", "guardian-card", "consular-registration"} <= needs.missing
    assert (needs.fee, needs.needs_fingerprints) == (50, False)
    assert needs.last_valid_day == date(2032, 5, 4)


def test_a_defect_costs_nothing(any_database: Engine, blobs: BlobStore) -> None:
    assert submitted(any_database, blobs, reason="production-defect").fee == 0


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"reason": "boredom"}, RecordError, "reason"),
        ({"language": "tlh"}, RecordError, "language"),
        ({"service": "haircut"}, RecordError, "service"),
        ({"actor": AGENT}, EnrolmentError, "FORBIDDEN"),
    ],
)
def test_what_cannot_be_begun(any_database: Engine, given, error, match) -> None:
    with pytest.raises(error, match=match):
        begin_application(any_database, **given)


def test_a_record_against_the_rules_is_told_by_place(any_database: Engine) -> None:
    record = applicant_record(personal_number="0", date_of_birth="2027-01-01", contact={"phone": "+33100000000"})
    with pytest.raises(FaultyRecordError) as refused:
        begin_application(any_database, record=record)
    assert set(refused.value.faults) == {
        Fault("/date_of_birth", "in-the-future"),
        Fault("/personal_number", "personal-number-form"),
        Fault("/contact/phone", "phone-form"),
    }


@pytest.mark.both_databases
def test_drafts_of_one_account_are_limited(any_database: Engine) -> None:
    for _ in range(drafts.MAX_DRAFTS):
        begin_application(any_database)
    with pytest.raises(EnrolmentError, match="drafts"):
        begin_application(any_database)
    begin_application(any_database, actor=OTHER_APPLICANT)


def test_papers_are_asked_for_once_and_must_come_again(any_database: Engine, blobs: BlobStore) -> None:
    application = under_review(any_database, blobs)
    with pytest.raises(RecordError, match="no paper"):
        acts.request_information(any_database, application.id, (), VALIDATOR, NOW)
    with pytest.raises(RecordError, match="no such paper"):
        acts.request_information(any_database, application.id, ("love-letter",), VALIDATOR, NOW)
    asked = acts.request_information(any_database, application.id, ("birth-record", "sworn-statement"), VALIDATOR, NOW)
    assert asked.due_at is not None
    assert asked.due_at.isoformat() == "2026-12-22T23:00:00+00:00"  # thirty days, to the end of the last one
    later = NOW + 2 * DAY
    with pytest.raises(EnrolmentError, match="missing: birth-record, sworn-statement"):
        acts.supply(any_database, application.id, APPLICANT, later)
    for code in ("birth-record", "sworn-statement"):
        documents.attach(any_database, blobs, application.id, paper(code), APPLICANT, later)
    assert acts.supply(any_database, application.id, APPLICANT, later).due_at is None
    with pytest.raises(EnrolmentError) as refused:
        acts.request_information(any_database, application.id, ("photograph",), VALIDATOR, later)
    assert refused.value.guard == "one-request-only"
    assert review.validate(any_database, application.id, VALIDATOR, later).state == "VALIDATED"


def test_a_refusal_has_a_code_and_an_appeal(any_database: Engine, blobs: BlobStore) -> None:
    application = under_review(any_database, blobs)
    with pytest.raises(RecordError, match="no such refusal"):
        acts.reject(any_database, application.id, "ugly", VALIDATOR, NOW)
    refused = acts.reject(any_database, application.id, "papers-insufficient", VALIDATOR, NOW)
    assert (refused.refusal, refused.state) == ("papers-insufficient", "REJECTED")
    assert refused.appeal_until == refused.due_at
    assert acts.appeal(any_database, application.id, APPLICANT, NOW + 59 * DAY).state == "UNDER_REVIEW"
    again = acts.reject(any_database, application.id, "duplicate", VALIDATOR, NOW + 60 * DAY)
    with pytest.raises(EnrolmentError, match="appeal"):
        acts.appeal(any_database, application.id, APPLICANT, NOW + 61 * DAY)
    assert lapses.end_overdue(any_database, NOW + 61 * DAY) == (again.id,)
    assert works(any_database)[-1] == ("stamp.release", None)
    assert lapses.end_overdue(any_database, NOW + 61 * DAY) == ()


def test_the_time_for_an_appeal_ends(any_database: Engine, blobs: BlobStore) -> None:
    application = under_review(any_database, blobs)
    acts.reject(any_database, application.id, "not-entitled", VALIDATOR, NOW)
    with pytest.raises(EnrolmentError, match="the time for an appeal is over"):
        acts.appeal(any_database, application.id, APPLICANT, NOW + 61 * DAY)


def test_what_nothing_happens_to_lapses_and_its_stamp_is_free(any_database: Engine, blobs: BlobStore) -> None:
    draft = begin_application(any_database)
    application = under_review(any_database, blobs)
    acts.request_information(any_database, application.id, ("birth-record",), VALIDATOR, NOW)
    other = begin_application(any_database)
    with any_database.begin() as connection:  # one that cannot end, first of all
        gone = {"rules": "atlantis", "due_at": NOW + DAY}
        connection.execute(update(application_table).where(application_table.c.id == other.id).values(**gone))
    with pytest.raises(EidError):
        lapses.end_overdue(any_database, NOW + 30 * DAY)  # the last day of the others is not over
    assert set(lapses.end_overdue(any_database, NOW + 31 * DAY)) == {draft.id, application.id}
    assert stored(any_database, draft).state == "WITHDRAWN"
    assert stored(any_database, application).state == "LAPSED"
    assert ("stamp.release", None) in works(any_database)
    assert told(any_database, application)[-1] == ("application.lapse", "system:service")


def test_withdrawal_and_cancellation_release_the_stamp(any_database: Engine, blobs: BlobStore) -> None:
    first, second = submitted(any_database, blobs), submitted(any_database, blobs)
    assert acts.withdraw(any_database, first.id, APPLICANT, NOW).state == "WITHDRAWN"
    assert acts.cancel(any_database, second.id, ADMINISTRATOR, NOW).state == "CANCELLED"
    with any_database.connect() as connection:
        freed = {work.payload["stamp"] for work in waiting(connection) if work.kind == "stamp.release"}
    assert freed == {str(first.stamp_id), str(second.stamp_id)}
    draft = begin_application(any_database)
    assert acts.withdraw(any_database, draft.id, APPLICANT, NOW).state == "WITHDRAWN"
    assert told(any_database, draft)[-1][0] == "application.discard"


def test_a_birthday_before_submission_changes_the_fee(any_database: Engine, blobs: BlobStore) -> None:
    """Eleven when the draft was begun, twelve when it is submitted: the stamp of a child's fee is not taken."""
    record = applicant_record(date_of_birth="2014-11-23")
    draft = complete_application(any_database, blobs, begin_application(any_database, record=record))
    with pytest.raises(EnrolmentError) as refused:
        acts.submit(any_database, draft.id, APPLICANT, NOW + DAY)
    assert (refused.value.refusal, refused.value.guard) == (Refusal.GUARD, "fee-changed")
    assert (stored(any_database, draft).state, stored(any_database, draft).fee) == ("DRAFT", 50)
    in_transaction(any_database, lambda c: fees.bind_stamp(c, draft.id, None, APPLICANT, NOW + DAY))
    assert stored(any_database, draft).fee == 75
    in_transaction(any_database, lambda c: fees.bind_stamp(c, draft.id, new_id(NOW), APPLICANT, NOW + DAY))
    with pytest.raises(EnrolmentError) as refused:  # a guardian is missing, the fee is right
        acts.submit(any_database, draft.id, APPLICANT, NOW + DAY)
    assert refused.value.guard == "papers-complete"


def test_a_stamp_entered_after_the_birthday_is_of_the_new_fee(any_database: Engine) -> None:
    draft = begin_application(any_database, record=applicant_record(date_of_birth="2014-11-23"))

    def due(now: datetime) -> StoredApplication:
        return in_transaction(any_database, lambda c: fees.load_due(c, draft.id, APPLICANT, now))

    assert ((due(NOW).fee, due(NOW).version), (due(NOW + DAY).fee, due(NOW + DAY).version)) == ((50, 1), (75, 2))


def test_a_tariff_that_changed_before_submission(
    any_database: Engine, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = complete_application(any_database, blobs, begin_application(any_database))
    with monkeypatch.context() as patch:
        patch.setattr(fees, "compute_fee", lambda *_: 90)
        with pytest.raises(EnrolmentError, match="new amount"):
            acts.submit(any_database, draft.id, APPLICANT, NOW)
    assert acts.submit(any_database, draft.id, APPLICANT, NOW).fee == 75


def test_that_staff_has_read_what_a_file_needs_is_told_to_the_audit_log(any_database: Engine) -> None:
    draft = begin_application(any_database)
    before = len(told(any_database, draft))
    for actor in (APPLICANT, VALIDATOR, AGENT):
        views.requirements(any_database, draft.id, actor, NOW)
    assert told(any_database, draft)[before:] == [
        ("application.read", "validating-officer:validator-1"),
        ("application.read", "call-centre-agent:agent-1"),
    ]


def test_a_draft_s_identifiers_do_not_tell_who_is_registered(any_database: Engine, blobs: BlobStore) -> None:
    """Where a number's drafts lie follows from the number and a key alone, before and after its registration."""
    keys = ServiceKeys(bytes(range(32)))

    def places(number: str) -> set[int]:
        new = NewApplication("expiry", applicant_record(personal_number=number), site="rabat-1")
        made = [
            drafts.create_application(any_database, new, APPLICANT, NOW, rules="morocco", keys=keys) for _ in range(2)
        ]
        assert {bucket_of(item.id) for item in made} == {bucket_of(item.person_id) for item in made}
        return {bucket_of(item.id) for item in made}

    numbers = ("ZZ900001", "ZZ900002", "ZZ900003")
    before = {number: places(number) for number in numbers}
    assert all(len(found) == 1 for found in before.values())
    assert len(set.union(*before.values())) > 1
    new = NewApplication("expiry", applicant_record(personal_number=numbers[0]), site="rabat-1")
    registered = drafts.create_application(any_database, new, APPLICANT, NOW, rules="morocco", keys=keys)
    complete_application(any_database, blobs, registered)
    acts.submit(any_database, registered.id, APPLICANT, NOW)
    acts.take_up(any_database, registered.id, VALIDATOR, NOW)
    review.validate(any_database, registered.id, VALIDATOR, NOW)
    with any_database.connect() as connection:
        assert holder_of_number(connection, numbers[0]) == registered.person_id
    assert {number: places(number) for number in numbers} == before
    theirs = [ServiceKeys(bytes([octet]) * 32) for octet in range(8)]
    elsewhere = {keys.tag(drafts.PLACE, numbers[1].encode())[0] for keys in theirs}
    assert len(elsewhere) > 1, "without the key nobody knows the place"


@pytest.mark.both_databases
def test_a_stamp_is_bound_once(any_database: Engine) -> None:
    draft, stamp = begin_application(any_database), new_id(NOW)

    def bind(item: uuid.UUID | None) -> StoredApplication:
        return in_transaction(
            any_database, lambda connection: fees.bind_stamp(connection, draft.id, item, APPLICANT, NOW)
        )

    assert bind(stamp).version == bind(stamp).version == 2
    with pytest.raises(EnrolmentError, match="another stamp"):
        bind(new_id(NOW))
    assert bind(None).stamp_id is None


def test_who_may_know_of_an_application(any_database: Engine, blobs: BlobStore) -> None:
    application = submitted(any_database, blobs)
    for actor in (APPLICANT, VALIDATOR, CENTRAL, AGENT, CLERK):
        view = views.view_application(any_database, application.id, actor, NOW)
        assert view.record.personal_number == "ZZ123456"
    with pytest.raises(NotStoredError):
        views.view_application(any_database, application.id, OTHER_APPLICANT, NOW)
    with pytest.raises(EnrolmentError, match="another office"):
        acts.take_up(any_database, application.id, ELSEWHERE, NOW)
    for stranger in (Role.RELYING_PARTY, Role.PAYMENT_PROVIDER, Role.KEY_OPERATOR):
        with pytest.raises(NotStoredError):
            views.view_application(any_database, application.id, Actor("x", frozenset((stranger,))), NOW)
    with pytest.raises(NotStoredError):
        views.view_application(any_database, new_id(NOW), VALIDATOR, NOW)


def test_nobody_decides_on_his_own_file(any_database: Engine, blobs: BlobStore) -> None:
    both = Actor(APPLICANT.id, frozenset((Role.VALIDATING_OFFICER, Role.APPLICANT)), "rabat-1")
    application = submitted(any_database, blobs)
    with pytest.raises(EnrolmentError, match="own file"):
        acts.take_up(any_database, application.id, both, NOW)


# The register


def test_a_renewal_goes_to_the_registered_person(any_database: Engine, blobs: BlobStore) -> None:
    first = under_review(any_database, blobs)
    review.validate(any_database, first.id, VALIDATOR, NOW)
    moved = applicant_record(contact={"phone": "+212600000002"}, mother=None)
    draft = begin_application(any_database, reason="expiry", record=moved)
    assert bucket_of(draft.id) == bucket_of(first.id)
    drafts.edit_record(any_database, draft.id, applicant_record(contact={"phone": "+212600000002"}), APPLICANT, NOW)
    complete_application(any_database, blobs, draft)
    acts.submit(any_database, draft.id, APPLICANT, NOW)
    acts.take_up(any_database, draft.id, VALIDATOR, NOW)
    found = review.compare(any_database, draft.id, VALIDATOR, NOW)
    assert found.registered is not None
    assert (found.registered.id, found.divergences) == (first.person_id, frozenset())
    assert found.name_warnings == ("spellings-differ",)
    assert review.validate(any_database, draft.id, VALIDATOR, NOW).person_id == first.person_id
    with any_database.connect() as connection:
        person, gone = load_person(connection, first.person_id), load_person(connection, draft.person_id)
        assert person is not None
        assert gone is not None
        assert (person.phone, person.record["mother"]["latin"]) == ("+212600000002", "KHADIJA ENNAMOUDAJ")
        assert (gone.state, gone.merged_into, dict(gone.record)) == ("MERGED", first.person_id, {})
        assert len(load_names(connection, first.person_id)) == 1
        assert named(connection, "specimen") == (first.person_id,)


@pytest.mark.both_databases
def test_a_change_of_name_is_a_version_and_the_old_one_is_still_found(any_database: Engine, blobs: BlobStore) -> None:
    first = under_review(any_database, blobs)
    review.validate(any_database, first.id, VALIDATOR, NOW)
    changed = applicant_record(family_name={"arabic": "المثال", "latin": "EL MITHAL"})
    second = under_review(any_database, blobs, reason="name-change", record=changed)
    review.validate(any_database, second.id, VALIDATOR, NOW)
    with any_database.connect() as connection:
        versions = load_names(connection, first.person_id)
        assert [(item.version, item.source) for item in versions] == [(1, "birth-record"), (2, "civil-status-change")]
        for prefix in ("specimen", "el mithal", "mithal", "عينة", "مثال"):
            assert named(connection, prefix) == (first.person_id,), prefix


def test_an_unexplained_difference_is_reconciled_with_a_code(any_database: Engine, blobs: BlobStore) -> None:
    first = under_review(any_database, blobs)
    review.validate(any_database, first.id, VALIDATOR, NOW)
    other = applicant_record(family_name={"arabic": "عينة", "latin": "SPESIMEN"})
    second = under_review(any_database, blobs, reason="loss", record=other)
    assert review.compare(any_database, second.id, VALIDATOR, NOW).unexplained == {"family_name"}
    with pytest.raises(EnrolmentError, match="reconciliation"):
        review.validate(any_database, second.id, VALIDATOR, NOW)
    with pytest.raises(RecordError, match="reconciliation"):
        review.validate(any_database, second.id, VALIDATOR, NOW, reconciliation="whim")
    review.validate(any_database, second.id, VALIDATOR, NOW, reconciliation="spelling")
    with any_database.connect() as connection:
        rows = [row.event.detail for row in read_chain(connection, bucket_of(second.id))]
    assert {"diverges": "family_name", "reconciliation": "spelling"}.items() <= rows[-1].items()


@pytest.mark.both_databases
def test_a_personal_number_belongs_to_one_person(any_database: Engine, blobs: BlobStore) -> None:
    """Two begin at once, in different buckets: the first to be validated has the number, the other must begin anew."""
    first, second = under_review(any_database, blobs), under_review(any_database, blobs)
    while bucket_of(first.id) == bucket_of(second.id):  # one in 256: both lie together
        second = under_review(any_database, blobs)
    assert first.person_id != second.person_id
    review.validate(any_database, second.id, VALIDATOR, NOW)
    with pytest.raises(EnrolmentError, match="/personal_number:taken"):
        review.validate(any_database, first.id, VALIDATOR, NOW)
    third = begin_application(any_database)
    assert bucket_of(third.id) == bucket_of(second.id)


def test_a_number_that_was_only_claimed_is_kept_for_a_while(any_database: Engine, blobs: BlobStore) -> None:
    """An officer finds something missing after the number was claimed: for a quarter of an hour nobody else gets it."""
    applied = {"record": applicant_record(personal_number="ZZ7"), "reason": "production-defect"}
    first, second = under_review(any_database, blobs, **applied), under_review(any_database, blobs, **applied)
    in_transaction(any_database, lambda connection: claim_number(connection, "ZZ7", first.person_id, NOW))
    with pytest.raises(EnrolmentError, match="/personal_number:taken"):
        review.validate(any_database, second.id, VALIDATOR, NOW + timedelta(minutes=15))
    later = NOW + timedelta(minutes=16)
    assert review.validate(any_database, second.id, VALIDATOR, later).state == "VALIDATED"
    with any_database.connect() as connection:
        assert holder_of_number(connection, "ZZ7") == second.person_id


@pytest.mark.parametrize("slip", [lambda n: f" {n[:4]}-{n[4:8]} {n[8:]} ".lower(), lambda n: n.replace("1", "l")])
def test_a_receipt_s_number_as_people_type_it(slip) -> None:
    number = build_number(uuid.UUID("01900000-0000-7000-8111-111111111111"))
    assert len(number) == 13
    assert parse_number(slip(number)) == number


def test_a_mistyped_number_is_told() -> None:
    number = build_number(new_id(NOW))
    for index in range(len(number)):
        wrong = "0" if number[index] not in "0O" else "7"
        with pytest.raises(RecordError):
            parse_number(number[:index] + wrong + number[index + 1 :])
    for text in ("", number[:-1], number + "1", "é" * 13, "1" * 1000):
        with pytest.raises(RecordError):
            parse_number(text)


@pytest.mark.both_databases
def test_many_of_one_name_are_told_oldest_first_and_each_once(any_database: Engine) -> None:
    record = {"family_name": {"latin": "AL SPECIMEN"}}
    made = [StoredPerson(new_id(NOW + timedelta(seconds=step)), "VALID", 1, record) for step in range(24)]
    pairs = [("AL SPECIMEN", "FATIMA"), ("العينة", "فاطمة")]

    def enter(connection: Connection) -> None:
        for person in reversed(made):
            insert_person(connection, person, build_search_keys(pairs, ("al", "ال")), NOW)

    in_transaction(any_database, enter)
    with any_database.connect() as connection:
        for prefix in ("al specimen", "specimen f", "fatima", "العين", "عينه فاط"):
            found = find_by_name(connection, prefix, 10)
            assert [(item.id, item.record) for item in found] == [(item.id, record) for item in made[:10]], prefix
        assert len(find_by_name(connection, "al", 30)) == 24
        if any_database.dialect.name == "postgresql":  # the index has the order: nothing is sorted before the limit
            connection.exec_driver_sql("SET enable_sort = off")
            plan = connection.exec_driver_sql(
                "EXPLAIN SELECT key, person_id FROM person_search_key WHERE key >= 'a' AND key < 'b'"
                " ORDER BY key, person_id LIMIT 30"
            )
            assert "Sort" not in "".join(line for (line,) in plan)


def test_the_officer_is_warned_of_names_and_nothing_is_forbidden(any_database: Engine) -> None:
    assert review.warn_of_names(PersonRecord(), load_rules("morocco").rules) == ()
    titled = applicant_record(given_names={"arabic": "مولاي أحمد", "latin": "MOULAY AHMED"})
    odd = begin_application(any_database, record=titled)
    assert review.compare(any_database, odd.id, VALIDATOR, NOW).name_warnings == ("legacy-title", "spellings-differ")


@pytest.mark.both_databases
@pytest.mark.parametrize("declines", [False, True])
def test_who_comes_first_is_stated_shown_and_then_found_by_an_officer(
    any_database: Engine, blobs: BlobStore, declines: bool
) -> None:
    """The rules' papers are wanted for it; what the applicant says counts for nothing until it was validated."""
    application = begin_application(any_database, category="ill")
    assert "medical-certificate" in views.requirements(any_database, application.id, APPLICANT, NOW).papers
    drafts.state_category(any_database, application.id, None, APPLICANT, NOW)
    assert "medical-certificate" not in views.requirements(any_database, application.id, APPLICANT, NOW).papers
    complete_application(any_database, blobs, application)
    stated = drafts.state_category(any_database, application.id, "ill", APPLICANT, NOW)
    with pytest.raises(EnrolmentError, match="missing: medical-certificate"):
        acts.submit(any_database, application.id, APPLICANT, NOW)
    documents.attach(any_database, blobs, application.id, paper("medical-certificate"), APPLICANT, NOW)
    acts.submit(any_database, application.id, APPLICANT, NOW)
    with pytest.raises(EnrolmentError) as late:
        drafts.state_category(any_database, application.id, "disabled", APPLICANT, NOW)
    assert late.value.refusal is Refusal.WRONG_STATE
    acts.take_up(any_database, application.id, VALIDATOR, NOW)
    review.validate(any_database, application.id, VALIDATOR, NOW, declines_category=declines)
    found = stored(any_database, application)
    assert (stated.category, found.state, found.category) == ("ill", "VALIDATED", None if declines else "ill")


def test_a_category_that_cannot_be_the_persons(any_database: Engine, blobs: BlobStore) -> None:
    """By age or by reason: nobody submits with it, and an officer need not look."""
    with pytest.raises(RecordError, match="category"):
        begin_application(any_database, category="famous")
    application = begin_application(any_database, category="elderly")  # born 1985
    with pytest.raises(RecordError, match="category"):
        drafts.state_category(any_database, application.id, "famous", APPLICANT, NOW)
    complete_application(any_database, blobs, application)
    for code in ("elderly", "expired-card"):
        drafts.state_category(any_database, application.id, code, APPLICANT, NOW)
        with pytest.raises(EnrolmentError, match="missing: /category"):
            acts.submit(any_database, application.id, APPLICANT, NOW)
    old = begin_application(any_database, category="elderly", record=applicant_record(date_of_birth="1950"))
    complete_application(any_database, blobs, old)
    assert acts.submit(any_database, old.id, APPLICANT, NOW).state == "SUBMITTED"


def test_an_officer_withdraws_and_appeals_at_the_counter(any_database: Engine, blobs: BlobStore) -> None:
    """For whoever comes without a telephone; only at the office that the application is addressed to."""
    application = complete_application(any_database, blobs, begin_application(any_database))
    acts.submit(any_database, application.id, APPLICANT, NOW)
    acts.reject(any_database, application.id, "papers-insufficient", CENTRAL, NOW)
    elsewhere = Actor("clerk-9", frozenset((Role.ENROLMENT_OFFICER,)), "paris-1")
    for act in (acts.appeal, acts.withdraw):
        with pytest.raises(EnrolmentError, match="another office"):
            act(any_database, application.id, elsewhere, NOW)
    assert acts.appeal(any_database, application.id, CLERK, NOW).state == "UNDER_REVIEW"
    assert acts.withdraw(any_database, application.id, CLERK, NOW).state == "WITHDRAWN"
    assert told(any_database, application)[-1] == ("application.withdraw", "enrolment-officer:clerk-1")
    draft = begin_application(any_database)
    assert acts.withdraw(any_database, draft.id, CLERK, NOW).state == "WITHDRAWN"
