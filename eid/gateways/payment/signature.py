"""Signed messages between us and a payment provider: HMAC-SHA-256 over the moment and the message.

The header is ``EID-Signature: t=1790000000,v1=<64 hexadecimal digits>``. What is signed is the moment in seconds as
decimal digits, a full stop, and the message. A message that is older or younger than the window is refused, so that
one that was overheard is of use for minutes only; within it the receiver remembers what it has seen.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from eid.errors import AuthenticationError

HEADER: Final = "EID-Signature"
WINDOW_SECONDS: Final = 300
MIN_SECRET: Final = 32  # octets
_FORM: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


def sign_message(secret: bytes, message: bytes, now: datetime) -> str:
    """The header's value for a message that is sent now."""
    moment = int(now.timestamp())
    return f"t={moment},v1={_mac(secret, moment, message).hex()}"


def verify_message(secrets: Sequence[bytes], header: str | None, message: bytes, now: datetime) -> None:
    """Refuse a message that nobody with a secret has signed within the window.

    Args:
        secrets: the present one, and the one before it while they change. header: as it came, None where it did not.

    Raises:
        AuthenticationError: missing, malformed, wrong, or out of the window; the text does not say which.
    """
    form = _FORM.fullmatch(header or "")
    moment = int(form[1]) if form else 0
    stated = bytes.fromhex(form[2]) if form else bytes(32)
    known = [hmac.compare_digest(_mac(secret, moment, message), stated) for secret in secrets]
    if form is None or not any(known) or abs(int(now.timestamp()) - moment) > WINDOW_SECONDS:
        raise AuthenticationError("the message is not signed by the provider, or not at this time")


def describe_request(method: str, target: str, body: bytes) -> bytes:
    """What is signed of a request that we send: its line and its body."""
    return f"{method} {target}\n".encode() + body


def _mac(secret: bytes, moment: int, message: bytes) -> bytes:
    return hmac.digest(secret, f"{moment}.".encode("ascii") + message, hashlib.sha256)
