"""The terminal's side of Active Authentication: it gathers the signature; judging it is `core`'s."""

from __future__ import annotations

from eid.codec.apdu import MAX_SHORT_LE
from eid.errors import PeerProtocolError
from eid.protocols.active_authentication import messages
from eid.protocols.exchange import Exchange, send


def run_active_authentication(challenge: bytes, le: int = MAX_SHORT_LE, *, extended: bool = False) -> Exchange[bytes]:
    """Have the chip sign the challenge (Doc 9303-11 6.1.3).

    Args:
        challenge: RND.IFD, 8 octets. le: octets that the answer may have. extended: ask with extended lengths, for a
            long RSA signature that does not fit into a short response under secure messaging.

    Returns:
        the signature, raw.

    Raises:
        StatusWordError: the chip refuses. PeerProtocolError: it answers nothing.
    """
    command = messages.encode_internal_authenticate(challenge, le, extended=extended)
    response = yield from send(command, "INTERNAL AUTHENTICATE")
    if not response.data:
        raise PeerProtocolError("INTERNAL AUTHENTICATE brought no signature")
    return response.data
