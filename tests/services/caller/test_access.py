"""Applicants: a code to a telephone or mailbox, a few tries, a session; the same answers whatever is the case."""

from __future__ import annotations

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from eid.enrolment.roles import Role
from eid.errors import RecordError
from eid.services.caller import applicants as access
from eid.services.caller.applicants import Channel, CodeMessage, CodeRefusedError
from eid.services.caller.tokens import TokenRefusedError
from eid.services.registry import Registry
from eid.store.access_tables import access_account, access_code, access_session
from eid.store.audit import bucket_of, read_buckets, read_chain
from eid.store.database import in_transaction
from eid.store.outbox import waiting
from tests.builders.registry import Office, build_office

PHONE = "+212600000001"


@pytest.fixture
def office(any_database: Engine) -> Office:
    return build_office(any_database)


def read(registry: Registry, code_id: uuid.UUID) -> CodeMessage | None:
    return in_transaction(registry.engine, lambda connection: access.read_message(registry, connection, code_id))


def send(office: Office, contact: str = PHONE, language: str = "fr") -> tuple[uuid.UUID, str]:
    sent = access.send_code(office.registry, Channel.SMS, contact, language)
    message = read(office.registry, sent.id)
    assert message is not None
    return sent.id, message.code


def refused(office: Office, code_id: uuid.UUID, code: str) -> None:
    with pytest.raises(CodeRefusedError, match=r"^the code is refused$"):
        access.open_session(office.registry, code_id, code)


def test_the_way_in_and_out(office: Office) -> None:
    registry = office.registry
    code_id, code = send(office)
    (work,) = in_transaction(registry.engine, waiting)
    assert (work.kind, work.payload) == ("access.code", {"code": str(code_id)})
    message = read(registry, code_id)
    assert message is not None
    assert (message.channel, message.contact, message.language) == (Channel.SMS, PHONE, "fr")
    opened = access.open_session(registry, code_id, f" {code[:4]} {code[4:]}")
    caller = access.find_session(registry, opened.token)
    assert (caller.actor.id, caller.actor.roles) == (str(opened.account_id), {Role.APPLICANT})
    assert read(registry, code_id) is None
    access.close_session(registry, opened.token)
    with pytest.raises(TokenRefusedError):
        access.find_session(registry, opened.token)
    with pytest.raises(TokenRefusedError):
        access.close_session(registry, opened.token)
    (bucket,) = in_transaction(registry.engine, read_buckets)
    assert bucket == bucket_of(opened.account_id) == bucket_of(code_id)
    with registry.engine.connect() as connection:
        events = [(row.event.action, row.event.subject) for row in read_chain(connection, bucket)]
    subject = f"account:{opened.account_id}"
    assert events == [("access.session-opened", subject), ("access.session-closed", subject)]


def test_one_contact_has_one_account(office: Office) -> None:
    accounts = set()
    for stated in (PHONE, "00212 6 00 00 00 01", "+212-600.000.001", "+٢١٢٦٠٠٠٠٠٠٠١"):
        accounts.add(access.open_session(office.registry, *send(office, stated)).account_id)
        office.clock.advance(minutes=16)
    assert len(accounts) == 1
    assert access.open_session(office.registry, *send(office, "+212600000002")).account_id not in accounts


def test_nothing_stands_in_clear(office: Office) -> None:
    code_id, code = send(office)
    opened = access.open_session(office.registry, code_id, code)
    unused, _ = send(office)
    assert unused != code_id
    with office.registry.engine.connect() as connection:
        rows = [
            row for table in (access_account, access_code, access_session) for row in connection.execute(select(table))
        ]
    kept = repr([[bytes(v).hex() if isinstance(v, bytes | memoryview) else v for v in row] for row in rows])
    secret = base64.urlsafe_b64decode(opened.token.removeprefix("eids_"))[16:]
    for hidden in (PHONE, PHONE[1:], code, PHONE.encode().hex(), code.encode().hex(), secret.hex(), opened.token):
        assert hidden not in kept
    assert code not in repr(read(office.registry, unused))
    assert opened.token not in repr(opened)


def test_a_code_is_good_once(office: Office) -> None:
    code_id, code = send(office)
    access.open_session(office.registry, code_id, code)
    refused(office, code_id, code)


@pytest.mark.both_databases
def test_five_tries(office: Office) -> None:
    code_id, code = send(office)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    for _ in range(access.TRIES):
        refused(office, code_id, wrong)
    refused(office, code_id, code)  # right, and too late


def test_the_fifth_try_may_be_the_right_one(office: Office) -> None:
    code_id, code = send(office)
    for wrong in ("", "1", "x" * 40, code + "0"):
        refused(office, code_id, wrong)
    assert access.open_session(office.registry, code_id, code)


def test_a_code_is_of_its_contact_and_its_time(office: Office) -> None:
    first, code = send(office)
    second, _ = send(office, "+212600000002")
    refused(office, second, code)
    refused(office, uuid.uuid4(), code)
    office.clock.advance(minutes=10)
    refused(office, first, code)
    assert read(office.registry, first) is None


@pytest.mark.both_databases
def test_of_many_at_once_one_opens_the_session(office: Office) -> None:
    code_id, code = send(office)

    def attempt(_: int) -> bool:
        try:
            return bool(access.open_session(office.registry, code_id, code))
        except CodeRefusedError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1


def test_a_contact_is_not_sent_code_upon_code(office: Office) -> None:
    registry = office.registry
    sent = [access.send_code(registry, Channel.SMS, PHONE, "ar") for _ in range(5)]
    assert [read(registry, item.id) is not None for item in sent] == [True, True, True, False, False]
    assert len({item.id for item in sent}) == 5
    assert len({item.expires_at for item in sent}) == 1  # nothing in the answer tells
    assert len(in_transaction(registry.engine, waiting)) == 3
    refused(office, sent[-1].id, "00000000")
    office.clock.advance(minutes=16)
    for _ in range(4):
        for _ in range(3):
            access.send_code(registry, Channel.SMS, PHONE)
        office.clock.advance(minutes=16)
    assert len(in_transaction(registry.engine, waiting)) == 10  # a day's
    assert read(registry, access.send_code(registry, Channel.SMS, "+212600000002").id) is not None


def test_a_session_ends_by_itself(office: Office) -> None:
    opened = access.open_session(office.registry, *send(office))
    office.clock.advance(minutes=119)
    assert access.find_session(office.registry, opened.token)
    office.clock.advance(minutes=1)
    with pytest.raises(TokenRefusedError):
        access.find_session(office.registry, opened.token)
    assert access.forget_old_access(office.registry.engine, office.clock()) == 0
    office.clock.advance(days=1, minutes=1)
    assert access.forget_old_access(office.registry.engine, office.clock()) == 2


def test_tokens_that_are_none(office: Office) -> None:
    opened = access.open_session(office.registry, *send(office))
    raw = bytearray(base64.urlsafe_b64decode(opened.token.removeprefix("eids_")))
    raw[-1] ^= 1
    wrong = [
        "",
        "eids_",
        opened.token[5:],
        opened.token[:-4],
        opened.token + "AAAA",
        "eids_" + "A" * 64,
        "eids_é",
        "eids_" + base64.urlsafe_b64encode(raw).decode(),
    ]
    for token in wrong:
        with pytest.raises(TokenRefusedError, match=r"^the session is refused$"):
            access.find_session(office.registry, token)


@pytest.mark.parametrize(
    ("channel", "stated", "contact"),
    [
        (Channel.SMS, "+212 6 12-34.56 78", "+212612345678"),
        (Channel.SMS, "00212612345678", "+212612345678"),
        (Channel.EMAIL, " Amina.Specimen@Example.TEST ", "amina.specimen@example.test"),
        (Channel.EMAIL, "a+b@xn--bcher-kva.example", "a+b@xn--bcher-kva.example"),
    ],
)
def test_contacts(channel, stated, contact) -> None:
    assert access.normalise_contact(channel, stated) == contact


@pytest.mark.parametrize(
    ("channel", "stated"),
    [
        (Channel.SMS, "0612345678"),
        (Channel.SMS, "+0612345678"),
        (Channel.SMS, "+2126"),
        (Channel.SMS, "+2126123456789012"),
        (Channel.SMS, "a@b.test"),
        (Channel.SMS, "+212612345678;ext=1"),
        (Channel.EMAIL, "+212612345678"),
        (Channel.EMAIL, "a@b"),
        (Channel.EMAIL, "a@b.test\r\nBcc: c@d.test"),
        (Channel.EMAIL, "a b@c.test"),
        (Channel.EMAIL, "@c.test"),
        (Channel.EMAIL, "a" * 250 + "@c.test"),
    ],
)
def test_what_is_no_contact(channel, stated) -> None:
    with pytest.raises(RecordError) as refusal:
        access.normalise_contact(channel, stated)
    assert stated not in str(refusal.value)


@given(st.sampled_from(Channel), st.text(max_size=300))
def test_any_text_is_a_contact_or_refused(channel, stated) -> None:
    try:
        contact = access.normalise_contact(channel, stated)
    except RecordError:
        return
    assert contact.isascii()
    assert access.normalise_contact(channel, contact) == contact
