"""Sites and appointments over HTTP: the whole way, and what is refused with which status."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from eid.enrolment.roles import Role
from tests.builders.booking import PARIS, RABAT, make_application
from tests.builders.registry import Office, build_office

ADMIN, AGENT, OFFICER = Role.ADMINISTRATOR, Role.CALL_CENTRE_AGENT, Role.ENROLMENT_OFFICER
SLOT = "2026-11-24T09:00"


@pytest.fixture
def office(any_database: Engine) -> Office:
    return build_office(any_database)


async def call(
    office: Office, method: str, path: str, headers: dict[str, str], body: Any = None, status: int = 200
) -> Any:
    async with office.client() as client:
        answer: httpx.Response = await client.request(method, path, headers=headers, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def open_sites(office: Office) -> None:
    for definition in (RABAT, PARIS):
        await call(office, "PUT", f"/v1/sites/{definition['code']}", office.headers(ADMIN), definition)


def agent(office: Office) -> dict[str, str]:
    return office.headers(AGENT)


@pytest.mark.both_databases
@pytest.mark.anyio
async def test_from_site_to_visit(office: Office) -> None:
    await open_sites(office)
    found = await call(office, "GET", "/v1/sites", agent(office))
    assert [(site["code"], site["hours"][0]["from"]) for site in found] == [
        ("paris", "09:00"),
        ("rabat-agdal", "09:00"),
    ]
    application = str(make_application(office.registry.engine))
    query = "site=rabat-agdal&from=2026-11-24&days=1"
    offers = await call(office, "GET", f"/v1/applications/{application}/offers?{query}", agent(office))
    assert offers[0] == {
        "site": "rabat-agdal",
        "slot": SLOT,
        "starts_at": "2026-11-24T08:00:00Z",
        "ends_at": "2026-11-24T08:15:00Z",
        "free": 2,
    }
    wanted = {"application_id": application, "site": "rabat-agdal", "slot": SLOT}
    held = await call(office, "POST", "/v1/appointments", agent(office), wanted, 201)
    assert (held["state"], held["expires_at"]) == ("HELD", "2026-11-22T12:15:00Z")
    path = f"/v1/appointments/{held['id']}"
    assert (await call(office, "POST", f"{path}/book", agent(office)))["state"] == "BOOKED"
    moved = await call(office, "POST", f"{path}/reschedule", agent(office), {"slot": "2026-11-25T09:15"})
    assert moved["slot"] == "2026-11-25T09:15"
    closed = {"day": "2026-11-25", "reason": "strike"}
    displaced = await call(office, "POST", "/v1/sites/rabat-agdal/closures", office.headers(ADMIN), closed)
    assert displaced == {"moved": 1, "cancelled": 0}
    shown = await call(office, "GET", "/v1/sites/rabat-agdal", agent(office))
    assert shown["closures"] == [closed]
    await call(office, "DELETE", "/v1/sites/rabat-agdal/closures/2026-11-25", office.headers(ADMIN), status=204)
    after = await call(office, "GET", path, agent(office))
    assert after["slot"] == "2026-11-26T09:15"
    officer = office.headers(OFFICER, site="rabat-agdal")
    listed = await call(office, "GET", "/v1/sites/rabat-agdal/appointments?day=2026-11-26", officer)
    assert [item["id"] for item in listed] == [held["id"]]
    office.clock.advance(days=3, hours=20, minutes=15)
    officer = office.headers(OFFICER, site="rabat-agdal")
    assert (await call(office, "POST", f"{path}/check-in", officer))["state"] == "CHECKED_IN"
    assert (await call(office, "POST", f"{path}/serve", officer))["state"] == "SERVED"
    second = str(make_application(office.registry.engine, 2, born="1950-02"))
    walk_in = {"application_id": second, "category": "elderly"}
    made = await call(office, "POST", "/v1/sites/rabat-agdal/walk-ins", officer, walk_in, 201)
    assert made["state"] == "CHECKED_IN"


@pytest.mark.anyio
async def test_what_is_refused_and_how(office: Office) -> None:
    await open_sites(office)
    application = str(make_application(office.registry.engine))
    draft = str(make_application(office.registry.engine, 2, state="DRAFT"))
    wanted = {"application_id": application, "site": "rabat-agdal", "slot": SLOT}

    async def refuse(
        status: int, slug: str, path: str, headers: dict[str, str], body: Any, method: str = "POST"
    ) -> Any:
        problem = await call(office, method, path, headers, body, status)
        assert problem["type"] == f"urn:eid:problem:{slug}"
        return problem

    book = "/v1/appointments"
    await refuse(401, "unauthenticated", book, {}, wanted)
    await refuse(403, "forbidden", book, office.headers(Role.VALIDATING_OFFICER), wanted)
    await refuse(409, "wrong-state", book, agent(office), {**wanted, "application_id": draft})
    problem = await refuse(409, "condition", book, agent(office), {**wanted, "slot": "2026-11-24T09:01"})
    assert problem["guard"] == "time-offered"
    await refuse(422, "invalid-request", book, agent(office), {**wanted, "slot": "tomorrow"})
    await refuse(422, "invalid-value", book, agent(office), {**wanted, "slot": "2026-02-30T09:00"})
    for day in ("0001-01-01", "9999-12-31"):
        await refuse(422, "invalid-value", book, agent(office), {**wanted, "slot": f"{day}T09:00"})
        offers = f"/v1/applications/{application}/offers?site=rabat-agdal&from={day}"
        await refuse(422, "invalid-value", offers, agent(office), None, "GET")
        listed = f"/v1/sites/rabat-agdal/appointments?day={day}"
        await refuse(422, "invalid-value", listed, office.headers(ADMIN), None, "GET")
    await refuse(422, "invalid-request", book, agent(office), {**wanted, "category": "elderly"})  # an officer says so
    await refuse(404, "unknown", book, agent(office), {**wanted, "site": "nowhere"})
    await refuse(404, "unknown", book, agent(office), {**wanted, "application_id": str(uuid.uuid4())})
    await refuse(404, "unknown", book, office.applicant(), wanted)  # somebody else's
    held = await call(office, "POST", book, agent(office), wanted, 201)
    path = f"/v1/appointments/{held['id']}"
    await refuse(404, "unknown", path, office.applicant(), None, "GET")
    await refuse(403, "forbidden", f"{path}/check-in", agent(office), None)
    await refuse(409, "wrong-state", f"{path}/check-in", office.headers(OFFICER, site="rabat-agdal"), None)
    site = "/v1/sites/rabat-agdal"
    await refuse(403, "forbidden", site, agent(office), RABAT, "PUT")
    await refuse(422, "invalid-value", site, office.headers(ADMIN), PARIS, "PUT")
    await refuse(422, "invalid-request", site, office.headers(ADMIN), {**RABAT, "places": 0}, "PUT")
    await refuse(422, "invalid-value", site, office.headers(ADMIN), {**RABAT, "services": ["haircut"]}, "PUT")
    paris = office.headers(OFFICER, site="paris")
    await refuse(403, "forbidden", f"{site}/appointments?day=2026-11-24", paris, None, "GET")
    walk_in = {"application_id": application, "category": "expired-card"}
    await refuse(409, "condition", f"{site}/walk-ins", paris, walk_in)  # closed: it is Sunday


@pytest.mark.anyio
async def test_the_same_request_again_is_answered_the_same(office: Office) -> None:
    await open_sites(office)
    wanted = {"application_id": str(make_application(office.registry.engine)), "site": "paris", "slot": SLOT}
    headers = {**agent(office), "Idempotency-Key": "one"}
    first = await call(office, "POST", "/v1/appointments", headers, wanted, 201)
    office.clock.advance(minutes=20)  # the hold is over meanwhile; the answer is that of then
    headers = {**agent(office), "Idempotency-Key": "one"}
    assert await call(office, "POST", "/v1/appointments", headers, wanted, 201) == first
    await call(office, "POST", "/v1/appointments", headers, {**wanted, "site": "rabat-agdal"}, 422)
