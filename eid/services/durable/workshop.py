"""The workshop that the settings describe: database, rules, keys, and the ways to people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from os import urandom
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from eid.enrolment.rules import load_rules
from eid.errors import ProfileError
from eid.gateways.address import require_secure_address
from eid.gateways.mail import SmtpMail, parse_smtp_url
from eid.gateways.messages import MessageGateway, SpooledMessages
from eid.gateways.sms import HttpSms
from eid.keystore.service_keys import LENGTH, ServiceKeys
from eid.services.audit.log import Sealer
from eid.services.card.status_lists import StatusPublisher
from eid.services.durable.work import Workshop
from eid.services.registry import load_keys, utc_now
from eid.services.settings import Settings

SPOOL: Final = "messages"  # under EID_HOME
MAX_SECRET: Final = 1024  # characters


def open_workshop(
    settings: Settings,
    engine: Engine,
    *,
    sealer: Sealer | None = None,
    publisher: StatusPublisher | None = None,
    keys_only: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> Workshop:
    """What handlers work with.

    Args:
        keys_only: it is for what `sealer` and `publisher` sign, and the service's own secret is not here.

    Raises:
        ProfileError: an address of a gateway is malformed, or the file with its secret. KeyStoreError: the service's
            keys cannot be used.
    """
    rules = load_rules(settings.country).rules
    keys = ServiceKeys(urandom(LENGTH)) if keys_only else load_keys(settings)
    sms, mail = open_sms(settings), open_mail(settings)
    return Workshop(engine, settings, rules, keys, now, sms, mail, sealer, publisher)


def open_sms(settings: Settings) -> MessageGateway:
    """The SMS gateway; without one, messages are laid into a directory and reach nobody.

    Raises:
        ProfileError: its address is neither https nor http to this machine, or the file with its token cannot be read.
    """
    if not settings.sms:
        return SpooledMessages(settings.home / SPOOL / "sms")
    address = require_secure_address(settings.sms, "the SMS gateway")  # messages have the digits of stamps
    return HttpSms(address, read_secret(settings.sms_token_file))


def open_mail(settings: Settings) -> MessageGateway:
    """The mail server; without one, messages are laid into a directory and reach nobody.

    Raises:
        ProfileError: its address is malformed, or the file with the password cannot be read.
    """
    if not settings.mail:
        return SpooledMessages(settings.home / SPOOL / "mail")
    return SmtpMail(parse_smtp_url(settings.mail, read_secret(settings.mail_password_file)), settings.mail_from)


def read_secret(name: str) -> str:
    """The only line of a file; empty where none is named."""
    if not name:
        return ""
    try:
        secret = Path(name).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as failure:
        raise ProfileError("the file with a secret cannot be read", path=name) from failure
    if not secret or "\n" in secret or len(secret) > MAX_SECRET:
        raise ProfileError("a file with a secret has one line", path=name)
    return secret
