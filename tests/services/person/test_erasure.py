"""Erasure: afterwards nothing of the person is found in any table or file, and the audit log is whole."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from eid.enrolment.person import decode_person, encode_person
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.errors import EnrolmentError, NotStoredError, Refusal
from eid.services.application import acts, adjudication
from eid.services.application.documents import open_document
from eid.services.application.enrolment import view_item
from eid.services.audit.log import Sealer
from eid.services.audit.verification import verify_audit_log
from eid.services.card.cards import Register
from eid.services.payment.refunds import ask_for_cancelled, list_refunds, refuse_refund
from eid.services.person import erasure
from eid.services.person.erasure import Erased, Eraser, erase_application, erase_due, erase_own
from eid.services.person.export import build_archive, export_own, export_person
from eid.store.all_tables import metadata
from eid.store.application_tables import application as table
from eid.store.applications import StoredApplication
from eid.store.card_tables import card
from eid.store.database import in_transaction, reading
from eid.store.notifications import SENT, Notification, begin_notifications
from eid.store.osia_tables import osia_record
from eid.store.outbox import waiting
from eid.store.production_tables import document_number
from eid.store.types import new_id, new_id_like
from tests.builders.applicants import ADMINISTRATOR, AGENT, APPLICANT, DOCUMENT, NOW, VALIDATOR, begin_application
from tests.builders.cards import active_card
from tests.builders.counter import CLOCK, OFFICER, Counter, build_counter
from tests.builders.issuance import signer
from tests.builders.registry import Office, build_office
from tests.builders.stamps import CASHIER

RECORD = encode_person(decode_person(DOCUMENT))
RULES = load_rules("morocco").rules
BANK = Actor("bank-1", frozenset((Role.RELYING_PARTY,)))
NUMBER = "SPM00042"
ASKED = uuid.UUID("01a20000-0000-7000-8000-000000000001")
TRACES = (
    "فاطمة", "النموذج", "FATIMA", "fatima", "ENNAMOUDAJ", "ennamoudaj", "ZZ123456", "1985-02-14", "600000001",
    "RUE DU MODELE", NUMBER,
)  # fmt: skip


def find_traces(engine: Engine, folder: Path, *more: object) -> set[str]:
    """Where what is known of Fatima stands, in any column of any table or in any file."""
    found = set()
    wanted = [*TRACES, *map(str, more)]
    with engine.connect() as connection:
        for item in metadata.sorted_tables:
            for row in connection.execute(select(item)).mappings():
                for column, value in row.items():
                    text = value.decode("latin-1") if isinstance(value, bytes) else _write(value)
                    found |= {f"{item.name}.{column}: {trace}" for trace in wanted if trace in text}
    return found | {str(path) for path in folder.rglob("*") if path.is_file()}


def _write(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def deliver(counter: Counter, expires_on: date) -> StoredApplication:
    """Somebody who went the whole way; the card itself is made up."""
    order = counter.approved()
    with counter.engine.begin() as connection:
        row = connection.execute(select(table).where(table.c.id == order.application_id)).mappings().one()
        connection.execute(insert(document_number).values(number=NUMBER, order_id=order.id, drawn_at=CLOCK))
        connection.execute(update(table).values(state="DELIVERED", updated_at=CLOCK, due_at=None))
    made = active_card(
        counter.engine, NUMBER, application_id=row["id"], person_id=row["person_id"], holder="applicant-1"
    )
    told = Notification(
        new_id_like(row["id"], NOW), "sms", row["id"], "application-arrive", "fr", "+212*******01", SENT, "", NOW
    )
    with counter.engine.begin() as connection:
        connection.execute(update(card).where(card.c.id == made.id).values(expires_on=expires_on))
        connection.execute(
            insert(osia_record).values(
                bucket=1, id=ASKED, kind="REQUEST", state="X", version=1, subject=row["id"], owner="bank-1",
                sealed=counter.till.office.keys.seal("osia-record", b'{"note": "kept"}', ASKED.bytes),
                created_at=NOW, updated_at=NOW,
            )
        )  # fmt: skip
    in_transaction(counter.engine, lambda connection: begin_notifications(connection, [told]))
    with counter.engine.connect() as connection:
        found = erasure.load_application(connection, row["id"])
    assert found is not None
    return found


def eraser_of(counter: Counter) -> Eraser:
    return Eraser(counter.engine, counter.blobs, RULES, counter.abis)


def actions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        rows = connection.execute(select(metadata.tables["audit_row"].c.action))
        return [row.action for row in rows if row.action.endswith("erase")]


STEPS = ("blobs_of_others", "detach_number", "erase_records_of_others", "free_number", "erase_application_rows")


def examine_export(counter: Counter, application: StoredApplication) -> None:
    engine, keys = counter.engine, counter.till.office.keys
    told = export_own(engine, keys, APPLICANT, CLOCK)
    assert json.loads(json.dumps(told)) == told
    (person,), (one,) = told["persons"], told["applications"]
    assert person["record"] == RECORD
    assert person["names"][0]["name"]["given_names"] == DOCUMENT["given_names"]
    assert (one["number"], one["cards"][0]["document_number"]) == (application.number, NUMBER)
    assert one["kept_until"] == str(date(2027, 1, 31) + timedelta(days=RULES.retention.identity))
    handled = [(item["role"], item["action"]) for item in one["handled"]]
    assert ("validating-officer", "application.validate") in handled
    assert not [action for _, action in handled if action.startswith(("hold.", "search."))]
    document = uuid.UUID(one["documents"][0]["file"].rpartition(".")[0][-36:])
    open_document(engine, counter.blobs, document, VALIDATOR, CLOCK)
    view_item(engine, counter.blobs, application.id, "portrait", OFFICER, CLOCK)
    (one,) = export_own(engine, keys, APPLICANT, CLOCK)["applications"]
    for part, role in ((one["documents"][0], "validating-officer"), (one["captured"], "enrolment-officer")):
        read = part["handled"][-1]
        assert (read["role"], read["action"].endswith(".read")) == (role, True)
    assert "validator-1" not in json.dumps(told)
    assert "officer-1" not in json.dumps(told)
    assert one["messages"][0]["to"] == "+212*******01"
    stranger = export_own(engine, keys, Actor("applicant-9", frozenset((Role.APPLICANT,))), CLOCK)
    assert (stranger["persons"], stranger["applications"], stranger["stamps"]) == ([], [], [])

    same = export_person(engine, keys, application.person_id, ADMINISTRATOR, CLOCK)
    assert same["persons"][0]["handled"][-1]["action"] == "person.read"
    archive = zipfile.ZipFile(io.BytesIO(build_archive(engine, counter.blobs, same)))
    names = set(archive.namelist())
    assert {item.date_time for item in archive.infolist()} == {CLOCK.timetuple()[:6]}  # wherever the machine is
    assert names == {"data.json", *(item["file"] for item in one["documents"]), *one["captured"]["files"]}
    assert any(archive.read(name).startswith(b"%PDF") for name in names)
    assert archive.read(f"{application.number}/captured-1/portrait").startswith(b"\xff\xd8")
    assert [(item["system"], item["content"]) for item in one["held_for_others"]] == [("bank-1", {"note": "kept"})]
    assert one["captured_before"] == []
    Register(engine).ask(NUMBER, BANK, CLOCK, CLOCK.date())
    Register(engine).search(NUMBER, AGENT, CLOCK)
    (shown,) = export_own(engine, keys, APPLICANT, CLOCK)["applications"][0]["cards"]
    assert (shown["handled"][-1]["role"], shown["handled"][-1]["action"]) == ("call-centre-agent", "card.read")
    assert [item["role"] for item in shown["asked"]] == ["relying-party"]
    assert told["stamps"] == []
    with pytest.raises(EnrolmentError):
        export_person(engine, keys, application.person_id, AGENT, CLOCK)
    with pytest.raises(EnrolmentError):
        export_own(engine, keys, AGENT, CLOCK)
    with pytest.raises(NotStoredError):
        export_person(engine, keys, new_id(NOW), ADMINISTRATOR, CLOCK)


@pytest.mark.both_databases
def test_everything_is_told_and_then_nothing_is_left(any_database: Engine, tmp_path: Path, monkeypatch):
    folder = tmp_path / "papers"
    counter = build_counter(any_database, folder)
    application = deliver(counter, date(2027, 1, 31))
    eraser, kept = eraser_of(counter), RULES.retention
    key = signer("audit", "P-256", "sha256")
    before = find_traces(any_database, folder)
    examine_export(counter, application)
    assert {item.partition(".")[0] for item in before} >= {
        "person", "person_name", "person_search_key", "personal_number", "card", "document_number"
    }  # fmt: skip
    assert erase_due(eraser, CLOCK + timedelta(days=kept.biometrics)) == Erased()  # not a day too early
    taken = erase_due(eraser, CLOCK + timedelta(days=kept.biometrics, seconds=1))
    assert taken == Erased(captures=1)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert 0 < len(files) < len([item for item in before if str(folder) in item])
    assert erase_due(eraser, CLOCK + timedelta(days=kept.papers, seconds=1)) == Erased(papers=1)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert counter.abis.encounters, "the gallery keeps whoever has a card"
    with pytest.raises(EnrolmentError) as refused:
        erase_application(eraser, application.id, ADMINISTRATOR, CLOCK)
    assert (refused.value.refusal, refused.value.guard) == (Refusal.GUARD, "retention")
    assert erase_due(eraser, CLOCK + timedelta(days=kept.identity)) == Erased()  # counted from the card's last day
    end = CLOCK.replace(year=2027, month=2, day=2) + timedelta(days=kept.identity)
    for step in STEPS:  # a process that dies on the way is made up for
        with monkeypatch.context() as patch:
            patch.setattr(erasure.rows, step, lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                erase_due(eraser, end)
    assert erase_due(eraser, end) == Erased(applications=1)
    assert find_traces(any_database, folder, application.number, application.person_id, application.stamp_id) <= {
        f"document_number.number: {NUMBER}",  # never given out again
        f"stamp.id: {application.stamp_id}", f"payment.stamp_id: {application.stamp_id}",  # money
        f"audit_row.subject: {application.person_id}", f"audit_row.subject: {application.stamp_id}",
        f"audit_row.detail: {application.stamp_id}", f"audit_row.detail: {application.person_id}",
        f"outbox.payload: {application.stamp_id}",
    }  # fmt: skip
    assert counter.abis.encounters == {}
    assert actions(any_database) == ["biometrics.erase", "papers.erase", "application.erase", "person.erase"]
    Sealer(any_database, key, "eid.invalid/audit").seal(end)
    report = verify_audit_log(any_database, "eid.invalid/audit", key.public_key_info)
    assert report.findings == ()
    with any_database.connect() as connection:
        (left,) = connection.execute(select(card)).mappings()  # the status lists need it
    assert (left["state"], left["holder"], left["person_id"], left["application_id"]) == ("ACTIVE", None, None, None)
    assert left["status_place"] is not None
    assert erase_due(eraser, end) == Erased()


def test_what_may_not_be_erased(any_database: Engine, tmp_path: Path):
    counter = build_counter(any_database, tmp_path)
    draft, eraser = begin_application(any_database), eraser_of(counter)
    with pytest.raises(EnrolmentError) as refused:
        erase_application(eraser, draft.id, ADMINISTRATOR, NOW)
    assert refused.value.refusal is Refusal.WRONG_STATE
    for actor in (AGENT, Actor("officer-1", frozenset((Role.VALIDATING_OFFICER,)))):
        with pytest.raises(EnrolmentError) as refused:
            erase_application(eraser, draft.id, actor, NOW)
        assert refused.value.refusal is Refusal.FORBIDDEN
    with pytest.raises(NotStoredError):
        erase_application(eraser, new_id(NOW), ADMINISTRATOR, NOW)
    with pytest.raises(EnrolmentError):
        erase_own(eraser, AGENT, NOW)
    assert erase_due(eraser, NOW + timedelta(days=9999)) == Erased()


def test_a_process_that_is_not_let_to_the_biometric_system_leaves_it_to_a_worker(
    any_database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    counter = build_counter(any_database, tmp_path)
    application = counter.search(counter.capture(counter.present()))
    acts.cancel(any_database, application.id, ADMINISTRATOR, CLOCK)
    assert counter.abis.encounters  # type: ignore[attr-defined]  # the sandbox's
    eraser = replace(eraser_of(counter), abis=None)
    assert erase_own(eraser, APPLICANT, CLOCK).erased == (application.number,)
    monkeypatch.setattr("eid.services.application.adjudication.open_abis", lambda _: counter.abis)
    with reading(any_database) as connection:
        (work,) = [item for item in waiting(connection) if item.kind == "abis.forget"]
    adjudication.handle_forget(SimpleNamespace(settings=None), work)  # type: ignore[arg-type]  # asks for no more
    assert not counter.abis.encounters  # type: ignore[attr-defined]  # the sandbox's


def test_what_somebody_may_get_back_is_decided_first(any_database: Engine, tmp_path: Path):
    counter = build_counter(any_database, tmp_path)
    order = counter.approved()
    cancelled = acts.cancel(any_database, order.application_id, ADMINISTRATOR, CLOCK)
    assert cancelled.stamp_id is not None
    assert [item.application.id for item in erase_own(eraser_of(counter), APPLICANT, CLOCK).kept] == [cancelled.id]
    ask_for_cancelled(counter.till.office, cancelled.stamp_id, cancelled.id, CLOCK)
    assert erase_own(eraser_of(counter), APPLICANT, CLOCK).erased == ()
    (asked,) = list_refunds(counter.till.office, CASHIER)
    refuse_refund(counter.till.office, asked.id, "card-was-made", CASHIER, CLOCK)
    assert erase_own(eraser_of(counter), APPLICANT, CLOCK).erased == (cancelled.number,)


def test_of_two_applications_the_person_stays_with_the_other(any_database: Engine, tmp_path: Path, monkeypatch):
    """Both lie with one person; the file that both have stays until the last goes."""
    counter = build_counter(any_database, tmp_path)
    first, second = begin_application(any_database), begin_application(any_database)
    with any_database.begin() as connection:
        moved = new_id_like(first.id, NOW)
        same = {"bucket": first.id.bytes[15], "id": moved, "person_id": first.person_id}
        connection.execute(update(table).where(table.c.id == second.id).values(**same))
    acts.withdraw(any_database, first.id, APPLICANT, NOW)
    later = NOW + timedelta(days=RULES.retention.never_submitted + 2)
    whole = erasure.erase_application

    def fail_once(*given: Any) -> None:
        monkeypatch.setattr(erasure, "erase_application", whole)
        raise NotStoredError("this one cannot be erased")

    monkeypatch.setattr(erasure, "erase_application", fail_once)
    odd = begin_application(any_database)
    acts.withdraw(any_database, odd.id, APPLICANT, NOW)
    with pytest.raises(NotStoredError):
        erase_due(eraser_of(counter), later)  # and the other of the two is
    assert erase_due(eraser_of(counter), later) == Erased(applications=1)
    with any_database.connect() as connection:
        assert erasure.load_person(connection, first.person_id) is not None
    acts.withdraw(any_database, moved, APPLICANT, NOW)
    assert erase_due(eraser_of(counter), later) == Erased(applications=1)
    with any_database.connect() as connection:
        assert erasure.load_person(connection, first.person_id) is None


@pytest.mark.anyio
async def test_what_other_systems_never_finalized_goes_too(any_database: Engine, tmp_path: Path):
    office = build_office(any_database)
    office = Office(replace(office.registry, documents=str(tmp_path / "papers")), office.clock)
    scopes = "enroll.write enroll.buf.write id.identify"
    asked, face = {"transactionId": "T-1"}, {"biometricType": "FACE", "image": "AAAA", "compression": "JPEG"}
    async with office.client() as client:
        headers = office.headers(sub="system-1", scope=scopes)
        body = {"biographicData": {"lastName": "ENNAMOUDAJ"}}
        await client.post("/v1/enrollments/E-1", json=body, params=asked, headers=headers)
        png = {**headers, "Content-Type": "image/png"}
        sent = await client.post("/v1/enrollments/E-1/buffer", content=b"PNG", params=asked, headers=png)
        search = {"attributeSet": {"biometricData": [face]}, "outputAttributeSetName": "DEFAULT_SET_01"}
        begun = await client.post("/v1/identify", json=search, params=asked, headers=headers)
    assert (sent.status_code, begun.status_code) == (201, 202)
    registry, now = office.registry, office.clock()
    eraser = Eraser(registry.engine, registry.blobs, registry.rules)
    assert erase_due(eraser, now + timedelta(days=7)) == Erased()
    assert erase_due(eraser, now + timedelta(days=7, seconds=1)) == Erased(records=1)
    assert any(path.is_file() for path in tmp_path.rglob("*"))
    end = now + timedelta(days=RULES.retention.never_submitted, seconds=1)
    assert erase_due(eraser, end) == Erased(records=1)
    assert not any(path.is_file() for path in (tmp_path / "papers").rglob("*"))
    with any_database.connect() as connection:
        assert connection.execute(select(osia_record)).all() == []
    assert actions(any_database) == ["osia-record.erase"] * 2


@pytest.mark.anyio
async def test_somebody_wants_to_be_forgotten(any_database: Engine, tmp_path: Path):
    office = build_office(any_database)
    office = Office(replace(office.registry, documents=str(tmp_path / "papers")), office.clock)
    headers = office.applicant()
    new = {"reason": "first", "record": DOCUMENT}
    async with office.client() as client:
        made = [(await client.post("/v1/applications", json=new, headers=headers)).json() for _ in range(2)]
        account = (await client.get("/v1/me", headers=headers)).json()["id"]
        data = (await client.get("/v1/me/data", headers=headers)).json()
        assert sorted(item["number"] for item in data["applications"]) == sorted(item["number"] for item in made)
        assert data["persons"][0]["record"] == RECORD
        assert (await client.post(f"/v1/applications/{made[0]['id']}/withdraw", headers=headers)).status_code == 200
        answer = (await client.post("/v1/me/erasure", headers=headers)).json()
        assert answer["erased"] == [made[0]["number"]]
        assert answer["kept"] == [{"id": made[1]["id"], "number": made[1]["number"], "state": "DRAFT", "until": None}]
        await client.post(f"/v1/applications/{made[1]['id']}/withdraw", headers=headers)
        assert (await client.post("/v1/me/erasure", headers=headers)).json()["kept"] == []
        assert (await client.get("/v1/me", headers=headers)).status_code == 401, "the account is gone, too"
    left = {item.partition(":")[0] for item in find_traces(any_database, tmp_path / "papers", account)}
    assert left <= {"audit_row.actor", "audit_row.subject", "idempotency_key.caller"}
