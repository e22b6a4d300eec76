"""The terminal's side of Chip Authentication."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.key_agreement import EcKeyPair
from eid.protocols.chip_authentication import core, messages
from eid.protocols.chip_authentication.core import ChipKey
from eid.protocols.exchange import Exchange, send
from eid.protocols.secure_messaging import SecureMessaging


@dataclass(frozen=True, slots=True)
class ChipAuthenticationResult:
    """The new session, which proves nothing until a response has been unprotected with it.

    Args:
        terminal_public_key: the ephemeral key that was sent, 04 || x || y.
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
        StatusWordError: the chip refuses. PeerProtocolError: its key is not on the curve.
    """
    key = EcKeyPair.generate(chip_key.curve, None if random is os.urandom else random)
    session = core.derive_session(chip_key.suite, key, chip_key.point)
    if chip_key.suite is CipherSuite.TDES_112:
        template = messages.KeyAgreementTemplate(key.encoded_public, chip_key.key_id)
        yield from send(messages.encode_set_kat(template), "MSE:Set KAT")
    else:
        authentication = messages.AuthenticationTemplate(chip_key.protocol, chip_key.key_id)
        yield from send(messages.encode_set_at(authentication), "MSE:Set AT")
        yield from send(messages.encode_general_authenticate(key.encoded_public), "GENERAL AUTHENTICATE")
    return ChipAuthenticationResult(session, chip_key, key.encoded_public)
