"""SCP03, the card's side (GPC Card Specification Amendment D v1.1.1, 5.5).

| state       | INITIALIZE UPDATE | EXTERNAL AUTHENTICATE              |
|-------------|-------------------|------------------------------------|
| idle        | -> initialised    | 6985                               |
| initialised | -> initialised    | right -> idle, channel; else idle  |
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto.mac import verify_mac
from eid.errors import AuthenticationError, CommandRefused, DecodeError
from eid.protocols.scp03.channel import Scp03Channel
from eid.protocols.scp03.core import (
    CHALLENGE_LENGTH,
    MAX_SEQUENCE,
    IParameter,
    SecurityLevel,
    SessionKeys,
    derive_card_challenge,
    derive_card_cryptogram,
    derive_host_cryptogram,
    derive_session_keys,
)
from eid.protocols.scp03.key_set import StaticKeySet
from eid.protocols.scp03.messages import (
    InitializeUpdateResponse,
    decode_external_authenticate,
    decode_initialize_update,
)

MAX_FAILURES: Final = 64
"""Failed authentications in a row after which the security domain is blocked; there is no delay."""


@dataclass(slots=True)
class SecurityDomain:
    """What a security domain keeps for SCP03; the card persists it.

    Args:
        aid: its AID. kdd: key diversification data, 10 octets. i: the "i" parameter. keys: the one key set.
        sequence: last sequence counter used, 0..FFFFFF. failures: failed authentications since the last good one.
    """

    aid: bytes
    kdd: bytes
    i: int
    keys: StaticKeySet = field(repr=False)
    sequence: int = 0
    failures: int = 0

    def replace_keys(self, keys: StaticKeySet) -> None:
        """Put another key set in the place of the present one; the sequence counter starts again (6.2.2.1)."""
        self.keys = keys
        self.sequence = 0
        self.failures = 0


@dataclass(frozen=True, slots=True)
class _Pending:
    keys: StaticKeySet = field(repr=False)
    session: SessionKeys = field(repr=False)
    host_cryptogram: bytes = field(repr=False)


class Scp03Card:
    """The handshake of one security domain.

    Args:
        domain: long-term state, changed in place.
        random: source of random card challenges (used where "i" says random).
    """

    __slots__ = ("_domain", "_pending", "_random")

    def __init__(self, domain: SecurityDomain, random: Callable[[int], bytes] = os.urandom) -> None:
        self._domain = domain
        self._random = random
        self._pending: _Pending | None = None

    def reset(self) -> None:
        """Forget a handshake that has begun."""
        self._pending = None

    def initialize_update(self, command: CommandAPDU) -> ResponseAPDU:
        """Answer INITIALIZE UPDATE.

        Raises:
            CommandRefused: 6A86/6700 malformed, 6A88 unknown key version, 6983 blocked, 6985 the counter is used up.
        """
        self._pending = None
        try:
            request = decode_initialize_update(command)
        except DecodeError as error:
            raise CommandRefused(SW.WRONG_P1P2 if command.p2 else SW.WRONG_LENGTH, str(error)) from error
        domain, keys = self._domain, self._domain.keys
        if request.key_version not in (0, keys.key_version):
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no key set of this version")
        if domain.failures >= MAX_FAILURES:
            raise CommandRefused(SW.AUTHENTICATION_METHOD_BLOCKED, "too many failed authentications")
        challenge, sequence = self._next_challenge()
        session = derive_session_keys(keys, request.host_challenge, challenge)
        expected = derive_host_cryptogram(session, request.host_challenge, challenge)
        self._pending = _Pending(keys, session, expected)
        cryptogram = derive_card_cryptogram(session, request.host_challenge, challenge)
        answer = InitializeUpdateResponse(domain.kdd, keys.key_version, domain.i, challenge, cryptogram, sequence)
        return ResponseAPDU(answer.encode())

    def _next_challenge(self) -> tuple[bytes, int | None]:
        domain = self._domain
        if not domain.i & IParameter.PSEUDO_RANDOM:
            return self._random(CHALLENGE_LENGTH), None
        if domain.sequence >= MAX_SEQUENCE:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the sequence counter is used up")
        domain.sequence += 1  # Amendment D 6.2.2.1: before it is used
        return derive_card_challenge(domain.keys, domain.sequence, domain.aid), domain.sequence

    def external_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, Scp03Channel, StaticKeySet]:
        """Check host cryptogram and C-MAC; return the answer, the open channel, and the key set it was opened with.

        Raises:
            CommandRefused: 6985 out of order, 6A86 level not offered, 6700 wrong length, 6300 wrong cryptogram, 6982
                wrong C-MAC. Each ends the handshake.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "EXTERNAL AUTHENTICATE without INITIALIZE UPDATE")
        level = self._offered_level(command)
        self._domain.failures += 1  # counted before the comparison, taken back after it: a torn card has lost a try
        channel = Scp03Channel(pending.session, level)
        plain = channel.verify_authentication(command)
        try:
            verify_mac(pending.host_cryptogram, decode_external_authenticate(plain).host_cryptogram)
        except (AuthenticationError, DecodeError) as error:
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, "wrong host cryptogram") from error
        self._domain.failures = 0
        return ResponseAPDU(), channel, pending.keys

    def _offered_level(self, command: CommandAPDU) -> SecurityLevel:
        try:
            level = SecurityLevel(command.p1)
        except ValueError:
            raise CommandRefused(SW.WRONG_P1P2, "no such security level") from None
        if command.p2 or not level.is_within(self._domain.i):
            raise CommandRefused(SW.WRONG_P1P2, "this card does not offer the security level")
        return level
