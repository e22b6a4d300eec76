"""Who may do what: every operation against every role, written by hand and not derived from the code.

The table says what roles may reach an operation at all; that an officer may not approve his own file, or look into
another office's, is shown below it, for it depends on the file. A route that the table does not name fails the test.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import update

from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError, NotStoredError, Refusal
from eid.services.application import approval, views
from eid.services.application.enrolment import register_officer_key
from eid.services.card.cards import CardOrder, order_card
from eid.services.card.stock import open_store, receive_batch
from eid.store.applications import StoredApplication
from eid.store.audit import bucket_of
from eid.store.card_tables import card
from eid.store.database import in_transaction
from tests.builders.applicants import ADMINISTRATOR, DOCUMENT, VALIDATOR, applicant_record
from tests.builders.counter import CLOCK, MAKER, OFFICER, Counter, build_counter, take
from tests.builders.databases import ready_sqlite
from tests.builders.issuance import signer
from tests.builders.registry import Office, build_office, issue_token

pytestmark = pytest.mark.anyio

COLUMNS = {
    "A": Role.APPLICANT,
    "E": Role.ENROLMENT_OFFICER,
    "V": Role.VALIDATING_OFFICER,
    "J": Role.ADJUDICATOR,
    "P": Role.APPROVER,
    "M": Role.PRODUCTION_OPERATOR,
    "D": Role.DELIVERY_OPERATOR,
    "C": Role.CALL_CENTRE_AGENT,
    "K": Role.CASHIER,
    "Y": Role.PAYMENT_PROVIDER,
    "R": Role.RELYING_PARTY,
    "H": Role.KEY_OPERATOR,
    "U": Role.AUDITOR,
    "X": Role.ADMINISTRATOR,
}
# "open": also of nobody known. "known": of everybody known. Else the columns' letters, those of roles that may.
TABLE = """
POST   /v1/sessions/codes                              open
POST   /v1/sessions                                    open
DELETE /v1/sessions/current                            A . . . . . . . . . . . . .
GET    /v1/me                                          known
GET    /healthz                                        open
GET    /metrics                                        open
GET    /v1/fees                                        open
GET    /v1/services                                    open
POST   /v1/applications                                A E . . . . . . . . . . . .
GET    /v1/applications                                A E V J P M D C . . . . . X
POST   /v1/applications/find                           . E V J P M D C . . . . . X
GET    /v1/applications/{application_id}               A E V J P . . . . . . . . .
GET    /v1/applications/{application_id}/status        A E V J P M D C . . . . . X
PUT    /v1/applications/{application_id}/record        A E . . . . . . . . . . . .
PUT    /v1/applications/{application_id}/category      A E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/needs         A E V J P . . C . . . . . .
POST   /v1/applications/{application_id}/submit        A E . . . . . . . . . . . .
POST   /v1/applications/{application_id}/take-up       . . V . . . . . . . . . . .
POST   /v1/applications/{application_id}/request-information . . V . . . . . . . . . . .
POST   /v1/applications/{application_id}/supply        A E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/comparison    . . V J . . . . . . . . . .
POST   /v1/applications/{application_id}/validate      . . V . . . . . . . . . . .
POST   /v1/applications/{application_id}/reject        . . V J P . . . . . . . . .
POST   /v1/applications/{application_id}/appeal        A E . . . . . . . . . . . .
POST   /v1/applications/{application_id}/withdraw      A E . . . . . . . . . . . .
POST   /v1/applications/{application_id}/cancel        . . . . . . . . . . . . . X
POST   /v1/applications/{application_id}/documents     A E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/documents     A E V J P . . . . . . . . .
GET    /v1/applications/{application_id}/documents/{document_id} A E V J P . . . . . . . . .
DELETE /v1/applications/{application_id}/documents/{document_id} A E . . . . . . . . . . . .
POST   /v1/officerKeys                                 . . . . . . . . . . . . . X
DELETE /v1/officerKeys/{key_id}                        . . . . . . . . . . . . . X
POST   /v1/applications/{application_id}/capture       . E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/capture       . E . J P . . . . . . . . .
GET    /v1/applications/{application_id}/capture/items/{name} . E . J P . . . . . . . . .
GET    /v1/holds                                       . . . J P . . . . . . . U .
GET    /v1/applications/{application_id}/holds         . . . J P . . . . . . . U .
POST   /v1/applications/{application_id}/holds         . . V J P . . . . . . . . .
POST   /v1/holds/{hold_id}/settle                      . . . J . . . . . . . . . .
POST   /v1/applications/{application_id}/clear         . . . J . . . . . . . . . .
POST   /v1/abis/answers                                . . . . . . . . . . . . . .
POST   /v1/applications/{application_id}/approve       . . . . P . . . . . . . . .
POST   /v1/applications/{application_id}/return        . . . . P . . . . . . . . .
GET    /v1/personalizationJobs                         . . . . . M D . . . . . U X
GET    /v1/personalizationJobs/{job_id}                . . . . . M D . . . . . U X
GET    /v1/personalizationJobs/{job_id}/events         . . . . . M D . . . . . U X
POST   /v1/personalizationJobs/{job_id}/claim          . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/release        . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/start          . . . . . M . . . . . . . .
GET    /v1/personalizationJobs/{job_id}/record         . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/events         . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/retry          . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/written        . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/pass           . . . . . M . . . . . . . .
POST   /v1/personalizationJobs/{job_id}/reject         . . . . . M . . . . . . . .
POST   /v1/stockStores                                 . . . . . M . . . . . . . X
GET    /v1/stockStores                                 . . . . . M . . . . . . U X
GET    /v1/stockStores/{store_id}/balance              . . . . . M . . . . . . U X
POST   /v1/stockStores/{store_id}/counts               . . . . . M . . . . . . . X
POST   /v1/stockBatches                                . . . . . M . . . . . . . X
GET    /v1/stockItems                                  . . . . . M . . . . . . U X
POST   /v1/stockItems/{serial}/spoil                   . . . . . M . . . . . . . .
POST   /v1/stockItems/{serial}/destroy                 . . . . . M . . . . . . . X
POST   /v1/applications/{application_id}/ship          . . . . . . D . . . . . . .
POST   /v1/applications/{application_id}/arrive        . E . . . . D . . . . . . .
POST   /v1/applications/{application_id}/hand-over     . E . . . . D . . . . . . .
GET    /v1/cards                                       A . . . . . . . . . . . . .
POST   /v1/cards/search                                . E . . . M D C . . . . . X
POST   /v1/cards/status                                . . . . . . . . . . R . . .
GET    /v1/cards/uncollected                           . E . . . . D . . . . . . .
POST   /v1/cards/{card_id}/destroy                     . E . . . . D . . . . . . .
GET    /v1/cards/{card_id}                             A E . . . M D C . . . . . X
POST   /v1/cards/{card_id}/suspend                     A E . . . . . C . . . . . X
POST   /v1/cards/{card_id}/resume                      . E . . . . D . . . . . . .
POST   /v1/cards/{card_id}/revoke                      . E . . . . D . . . . . . X
POST   /v1/persons/search                              . E V J . . . C . . . . . .
POST   /v1/calls                                       . . . . . . . C . . . . . .
GET    /v1/calls/{call_id}                             . . . . . . . C . . . . . .
POST   /v1/calls/{call_id}/stamps                      . . . . . . . C . . . . . .
POST   /v1/calls/{call_id}/messages                    . . . . . . . C . . . . . .
POST   /v1/calls/{call_id}/cards                       . . . . . . . C . . . . . .
POST   /v1/calls/{call_id}/appointments                . . . . . . . C . . . . . .
GET    /v1/me/data                                     A . . . . . . . . . . . . .
POST   /v1/me/erasure                                  A . . . . . . . . . . . . .
GET    /v1/statistics/{month}                          . . . . . . . . . . . . U X
GET    /v1/statistics/{month}/csv                      . . . . . . . . . . . . U X
GET    /v1/statistics/{month}/chart                    . . . . . . . . . . . . U X
GET    /statuslists                                    open
GET    /statuslists/{name}                             open
GET    /v1/stamps                                      A . . . . . . . K . . . . .
POST   /v1/stamps                                      A . . . . . . . K . . . . .
GET    /v1/stamps/unsent                               . . . . . . . C K . . . . X
POST   /v1/stamps/look-up                              A E . . . . . C K . . . . X
POST   /v1/stamps/spend                                . E . . . . . . . . . . . .
GET    /v1/stamps/{stamp_id}                           A E . . . . . C K . . . . X
POST   /v1/stamps/{stamp_id}/cancel                    A . . . . . . . . . . . . .
POST   /v1/stamps/{stamp_id}/resend                    A . . . . . . C K . . . . X
POST   /v1/stamps/{stamp_id}/block                     . . . . . . . C . . . . . X
POST   /v1/stamps/{stamp_id}/unblock                   . . . . . . . . . . . . . X
POST   /v1/stamps/{stamp_id}/refund                    . . . . . . . . K . . . . X
GET    /v1/refunds                                     . . . . . . . . K . . . U X
POST   /v1/refunds/{refund_id}/grant                   . . . . . . . . K . . . . X
POST   /v1/refunds/{refund_id}/refuse                  . . . . . . . . K . . . . X
PUT    /v1/applications/{application_id}/stamp         A E . . . . . . . . . . . .
DELETE /v1/applications/{application_id}/stamp         A E . . . . . . . . . . . .
GET    /v1/payment-channels                            open
POST   /v1/stamps/{stamp_id}/payments                  A . . . . . . . K . . . . .
GET    /v1/payments/{payment_id}                       A . . . . . . C K . . . . X
POST   /v1/payment-callbacks/{channel}                 open
POST   /v1/reconciliations/{channel}/{day}             . . . . . . . . K . . . . X
GET    /v1/reconciliations                             . . . . . . . . K . . . U X
GET    /v1/reconciliations/{report_id}                 . . . . . . . . K . . . U X
GET    /v1/sites                                       known
GET    /v1/sites/{code}                                known
PUT    /v1/sites/{code}                                . . . . . . . . . . . . . X
POST   /v1/sites/{code}/closures                       . . . . . . . . . . . . . X
DELETE /v1/sites/{code}/closures/{day}                 . . . . . . . . . . . . . X
GET    /v1/sites/{code}/appointments                   . E . . . . . C . . . . . X
POST   /v1/sites/{code}/walk-ins                       . E . . . . . . . . . . . .
GET    /v1/applications/{id}/offers                    A E . . . . . C . . . . . .
POST   /v1/appointments                                A E . . . . . C . . . . . .
GET    /v1/appointments/{id}                           A E . . . . . C . . . . . X
POST   /v1/appointments/{id}/book                      A E . . . . . C . . . . . .
POST   /v1/appointments/{id}/reschedule                A E . . . . . C . . . . . .
POST   /v1/appointments/{id}/cancel                    A E . . . . . C . . . . . .
POST   /v1/appointments/{id}/check-in                  . E . . . . . . . . . . . .
POST   /v1/appointments/{id}/serve                     . E . . . . . . . . . . . .
POST   /v1/enrollments/{enrollmentId}                  . . . . . . . . . . . . . .
GET    /v1/enrollments/{enrollmentId}                  . . . . . . . . . . . . . .
PUT    /v1/enrollments/{enrollmentId}                  . . . . . . . . . . . . . .
PATCH  /v1/enrollments/{enrollmentId}                  . . . . . . . . . . . . . .
DELETE /v1/enrollments/{enrollmentId}                  . . . . . . . . . . . . . .
PUT    /v1/enrollments/{enrollmentId}/finalize         . . . . . . . . . . . . . .
POST   /v1/enrollments                                 . . . . . . . . . . . . . .
POST   /v1/enrollments/{enrollmentId}/buffer           . . . . . . . . . . . . . .
GET    /v1/enrollments/{enrollmentId}/buffer/{bufferId} . . . . . . . . . . . . . .
POST   /v1/credentialRequests/{credentialRequestId}    . . . . . . . . . . . . . .
GET    /v1/credentialRequests/{credentialRequestId}    . . . . . . . . . . . . . .
PUT    /v1/credentialRequests/{credentialRequestId}    . . . . . . . . . . . . . .
POST   /v1/credentialRequests/{credentialRequestId}/cancel . . . . . . . . . . . . . .
POST   /v1/credentials                                 . . . . . . . . . . . . . .
GET    /v1/credentials/{credentialId}                  . . . . . . . . . . . . . .
PUT    /v1/credentials/{credentialId}                  . . . . . . . . . . . . . .
POST   /v1/credentials/{credentialId}/suspend          . . . . . . . . . . . . . .
POST   /v1/credentials/{credentialId}/unsuspend        . . . . . . . . . . . . . .
POST   /v1/credentials/{credentialId}/revoke           . . . . . . . . . . . . . .
POST   /v1/credentials/{credentialId}/status           . . . . . . . . . . . . . .
POST   /v1/credentialProfiles                          . . . . . . . . . . . . . .
POST   /v1/verify/{identifier}                         . . . . . . . . . . . . . .
GET    /v1/attributes/{attributeSetName}/{identifier}  . . . . . . . . . . . . . .
POST   /v1/attributes/{identifier}                     . . . . . . . . . . . . . .
POST   /v1/identify                                    . . . . . . . . . . . . . .
GET    /v1/identify/{taskID}                           . . . . . . . . . . . . . .
POST   /v1/uin                                         . . . . . . . . . . . . . .
POST   /v1/subscriptions                               . . . . . . . . . . . . . .
GET    /v1/subscriptions                               . . . . . . . . . . . . . .
GET    /v1/subscriptions/confirm                       . . . . . . . . . . . . . .
DELETE /v1/subscriptions/{uuid}                        . . . . . . . . . . . . . .
POST   /v1/topics                                      . . . . . . . . . . . . . .
GET    /v1/topics                                      . . . . . . . . . . . . . .
DELETE /v1/topics/{uuid}                               . . . . . . . . . . . . . .
POST   /v1/topics/{uuid}/publish                       . . . . . . . . . . . . . .
"""
NOBODYS = "00000000-0000-7000-8000-0000000000ff"
VALUES = {"day": "2026-12-01", "month": "2026-11", "channel": "card", "code": "rabat-1"}


def read_table() -> dict[tuple[str, str], str]:
    rows = [line.split(maxsplit=2) for line in TABLE.strip().splitlines()]
    found = {(method, path): allowed for method, path, allowed in rows}
    assert len(found) == len(rows), "an operation stands twice in the table"
    for allowed in found.values():
        cells = allowed.split()
        assert allowed in ("open", "known") or all(
            cell in (".", letter) for cell, letter in zip(cells, COLUMNS, strict=True)
        ), allowed
    return found


OPERATIONS = read_table()


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    engine = ready_sqlite(tmp_path_factory.mktemp("roles") / "eid.db")
    yield build_office(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def headers(office: Office) -> dict[Role, dict[str, str]]:
    staff = {role: office.headers(role, sub=f"{role.value}-1", site="rabat-1") for role in COLUMNS.values()}
    return {**staff, Role.APPLICANT: office.applicant()}


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with office.client() as client:
        yield client


def address(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: VALUES.get(name[1], NOBODYS), path)


def test_the_table_names_every_operation_and_nothing_else(office):
    routes = {
        (method.upper(), path)
        for path, item in office.app.openapi()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert routes - OPERATIONS.keys() == set(), "not in the table"
    assert OPERATIONS.keys() - routes == set(), "in the table only"
    assert set(COLUMNS.values()) == set(Role) - {Role.SYSTEM}


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda value: value)
async def test_the_table(client, office, headers, method, path):
    """Whoever may not is refused before anything of his request is looked at; whoever may is not."""
    if (method, path) == ("DELETE", "/v1/sessions/current"):  # it ends what the others need
        headers = {**headers, Role.APPLICANT: office.applicant("+212600000099")}
    allowed = OPERATIONS[method, path]
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    nobody = await client.request(method, address(path), **body)
    assert (nobody.status_code == 401) == (allowed != "open")
    for letter, role in COLUMNS.items():
        answer = await client.request(method, address(path), headers=headers[role], **body)
        expected = allowed in ("open", "known") or letter in allowed.split()
        assert (answer.status_code != 403) == expected, (role.value, answer.status_code, answer.text)
        assert answer.status_code < 500, (role.value, answer.text)


# --------------------------------------------------------------------------- what depends on the file, not on the role
@pytest.fixture(scope="module")
def counter(office: Office, tmp_path_factory) -> Counter:
    return build_counter(office.registry.engine, tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def captured(counter: Counter) -> StoredApplication:
    """Validated by `validator-1`, captured by `officer-1` at rabat-1, nothing open: it waits for its approval."""
    return counter.search(counter.capture(counter.present()))


OWN_FILE = {
    "who validated it": Actor(VALIDATOR.id, frozenset((Role.VALIDATING_OFFICER, Role.APPROVER))),
    "who captured for it": Actor(OFFICER.id, frozenset((Role.ENROLMENT_OFFICER, Role.APPROVER)), "rabat-1"),
    "who validated it, by another role": Actor(VALIDATOR.id, frozenset((Role.APPROVER,))),
    "who captured for it, by another role": Actor(OFFICER.id, frozenset((Role.APPROVER,))),
}


@pytest.mark.parametrize("who", OWN_FILE)
def test_nobody_approves_his_own_file(counter: Counter, captured: StoredApplication, who: str):
    for act in (approval.approve, approval.return_to_capture):
        with pytest.raises(EnrolmentError) as refused:
            act(counter.till.office, captured.id, OWN_FILE[who], CLOCK)
        assert (refused.value.refusal, refused.value.guard) == (Refusal.GUARD, "second-officer")
    assert counter.reload(captured).state == "AWAITING_APPROVAL"


def test_approval_is_no_office_for_others(counter: Counter, captured: StoredApplication):
    for role in set(Role) - {Role.APPROVER}:
        with pytest.raises((EnrolmentError, NotStoredError)) as refused:
            approval.approve(
                counter.till.office, captured.id, Actor("somebody-9", frozenset((role,)), "rabat-1"), CLOCK
            )
        assert getattr(refused.value, "refusal", Refusal.FORBIDDEN) is Refusal.FORBIDDEN


def test_who_validated_a_file_does_not_capture_for_it_alone(counter: Counter):
    both = Actor(VALIDATOR.id, frozenset((Role.VALIDATING_OFFICER, Role.ENROLMENT_OFFICER)), "rabat-1")
    station = replace(counter, key=signer("second", "P-256", "sha256"))
    register_officer_key(counter.engine, both.id, station.key.public_key_info, ADMINISTRATOR, CLOCK)
    items = take()
    record = station.record(counter.present(), items, officer=both.id)
    with pytest.raises(EnrolmentError) as refused:
        station.take_in(record, items, both)
    assert refused.value.guard == "not-alone"


async def test_another_office_does_not_look_into_a_file(client, office, captured):
    """The application was addressed to rabat-1."""
    place = f"/v1/applications/{captured.id}"
    for role in (Role.VALIDATING_OFFICER, Role.ENROLMENT_OFFICER):
        here, elsewhere = (office.headers(role, sub="officer-8", site=site) for site in ("rabat-1", "paris-1"))
        for path in (place, f"{place}/status", f"{place}/documents", f"{place}/needs"):
            assert (await client.get(path, headers=here)).status_code == 200, path
            assert (await client.get(path, headers=elsewhere)).status_code == 403, path
    elsewhere = office.headers(Role.VALIDATING_OFFICER, sub="officer-8", site="paris-1")
    for act in ("take-up", "validate"):
        assert (await client.post(f"{place}/{act}", headers=elsewhere)).status_code == 403, act


SERVED_ANYWHERE = {("GET", "/v1/applications/{id}/offers")}  # any post serves any registrant
BODIES = {
    "record": DOCUMENT,
    "category": {"category": "ill"},
    "request-information": {"papers": ["photograph"]},
    "reject": {"code": "not-entitled"},
    "stamp": {"digits": "0000 0000 0000 0000"},
    "holds": {"code": "document-doubt"},
    "hand-over": {"relation": "holder", "comparison": "portrait", "personal_number": "ZZ1", "sod_hash": "00" * 32},
}
HELD_AT_A_SITE = {"E": Role.ENROLMENT_OFFICER, "V": Role.VALIDATING_OFFICER, "D": Role.DELIVERY_OPERATOR}


@pytest.mark.parametrize(
    ("method", "path"),
    [key for key in OPERATIONS if key[1].startswith("/v1/applications/{") and key not in SERVED_ANYWHERE],
    ids=lambda value: value,
)
async def test_no_operation_on_another_offices_file(client, office, counter, captured, method, path):
    """Whatever the role may do here, at another site it may not do it to this file, and changes nothing."""
    papers = views.view_application(office.registry.engine, captured.id, VALIDATOR, CLOCK).documents
    known = {"application_id": captured.id, "document_id": papers[0].id, "name": "portrait"}
    before = (
        await client.get(f"/v1/applications/{captured.id}/status", headers=office.headers(Role.ADJUDICATOR))
    ).json()
    end = path.rpartition("/")[2]
    sent = {"json": BODIES.get(end, {})} if method in ("POST", "PUT") else {}
    if (method, end) == ("POST", "documents"):
        sent = {"content": b"%PDF-", "headers": {"Content-Type": "application/pdf"}, "params": {"paper": "photograph"}}
    if (method, end) == ("POST", "capture"):
        items = take()
        signed = counter.sign(counter.record(captured, items))
        pictures = {name: b64encode(octets).decode() for name, octets in items.items()}
        sent = {"json": {"record": b64encode(signed).decode(), "items": pictures}}
    for letter, role in HELD_AT_A_SITE.items():
        if letter in OPERATIONS[method, path].split():
            elsewhere = office.headers(role, sub="officer-8", site="paris-1")
            given = {**sent, "headers": {**elsewhere, **sent.get("headers", {})}}
            answer = await client.request(method, path.format(**known), **given)
            assert answer.status_code == 403, (role.value, answer.status_code, answer.text)
    after = (
        await client.get(f"/v1/applications/{captured.id}/status", headers=office.headers(Role.ADJUDICATOR))
    ).json()
    assert after == before


@pytest.mark.parametrize("role", [Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER, Role.ADJUDICATOR, Role.APPROVER])
async def test_staff_keeps_off_the_file_about_itself(client, office, captured, role):
    """Another account than the one that filed it, the same person: by the personal number in the token."""

    def headers(number: str) -> dict[str, str]:
        claims = {"sub": "officer-6", "roles": [role.value], "site": "rabat-1", "personal_number": number}
        return {"Authorization": f"Bearer {issue_token(office.clock(), **claims)}"}

    place = f"/v1/applications/{captured.id}"
    assert (await client.get(place, headers=headers("ZZ999999"))).status_code == 200
    own = headers("zz 123456")
    acts = {
        Role.VALIDATING_OFFICER: ("take-up", {}),
        Role.APPROVER: ("approve", {}),
        Role.ADJUDICATOR: ("clear", {}),
        Role.ENROLMENT_OFFICER: ("submit", {}),
    }
    act, body = acts[role]
    for answer in (
        await client.get(place, headers=own),
        await client.post(f"{place}/{act}", json=body, headers=own),
    ):
        assert (answer.status_code, answer.json().get("guard")) == (403, "own-file"), answer.text
        assert "123456" not in answer.text


def own_headers(office: Office, role: Role, number: str, **claims: str) -> dict[str, str]:
    told = {"sub": f"{role.value}-6", "roles": [role.value], "site": "rabat-1", "personal_number": number, **claims}
    return {"Authorization": f"Bearer {issue_token(office.clock(), **told)}"}


async def test_nobody_makes_a_card_for_himself(client, office, counter: Counter):
    order = counter.approved(record=applicant_record(personal_number="ZZ777001"))
    store = open_store(counter.engine, "Press", MAKER, CLOCK)
    receive_batch(counter.engine, store.id, "B-1", order.profile, ["A1B2"], MAKER, CLOCK)
    own, other = (own_headers(office, Role.PRODUCTION_OPERATOR, number) for number in ("zz-777001", "ZZ777002"))
    place, body = f"/v1/personalizationJobs/{order.id}", {"store_id": str(store.id)}
    for who, act, status in (
        (own, "claim", 403),
        (other, "claim", 200),
        (own, "release", 403),
        (other, "release", 200),
    ):
        answer = await client.post(f"{place}/{act}", json=body if act == "claim" else None, headers=who)
        assert answer.status_code == status, (act, answer.text)
        assert (answer.json().get("guard") == "own-file") == (status == 403)
        assert "777001" not in answer.text


async def test_staff_does_not_look_itself_up(client, office, captured):
    """Alone, that is refused; among others of the name it is not shown."""
    for role in (Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER, Role.ADJUDICATOR):
        own, other = own_headers(office, role, "ZZ123456"), own_headers(office, role, "ZZ123450")
        for wanted in ({"personal_number": "ZZ123456"}, {"number": captured.number}):
            answer = await client.post("/v1/persons/search", json=wanted, headers=own)
            assert (answer.status_code, answer.json()["guard"]) == (403, "own-file")
            assert (await client.post("/v1/persons/search", json=wanted, headers=other)).json()["persons"]
        by_name = {}
        for name, who in (("own", own), ("other", other)):
            answer = await client.post("/v1/persons/search", json={"name": "SPECIMEN"}, headers=who)
            by_name[name] = [item["id"] for item in answer.json().get("persons", [])]
        assert str(captured.person_id) in by_name["other"]
        assert str(captured.person_id) not in by_name["own"]


async def test_staff_keeps_off_its_own_card(client, office, counter: Counter):
    application = counter.search(counter.capture(counter.present(record=applicant_record(personal_number="ZZ777003"))))

    def enter(connection):
        made = order_card(connection, CardOrder(application.id, application.person_id, "applicant-7"), MAKER, CLOCK)
        change_state = update(card).where(card.c.bucket == bucket_of(made.id), card.c.id == made.id)
        connection.execute(change_state.values(state="ACTIVE", document_number="N7770003"))
        return made.id

    place = f"/v1/cards/{in_transaction(counter.engine, enter)}"
    acts = [
        (Role.CALL_CENTRE_AGENT, "GET", place, None),
        (Role.PRODUCTION_OPERATOR, "POST", "/v1/cards/search", {"document_number": "N7770003"}),
        (Role.ADMINISTRATOR, "POST", f"{place}/suspend", {"cause": "lost"}),
        (Role.DELIVERY_OPERATOR, "POST", f"{place}/resume", {}),
        (Role.ENROLMENT_OFFICER, "POST", f"{place}/revoke", {"cause": "damaged"}),
    ]
    for role, method, path, body in acts:
        for number, status in (("ZZ777003", 403), ("ZZ777004", 200)):
            answer = await client.request(method, path, json=body, headers=own_headers(office, role, number))
            assert (answer.status_code, answer.json().get("guard")) == (status, "own-file" if status == 403 else None)


async def test_a_courier_without_a_site_carries_nothing(client, office, captured):
    """Cards are handed over at one site: a token without `site` opens no counter."""
    nowhere = office.headers(Role.DELIVERY_OPERATOR, sub="courier-8")
    for path in (f"/v1/applications/{captured.id}/{act}" for act in ("ship", "arrive", "hand-over")):
        answer = await client.post(path, json={}, headers=nowhere)
        assert (answer.status_code, answer.json()["guard"]) == (403, "workplace"), path
    elsewhere = office.headers(Role.DELIVERY_OPERATOR, sub="courier-8", site="paris-1")
    assert (await client.get(f"/v1/applications/{captured.id}/status", headers=elsewhere)).status_code == 403


OFFICERS = (Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER)


async def test_officers_without_an_office_see_no_file(client, office, captured):
    """A token without `site` does not open every office's files; the central office's roles need none."""
    place = f"/v1/applications/{captured.id}"
    person = {"personal_number": "ZZ123456"}
    nowhere = {role: office.headers(role, sub="officer-8") for role in (*OFFICERS, Role.APPROVER, Role.ADJUDICATOR)}
    for role in OFFICERS:
        for path in (place, f"{place}/status", f"{place}/documents", "/v1/applications"):
            answer = await client.get(path, headers=nowhere[role])
            told = answer.json()
            assert (answer.status_code, told["refusal"], told["guard"]) == (403, "FORBIDDEN", "workplace"), path
        answer = await client.post("/v1/persons/search", json=person, headers=nowhere[role])
        assert (answer.status_code, answer.json()["guard"]) == (403, "workplace")
    for role in (Role.APPROVER, Role.ADJUDICATOR):
        assert (await client.get(place, headers=nowhere[role])).status_code == 200


async def test_a_central_role_lends_nothing_to_an_officer_without_an_office(client, office, captured):
    both = office.headers(Role.ADJUDICATOR, Role.VALIDATING_OFFICER, sub="officer-8")
    place = f"/v1/applications/{captured.id}"
    assert (await client.get(place, headers=both)).status_code == 200  # as the adjudicator
    answer = await client.post(f"{place}/take-up", headers=both)
    assert (answer.status_code, answer.json()["guard"]) == (403, "workplace")


async def test_another_applicants_file_does_not_exist(client, office, captured, headers):
    place = f"/v1/applications/{captured.id}"
    stranger = headers[Role.APPLICANT]
    for part in ("", "/status", "/documents", "/needs"):
        theirs = await client.get(f"{place}{part}", headers=stranger)
        nothing = await client.get(f"/v1/applications/{NOBODYS}{part}", headers=stranger)
        assert (theirs.status_code, theirs.content) == (404, nothing.content), part
    for act in ("submit", "supply", "appeal", "withdraw"):
        theirs = await client.post(f"{place}/{act}", headers=stranger)
        assert theirs.status_code == 404, act
    assert (await client.get("/v1/applications", headers=stranger)).json() == {"applications": []}
