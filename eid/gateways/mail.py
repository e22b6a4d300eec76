"""E-mail through an SMTP server (RFC 5321): TLS from the first octet, by STARTTLS, or none where no name is given."""

from __future__ import annotations

import smtplib
import ssl
import threading
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from eid.errors import GatewayError, GatewayRefusedError, ProfileError
from eid.gateways.http import shut
from eid.gateways.messages import Message

SECONDS: Final = 20.0
Security = Literal["tls", "starttls", "none"]
_SCHEMES: Final[dict[str, tuple[Security, int]]] = {
    "smtps": ("tls", 465),
    "smtp+starttls": ("starttls", 587),
    "smtp": ("none", 25),
}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over. user: empty where the server asks for none; tls: the system's trust unless said."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def parse_smtp_url(url: str, password: str = "") -> SmtpServer:
    """The server that a URL names: ``smtp+starttls://user@host:587``, ``smtps://host``, ``smtp://127.0.0.1:25``.

    Raises:
        ProfileError: another scheme, no host, a password in the URL, or a user without TLS.
    """
    try:
        place = urlsplit(url)
        host, port = place.hostname, place.port
    except ValueError as failure:
        raise ProfileError("the address of the mail server is malformed") from failure
    if place.scheme not in _SCHEMES or not host:
        raise ProfileError("the address of the mail server is smtps://, smtp+starttls:// or smtp://, and a host")
    security, usual = _SCHEMES[place.scheme]
    if place.password is not None:
        raise ProfileError("the password of the mail server does not stand in its address")
    if place.username and security == "none":
        raise ProfileError("a name and password are sent to the mail server under TLS only")
    return SmtpServer(host, port or usual, security, unquote(place.username or ""), password)


@dataclass(frozen=True, slots=True)
class SmtpMail:
    """Mail through a server.

    Args:
        sender: the address in From. seconds: for each step; a message takes three times that at most.
    """

    server: SmtpServer
    sender: str
    seconds: float = SECONDS

    def send(self, message: Message) -> str:
        """Hand a message over; return its Message-ID, which is the same whenever it is sent again.

        Raises:
            GatewayError: the server cannot be reached, asks to try later, or refuses us. GatewayRefusedError: it will
                never take this message.
        """
        mail = compose(message, self.sender)
        try:
            with self._connect() as connection:
                connection.send_message(mail, self.sender, [message.to])
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused) as refusal:
            # It is about us, not about the message: a fault of the settings, whose repair all mail waits for.
            raise GatewayError(f"the mail server refuses us with {refusal.smtp_code}") from refusal
        except smtplib.SMTPRecipientsRefused as refusal:
            raise _judge(min(code for code, _ in refusal.recipients.values())) from refusal
        except smtplib.SMTPResponseException as refusal:
            raise _judge(refusal.smtp_code) from refusal
        except smtplib.SMTPNotSupportedError as failure:
            raise GatewayRefusedError("the mail server cannot do what this message or our safety needs") from failure
        except (OSError, smtplib.SMTPException) as failure:
            raise GatewayError(f"the mail server cannot be reached: {type(failure).__name__}") from failure
        return str(mail["Message-ID"])

    def _connect(self) -> smtplib.SMTP:
        server, tls = self.server, self.server.tls or ssl.create_default_context()
        if server.security == "tls":
            connection: smtplib.SMTP = _EndingTls(server.host, server.port, timeout=self.seconds, context=tls)
        else:
            connection = _Ending(server.host, server.port, timeout=self.seconds)
        try:
            if server.security == "starttls":
                connection.starttls(context=tls)
            if server.user:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection


class _Ending(smtplib.SMTP):
    """A connection that ends after a time, also where the server goes on with a line now and then."""

    def __init__(self, host: str, port: int, *, timeout: float, **given: Any) -> None:
        self._watch = threading.Timer(3 * timeout, shut, (self,))
        self._watch.daemon = True
        self._watch.start()
        try:
            super().__init__(host, port, timeout=timeout, **given)
        except BaseException:
            self._watch.cancel()
            raise

    def close(self) -> None:
        """Nothing is waited for any more."""
        self._watch.cancel()
        super().close()


class _EndingTls(_Ending, smtplib.SMTP_SSL):
    pass


def compose(message: Message, sender: str) -> EmailMessage:
    """The mail as RFC 5322 wants it.

    Raises:
        GatewayRefusedError: the address of the recipient is none.
    """
    mail = EmailMessage(policy=SMTP if message.to.isascii() else SMTPUTF8)
    try:
        mail["To"] = Address(addr_spec=message.to)
        mail["From"] = sender
        mail["Subject"] = message.subject
    except (ValueError, IndexError, MessageError) as failure:  # IndexError: the library's answer to an empty part
        raise GatewayRefusedError("the e-mail address is malformed") from failure
    mail["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(message.text, cte="base64")
    mail["Content-Language"] = message.language  # last: content takes its headers' place
    return mail


def _judge(code: int) -> GatewayError:
    """4xx means "later", 5xx "never" (RFC 5321 4.2.1); what is neither says nothing about the message."""
    if 500 <= code < 600:
        return GatewayRefusedError(f"the mail server refused the message with {code}")
    return GatewayError(f"the mail server answered {code}")
