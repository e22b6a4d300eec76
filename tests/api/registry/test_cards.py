"""Cards and status lists over HTTP: who may do what, what relying parties learn, how lists are served."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from eid.enrolment.roles import Role
from eid.pki.status_token import TokenForm, verify_status_token
from eid.pki.trust_store import build_trust_store
from eid.services.card.status_lists import StatusSigner, publish
from tests.builders.cards import SERIES, active_card
from tests.builders.registry import Office, build_office
from tests.builders.status import key_signer, status_publisher

pytestmark = pytest.mark.anyio
OWNER = status_publisher()
SIGNER = StatusSigner(key_signer(OWNER.publisher.key), OWNER.publisher.certificate)
TRUST = build_trust_store([OWNER.publisher.csca])


@pytest.fixture
def office(any_database: Engine) -> Iterator[Office]:
    return build_office(any_database)


@pytest.mark.both_databases
async def test_a_card_is_reported_lost_and_found(office: Office, any_database: Engine) -> None:
    applicant = office.applicant()
    async with office.client() as client:
        account = (await client.get("/v1/me", headers=applicant)).json()["id"]
        card = active_card(any_database, holder=account)
        (mine,) = (await client.get("/v1/cards", headers=applicant)).json()["cards"]
        assert (mine["id"], mine["state"], mine["is_expired"]) == (str(card.id), "ACTIVE", False)
        place = f"/v1/cards/{card.id}"
        lost = await client.post(f"{place}/suspend", json={"cause": "lost"}, headers=applicant)
        assert (lost.status_code, lost.json()["state"], lost.json()["cause"]) == (200, "SUSPENDED", "lost")
        again = await client.post(f"{place}/suspend", json={"cause": "lost"}, headers=applicant)
        assert (again.status_code, again.json()["type"]) == (409, "urn:eid:problem:wrong-state")
        officer, chief = office.headers(Role.ENROLMENT_OFFICER, site="rabat-1"), office.headers(Role.ADMINISTRATOR)
        assert (await client.post(f"{place}/resume", headers=officer)).json()["state"] == "ACTIVE"
        revoked = await client.post(f"{place}/revoke", json={"cause": "stolen"}, headers=chief)
        assert (revoked.json()["state"], revoked.json()["cause"]) == ("REVOKED", "stolen")
        assert (await client.get(place, headers=applicant)).json() == revoked.json()


async def test_who_may_not(office: Office, any_database: Engine) -> None:
    card = active_card(any_database, holder="somebody")
    place = f"/v1/cards/{card.id}"
    applicant, agent = office.applicant(), office.headers(Role.CALL_CENTRE_AGENT)
    party, auditor = office.headers(Role.RELYING_PARTY), office.headers(Role.AUDITOR)
    search, number = "/v1/cards/search", {"document_number": "SPM00001"}
    async with office.client() as client:
        refused = [
            (await client.post(f"{place}/suspend", json={"cause": "lost"}, headers=applicant), 409, "condition"),
            (await client.get(place, headers=applicant), 404, "unknown"),
            (await client.get(f"/v1/cards/{uuid.uuid4()}", headers=agent), 404, "unknown"),
            (await client.get(place), 401, "unauthenticated"),
            (await client.get(place, headers=party), 403, "forbidden"),
            (await client.get("/v1/cards", headers=agent), 403, "forbidden"),
            (await client.post(search, json=number, headers=party), 403, "forbidden"),
            (await client.post(search, json=number, headers=auditor), 403, "forbidden"),
            (await client.post(f"{place}/resume", headers=agent), 403, "forbidden"),
            (await client.post(f"{place}/revoke", json={"cause": "lost"}, headers=agent), 403, "forbidden"),
            (await client.post(f"{place}/suspend", json={"cause": "bored"}, headers=agent), 422, "invalid-request"),
            (await client.post(search, json={"document_number": "spm 1"}, headers=agent), 422, "invalid-request"),
            (await client.post("/v1/cards/status", json=number, headers=agent), 403, "forbidden"),
        ]
        for answer, status, slug in refused:
            assert (answer.status_code, answer.json()["type"]) == (status, f"urn:eid:problem:{slug}"), answer.json()
        found = await client.post(search, json=number, headers=agent)
        assert [item["state"] for item in found.json()["cards"]] == ["ACTIVE"]
        for role, shown in ((Role.CALL_CENTRE_AGENT, "•••001"), (Role.ADMINISTRATOR, "SPM00001")):
            staff = office.headers(role)
            seen = [(await client.post(search, json=number, headers=staff)).json()["cards"][0]]
            seen += [(await client.get(place, headers=staff)).json()]
            seen += [(await client.post(f"{place}/suspend", json={"cause": "lost"}, headers=staff)).json()]
            assert [item.get("document_number", shown) for item in seen] == [shown] * 3


async def test_a_relying_party_learns_one_word(office: Office, any_database: Engine) -> None:
    card = active_card(any_database)
    party, agent = office.headers(Role.RELYING_PARTY), office.headers(Role.CALL_CENTRE_AGENT)
    async with office.client() as client:

        async def ask(number: str) -> dict[str, str]:
            answer = await client.post("/v1/cards/status", json={"document_number": number}, headers=party)
            return answer.json()

        assert await ask("SPM00001") == {"status": "VALID", "checked_at": "2026-11-22T12:00:00Z"}
        assert (await ask("SPM99999"))["status"] == "INVALID"
        await client.post(f"/v1/cards/{card.id}/suspend", json={"cause": "stolen"}, headers=agent)
        assert await ask("SPM00001") == {"status": "SUSPENDED", "checked_at": "2026-11-22T12:00:00Z"}
        office.clock.now = office.clock.now.replace(year=2036)
        party = office.headers(Role.RELYING_PARTY)
        assert (await ask("SPM00001"))["status"] == "INVALID"  # its last day is over


async def test_lists_are_served(office: Office, any_database: Engine) -> None:
    active_card(any_database)
    now = office.clock.now
    publish(any_database, SIGNER, now)
    async with office.client() as client:
        assert (await client.get("/statuslists")).json() == {"status_lists": [SERIES]}
        plain = await client.get("/statuslists/1", headers={"Accept-Encoding": "identity"})
        assert (plain.status_code, plain.headers["content-type"]) == (200, TokenForm.JWT.value)
        found = verify_status_token(plain.content, TRUST, now=now, uri=SERIES)
        assert found.claims.issued_at == now
        assert plain.headers["cache-control"] == "public, max-age=900"
        assert plain.headers["access-control-allow-origin"] == "*"
        assert plain.headers["vary"] == "Accept, Accept-Encoding"
        assert plain.headers["last-modified"] == "Sun, 22 Nov 2026 12:00:00 GMT"
        cwt = await client.get("/statuslists/1", headers={"Accept": TokenForm.CWT.value})
        assert (cwt.headers["content-type"], "content-encoding" in cwt.headers) == (TokenForm.CWT.value, False)
        assert verify_status_token(cwt.content, TRUST, now=now).claims == found.claims
        for accept in ("", "*/*", f"{TokenForm.CWT.value}, {TokenForm.JWT.value}", "text/html"):
            both = await client.get("/statuslists/1", headers={"Accept": accept})
            assert both.headers["content-type"] == TokenForm.JWT.value
        packed = await client.get("/statuslists/1", headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert (packed.headers["content-encoding"], packed.content) == ("gzip", plain.content)
        assert len(gzip.compress(plain.content)) < len(plain.content)
        unpacked = await client.get("/statuslists/1", headers={"Accept-Encoding": "gzip;q=0"})
        assert "content-encoding" not in unpacked.headers
        same = await client.get("/statuslists/1", headers={"If-None-Match": plain.headers["etag"]})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", plain.headers["etag"])
        assert cwt.headers["etag"] != plain.headers["etag"]


async def test_lists_of_earlier_times(office: Office, any_database: Engine) -> None:
    card = active_card(any_database)
    agent, now = office.headers(Role.CALL_CENTRE_AGENT), office.clock.now
    publish(any_database, SIGNER, now)
    async with office.client() as client:
        await client.post(f"/v1/cards/{card.id}/suspend", json={"cause": "lost"}, headers=agent)
        publish(any_database, SIGNER, now + timedelta(minutes=1))

        async def status(**query: int) -> int:
            answer = await client.get("/statuslists/1", params=query)
            claims = verify_status_token(answer.content, TRUST, now=now + timedelta(minutes=1)).claims
            return claims.statuses.status(7)

        moment = int(now.timestamp())
        assert (await status(), await status(time=moment), await status(time=moment + 60)) == (2, 0, 2)
        for wrong, code in ((moment - 1, 404), (moment + 90_000, 404), (-1, 422), ("x", 422)):
            assert (await client.get("/statuslists/1", params={"time": wrong})).status_code == code
        for name in ("2", "1-2", "%2e%2e", "x" * 300):
            assert (await client.get(f"/statuslists/{name}")).status_code == 404
