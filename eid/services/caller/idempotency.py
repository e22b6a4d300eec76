"""Keys by which callers mark a request that they may send again: claimed before it is done, answered from then on."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine

from eid.services.registry import Registry
from eid.store.database import in_transaction
from eid.store.idempotency import UNDER_WAY, GivenReply, claim, complete, forget_replies, release

RETENTION: Final = timedelta(hours=48)
_PURPOSE: Final = "idempotency"
_REQUEST: Final = "idempotency-request"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered. status: of HTTP, or UNDER_WAY."""

    status: int
    body: bytes = field(repr=False)


def claim_key(registry: Registry, caller: str, key: str, request: bytes) -> KeptAnswer | None:
    """Claim a key for a request; None where it is new, and the request is to be done now.

    Raises:
        KeyReusedError: the key stands for another request.
    """
    asked = registry.keys.tag(_REQUEST, request)  # keyed: what a body holds could be guessed from a plain hash
    found = in_transaction(registry.engine, lambda connection: claim(connection, caller, key, asked, registry.now()))
    if found is None:
        return None
    if found.status == UNDER_WAY:
        return KeptAnswer(UNDER_WAY, b"")
    sealed = base64.b64decode(found.reply)
    return KeptAnswer(found.status, registry.keys.unseal(_PURPOSE, sealed, _context(caller, key)))


def keep_answer(registry: Registry, caller: str, key: str, status: int, body: bytes) -> None:
    """Keep the answer to a request whose key was claimed: sealed, for it may hold personal data."""
    sealed = registry.keys.seal(_PURPOSE, body, _context(caller, key), registry.random)
    given = GivenReply(status, base64.b64encode(sealed).decode())
    in_transaction(registry.engine, lambda connection: complete(connection, caller, key, given))


def release_key(registry: Registry, caller: str, key: str) -> None:
    """Give a key back, because nothing was done: the caller may try again."""
    in_transaction(registry.engine, lambda connection: release(connection, caller, key))


def forget_answers(engine: Engine, now: datetime) -> int:
    """Drop what is past its retention; how many there were."""
    return in_transaction(engine, lambda connection: forget_replies(connection, now - RETENTION))


def _context(caller: str, key: str) -> bytes:
    return f"{caller}\n{key}".encode()
