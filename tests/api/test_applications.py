"""Applications and papers through HTTP: acts, who may, what is refused and in which words."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from eid.enrolment.roles import Actor, Role
from eid.imaging.portrait import draw_specimen_portrait
from eid.services.application import fees
from eid.store.applications import load_application
from eid.store.database import in_transaction
from eid.store.types import new_id
from tests.builders.applicants import DOCUMENT, build_pdf
from tests.builders.registry import Office, build_office

pytestmark = pytest.mark.anyio
PDF = {"Content-Type": "application/pdf"}


@pytest.fixture
def office(engine: Engine) -> Office:
    return build_office(engine)


class Desk:
    """One applicant and one validating officer, with their headers."""

    def __init__(self, office: Office, client: httpx.AsyncClient) -> None:
        self.office, self.client = office, client
        self.applicant = office.applicant()
        self.validator = office.headers(Role.VALIDATING_OFFICER, sub="validator-1", site="rabat-1")

    async def begin(self, **changes: Any) -> dict[str, Any]:
        body = {"reason": "first", "site": "rabat-1", "record": DOCUMENT, **changes}
        answer = await self.client.post("/v1/applications", json=body, headers=self.applicant)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def attach(self, application: str, paper: str, content: bytes, **more: str) -> httpx.Response:
        query = {"paper": paper, "issued_on": more.pop("issued_on", "2026-11-01")}
        headers = {**self.applicant, **PDF, **more}
        address = f"/v1/applications/{application}/documents"
        return await self.client.post(address, params=query, content=content, headers=headers)

    async def complete(self, application: str) -> None:
        for paper in ("birth-record", "photograph", "residence-certificate"):
            answer = await self.attach(application, paper, build_pdf(paper.encode()))
            assert answer.status_code == 201, answer.text
        registry = self.office.registry

        def bind(connection):
            row = load_application(connection, uuid.UUID(application))
            actor = Actor(row.applicant, frozenset((Role.APPLICANT,)))
            return fees.bind_stamp(connection, row.id, new_id(registry.now()), actor, registry.now())

        in_transaction(registry.engine, bind)

    async def act(self, application: str, event: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
        return await self.client.post(f"/v1/applications/{application}/{event}", json=body, headers=headers)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part not in (None, [])}
    return value


@pytest.fixture
async def desk(office: Office):
    async with office.client() as client:
        yield Desk(office, client)


async def test_the_way_to_validation(desk: Desk) -> None:
    draft = await desk.begin()
    where = f"/v1/applications/{draft['id']}"
    needs = (await desk.client.get(f"{where}/needs", headers=desk.applicant)).json()
    assert [item["title"] for item in needs["papers"]][1] == "Photographie 35 x 45 mm"
    assert needs["missing"] == ["birth-record", "photograph", "residence-certificate"]
    early = await desk.act(draft["id"], "submit", desk.applicant)
    assert (early.status_code, early.json()["guard"]) == (409, "papers-complete")
    await desk.complete(draft["id"])
    receipt = (await desk.act(draft["id"], "submit", desk.applicant)).json()
    assert (receipt["state"], receipt["has_stamp"], len(receipt["number"])) == ("SUBMITTED", True, 13)
    found = await desk.client.post(
        "/v1/applications/find", json={"number": receipt["number"].lower()}, headers=desk.validator
    )
    assert found.json()["id"] == draft["id"]
    assert (await desk.act(draft["id"], "take-up", desk.validator)).json()["state"] == "UNDER_REVIEW"
    asked = await desk.act(draft["id"], "request-information", desk.validator, {"papers": ["birth-record"]})
    assert asked.json()["requested_papers"] == ["birth-record"]
    desk.office.clock.advance(minutes=5)
    again = await desk.attach(draft["id"], "birth-record", build_pdf(b"the full copy"))
    assert again.status_code == 201
    assert (await desk.act(draft["id"], "supply", desk.applicant)).json()["state"] == "UNDER_REVIEW"
    comparison = (await desk.client.get(f"{where}/comparison", headers=desk.validator)).json()
    assert comparison == {
        "registered": None,
        "divergences": [],
        "unexplained": [],
        "name_warnings": ["spellings-differ"],
    }
    validated = await desk.act(draft["id"], "validate", desk.validator)
    assert validated.json()["state"] == "VALIDATED"
    late = await desk.act(draft["id"], "validate", desk.validator)
    assert (late.status_code, late.json()["refusal"]) == (409, "WRONG_STATE")
    whole = (await desk.client.get(where, headers=desk.validator)).json()
    assert whole["person_state"] == "VALID"
    assert _without_nulls(whole["record"]) == DOCUMENT
    mine = (await desk.client.get("/v1/applications", headers=desk.applicant)).json()["applications"]
    queue = await desk.client.get("/v1/applications", params={"state": "VALIDATED"}, headers=desk.validator)
    assert [item["id"] for item in mine] == [item["id"] for item in queue.json()["applications"]] == [draft["id"]]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("ar", "هذا مكتوب بغير خط هذه الخانة."),
        ("fr", "Ceci est dans une autre écriture que celle du champ."),
        ("en", "This is in another script than the field’s."),
    ],
)
async def test_a_wrong_field_is_told_in_the_applicant_s_language(desk: Desk, language: str, sentence: str) -> None:
    record = {**DOCUMENT, "family_name": {"arabic": "LATIN", "latin": "SPECIMEN"}, "secret": 1}
    headers = {**desk.applicant, "Accept-Language": language}
    answer = await desk.client.post("/v1/applications", json={"reason": "first", "record": record}, headers=headers)
    assert answer.status_code == 422
    told = {item["pointer"]: (item["code"], item["detail"]) for item in answer.json()["errors"]}
    assert told["/record/family_name/arabic"] == ("other-script", sentence)
    assert told["/record/?"][0] == "unknown-member"
    assert "SPECIMEN" not in answer.text
    assert "secret" not in answer.text


async def test_a_rule_of_the_country_is_told_by_place(desk: Desk) -> None:
    record = {**DOCUMENT, "personal_number": "0"}
    answer = await desk.client.post(
        "/v1/applications", json={"reason": "first", "record": record}, headers=desk.applicant
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:eid:problem:invalid-value")
    assert [item["pointer"] for item in answer.json()["errors"]] == ["/personal_number"]


async def test_editing_a_draft_and_taking_it_back(desk: Desk) -> None:
    draft = await desk.begin(record={"family_name": DOCUMENT["family_name"]})
    where = f"/v1/applications/{draft['id']}"
    assert draft["fee"] is None
    edited = await desk.client.put(f"{where}/record", json=DOCUMENT, headers=desk.applicant)
    assert (edited.json()["fee"], edited.json()["version"]) == (75, 2)
    status = await desk.client.get(f"{where}/status", headers=desk.validator)
    assert "SPECIMEN" not in status.text
    assert (await desk.act(draft["id"], "withdraw", desk.applicant)).json()["state"] == "WITHDRAWN"
    gone = await desk.client.put(f"{where}/record", json=DOCUMENT, headers=desk.applicant)
    assert gone.status_code == 409


async def test_refusal_appeal_and_cancellation(desk: Desk) -> None:
    draft = await desk.begin()
    await desk.complete(draft["id"])
    await desk.act(draft["id"], "submit", desk.applicant)
    await desk.act(draft["id"], "take-up", desk.validator)
    refused = (await desk.act(draft["id"], "reject", desk.validator, {"code": "papers-insufficient"})).json()
    assert (refused["refusal"], refused["state"]) == ("papers-insufficient", "REJECTED")
    assert refused["appeal_until"].startswith("2027-01-21T23:00:00")
    assert (await desk.act(draft["id"], "reject", desk.validator, {"code": "ugly"})).status_code == 422
    assert refused["refusal_title"] == "Pièces insuffisantes"
    again = (await desk.act(draft["id"], "appeal", desk.applicant)).json()
    assert (again["state"], again["refusal"], again["refusal_title"], again["appeal_until"]) == (
        "UNDER_REVIEW",
        *[None] * 3,
    )
    closed = (await desk.act(draft["id"], "reject", desk.validator, {"code": "duplicate"})).json()
    assert (closed["refusal_title"], closed["appeal_until"]) == ("Demande en double", None)
    arabic = {**desk.applicant, "Accept-Language": "ar"}
    late = (await desk.act(draft["id"], "appeal", arabic)).json()
    assert (late["guard"], late["detail"]) == ("appeal-open", "انقضى أجل الطعن")


async def test_what_the_authority_ends(desk: Desk) -> None:
    draft = await desk.begin()
    await desk.complete(draft["id"])
    await desk.act(draft["id"], "submit", desk.applicant)
    administrator = desk.office.headers(Role.ADMINISTRATOR, sub="admin-1")
    assert (await desk.act(draft["id"], "cancel", administrator)).json()["state"] == "CANCELLED"


async def test_who_may_not(desk: Desk) -> None:
    draft = await desk.begin()
    where = f"/v1/applications/{draft['id']}"
    stranger = desk.office.applicant("+212600000009")
    paris = desk.office.headers(Role.VALIDATING_OFFICER, sub="validator-9", site="paris-1")
    agent = desk.office.headers(Role.CALL_CENTRE_AGENT, sub="agent-1")
    assert (await desk.client.get(where, headers=stranger)).status_code == 404
    assert (await desk.client.get(where, headers=paris)).status_code == 403
    assert (await desk.client.get(where, headers=agent)).status_code == 403
    assert (await desk.client.get(f"{where}/status", headers=agent)).status_code == 200
    assert (await desk.client.get(where)).status_code == 401
    assert (await desk.act(draft["id"], "take-up", desk.applicant)).status_code == 403


async def test_papers_are_kept_and_come_back_as_they_were(desk: Desk) -> None:
    draft = await desk.begin()
    where = f"/v1/applications/{draft['id']}/documents"
    image = draw_specimen_portrait(width=120, height=160)
    sent = await desk.attach(draft["id"], "photograph", image, **{"Content-Type": "image/png"})
    assert (sent.status_code, sent.json()["pages"], sent.json()["octets"]) == (201, 1, len(image))
    opened = await desk.client.get(f"{where}/{sent.json()['id']}", headers=desk.validator)
    assert (opened.content, opened.headers["content-type"]) == (image, "image/png")
    assert opened.headers["content-disposition"] == "attachment"
    other = await desk.begin()
    elsewhere = f"/v1/applications/{other['id']}/documents/{sent.json()['id']}"
    assert (await desk.client.get(elsewhere, headers=desk.applicant)).status_code == 404
    listed = (await desk.client.get(where, headers=desk.applicant)).json()["documents"]
    assert [item["paper"] for item in listed] == ["photograph"]
    removed = await desk.client.delete(f"{where}/{sent.json()['id']}", headers=desk.applicant)
    assert removed.status_code == 204
    assert (await desk.client.get(where, headers=desk.applicant)).json() == {"documents": []}


async def test_a_file_that_is_not_taken_says_why(desk: Desk) -> None:
    draft = await desk.begin()
    lie = await desk.attach(draft["id"], "birth-record", b"\xff\xd8\xff\xe0 not a PDF", **{"Accept-Language": "ar"})
    assert (lie.status_code, lie.json()["refusal"]) == (422, "other-type")
    assert lie.json()["detail"] == "الملف ليس من النوع الذي يعلنه."
    script = await desk.attach(draft["id"], "birth-record", build_pdf(catalogue=b"/OpenAction<</S/JavaScript/JS(x)>>"))
    assert script.json()["refusal"] == "active-content"
    strange = await desk.attach(draft["id"], "birth-record", b"<html>", **{"Content-Type": "text/html"})
    assert strange.status_code == 415
    old = await desk.attach(draft["id"], "birth-record", build_pdf(), issued_on="2026-08-01")
    assert old.json()["refusal"] == "too-old"


async def test_a_condition_is_told_by_its_own_sentence(desk: Desk) -> None:
    draft = await desk.begin()
    french = {**desk.applicant, "Accept-Language": "fr"}
    early = (await desk.act(draft["id"], "submit", french)).json()
    assert early["detail"] == "il manque : birth-record, photograph, residence-certificate"
    state = (await desk.act(draft["id"], "appeal", french)).json()
    assert state["detail"] == "impossible à ce stade : brouillon"
    unknown = await desk.client.post("/v1/applications", json={"reason": "whim", "record": DOCUMENT}, headers=french)
    assert unknown.json()["detail"] == "les règles ne connaissent pas ce motif de délivrance"


async def test_the_same_request_again_is_done_once(desk: Desk) -> None:
    headers = {**desk.applicant, "Idempotency-Key": "one"}
    body = {"reason": "first", "record": DOCUMENT}
    first = await desk.client.post("/v1/applications", json=body, headers=headers)
    again = await desk.client.post("/v1/applications", json=body, headers=headers)
    assert first.json() == again.json()
    listed = (await desk.client.get("/v1/applications", headers=desk.applicant)).json()
    assert len(listed["applications"]) == 1
    assert json.dumps(listed).count("SPECIMEN") == 0
