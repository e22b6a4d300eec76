"""The call centre over HTTP: people looked up, callers who prove who they are, and what agents may do for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, select

from eid.enrolment.roles import Actor, Role
from eid.errors import EnrolmentError
from eid.services.person.call_centre import CallerAnswers, verify_caller
from eid.services.person.notifications import mask
from eid.store.application_tables import application as application_table
from eid.store.card_tables import card as card_table
from eid.store.database import in_transaction
from eid.store.notifications import SENT, Notification, begin_notifications
from eid.store.office_tables import caller_check
from eid.store.outbox import waiting
from eid.store.tables import audit_row
from eid.store.types import new_id_like
from tests.builders.applicants import applicant_record, begin_application
from tests.builders.booking import PARIS, RABAT, build_desk
from tests.builders.cards import active_card
from tests.builders.registry import NOW, Office, build_office, issue_token
from tests.builders.stamps import build_till

pytestmark = pytest.mark.anyio
MASKED = mask("sms", "+212600000001")
FATIMA = {"date_of_birth": "1985-02-14", "personal_number": "zz123456", "mother": "Khadija  Ennamoudaj"}


@pytest.fixture
def office(any_database: Engine) -> Iterator[Office]:
    return build_office(any_database)


@pytest.fixture
def agent(office: Office) -> dict[str, str]:
    return office.headers(Role.CALL_CENTRE_AGENT, sub="agent-1")


@pytest.fixture
def person(any_database: Engine) -> Any:
    return begin_application(any_database, NOW)


def events(engine: Engine, subject: str) -> list[tuple[str, dict[str, Any]]]:
    with engine.connect() as connection:
        query = select(audit_row.c.action, audit_row.c.detail).where(audit_row.c.subject == subject)
        return [(row.action, row.detail) for row in connection.execute(query.order_by(audit_row.c.seq))]


async def search(office: Office, headers: dict[str, str], **wanted: str) -> Any:
    async with office.client() as client:
        return await client.post("/v1/persons/search", json=wanted, headers=headers)


WAYS = (
    {"personal_number": " zz123456"},
    {"name": "specimen fat"},
    {"name": "Fatima"},
    {"name": "فاطمه الزهراء عي"},  # folded: teh marbuta, alef
)


async def test_somebody_is_found_masked(office, agent, person):
    for wanted in WAYS:
        found = await search(office, agent, **wanted)
        assert found.status_code == 200
        (shown,) = found.json()["persons"]
        assert shown == {
            "id": str(person.person_id),
            "state": "CLAIMED",
            "name": {"arabic": "ف••• ا••• ع•••", "latin": "F••• Z••• S•••"},
            "birth_year": 1985,
            "personal_number": "•••56",
        }
    log = events(office.registry.engine, f"person:{person.person_id}")
    assert log == [("person.read", {"part": "masked"})] * len(WAYS)


async def test_by_a_receipt_and_by_a_card(office, agent, person, any_database):
    assert (await search(office, agent, number=person.number.lower())).json()["persons"][0]["birth_year"] == 1985
    card = active_card(any_database, holder="somebody")
    with any_database.begin() as connection:
        connection.execute(card_table.update().values(application_id=person.id, person_id=None))
    found = await search(office, agent, document_number=card.document_number)
    assert [item["id"] for item in found.json()["persons"]] == [str(person.person_id)]
    assert (await search(office, agent, document_number="NOBODYS1")).json() == {"persons": []}


FISHING = (
    {},
    {"name": "fatima", "personal_number": "ZZ123456"},
    {"name": "  "},
    {"name": "fa"},
    {"number": "1" * 13},
)


async def test_no_fishing(office, agent, person):
    for wanted in FISHING:
        answer = await search(office, agent, **wanted)
        assert answer.status_code == 422, wanted
        assert "fatima" not in answer.text.casefold()


async def test_a_caller_proves_who_he_is(office, agent, person):
    async with office.client() as client:
        body = {"person_id": str(person.person_id), **FATIMA}
        opened = await client.post("/v1/calls", json=body, headers=agent)
        assert opened.status_code == 201, opened.text
        place = f"/v1/calls/{opened.json()['id']}"
        view = (await client.get(place, headers=agent)).json()
        (application,) = view["applications"]
        assert (application["number"], application["state"]) == (person.number, "DRAFT")
        told = (await client.get(place, headers=agent)).text
        for secret in ("FATIMA", "فاطمة", "ZZ123456", "1985-02-14", "+212600000001", "RUE DU MODELE"):
            assert secret not in told
        colleague = office.headers(Role.CALL_CENTRE_AGENT, sub="agent-2")
        assert (await client.get(place, headers=colleague)).status_code == 404
        office.clock.advance(minutes=15)
        agent = office.headers(Role.CALL_CENTRE_AGENT, sub="agent-1")  # the token has expired, too
        assert (await client.get(place, headers=agent)).status_code == 404
    log = events(office.registry.engine, f"person:{person.person_id}")
    assert log[-3][0] == "caller.verify"
    assert log[-3][1]["passed"] is True
    assert log[-3][1]["answers"] == "date_of_birth,personal_number,mother"
    assert log[-2:] == [("person.read", {"part": "call"})] * 2


OTHERS = {
    "date_of_birth": "1985-02-15",
    "personal_number": "ZZ123457",
    "father": "MOHAMMED",
    "mother": "خديجة",
    "phone": "0600000002",
    "number": "0" * 13,
}


async def test_an_agent_does_not_call_himself(office, person):
    claims = {"sub": "agent-1", "roles": ["call-centre-agent"], "personal_number": "ZZ123456"}
    headers = {"Authorization": f"Bearer {issue_token(office.clock(), **claims)}"}
    async with office.client() as client:
        answer = await client.post("/v1/calls", json={"person_id": str(person.person_id), **FATIMA}, headers=headers)
    assert (answer.status_code, answer.json()["guard"]) == (403, "own-file")


async def test_one_wrong_answer_is_enough(office, agent, person):
    right = {**FATIMA, "father": "محمد عينه", "phone": "06 00 00 00 01", "number": person.number}
    async with office.client() as client:
        place = {"person_id": str(person.person_id)}
        assert (await client.post("/v1/calls", json=place | right, headers=agent)).status_code == 201
        for name, said in OTHERS.items():
            wrong = await client.post("/v1/calls", json=place | right | {name: said}, headers=agent)
            assert (wrong.status_code, wrong.json()["guard"]) == (409, "caller-verified"), name
            assert name not in wrong.text
            with office.registry.engine.begin() as connection:  # it would be too many otherwise
                connection.execute(caller_check.delete())


async def test_who_has_no_number_knows_none(office, agent, any_database):
    nobody = begin_application(any_database, NOW, record=applicant_record(personal_number=None))
    body = {"person_id": str(nobody.person_id), **FATIMA}
    async with office.client() as client:
        for said in ("-", "NONE", "None"):
            answer = await client.post("/v1/calls", json={**body, "personal_number": said}, headers=agent)
            assert answer.json().get("guard") == "caller-verified", said


@pytest.mark.both_databases
async def test_guessing_ends(office, agent, person):
    body = {"person_id": str(person.person_id), **FATIMA}
    async with office.client() as client:
        few = await client.post("/v1/calls", json={**body, "mother": None}, headers=agent)
        assert few.status_code == 422
        for _ in range(3):
            wrong = await client.post("/v1/calls", json={**body, "mother": "Nobody"}, headers=agent)
            assert wrong.json()["guard"] == "caller-verified"
        right = await client.post("/v1/calls", json=body, headers=agent)
        assert right.json()["guard"] == "caller-tries"
        office.clock.advance(minutes=61)
        agent = office.headers(Role.CALL_CENTRE_AGENT, sub="agent-1")  # the token has expired
        assert (await client.post("/v1/calls", json=body, headers=agent)).status_code == 201


@pytest.mark.both_databases
async def test_guessing_at_once_does_not_help(office, person):
    """Of many wrong answers at one moment three are looked at."""
    registry, agent = office.registry, Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))
    wrong = CallerAnswers(date(1900, 1, 1), "ZZ000000", mother="Nobody")

    def guess(_: int) -> str | None:
        with pytest.raises(EnrolmentError) as refused:
            verify_caller(registry, person.person_id, wrong, agent, NOW)
        return refused.value.guard

    with ThreadPoolExecutor(8) as pool:
        told = Counter(pool.map(guess, range(12)))
    assert told == {"caller-verified": 3, "caller-tries": 9}


async def open_call(office: Office, headers: dict[str, str], person_id: Any) -> str:
    async with office.client() as client:
        opened = await client.post("/v1/calls", json={"person_id": str(person_id), **FATIMA}, headers=headers)
    assert opened.status_code == 201, opened.text
    return f"/v1/calls/{opened.json()['id']}"


async def test_a_stamp_is_sent_again(office, agent, person, any_database):
    till = build_till(any_database)
    mine, other = till.buy(), till.buy()
    with any_database.begin() as connection:
        connection.execute(application_table.update().values(stamp_id=mine.id))
    place = await open_call(office, agent, person.person_id)
    office.clock.advance(minutes=2)
    async with office.client() as client:
        sent = await client.post(f"{place}/stamps", json={"stamp_id": str(mine.id)}, headers=agent)
        assert (sent.status_code, sent.json()["messages"]) == (200, 2)
        assert set(sent.json()) == {"id", "state", "last_four", "messages"}
        assert till.digits(mine) not in sent.text
        another = await client.post(f"{place}/stamps", json={"stamp_id": str(other.id)}, headers=agent)
        assert another.status_code == 404
        (application,) = (await client.get(place, headers=agent)).json()["applications"]
        assert application["stamp"]["id"] == str(mine.id)


async def test_a_message_is_sent_again(office, agent, person, any_database):
    told = Notification(
        new_id_like(person.id, NOW),
        "sms",
        person.id,
        "application-submit",
        "fr",
        MASKED,
        SENT,
        "",
        NOW,
    )
    in_transaction(any_database, lambda connection: begin_notifications(connection, [told]))
    place = await open_call(office, agent, person.person_id)
    body = {"application_id": str(person.id), "template": "application-submit"}
    async with office.client() as client:
        early = await client.post(f"{place}/messages", json=body, headers=agent)
        assert early.json()["guard"] == "message-pause"
        office.clock.advance(minutes=2)
        assert (await client.post(f"{place}/messages", json=body, headers=agent)).status_code == 202
        other = await client.post(f"{place}/messages", json={**body, "template": "card-revoked"}, headers=agent)
        assert other.status_code == 404
        (application,) = (await client.get(place, headers=agent)).json()["applications"]
        for template in ("application-arrive", "appointment-cancelled"):  # said before, and no longer so
            before = replace(told, id=new_id_like(person.id, NOW), template=template)
            in_transaction(any_database, lambda connection, item=before: begin_notifications(connection, [item]))
            again = await client.post(f"{place}/messages", json={**body, "template": template}, headers=agent)
            assert again.status_code == 404
    assert application["messages"][0]["masked_to"] == "+212*******01"
    with any_database.connect() as connection:
        (work,) = [item for item in waiting(connection) if item.kind == "notify"]
    assert work.payload == {"template": "application-submit", "application": str(person.id)}


async def test_a_card_is_suspended(office, agent, person, any_database):
    card = active_card(any_database, holder="somebody")
    place = await open_call(office, agent, person.person_id)
    async with office.client() as client:
        body = {"card_id": str(card.id), "cause": "lost"}
        assert (await client.post(f"{place}/cards", json=body, headers=agent)).status_code == 404  # not the caller's
        with any_database.begin() as connection:
            connection.execute(card_table.delete())
        mine = active_card(any_database, application_id=person.id)
        body["card_id"] = str(mine.id)
        lost = await client.post(f"{place}/cards", json=body, headers=agent)
        assert (lost.status_code, lost.json()["state"]) == (200, "SUSPENDED"), lost.text
        assert lost.json()["document_number"] == f"•••{mine.document_number[-3:]}"
        assert [item["id"] for item in (await client.get(place, headers=agent)).json()["cards"]] == [str(mine.id)]


TIMES = (("rabat-agdal", "2026-11-23T09:00"), ("rabat-agdal", "2026-11-24T09:00"), ("paris", "2026-11-25T09:00"))


async def test_another_time(office, agent, person, any_database):
    build_desk(any_database, RABAT, PARIS)
    with any_database.begin() as connection:
        connection.execute(application_table.update().values(state="VALIDATED"))
    place = await open_call(office, agent, person.person_id)
    async with office.client() as client:
        for site, slot in TIMES:
            body = {"application_id": str(person.id), "site": site, "slot": slot}
            booked = await client.post(f"{place}/appointments", json=body, headers=agent)
            assert booked.status_code == 200, booked.text
            (application,) = (await client.get(place, headers=agent)).json()["applications"]
            assert (application["state"], application["appointment"]["site"]) == ("BOOKED", site)
            assert application["appointment"]["slot"] == slot
