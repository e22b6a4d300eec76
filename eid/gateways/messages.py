"""Messages to people: the port, and what goes through it.

Three implementations: an SMS gateway over HTTP (`eid.gateways.sms`), SMTP (`eid.gateways.mail`), and a directory into
which messages are laid where no gateway is configured (`SpooledMessages`), for development.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from eid.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one person.

    Args:
        key: idempotency key: the same message, sent again, carries the same. to: telephone number (E.164) or e-mail
            address.
        subject: empty for an SMS. language: of subject and text, "ar", "fr" or "en".
    """

    key: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    language: str


class MessageGateway(Protocol):
    """A way to people."""

    def send(self, message: Message) -> str:
        """Hand a message over; return the reference that the gateway gave it.

        Raises:
            GatewayError: the gateway cannot be reached, or asks to try later.
            GatewayRefusedError: it will never take this message.
        """


@dataclass(frozen=True, slots=True)
class SpooledMessages:
    """Lays messages into a directory, readable by its owner alone: for development, where nobody is to be reached."""

    directory: Path

    def send(self, message: Message) -> str:
        """Write the message to a file, whose name is its reference; the same message twice is one file.

        Raises:
            GatewayError: it cannot be written.
        """
        name = f"{hashlib.sha256(message.key.encode()).hexdigest()[:32]}.json"
        told = {"to": message.to, "subject": message.subject, "text": message.text, "language": message.language}
        temporary = self.directory / f".{name}.{os.getpid()}"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump(told, file, ensure_ascii=False)
            temporary.replace(self.directory / name)
        except OSError as failure:
            raise GatewayError(f"a message cannot be laid into {self.directory}: {failure.strerror}") from failure
        return name
