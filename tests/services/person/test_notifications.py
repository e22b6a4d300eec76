"""What people are told: in their language, by every way, once, without secrets; from the work that others cause."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from eid.enrolment.rules import load_rules
from eid.errors import GatewayError, GatewayRefusedError, NotStoredError, ProfileError
from eid.gateways.messages import Message
from eid.gateways.sandbox_sms import SmsSandbox, serve_sms
from eid.gateways.sms import HttpSms
from eid.keystore.service_keys import ServiceKeys
from eid.locale import LANGUAGES, texts
from eid.services.caller import applicants as access
from eid.services.durable.relay import drain
from eid.services.durable.work import Workshop
from eid.services.durable.workshop import open_mail, open_sms, open_workshop
from eid.services.person import notifications
from eid.services.person.notifications import TEMPLATES, mask, render, tell, tell_code, tell_stamp
from eid.services.settings import Settings
from eid.store.application_tables import application as table
from eid.store.notification_tables import notification
from eid.store.notifications import Notification, notifications_of
from eid.store.outbox import Work
from eid.store.types import new_id, new_id_like
from tests.builders.applicants import applicant_record, begin_application
from tests.builders.registry import build_office
from tests.builders.stamps import build_till

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VALUES = {
    "number": "SPECIMEN-1",
    "until": "2026-12-31",
    "place": "SPECIMEN centre",
    "time": "2026-12-01 10:30",
    "digits": "0123456789012345",
    "amount": "75",
    "currency": "MAD",
    "code": "12345678",
    "minutes": "10",
}
SECRETS = {"digits": "stamp-issued", "code": "access-code"}


class Letterbox:
    """A way to people that keeps what it is given, unless it is told to fail."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.failures: list[Exception] = []

    def send(self, message: Message) -> str:
        if self.failures:
            raise self.failures.pop()
        self.messages.append(message)
        return f"ref-{len(self.messages)}"


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[SmsSandbox, str]]:
    with serve_sms("specimen-token") as served:
        yield served


def build(engine: Engine, keys: ServiceKeys | None = None, **ways: object) -> Workshop:
    ways = {"sms": Letterbox(), "mail": Letterbox(), **ways}
    return Workshop(
        engine, Settings(), load_rules("morocco").rules, keys or ServiceKeys(bytes(32)), lambda: NOW, **ways
    )  # type: ignore[arg-type]  # ways to people, by name


def notice(application_id: UUID, template: str = "application-submit", **payload: str) -> Work:
    told = {"template": template, "application": str(application_id), **payload}
    return Work(new_id_like(application_id, NOW), "notify", told, NOW)


def told_about(engine: Engine, subject: UUID) -> tuple[Notification, ...]:
    with engine.connect() as connection:
        return notifications_of(connection, subject)


# ---------------------------------------------------------------------------------------------------------- the texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_has_subject_and_text(language: str) -> None:
    assert set(texts(language)["message"]) == set(texts(language)["message_subject"]) == set(TEMPLATES)
    for template in TEMPLATES:
        subject, body = render(template, language, VALUES)
        assert "{" not in subject + body
        assert 10 < len(body) <= 320
        assert len(subject) <= 60
        assert (re.search("[\u0600-\u06ff]", subject + body) is not None) == (language == "ar")


def test_no_secret_but_the_stamp_and_the_code() -> None:
    for template, value in texts("en")["message"].items():
        asked = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
        assert asked <= set(VALUES)
        assert {name for name, owner in SECRETS.items() if owner != template} & asked == set()


def test_values_keep_their_direction_but_what_is_copied_stays_clean() -> None:
    _, body = render("appointment-booked", "ar", VALUES)
    assert "\u20662026-12-01 10:30\u2069" in body
    assert "\u2066" not in render("appointment-booked", "fr", VALUES)[1]
    assert " 0123456789012345." in render("stamp-issued", "ar", VALUES)[1]


def test_a_language_that_there_is_not() -> None:
    assert render("access-code", "tlh", VALUES) == render("access-code", "en", VALUES)


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        ("sms", "+212600000178", "+212*******78"),
        ("mail", "amina@example.org", "a***@example.org"),
        ("mail", "x@" + "y" * 100, "x***@" + "y" * 59),
    ],
)
def test_addresses_are_masked(channel: str, address: str, shown: str) -> None:
    assert mask(channel, address) == shown


# -------------------------------------------------------------------------------------------------------- the messages


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_applicant_is_told_once_in_his_language(any_database: Engine, language: str) -> None:
    application = begin_application(any_database, language=language)
    workshop = build(any_database)
    work = notice(application.id, "application-validate")
    for _ in range(2):
        tell(workshop, work)
    (sms,), (mail,) = workshop.sms.messages, workshop.mail.messages  # type: ignore[attr-defined]  # a Letterbox
    assert (sms.to, mail.to) == ("+212600000001", "fatima@specimen.invalid")
    assert sms.text == mail.text == render("application-validate", language, {"number": application.number})[1]
    assert (sms.subject, mail.subject) == ("", texts(language)["message_subject"]["application-validate"])
    assert (sms.key, mail.key) == (f"{work.id}.sms", f"{work.id}.mail")
    found = {item.channel: item for item in told_about(any_database, application.id)}
    assert {name: (item.state, item.reference, item.masked_to) for name, item in found.items()} == {
        "sms": ("SENT", "ref-1", "+212*******01"),
        "mail": ("SENT", "ref-1", "f***@specimen.invalid"),
    }


@pytest.mark.parametrize(
    ("appeal_until", "template", "said"),
    [
        (datetime(2027, 1, 21, 23, tzinfo=UTC), "application-reject", "You may appeal until 2027-01-21."),
        (None, "application-reject", "No appeal is open against it."),
        (datetime(2027, 1, 21, 23, tzinfo=UTC), "application-arrive", "2026-12-22"),  # not the appeal's of long ago
    ],
)
def test_the_day_that_is_told(any_database: Engine, appeal_until: datetime | None, template: str, said: str) -> None:
    application = begin_application(any_database, language="en")
    with any_database.begin() as connection:
        connection.execute(update(table).values(appeal_until=appeal_until).where(table.c.id == application.id))
    workshop = build(any_database)
    tell(workshop, notice(application.id, template))
    assert said in workshop.sms.messages[0].text  # type: ignore[attr-defined]  # a Letterbox


def test_a_late_message_tells_the_day_of_its_event(any_database: Engine) -> None:
    """Where the work says a day, what has become of the application since does not move it."""
    application = begin_application(any_database, language="en")
    workshop = build(any_database)
    tell(workshop, notice(application.id, "application-request-information", until="2026-12-01"))
    assert "Send them by 2026-12-01;" in workshop.sms.messages[0].text  # type: ignore[attr-defined]  # a Letterbox


@pytest.mark.both_databases
def test_a_gateway_that_fails_is_tried_again_and_the_other_is_not(any_database: Engine) -> None:
    application = begin_application(any_database, language="fr")
    workshop = build(any_database)
    workshop.sms.failures = [GatewayError("later")]  # type: ignore[attr-defined]  # a Letterbox
    work = notice(application.id)
    with pytest.raises(GatewayError, match="later"):
        tell(workshop, work)
    assert {item.state for item in told_about(any_database, application.id)} == {"SENT", "SENDING"}
    tell(workshop, work)
    assert (len(workshop.sms.messages), len(workshop.mail.messages)) == (1, 1)  # type: ignore[attr-defined]  # a Letterbox


def test_one_way_is_enough_and_none_is_a_failure(any_database: Engine) -> None:
    application = begin_application(any_database, language="fr")
    workshop = build(any_database)
    workshop.sms.failures = [GatewayRefusedError("unknown number")]  # type: ignore[attr-defined]  # a Letterbox
    tell(workshop, notice(application.id))
    assert {item.state for item in told_about(any_database, application.id)} == {"SENT", "REFUSED"}
    workshop.sms.failures = [GatewayRefusedError("unknown number")]  # type: ignore[attr-defined]  # a Letterbox
    workshop.mail.failures = [GatewayRefusedError("unknown mailbox")]  # type: ignore[attr-defined]  # a Letterbox
    with pytest.raises(GatewayRefusedError, match="unknown number"):
        tell(workshop, notice(application.id))


def test_nobody_to_tell_or_nothing_to_say(any_database: Engine) -> None:
    workshop = build(any_database)
    with pytest.raises(NotStoredError):
        tell(workshop, notice(new_id(NOW)))
    record = applicant_record(contact={"phone": "+212600000001"})
    application = begin_application(any_database, language="en", record=record)
    with pytest.raises(NotStoredError):
        tell(workshop, notice(application.id, "unheard-of"))
    tell(workshop, notice(application.id))
    assert workshop.mail.messages == []  # type: ignore[attr-defined]  # a Letterbox
    empty = notifications.Notice(application.id, "application-submit", "en", VALUES, {})
    with pytest.raises(GatewayRefusedError, match="neither"):
        notifications.deliver(workshop, notice(application.id), empty)


def test_the_digits_of_a_stamp_go_out_over_http(any_database: Engine, gateway: tuple[SmsSandbox, str]) -> None:
    sandbox, address = gateway
    till = build_till(any_database)
    stamp = till.order()
    assert till.tell(till.request(stamp)) == "applied"
    (work,) = till.works("sms.stamp")
    workshop = build(any_database, till.office.keys, sms=HttpSms(address, "specimen-token"))
    drain(workshop, {"sms.stamp": tell_stamp})  # the gateway is away twice for this number
    tell_stamp(workshop, work)
    assert sandbox.tries[f"{work.id}.sms"] == 3
    message = sandbox.messages[f"{work.id}.sms"]
    assert re.search(r"(?<!\d)\d{16}(?!\d)", message["text"])
    with any_database.connect() as connection:
        rows = connection.execute(select(notification)).all()
    digits = re.findall(r"\d{16}", message["text"])[0]
    assert len(rows) == 1
    assert digits not in repr(rows)
    assert message["to"] not in repr(rows)


def test_a_one_time_code_goes_out_while_it_is_good(any_database: Engine) -> None:
    office = build_office(any_database)
    workshop = build(any_database, office.registry.keys)
    sent = access.send_code(office.registry, access.Channel.EMAIL, "amina@example.org", "ar")
    done = drain(workshop, {"access.code": tell_code})
    (message,) = workshop.mail.messages  # type: ignore[attr-defined]  # a Letterbox
    assert done == 1
    (code,) = re.findall(r"\d{8}", message.text)
    assert (message.to, message.language) == ("amina@example.org", "ar")
    access.open_session(office.registry, sent.id, code)
    tell_code(workshop, Work(new_id_like(sent.id, NOW), "access.code", {"code": str(sent.id)}, NOW))
    assert len(workshop.mail.messages) == 1  # type: ignore[attr-defined]  # it was used


def test_the_ways_that_the_settings_name(any_database: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("specimen-token\n")
    named = Settings(
        home=tmp_path,
        sms="https://sms.example/messages",
        sms_token_file=str(secret),
        mail="smtp+starttls://eid@mail.example",
        mail_password_file=str(secret),
    )
    workshop = open_workshop(named, any_database)
    assert workshop.sms == HttpSms("https://sms.example/messages", "specimen-token")
    assert "specimen-token" not in repr(workshop) + repr(open_sms(named)) + repr(open_mail(named))
    plain = Settings(home=tmp_path)
    reference = open_sms(plain).send(Message("k", "+212600000100", "", "x", "en"))
    assert (tmp_path / "messages" / "sms" / reference).is_file()
    for broken in (
        Settings(home=tmp_path, sms="ftp://x"),
        Settings(home=tmp_path, sms="https://x", sms_token_file=str(tmp_path / "none")),
    ):
        with pytest.raises(ProfileError):
            open_sms(broken)
    secret.write_text("two\nlines\n")
    with pytest.raises(ProfileError):
        open_mail(named)
