"""Who may do what: every operation against every role, written by hand and not derived from the code.

The table says what roles may reach an operation at all; that an officer may not approve his own file, or look into
another office's, is shown below it, for it depends on the file. A route that the table does not name fails the test.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from eid.enrolment.roles import Role
from eid.store.database import open_database
from tests.builders.registry import Office, build_office

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
POST   /v1/applications                                A E . . . . . . . . . . . .
GET    /v1/applications                                A E V J P M D C . . . . . X
POST   /v1/applications/find                           . E V J P M D C . . . . . X
GET    /v1/applications/{application_id}               A E V J P . . . . . . . . .
GET    /v1/applications/{application_id}/status        A E V J P M D C . . . . . X
PUT    /v1/applications/{application_id}/record        A E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/needs         A E V J P . . C . . . . . .
POST   /v1/applications/{application_id}/submit        A E . . . . . . . . . . . .
POST   /v1/applications/{application_id}/take-up       . . V . . . . . . . . . . .
POST   /v1/applications/{application_id}/request-information . . V . . . . . . . . . . .
POST   /v1/applications/{application_id}/supply        A E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/comparison    . . V J . . . . . . . . . .
POST   /v1/applications/{application_id}/validate      . . V . . . . . . . . . . .
POST   /v1/applications/{application_id}/reject        . . V J P . . . . . . . . .
POST   /v1/applications/{application_id}/appeal        A . . . . . . . . . . . . .
POST   /v1/applications/{application_id}/withdraw      A . . . . . . . . . . . . .
POST   /v1/applications/{application_id}/cancel        . . . . . . . . . . . . . X
POST   /v1/applications/{application_id}/documents     A E . . . . . . . . . . . .
GET    /v1/applications/{application_id}/documents     A E V J P . . . . . . . . .
GET    /v1/applications/{application_id}/documents/{document_id} A E V J P . . . . . . . . .
DELETE /v1/applications/{application_id}/documents/{document_id} A E . . . . . . . . . . . .
GET    /v1/cards                                       A . . . . . . . . . . . . .
POST   /v1/cards/search                                . E . . . M D C . . . . . X
POST   /v1/cards/status                                . . . . . . . . . . R . . .
GET    /v1/cards/{card_id}                             A E . . . M D C . . . . . X
POST   /v1/cards/{card_id}/suspend                     A E . . . . . C . . . . . X
POST   /v1/cards/{card_id}/resume                      . E . . . . D . . . . . . .
POST   /v1/cards/{card_id}/revoke                      . E . . . . D . . . . . . X
GET    /statuslists                                    open
GET    /statuslists/{name}                             open
GET    /v1/stamps                                      A . . . . . . . K . . . . .
POST   /v1/stamps                                      A . . . . . . . K . . . . .
GET    /v1/stamps/unsent                               . . . . . . . C K . . . . X
POST   /v1/stamps/look-up                              A E . . . . . C K . . . . X
GET    /v1/stamps/{stamp_id}                           A E . . . . . C K . . . . X
POST   /v1/stamps/{stamp_id}/cancel                    A . . . . . . . . . . . . .
POST   /v1/stamps/{stamp_id}/resend                    A . . . . . . C K . . . . X
POST   /v1/stamps/{stamp_id}/block                     . . . . . . . C . . . . . X
POST   /v1/stamps/{stamp_id}/unblock                   . . . . . . . . . . . . . X
POST   /v1/stamps/{stamp_id}/refund                    . . . . . . . . K . . . . X
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
"""
NOBODYS = "00000000-0000-7000-8000-0000000000ff"
VALUES = {"day": "2026-12-01", "channel": "card", "code": "rabat-1"}


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
def office(empty_database, tmp_path_factory) -> Iterator[Office]:
    engine = open_database(f"sqlite:///{shutil.copy(empty_database, tmp_path_factory.mktemp('roles'))}")
    yield build_office(engine)
    engine.dispose()


NEXT = itertools.count(212_600_000_000)


@pytest.fixture
def headers(office: Office) -> dict[Role, dict[str, str]]:
    staff = {role: office.headers(role, sub=f"{role.value}-1", site="rabat-1") for role in COLUMNS.values()}
    return {**staff, Role.APPLICANT: office.applicant(f"+{next(NEXT)}")}


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
async def test_the_table(client, headers, method, path):
    """Whoever may not is refused before anything of his request is looked at; whoever may is not."""
    allowed = OPERATIONS[method, path]
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    nobody = await client.request(method, address(path), **body)
    assert (nobody.status_code == 401) == (allowed != "open")
    for letter, role in COLUMNS.items():
        answer = await client.request(method, address(path), headers=headers[role], **body)
        expected = allowed in ("open", "known") or letter in allowed.split()
        assert (answer.status_code != 403) == expected, (role.value, answer.status_code, answer.text)
        assert answer.status_code < 500, (role.value, answer.text)
