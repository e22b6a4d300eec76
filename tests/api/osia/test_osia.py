"""Every OSIA operation with every status code of its published description (vectors/osia-7.1.json)."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from eid.enrolment.roles import Actor
from eid.errors import EnrolmentError, GatewayRefusedError
from eid.services.osia import enrolments
from eid.services.osia.attributes import describe_contact, describe_person
from eid.services.osia.identification import handle_identify
from eid.store.applications import StoredApplication, applications_by, load_application
from eid.store.database import open_database
from eid.store.documents import documents_of
from eid.store.outbox import waiting
from eid.store.persons import insert_person, load_person, new_person_id
from tests.builders.applicants import applicant_record, begin_application, paper
from tests.builders.cards import active_card, card_in_stock
from tests.builders.counter import CLOCK, OFFICER, Counter, build_counter, portrait, take
from tests.builders.osia import OPERATIONS, System
from tests.builders.registry import Office, build_office

pytestmark = pytest.mark.anyio
NOBODY = "00000000-0000-7000-8000-0000000000ff"
RECORD = applicant_record()
BIOGRAPHIC = describe_person(RECORD)
ENROLMENT: dict[str, Any] = {
    "enrollmentType": "citizen",
    "requestData": {"requestType": "FIRST_ISSUANCE", "priority": 1, "deliveryOffice": "rabat-1"},
    "contextualData": {"language": "fr"},
    "biographicData": {**BIOGRAPHIC, **describe_contact(RECORD), "civilStatusNumber": "123/1985", "specimen": True},
}
REQUEST: dict[str, Any] = {
    "personId": NOBODY,
    "biographicData": {"lastName": "SPECIMEN"},
    "requestData": {"priority": 1, "credentialProfileId": "ma-cnie", "requestType": "FIRST_ISSUANCE"},
}
CREDENTIAL = {"credentialId": NOBODY, "status": "NEW", "personId": NOBODY, "credentialProfileId": "ma-cnie"}
BY_NUMBER = [{"attributeName": "credentialNumber", "operator": "=", "value": "SPM00001"}]
WANTED = {"attributeSet": {"biographicData": {"lastName": "SPECIMEN"}}, "outputAttributeSetName": "DEFAULT_SET_01"}
# A body that each operation takes, so that what refuses it is never the body.
BODIES: dict[str, dict[str, Any]] = {
    "createCredentialRequest": {"body": REQUEST},
    "updateCredentialRequest": {"body": REQUEST},
    "findCredentials": {"body": BY_NUMBER},
    "updateCredential": {"body": CREDENTIAL},
    "revokeCredential": {"body": {"reason": "lost"}},
    "setCredentialStatus": {"body": {"status": "SUSPENDED"}},
    "findCredentialProfiles": {"body": []},
    "createEnrollment": {"body": ENROLMENT},
    "updateEnrollment": {"body": ENROLMENT},
    "partialUpdateEnrollment": {"body": {"enrollmentType": "resident"}},
    "findEnrollments": {"body": []},
    "createBuffer": {"content": b"P", "headers": {"Content-Type": "image/png"}},
    "subscribe": {"query": {"topic": "cards", "address": "https://receiver.example/"}},
    "confirm": {"query": {"token": f"{NOBODY}.00"}},
    "createTopic": {"query": {"name": "cards"}},
    "publish": {"content": b"hello", "headers": {"Content-Type": "plain/text"}},
    "verify": {"body": {"biographicData": {"lastName": "SPECIMEN"}}},
    "readAttributes": {"body": {"outputBiographicData": ["lastName"]}},
    "identify": {"body": WANTED},
    "generateUIN": {"body": {"lastName": "SPECIMEN"}},
}
PLACES = {
    "credentialRequestId": "R-1",
    "credentialId": NOBODY,
    "enrollmentId": "E-1",
    "bufferId": NOBODY,
    "uuid": NOBODY,
    "identifier": "ZZ999999",
    "attributeSetName": "DEFAULT_SET_01",
    "taskID": NOBODY,
}
NO_OTHER_FAULT = frozenset(("listSubscription", "listTopics"))  # nothing of theirs can be malformed


def given(operation: str, **changes: Any) -> dict[str, Any]:
    """Places and a body for an operation, of what is not there."""
    places = {item["name"] for item in OPERATIONS[operation][1]["parameters"] if item["in"] == "path"}
    return {**{name: PLACES[name] for name in places}, **BODIES.get(operation, {}), **changes}


@pytest.fixture
def office(any_database: Engine) -> Iterator[Office]:
    return build_office(any_database)


@pytest.fixture
def system(office: Office) -> System:
    return System(office)


@pytest.fixture
def counter(any_database: Engine, tmp_path: Path, office: Office) -> Counter:
    office.clock.now = CLOCK
    return build_counter(any_database, tmp_path)


async def refuse_everything(system: System, tmp_path: Path, *interfaces: str) -> None:
    """Nobody known, no scope, nothing said, nothing there, and a database without tables: of every operation.

    None of that is different on another database, so it is done on one.
    """
    if not is_first(system):
        return
    broken = build_office(open_database(f"sqlite:///{tmp_path}/broken.db"))
    issuer = broken.registry.rules.issuer.model_copy(update={"profile": "none-such"})
    rules = broken.registry.rules.model_copy(update={"issuer": issuer})
    broken = Office(replace(broken.registry, rules=rules, clock=system.office.clock), system.office.clock)
    for name, (interface, described) in OPERATIONS.items():
        if interface not in interfaces:
            continue
        await system(name, 401, known=False, **given(name))
        await system(name, 403, known=False, **{**given(name), "headers": system.office.headers(scope="id.other")})
        await system(name, 500, office=broken, **given(name, **_taken(name, broken)))
        if "400" in described["responses"]:
            await system(name, 400, **_malformed(name))
        if "404" in described["responses"] and name not in ("findCredentialProfiles", "identify"):
            await system(name, 404, **given(name))
    broken.registry.engine.dispose()


def is_first(system: System) -> bool:
    return system.office.registry.engine.dialect.name == "sqlite"


def require_all_seen(system: System, *interfaces: str) -> None:
    if is_first(system):
        assert system.unseen(*interfaces) == set()


def _taken(name: str, broken: Office) -> dict[str, Any]:
    """What brings an operation to the database, where its own checks come first."""
    if name == "createCredentialRequest":
        return {"body": {**REQUEST, "requestData": {**REQUEST["requestData"], "credentialProfileId": "none-such"}}}
    if name == "confirm":
        tag = broken.registry.keys.tag("subscription-confirmation", uuid.UUID(NOBODY).bytes)
        return {"query": {"token": f"{NOBODY}.{tag.hex()}"}}
    return {}


def _malformed(name: str) -> dict[str, Any]:
    described = OPERATIONS[name][1]
    asked = given(name)
    if any(item["name"] == "transactionId" for item in described["parameters"]):
        return {**asked, "query": {"transactionId": None}}
    if "uuid" in asked:
        return {**asked, "uuid": "no-uuid"}
    return {**asked, "query": {}}


# ------------------------------------------------------------------------------------------------ credential management
@pytest.mark.both_databases
async def test_credential_management(system: System, any_database: Engine, tmp_path: Path):
    await refuse_everything(system, tmp_path, "cms")
    application = begin_application(any_database, record=RECORD)
    asked = {**REQUEST, "personId": str(application.person_id), "biographicData": BIOGRAPHIC}
    await _requests(system, asked)
    await _credentials(system, any_database)
    require_all_seen(system, "cms")


async def _requests(system: System, asked: dict[str, Any]) -> None:
    here = {"credentialRequestId": "R-7"}
    for wrong in (
        {"personId": NOBODY},
        {"biographicData": {"lastName": "ANOTHER"}},
        {"requestData": {**asked["requestData"], "credentialProfileId": "zz-none"}},
        {"requestData": {**asked["requestData"], "requestType": "OTHER"}},
        {"surprise": 1},
    ):
        refused = await system("createCredentialRequest", 400, body={**asked, **wrong}, **here)
        assert "ANOTHER" not in refused.text
    await system("createCredentialRequest", 201, body=asked, **here)
    await system("createCredentialRequest", 409, body=asked, **here)
    found = (await system("readCredentialRequest", 200, **here)).json()
    assert (found["status"], found["credentialIds"], found["credentialRequestId"]) == ("PENDING", [], "R-7")
    assert found["biographicData"] == asked["biographicData"]
    part = (await system("readCredentialRequest", 200, query={"attributes": ["lastName"]}, **here)).json()
    assert part["biographicData"] == {"lastName": "SPECIMEN"}
    with system.office.registry.engine.connect() as connection:
        (made,) = applications_by(connection, "system-1")
    assert (made.state, made.reason) == ("DRAFT", "first")
    urgent = {**asked, "requestData": {**asked["requestData"], "priority": 9}}
    await system("updateCredentialRequest", 204, body=urgent, **here)
    assert (await system("readCredentialRequest", 200, **here)).json()["requestData"]["priority"] == 9
    other = {**asked, "requestData": {**asked["requestData"], "requestType": "RENEWAL"}}
    refused = await system("updateCredentialRequest", 403, body=other, **here)
    assert refused.headers["refusal"] == "wrong-state"
    await System(system.office, sub="system-2")("cancelCredentialRequest", 403, **here)
    await system("cancelCredentialRequest", 204, **here)
    assert (await system("readCredentialRequest", 200, **here)).json()["status"] == "CANCELLED"
    await system("cancelCredentialRequest", 403, **here)


async def _credentials(system: System, engine: Engine) -> None:
    card = active_card(engine)
    here = {"credentialId": str(card.id)}
    found = (await system("readCredential", 200, **here)).json()
    assert (found["status"], found["credentialNumber"]) == ("ACTIVE", "SPM00001")
    assert found["expiryDate"] == "2036-05-31T23:59:59+01:00"
    assert (await system("findCredentials", 200, body=BY_NUMBER)).json() == [found]
    late = [*BY_NUMBER, {"attributeName": "expiryDate", "operator": "<", "value": "2030"}]
    assert (await system("findCredentials", 200, body=late)).json() == []
    refused = await system("findCredentials", 400, body=[{"attributeName": "status", "operator": "=", "value": "NEW"}])
    assert refused.json()["code"] == 422
    few = (await system("readCredential", 200, query={"attributes": ["serialNumber"]}, **here)).json()
    assert few.keys() == {"credentialId", "status", "personId", "credentialProfileId"}
    await system("updateCredential", 204, body={**CREDENTIAL, "issuingPlace": "Rabat", "others": {"shelf": 3}}, **here)
    await system("updateCredential", 204, body={**CREDENTIAL, "issuingPlace": "Sale"}, **here)
    assert (await system("readCredential", 200, **here)).json()["issuingPlace"] == "Sale"
    await system("updateCredential", 403, body={**CREDENTIAL, "expiryDate": "2099-01-01T00:00:00Z"}, **here)
    await system("suspendCredential", 204, body={"reason": "lost"}, **here)
    await system("suspendCredential", 403, **here)
    await system("unsuspendCredential", 204, body={"reason": "found"}, **here)
    await system("setCredentialStatus", 204, body={"status": "SUSPENDED", "requester": "police"}, **here)
    await system("setCredentialStatus", 204, body={"status": "ACTIVE"}, **here)
    await system("setCredentialStatus", 400, body={"status": "SHREDDED"}, **here)
    await system("revokeCredential", 400, body={"reason": "bored"}, **here)
    await system("revokeCredential", 204, body={"reason": "stolen"}, **here)
    await system("setCredentialStatus", 403, body={"status": "REVOKED", "reason": "lost"}, **here)
    assert (await system("readCredential", 200, **here)).json()["status"] == "REVOKED"
    stocked = card_in_stock(engine, "SPM00002", 8)
    await system("setCredentialStatus", 204, body={"status": "ACTIVE"}, credentialId=str(stocked.id))
    (profile,) = (await system("findCredentialProfiles", 200, body=[])).json()
    assert (profile["credentialProfileId"], profile["defaultLifetime"]) == ("ma-cnie", 3652)
    other = [{"attributeName": "credentialProfileId", "operator": "=", "value": "passport"}]
    await system("findCredentialProfiles", 404, body=other)


# ------------------------------------------------------------------------------------------------------------ enrolment
async def test_enrollment(system: System, tmp_path: Path):
    await refuse_everything(system, tmp_path, "enrollment")
    here = {"enrollmentId": "E-7"}
    await system("createEnrollment", 204, body={"enrollmentType": "citizen"}, **here)
    await system("createEnrollment", 409, body=ENROLMENT, **here)
    await system("updateEnrollment", 204, body=ENROLMENT, **here)
    patch = {"biographicData": {"gender": None, "nationality": "FRA"}, "enrollmentId": None}
    await system("partialUpdateEnrollment", 204, body=patch, **here)
    found = (await system("readEnrollment", 200, **here)).json()
    expected = {**ENROLMENT["biographicData"], "nationality": "FRA"}
    del expected["gender"]
    assert (found["status"], found["biographicData"]) == ("IN_PROGRESS", expected)
    await system("partialUpdateEnrollment", 400, body={"biometricData": [{"biometricType": "NOSE"}]}, **here)
    await system("partialUpdateEnrollment", 204, body={"biographicData": {"gender": "F", "nationality": "MAR"}}, **here)
    await _buffers(system, here)
    await _finalizing(system, here)
    search = [{"attributeName": "lastName", "operator": "=", "value": "SPECIMEN"}]
    (only,) = (await system("findEnrollments", 200, body=search)).json()
    assert (only["enrollmentId"], only["status"]) == ("E-7", "FINALIZED")
    assert (await system("findEnrollments", 200, body=search, query={"offset": 1})).json() == []
    none = [{"attributeName": "dateOfBirth", "operator": "<", "value": "1900"}]
    assert (await system("findEnrollments", 200, body=none)).json() == []
    by_name = [{"attributeName": "enrollmentId", "operator": "=", "value": "E-7"}]
    assert (await system("findEnrollments", 200, body=by_name)).json() == [only]
    for value in ("E-77", "x" * 200):
        named = [{**by_name[0], "value": value}]
        assert (await system("findEnrollments", 200, body=named)).json() == []
    assert (await system("findEnrollments", 200, body=[*by_name, *none])).json() == []
    await system("createEnrollment", 204, body={}, enrollmentId="E-8")
    for status, names in (("IN_PROGRESS", ["E-8"]), ("FINALIZED", ["E-7"]), ("GONE", [])):
        by_state = [{"attributeName": "status", "operator": "=", "value": status}]
        found = (await system("findEnrollments", 200, body=by_state)).json()
        assert [item["enrollmentId"] for item in found] == names
    everything = (await system("findEnrollments", 200, body=[])).json()
    assert [item["enrollmentId"] for item in everything] == ["E-8", "E-7"]
    await system("deleteEnrollment", 204, enrollmentId="E-8")
    await system("readEnrollment", 404, enrollmentId="E-8")
    require_all_seen(system, "enrollment")


async def _buffers(system: System, here: dict[str, str]) -> None:
    image = b"\x89PNG SPECIMEN"
    png = {"Content-Type": "image/png"}
    digest = base64.b64encode(hashlib.sha256(image).digest()).decode()
    sent = await system("createBuffer", 201, content=image, headers={**png, "Digest": f"SHA-256={digest}"}, **here)
    wrong = {**png, "Digest": f"SHA-256={digest[::-1]}"}
    await system("createBuffer", 400, content=image, headers=wrong, **here)
    await system("createBuffer", 400, content=image, headers={"Content-Type": "text/html"}, **here)
    got = await system("readBuffer", 200, bufferId=sent.json()["bufferId"], **here)
    assert (got.content, got.headers["content-type"], got.headers["digest"]) == (
        image, "image/png", f"SHA-256={digest}",
    )  # fmt: skip
    await system("createEnrollment", 204, body={}, enrollmentId="E-9")
    await system("readBuffer", 404, bufferId=sent.json()["bufferId"], enrollmentId="E-9")
    await system("deleteEnrollment", 204, enrollmentId="E-9")


async def _papers(system: System, here: dict[str, str]) -> None:
    """One in the enrollment itself, one in a buffer; a file that lies about its type lets nothing begin."""
    pdf = paper("birth-record").content
    sent = await system("createBuffer", 201, content=pdf, headers={"Content-Type": "application/pdf"}, **here)
    reference = f"https://registry.example/v1/enrollments/E-7/buffer/{sent.json()['bufferId']}"
    birth = {"documentType": "BIRTH_CERTIFICATE", "parts": [{"dataRef": reference, "mimeType": "application/pdf"}]}
    inline = {"data": base64.b64encode(portrait()).decode(), "mimeType": "image/jpeg"}
    photograph = {"documentType": "OTHER", "documentTypeOther": "photograph", "parts": [inline]}
    dates = {"contextualData": {"documentDates": {"birth-record": "2026-11-01"}}}
    for wrong in (
        {**birth, "parts": [{**birth["parts"][0], "mimeType": "image/png"}]},
        {**birth, "parts": [{"dataRef": f"https://elsewhere.example/buffer/{NOBODY}"}]},
        {**birth, "parts": [*birth["parts"], inline]},
        {**photograph, "documentTypeOther": "holiday-pictures"},
        {**photograph, "documentTypeOther": "old-card"},
    ):
        await system("partialUpdateEnrollment", 204, body={**dates, "documentData": [wrong]}, **here)
        await system("finalizeEnrollment", 400, **here)
    with system.office.registry.engine.connect() as connection:
        assert {item.state for item in applications_by(connection, "system-1")} <= {"WITHDRAWN"}
    await system("partialUpdateEnrollment", 204, body={"documentData": [birth, photograph]}, **here)


async def _finalizing(system: System, here: dict[str, str]) -> None:
    await system("createEnrollment", 400, body={"biographicData": {}}, query={"finalize": "true"}, enrollmentId="E-3")
    await system("readEnrollment", 404, enrollmentId="E-3")  # nothing of it stayed
    await _papers(system, here)
    await system("finalizeEnrollment", 204, **here)
    with system.office.registry.engine.connect() as connection:
        (made,) = (item for item in applications_by(connection, "system-1") if item.state == "DRAFT")
        person = load_person(connection, made.person_id)
        papers = {item.paper for item in documents_of(connection, made.id)}
    assert papers == {"birth-record", "photograph"}
    assert (made.state, made.site, made.language) == ("DRAFT", "rabat-1", "fr")
    assert person is not None
    assert (person.personal_number, person.phone) == ("ZZ123456", "+212600000001")
    for operation in ("finalizeEnrollment", "updateEnrollment", "partialUpdateEnrollment", "deleteEnrollment"):
        assert (await system(operation, 403, **{**given(operation), **here})).headers["refusal"] == "wrong-state"


def test_of_two_who_finalize_at_once_one_begins_an_application(office: Office, monkeypatch: pytest.MonkeyPatch):
    registry, system, begin = office.registry, Actor("system-1", frozenset()), enrolments._begin

    def be_late(*given: Any) -> uuid.UUID:
        monkeypatch.setattr(enrolments, "_begin", begin)
        enrolments.finalize(registry, "E-9", system)
        return begin(*given)

    enrolments.create_enrolment(registry, "E-9", ENROLMENT, system, final=False)
    monkeypatch.setattr(enrolments, "_begin", be_late)
    with pytest.raises(EnrolmentError, match="final"):
        enrolments.finalize(registry, "E-9", system)
    with registry.engine.connect() as connection:
        states = [item.state for item in applications_by(connection, "system-1", 10)]
    assert states.count("DRAFT") == 1


def capture_of(counter: Counter, application: StoredApplication) -> dict[str, Any]:
    """What an officer captured, as an enrolment."""
    items = take("OSIA")
    record = counter.record(application, items)
    context = {
        "applicationId": str(application.id),
        "captureRecord": base64.b64encode(counter.sign(record)).decode(),
    }
    taken = [
        {"biometricType": "FACE", "image": base64.b64encode(items["portrait"]).decode()},
        *(
            {
                "biometricType": "FINGER",
                "biometricSubType": name.upper().replace("-", "_"),
                "template": base64.b64encode(items[name]).decode(),
            }
            for name in ("right-index", "left-index")
        ),
    ]
    return {"contextualData": context, "biometricData": taken}


def test_a_capture_that_was_taken_in_ends_its_enrollment_whoever_died_in_between(
    system: System, counter: Counter, monkeypatch: pytest.MonkeyPatch
):
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    application, registry = counter.present(), system.office.registry
    enrolments.create_enrolment(registry, "E-5", capture_of(counter, application), OFFICER, final=False)
    with monkeypatch.context() as patch:
        patch.setattr(enrolments, "rewrite", die)
        with pytest.raises(KeyboardInterrupt):
            enrolments.finalize(registry, "E-5", OFFICER)
    assert counter.reload(application).state == "CAPTURED"
    enrolments.finalize(registry, "E-5", OFFICER)
    assert enrolments.read_enrolment(registry, "E-5", OFFICER)["status"] == "FINALIZED"


async def test_a_capture_comes_as_an_enrollment(system: System, counter: Counter):
    application = counter.present()
    body = capture_of(counter, application)
    context, taken = body["contextualData"], body["biometricData"]
    final = {"query": {"finalize": "true"}, "enrollmentId": "E-1"}
    await system("createEnrollment", 403, body=body, **final)  # it is not the officer who has signed it
    officer = System(system.office, sub=OFFICER.id)
    for wrong in (
        {**body, "biometricData": taken[:1]},
        {**body, "contextualData": {**context, "captureRecord": "AAAA"}},
        {**body, "contextualData": {**context, "applicationId": NOBODY}},
        {**body, "biometricData": [{"biometricType": "IRIS", "image": "AAAA"}]},
    ):
        status = 403 if wrong["biometricData"] == taken[:1] else 400
        await officer("createEnrollment", status, body=wrong, **final)
    assert counter.reload(application).state == "CHECKED_IN"
    await officer("createEnrollment", 204, body=body, **final)
    assert counter.reload(application).state == "CAPTURED"


# -------------------------------------------------------------------------------------------- third parties and numbers
async def test_third_party_services(system: System, counter: Counter, tmp_path: Path, any_database: Engine):
    await refuse_everything(system, tmp_path, "3rdparty", "uin")
    shelves = {"keys": counter.blobs.keys, "documents": counter.blobs.address}  # where the counter lays its images
    system.office = Office(replace(system.office.registry, **shelves), system.office.clock)
    application = counter.search(counter.capture(counter.present()))
    person = load(any_database, application.person_id)
    active_card(any_database, person_id=application.person_id, application_id=application.id)
    await _verifying(system)
    await _reading(system, str(application.person_id))
    await _identifying(system, counter, any_database)
    number = (await system("generateUIN", 200, body={"lastName": "SPECIMEN", "age": 30})).json()
    other = (await system("generateUIN", 200, body={"lastName": "SPECIMEN"})).json()
    assert (number[:2], len(number), number == other) == ("ZX", 8, False)
    await system("generateUIN", 400, body={})
    await system("generateUIN", 400, body={"personId": NOBODY})
    unnumbered = new_person_id(CLOCK)
    with any_database.begin() as connection:
        insert_person(connection, replace(person, id=unnumbered, personal_number=None), (), CLOCK)
    assert (await system("generateUIN", 200, body={"personId": str(unnumbered)})).json()[:2] == "ZX"
    await system("generateUIN", 403, body={"personId": str(unnumbered)})  # a second one
    await system("generateUIN", 403, body={"personId": str(application.person_id)})  # who has one
    assert person.state == "VALID"
    require_all_seen(system, "3rdparty", "uin")


def load(engine: Engine, person_id: uuid.UUID) -> Any:
    with engine.connect() as connection:
        return load_person(connection, person_id)


async def _verifying(system: System) -> None:
    here = {"identifier": "ZZ123456"}
    stated = {"biographicData": {"lastName": "SPECIMEN", "dateOfBirth": "1985-02-14"}}
    good = (await system("verify", 200, body=stated, **here)).json()
    assert (good["verificationCode"], "verificationProof" in good) == (1, True)
    plain = await system("verify", 200, body=stated, query={"verificationProofRequired": "false"}, **here)
    assert plain.json() == {"verificationCode": 1, "verificationMessage": "matched"}
    for wrong in (
        {"biographicData": {"lastName": "SPECIMEN", "dateOfBirth": "1985-02-15"}},
        {"biographicData": {"shoeSize": 40}},
        {"contactData": {"phone1": "+212600000009"}},
        {"credentialData": [{"credentialNumber": "SPM99999"}]},
    ):
        found = (await system("verify", 200, body=wrong, **here)).json()
        assert found == {"verificationCode": 0, "verificationMessage": "not matched"}
    card = {"credentialData": [{"credentialNumber": "SPM00001", "status": "ACTIVE"}]}
    by_card = {"query": {"identifierType": "credentialNumber"}, "identifier": "SPM00001"}
    assert (await system("verify", 200, body=card, **by_card)).json()["verificationCode"] == 1
    for refused in ({}, {"biometricData": [{"biometricType": "FACE", "image": "AA=="}]}):
        await system("verify", 400, body=refused, **here)
    await system("verify", 400, body=stated, query={"identifierType": "token"}, **here)


async def _reading(system: System, person: str) -> None:
    here = {"identifier": "ZZ123456"}
    told = (await system("readAttributeSet", 200, attributeSetName="DEFAULT_SET_01", **here)).json()
    names = ("lastName", "firstName", "dateOfBirth", "gender", "nationality")
    assert told == {"biographicData": {name: BIOGRAPHIC[name] for name in names}}
    cards = (await system("readAttributeSet", 200, attributeSetName="SET_CREDENTIAL_01", **here)).json()
    (card,) = cards["credentialData"]
    assert (card["credentialNumber"], card["status"], card["credentialType"]) == ("SPM00001", "ACTIVE", "ID_CARD")
    face = (await system("readAttributeSet", 200, attributeSetName="SET_BIOM_01", **here)).json()["biometricData"]
    await system("readAttributeSet", 404, attributeSetName="NONE", **here)
    elsewhere = system.office.headers(scope="id.EIDAS.read")  # each set has a scope of its own
    await system("readAttributeSet", 403, known=False, headers=elsewhere, attributeSetName="DEFAULT_SET_01", **here)
    wanted = {
        "outputBiographicData": ["uin", "shoeSize"],
        "outputContactData": ["phone1"],
        "outputCredentialData": [{"credentialType": "ID_CARD", "credentialDataFields": ["personId"]}],
        "outputBiometricData": [{"biometricType": "FACE"}],
    }
    assert (await system("readAttributes", 200, body=wanted, **here)).json() == {
        "biographicData": {"uin": "ZZ123456"},
        "contactData": {"phone1": "+212600000001"},
        "credentialData": [{"personId": person}],
        "biometricData": face,
    }


async def _identifying(system: System, counter: Counter, engine: Engine) -> None:
    (found,) = (await system("identify", 200, body=WANTED)).json()
    assert found["biographicData"]["firstName"] == "FATIMA ZAHRA"
    by_phone = {**WANTED, "attributeSet": {"contactData": {"phone1": "+212600000001"}}}
    by_mail = {**WANTED, "attributeSet": {"contactData": {"email": "fatima@specimen.invalid"}}}
    for asked in (by_phone, by_mail):
        assert (await system("identify", 200, body=asked)).json() == [found]
    nobody = {**WANTED, "attributeSet": {"biographicData": {"lastName": "SPECIMEN", "gender": "M"}}}
    assert (await system("identify", 200, body=nobody)).json() == []
    await system("identify", 404, body={**WANTED, "attributeSet": {"biographicData": {"uin": "ZZ999999"}}})
    await system("identify", 404, body={**WANTED, "outputAttributeSetName": "NONE"})
    await system("identify", 400, body={**WANTED, "attributeSet": {"biographicData": {"gender": "M"}}})
    finger = take(str(_person(engine)))["right-index"]
    template = {"template": base64.b64encode(finger).decode(), "templateFormat": "ISO_19794_2"}
    item = {"biometricType": "FINGER", "biometricSubType": "RIGHT_INDEX", **template}
    asked = {**WANTED, "attributeSet": {"biometricData": [item]}}
    task = (await system("identify", 202, body=asked)).json()["taskId"]
    await system("readIdentifyResult", 204, taskID=task)
    await System(system.office, sub="system-2")("readIdentifyResult", 404, taskID=task)
    _work(system, engine, counter)
    assert (await system("readIdentifyResult", 200, taskID=task)).json() == [found]
    assert not any(str(task) in key for key in counter.abis.encounters)  # type: ignore[attr-defined]  # the sandbox's
    later = (await system("identify", 202, body=asked)).json()["taskId"]
    with pytest.raises(GatewayRefusedError):
        _work(system, engine, None)
    await system("readIdentifyResult", 500, taskID=later)


def _person(engine: Engine) -> uuid.UUID:
    with engine.connect() as connection:
        (application,) = applications_by(connection, "applicant-1")
        found = load_application(connection, application.id)
    assert found is not None
    return found.person_id


def _work(system: System, engine: Engine, counter: Counter | None) -> None:
    registry = system.office.registry
    workshop: Any = SimpleNamespace(
        engine=engine, keys=registry.keys, now=registry.now, settings=SimpleNamespace(abis="")
    )
    with engine.connect() as connection:
        works = [item for item in waiting(connection, 1000) if item.kind == "osia.identify"]
    for item in works:
        handle_identify(workshop, item, None if counter is None else counter.abis)
        handle_identify(workshop, item, None)  # again: it is done
