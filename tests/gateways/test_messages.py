"""SMS over HTTP against a real server with the failures of one, and mail to a real SMTP server."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as ParsedMail
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from eid.errors import GatewayError, GatewayRefusedError, ProfileError
from eid.gateways.mail import SmtpMail, SmtpServer, parse_smtp_url
from eid.gateways.messages import Message, SpooledMessages
from eid.gateways.sandbox_sms import MAX_BODY, SmsSandbox, serve_sms
from eid.gateways.sms import HttpSms

TOKEN = "specimen-token"
SENDER = "no-reply@eid.example"


def sms(to: str = "+212600000100", key: str = "k1", text: str = "رمزكم هو 12345678") -> Message:
    return Message(key, to, "", text, "ar")


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[SmsSandbox, str]]:
    with serve_sms(TOKEN) as served:
        yield served


def test_a_text_message(gateway: tuple[SmsSandbox, str]) -> None:
    sandbox, address = gateway
    adapter = HttpSms(address, TOKEN)
    reference = adapter.send(sms(key="once"))
    assert sandbox.messages["once"] == {"reference": reference, "to": "+212600000100", "text": "رمزكم هو 12345678"}
    count = len(sandbox.messages)
    assert adapter.send(sms(key="once")) == reference
    assert len(sandbox.messages) == count
    assert TOKEN not in repr(adapter)
    assert "+212" not in repr(sms())


@pytest.mark.parametrize(("number", "failures"), [("001", 2), ("005", 1), ("004", 1)])
def test_what_is_to_be_tried_again(gateway: tuple[SmsSandbox, str], number: str, failures: int) -> None:
    """Also the message that was taken, but whose answer was lost: it is not taken twice."""
    sandbox, address = gateway
    message = sms(f"+212600000{number}", f"again-{number}")
    for _ in range(failures):
        with pytest.raises(GatewayError) as caught:
            HttpSms(address, TOKEN).send(message)
        assert not isinstance(caught.value, GatewayRefusedError)
        assert message.to not in str(caught.value)
    assert HttpSms(address, TOKEN).send(message).startswith("sandbox-")
    assert [key for key in sandbox.messages if key == message.key] == [message.key]


@pytest.mark.parametrize("to", ["+212600000002", "0612345678", "+0", "+2126000001004444", "sip:x", "+21260000010x"])
def test_what_is_refused_for_good(gateway: tuple[SmsSandbox, str], to: str) -> None:
    with pytest.raises(GatewayRefusedError) as caught:
        HttpSms(gateway[1], TOKEN).send(sms(to))
    assert to not in str(caught.value)


def test_a_gateway_that_does_not_know_us_or_is_not_there(gateway: tuple[SmsSandbox, str]) -> None:
    with pytest.raises(GatewayError, match="401") as caught:  # a fault of the settings, whose repair messages wait for
        HttpSms(gateway[1], "wrong").send(sms())
    assert type(caught.value) is GatewayError
    for address in ("http://127.0.0.1:1/messages", "https://127.0.0.1:1/", "http://host.invalid/", "http://[/"):
        with pytest.raises((GatewayError, ValueError)):
            HttpSms(address, TOKEN).send(sms())


def test_bad_requests_to_the_sandbox(gateway: tuple[SmsSandbox, str]) -> None:
    def status(body: bytes, path: str = "", method: str = "POST", **headers: str) -> int:
        stated = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": "k", **headers}
        request = urllib.request.Request(gateway[1] + path, body or None, stated, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code

    good = json.dumps({"id": "k", "to": "+212600000100", "text": "x"}).encode()
    assert status(good) == 202
    assert status(good, "/other") == 404
    assert status(good, **{"Idempotency-Key": "another"}) == 400
    assert [status(body) for body in (b"{", b"[]", b'{"id": "k"}')] == [400, 400, 400]
    assert status(b"[" * 10_000) == 400
    assert status(b"x" * (MAX_BODY + 1)) == 413
    assert status(b"", method="GET") == 200
    assert status(b"", "/other", method="GET") == 404
    assert status(b"", method="GET", Authorization="none") == 401


def test_messages_that_are_laid_down(tmp_path: Path) -> None:
    spool = SpooledMessages(tmp_path / "deep" / "messages")
    name = spool.send(sms())
    assert spool.send(sms()) == name
    path = tmp_path / "deep" / "messages" / name
    assert json.loads(path.read_text()) == {
        "to": "+212600000100", "subject": "", "text": "رمزكم هو 12345678", "language": "ar"
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == [name]
    (tmp_path / "file").write_text("x")
    with pytest.raises(GatewayError):
        SpooledMessages(tmp_path / "file" / "x").send(sms())


# ------------------------------------------------------------------------------------------------------------- mail


class Inbox:
    """What the server does with mail: keeps it, or answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, ParsedMail]] = []
        self.answer = "250 OK"

    async def handle_RCPT(self, server, session: Session, envelope: Envelope, address: str, options) -> str:  # noqa: N802
        if address.startswith("unknown"):
            return "550 no such mailbox"
        if address.startswith("busy"):
            return "450 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append((envelope, message_from_bytes(envelope.content, policy=default)))
        return self.answer


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a server named localhost, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "c.pem", folder / "k.pem")
    return server, ssl.create_default_context(cafile=str(folder / "c.pem"))


def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"eid", b"specimen"), handled=False)


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inbox, int, ssl.SSLContext]]:
    """A mail server that offers STARTTLS and asks for a name."""
    inbox = Inbox()
    server_tls, client_tls = certificate(tmp_path_factory.mktemp("tls"))
    controller = Controller(
        inbox, "localhost", 0, tls_context=server_tls, authenticator=authenticate, enable_SMTPUTF8=True
    )
    controller.port = _free_port()
    controller.start()
    yield inbox, controller.port, client_tls
    controller.stop()


def _free_port() -> int:
    with socket.create_server(("localhost", 0)) as probe:
        return int(probe.getsockname()[1])


def mail(to: str = "amina@example.org", key: str = "k.mail") -> Message:
    return Message(key, to, "موعدكم", "موعدكم: \u20662026-12-01 10:30\u2069، SPECIMEN.", "ar")


def test_a_mail(post: tuple[Inbox, int, ssl.SSLContext]) -> None:
    inbox, port, tls = post
    server = SmtpServer("localhost", port, "starttls", "eid", "specimen", tls)
    assert "specimen" not in repr(server)
    reference = SmtpMail(server, SENDER).send(mail())
    assert SmtpMail(server, SENDER).send(mail()) == reference == "<k.mail@eid.example>"
    envelope, parsed = inbox.mails[-1]
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["amina@example.org"])
    assert (parsed["To"], parsed["From"], parsed["Subject"]) == ("amina@example.org", SENDER, "موعدكم")
    assert (parsed["Message-ID"], parsed["Content-Language"]) == (reference, "ar")
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed.get_content().strip() == mail().text


def test_what_the_mail_server_says_decides(post: tuple[Inbox, int, ssl.SSLContext]) -> None:
    inbox, port, tls = post
    adapter = SmtpMail(SmtpServer("localhost", port, "starttls", tls=tls), SENDER)
    for to, error in (("unknown@example.org", GatewayRefusedError), ("busy@example.org", GatewayError)):
        with pytest.raises(error) as caught:
            adapter.send(mail(to))
        assert type(caught.value) is error
        assert to not in str(caught.value)
    for answer, error in (("451 later", GatewayError), ("554 never", GatewayRefusedError)):
        inbox.answer = answer
        with pytest.raises(error) as caught:
            adapter.send(mail())
        assert type(caught.value) is error
    inbox.answer = "250 OK"


def test_a_server_that_cannot_be_trusted_or_is_not_there(post: tuple[Inbox, int, ssl.SSLContext]) -> None:
    _, port, tls = post
    for server in (
        SmtpServer("localhost", port, "starttls"),  # nobody vouches for its certificate
        SmtpServer("localhost", port, "tls", tls=tls),  # it speaks no TLS at first
        SmtpServer("localhost", 1, "none"),
        SmtpServer("host.invalid", 25, "none"),
    ):
        with pytest.raises(GatewayError) as caught:
            SmtpMail(server, SENDER).send(mail())
        assert not isinstance(caught.value, GatewayRefusedError)
    with pytest.raises(GatewayError, match="refuses us with 535") as caught:
        SmtpMail(SmtpServer("localhost", port, "starttls", "eid", "wrong", tls), SENDER).send(mail())
    assert type(caught.value) is GatewayError


@pytest.mark.parametrize("to", ["", "nobody", "a b@example.org", "a@b@c", "x@example.org\nBcc: y@example.org"])
def test_addresses_that_are_none(post: tuple[Inbox, int, ssl.SSLContext], to: str) -> None:
    with pytest.raises(GatewayRefusedError):
        SmtpMail(SmtpServer("localhost", post[1], "none"), SENDER).send(mail(to))


def test_a_server_that_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(GatewayError):
            SmtpMail(SmtpServer("127.0.0.1", server.getsockname()[1], "none"), SENDER).send(mail())
        thread.join()


@pytest.mark.parametrize("drop", [b"", b"220-welcome\r\n", b"HTTP/1.1 200 OK\r\nX: y"])
def test_a_server_that_never_comes_to_an_end(drop: bytes) -> None:
    """Silent, or with something now and then: no worker waits for it long."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                while not stop.wait(0.02):
                    connection.sendall(drop)

        port = server.getsockname()[1]
        sends: Any = (
            lambda: SmtpMail(SmtpServer("127.0.0.1", port, "none"), SENDER, 0.1).send(mail()),
            lambda: HttpSms(f"http://127.0.0.1:{port}/", TOKEN, seconds=0.1).send(sms()),
        )
        for send in sends:
            thread = threading.Thread(target=drip)
            thread.start()
            with pytest.raises(GatewayError) as caught:
                send()
            assert type(caught.value) is GatewayError
            stop.set()
            thread.join()
            stop.clear()


def test_addresses_of_servers() -> None:
    assert parse_smtp_url("smtp+starttls://eid%40x@mail.example", "p") == SmtpServer(
        "mail.example", 587, "starttls", "eid@x", "p"
    )
    assert parse_smtp_url("smtps://mail.example:4650") == SmtpServer("mail.example", 4650, "tls")
    assert parse_smtp_url("smtp://127.0.0.1") == SmtpServer("127.0.0.1", 25, "none")
    for url in ("http://x", "smtp://", "smtps://u:p@x", "smtp://u@x", "smtps://x:99999", "smtps://[", ""):
        with pytest.raises(ProfileError):
            parse_smtp_url(url)
