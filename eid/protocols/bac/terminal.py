"""The terminal's side of Basic Access Control."""

from __future__ import annotations

import os
from collections.abc import Callable

from eid.codec.status_word import SW
from eid.crypto.mac import verify_mac
from eid.errors import DecodeError, PeerProtocolError, WrongPasswordError
from eid.protocols.bac import core, messages
from eid.protocols.exchange import Exchange, require_success, send, transmit
from eid.protocols.secure_messaging import SecureMessaging

# How chips say that the token's MAC does not fit: Doc 9303 leaves the status word open.
_WRONG_KEYS = frozenset(
    (SW.WARNING_AUTHENTICATION_FAILED, SW.SECURITY_STATUS_NOT_SATISFIED, SW.SM_OBJECTS_INCORRECT, SW.WRONG_DATA)
)


def run_bac(mrz_information: str, random: Callable[[int], bytes] = os.urandom) -> Exchange[SecureMessaging]:
    """Open the chip with the MRZ (Doc 9303-11 4.3.1); the eMRTD application must be selected.

    Args:
        mrz_information: document number, date of birth, date of expiry, each with its check digit (4.3.2).

    Raises:
        WrongPasswordError: the chip does not accept the MRZ. StatusWordError: it refuses otherwise.
        AuthenticationError: the chip's token is wrong. PeerProtocolError: an answer is malformed.
    """
    keys = core.derive_document_keys(mrz_information)
    rnd_ic = (yield from send(messages.encode_get_challenge(), "GET CHALLENGE")).data
    if len(rnd_ic) != core.NONCE_LENGTH:
        raise PeerProtocolError(f"a challenge of {len(rnd_ic)} octets")
    rnd_ifd = random(core.NONCE_LENGTH)
    k_ifd = random(core.KEY_LENGTH)
    token = core.encode_token(keys, core.Token(rnd_ifd, rnd_ic, k_ifd))
    answer = yield from _external_authenticate(token)
    k_ic = _open_answer(keys, answer, rnd_ic, rnd_ifd)
    return core.derive_session(k_ifd, k_ic, rnd_ifd, rnd_ic)


def _external_authenticate(token: bytes) -> Exchange[bytes]:
    response = yield from transmit(messages.encode_external_authenticate(token))
    if response.sw in _WRONG_KEYS:
        raise WrongPasswordError("MRZ")
    if response.sw & 0xFFF0 == SW.TRIES_LEFT:
        raise WrongPasswordError("MRZ", response.sw & 0x0F)
    return require_success(response, "EXTERNAL AUTHENTICATE").data


def _open_answer(keys: core.DocumentKeys, answer: bytes, rnd_ic: bytes, rnd_ifd: bytes) -> bytes:
    """K.IC, once both nonces have come back (Doc 9303-11 4.3.1 step 4)."""
    try:
        token = core.decode_token(keys, answer)
    except DecodeError as fault:
        raise PeerProtocolError(f"the chip's token is malformed: {fault}") from fault
    verify_mac(rnd_ic + rnd_ifd, token.own_nonce + token.peer_nonce)
    return token.keying_material
