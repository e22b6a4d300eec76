"""The terminal's side of Chip Authentication."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.group import GroupKey
from eid.crypto.mac import verify_mac
from eid.errors import DecodeError, LocalProtocolError, PeerProtocolError
from eid.protocols.chip_authentication import core, messages
from eid.protocols.chip_authentication.core import VERSION_1, VERSION_2, ChipKey
from eid.protocols.exchange import Exchange, send
from eid.protocols.secure_messaging import SecureMessaging


@dataclass(frozen=True, slots=True)
class ChipAuthenticationResult:
    """The new session. After version 1 it proves nothing until a response has been unprotected with it.

    Args:
        terminal_public_key: the ephemeral key that was sent, encoded as an element of the chip key's group.
    """

    secure_messaging: SecureMessaging
    chip_key: ChipKey
    terminal_public_key: bytes = field(repr=False)


def run_chip_authentication(
    chip_key: ChipKey, random: Callable[[int], bytes] = os.urandom
) -> Exchange[ChipAuthenticationResult]:
    """Agree on new session keys with the chip's static key (Doc 9303-11 6.2.3); runs inside the session of PACE or BAC.

    Args:
        chip_key: from `core.find_chip_keys`; authentic only once passive authentication has bound DG14.

    Raises:
        StatusWordError: the chip refuses. PeerProtocolError: its key is our own.
        LocalProtocolError: the key is for version 2.
    """
    if chip_key.version != VERSION_1:
        raise LocalProtocolError("the chip key is for version 2 of Chip Authentication")
    key = chip_key.group.generate(random)
    session, _ = core.derive_session(chip_key.suite, chip_key.group, key, chip_key.public)
    if chip_key.suite is CipherSuite.TDES_112:
        template = messages.KeyAgreementTemplate(key.public, chip_key.key_id)
        yield from send(messages.encode_set_kat(template), "MSE:Set KAT")
    else:
        yield from _general_authenticate(chip_key, key.public)
    return ChipAuthenticationResult(session, chip_key, key.public)


def run_chip_authentication_2(chip_key: ChipKey, key: GroupKey) -> Exchange[ChipAuthenticationResult]:
    """Version 2: after Terminal Authentication, with the ephemeral key that was named there (TR-03110-2 3.4).

    Args:
        chip_key: from EF.CardSecurity, `core.find_chip_keys(infos, VERSION_2)`. key: the terminal's ephemeral key.

    Raises:
        StatusWordError: the chip refuses. AuthenticationError: its token is wrong.
        PeerProtocolError: the answer is malformed. LocalProtocolError: the key is for version 1.
    """
    if chip_key.version != VERSION_2:
        raise LocalProtocolError("the chip key is for version 1 of Chip Authentication")
    answer = yield from _general_authenticate(chip_key, key.public)
    try:
        chip = messages.decode_answer(answer)
    except DecodeError as fault:
        raise PeerProtocolError(f"GENERAL AUTHENTICATE: {fault}") from fault
    session, k_mac = core.derive_session(chip_key.suite, chip_key.group, key, chip_key.public, chip.nonce)
    verify_mac(core.compute_token(chip_key.protocol, chip_key.suite, chip_key.group, k_mac, key.public), chip.token)
    return ChipAuthenticationResult(session, chip_key, key.public)


def _general_authenticate(chip_key: ChipKey, public: bytes) -> Exchange[bytes]:
    template = messages.AuthenticationTemplate(chip_key.protocol, chip_key.key_id)
    yield from send(messages.encode_set_at(template), "MSE:Set AT")
    response = yield from send(messages.encode_general_authenticate(public), "GENERAL AUTHENTICATE")
    return response.data
