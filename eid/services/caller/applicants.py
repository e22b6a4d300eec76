"""Applicants: whoever types the code that was sent to a telephone or a mailbox has the account of that contact.

Answers are uniform: nobody learns whether a contact has an account, whether a code was really sent (there are limits
for each contact), or why a code is refused. The contact is kept as a keyed hash; contact and code stand sealed in the
row until the code was used, so that what sends it can read them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import unicodedata
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final, Protocol

from sqlalchemy import Connection, Engine

from eid.audit.chain import AuditEvent
from eid.enrolment.roles import Actor, Role
from eid.errors import AuthenticationError, RecordError
from eid.keystore.service_keys import ServiceKeys
from eid.services.caller.tokens import Caller, TokenRefusedError
from eid.services.registry import Registry
from eid.store import access as rows
from eid.store.audit import append_event, bucket_of
from eid.store.database import in_transaction
from eid.store.outbox import Work, enqueue
from eid.store.types import new_id, new_id_like

WORK: Final = "access.code"
DIGITS: Final = 8
TRIES: Final = 5
CODE_LIFETIME: Final = timedelta(minutes=10)
SESSION_LIFETIME: Final = timedelta(hours=2)
RETENTION: Final = timedelta(days=1)
LIMITS: Final = ((timedelta(minutes=15), 3), (timedelta(days=1), 10))  # codes for one contact
SESSION_PREFIX: Final = "eids_"
_SECRET: Final = 32  # octets
_APPLICANT: Final = frozenset((Role.APPLICANT,))
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164 6.2
_MAIL: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_FILLING: Final = str.maketrans("", "", " -.()\u00a0\u202f\u200e\u200f")


@unique
class Channel(StrEnum):
    """How a code is sent."""

    SMS = "sms"
    EMAIL = "email"


class CodeRefusedError(AuthenticationError):
    """The code is wrong, used, too old or was tried too often; never says which."""


@dataclass(frozen=True, slots=True)
class SentCode:
    """What whoever asked for a code learns."""

    id: uuid.UUID
    expires_at: datetime


class KeysAndClock(Protocol):
    """What opens a sealed code: a `Registry`, or the workshop of a worker."""

    @property
    def keys(self) -> ServiceKeys:
        """Keys of the service."""

    def now(self) -> datetime:
        """The clock, UTC."""


@dataclass(frozen=True, slots=True)
class CodeMessage:
    """What is to be sent, and where to."""

    channel: Channel
    language: str
    contact: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session's token, told once."""

    token: str = field(repr=False)
    account_id: uuid.UUID
    expires_at: datetime


def normalise_contact(channel: Channel, stated: str) -> str:
    """A telephone number as +digits, a mail address in lower case.

    Raises:
        RecordError: it is neither; the text does not repeat it.
    """
    if len(stated) > 254:
        raise RecordError("the contact is too long")
    if channel is Channel.SMS:
        digits = "".join(
            str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in stated.translate(_FILLING)
        )
        phone = "+" + digits[2:] if digits.startswith("00") else digits
        if _PHONE.fullmatch(phone):
            return phone
        raise RecordError("a telephone number begins with + and the country's code")
    mail = unicodedata.normalize("NFKC", stated).strip().lower()
    if _MAIL.fullmatch(mail):
        return mail
    raise RecordError("no mail address")


def send_code(registry: Registry, channel: Channel, stated: str, language: str | None = None) -> SentCode:
    """Have a one-time code sent; where the contact had too many, nothing is sent and the answer is the same.

    Args:
        language: of the message, and of what the account is told from then on; None, or one that the country does not
            have: that of the account, else the country's first.

    Raises:
        RecordError: no telephone number or mail address. StoreError: the database failed.
    """
    contact = normalise_contact(channel, stated)
    now, keys = registry.now(), registry.keys
    contact_tag = keys.tag("contact", f"{channel.value}:{contact}".encode())
    code_id = _id_in(contact_tag, now, registry)
    code = _draw_code(registry)
    sealed = keys.seal("one-time-code", json.dumps([contact, code]).encode(), code_id.bytes, registry.random)
    wanted = language if language in registry.rules.languages else None
    expires_at = now + CODE_LIFETIME

    def work(connection: Connection) -> None:
        if any(rows.count_codes(connection, contact_tag, now - span) >= most for span, most in LIMITS):
            return
        spoken = wanted or rows.language_of_contact(connection, contact_tag) or registry.rules.language
        tag = _tag_code(registry, code_id, code)
        row = rows.OneTimeCode(code_id, contact_tag, tag, channel.value, spoken, sealed, now, expires_at)
        rows.insert_code(connection, row)
        enqueue(connection, Work(new_id_like(code_id, now, registry.random), WORK, {"code": str(code_id)}, now))

    in_transaction(registry.engine, work)
    return SentCode(code_id, expires_at)


def read_message(registry: KeysAndClock, connection: Connection, code_id: uuid.UUID) -> CodeMessage | None:
    """What is to be sent for a piece of work of this kind; None where the code's time is over or it was used."""
    found = rows.load_code(connection, code_id, registry.now())
    if found is None:
        return None
    contact, code = json.loads(registry.keys.unseal("one-time-code", found.sealed, code_id.bytes))
    return CodeMessage(Channel(found.channel), found.language, contact, code)


def open_session(registry: Registry, code_id: uuid.UUID, stated: str) -> OpenedSession:
    """Open a session for whoever has the code.

    Every try counts, in a transaction that stands before the answer is given.

    Raises:
        CodeRefusedError: always the same. StoreError: the database failed.
    """
    now = registry.now()
    typed = "".join(str(unicodedata.decimal(sign)) for sign in stated[:32] if sign.isdecimal())
    given = _tag_code(registry, code_id, typed)
    secret = registry.random(_SECRET)

    def work(connection: Connection) -> OpenedSession | None:
        found = rows.count_try(connection, code_id, now, TRIES)
        if not hmac.compare_digest(given, bytes(32) if found is None else found.code_tag) or found is None:
            return None
        rows.use_code(connection, code_id, now)
        fresh = new_id_like(code_id, now, registry.random)
        account_id = rows.find_or_make_account(connection, found.contact_tag, fresh, now)
        rows.keep_language(connection, account_id, found.language)
        session_id = new_id_like(code_id, now, registry.random)
        session = rows.Session(
            session_id, account_id, _tag_secret(registry, session_id, secret), now, now + SESSION_LIFETIME
        )
        rows.insert_session(connection, session)
        _note(connection, account_id, "access.session-opened", now)
        return OpenedSession(_write_token(session_id, secret), account_id, session.expires_at)

    opened = in_transaction(registry.engine, work)
    if opened is None:
        raise CodeRefusedError("the code is refused")
    return opened


def find_session(registry: Registry, token: str) -> Caller:
    """Whose session a token is.

    Raises:
        TokenRefusedError: nobody's, or not any more. StoreError: the database failed.
    """
    session_id, secret = _read_token(token)
    session = in_transaction(
        registry.engine, lambda connection: rows.load_session(connection, session_id, registry.now())
    )
    given = _tag_secret(registry, session_id, secret)
    if not hmac.compare_digest(given, bytes(32) if session is None else session.secret_tag) or session is None:
        raise TokenRefusedError("the session is refused")
    return Caller(Actor(str(session.account_id), _APPLICANT), language=session.language)


def close_session(registry: Registry, token: str) -> None:
    """End a session.

    Raises:
        TokenRefusedError: there is none with this token.
    """
    account_id = uuid.UUID(find_session(registry, token).actor.id)
    session_id, _ = _read_token(token)
    now = registry.now()

    def work(connection: Connection) -> None:
        if rows.end_session(connection, session_id, now):
            _note(connection, account_id, "access.session-closed", now)

    in_transaction(registry.engine, work)


def choose_language(registry: Registry, actor: Actor, language: str) -> None:
    """Tell an applicant things in the language that he has just named for his application."""
    account_id = uuid.UUID(actor.id)
    in_transaction(registry.engine, lambda connection: rows.keep_language(connection, account_id, language))


def forget_old_access(engine: Engine, now: datetime) -> int:
    """Delete codes and sessions a day after their time; how many."""
    return in_transaction(engine, lambda connection: rows.forget_access(connection, now - RETENTION))


def _note(connection: Connection, account_id: uuid.UUID, action: str, now: datetime) -> None:
    event = AuditEvent(now, f"{Role.APPLICANT.value}:{account_id}", action, f"account:{account_id}")
    append_event(connection, bucket_of(account_id), event)


def _id_in(contact_tag: bytes, now: datetime, registry: Registry) -> uuid.UUID:
    """An identifier in the bucket of a contact."""
    return uuid.UUID(bytes=new_id(now, registry.random).bytes[:15] + contact_tag[-1:])


def _draw_code(registry: Registry) -> str:
    """Uniform digits: 64 random bits taken modulo 10^8 favour no code by more than one in 10^11."""
    return f"{int.from_bytes(registry.random(8), 'big') % 10**DIGITS:0{DIGITS}d}"


def _tag_code(registry: Registry, code_id: uuid.UUID, code: str) -> bytes:
    return registry.keys.tag("one-time-code", code_id.bytes + code.encode())


def _tag_secret(registry: Registry, session_id: uuid.UUID, secret: bytes) -> bytes:
    return registry.keys.tag("session", session_id.bytes + secret)


def _write_token(session_id: uuid.UUID, secret: bytes) -> str:
    return SESSION_PREFIX + base64.urlsafe_b64encode(session_id.bytes + secret).decode()  # 48 octets: no padding


def _read_token(token: str) -> tuple[uuid.UUID, bytes]:
    try:
        raw = base64.b64decode(token.removeprefix(SESSION_PREFIX), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefusedError("the session is refused") from None
    if len(raw) != 16 + _SECRET or not token.startswith(SESSION_PREFIX):
        raise TokenRefusedError("the session is refused")
    return uuid.UUID(bytes=raw[:16]), raw[16:]
