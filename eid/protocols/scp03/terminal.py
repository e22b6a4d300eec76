"""SCP03, the terminal's side: an exchange that opens the channel (GPC Card Specification Amendment D v1.1.1, 5.5)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from eid.crypto.mac import verify_mac
from eid.errors import AuthenticationError, DecodeError, PeerProtocolError
from eid.protocols.exchange import Exchange, send
from eid.protocols.scp03.channel import Scp03Channel
from eid.protocols.scp03.core import (
    CHALLENGE_LENGTH,
    SecurityLevel,
    SessionKeys,
    derive_card_challenge,
    derive_card_cryptogram,
    derive_host_cryptogram,
    derive_session_keys,
)
from eid.protocols.scp03.messages import (
    ExternalAuthenticate,
    InitializeUpdate,
    InitializeUpdateResponse,
    decode_initialize_update_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from eid.keystore.ports import CardKeys


def open_scp03(
    keys: CardKeys,
    level: SecurityLevel = SecurityLevel.C_DECRYPTION_R_ENCRYPTION_C_MAC_R_MAC,
    *,
    random: Callable[[int], bytes] = os.urandom,
    aid: bytes | None = None,
) -> Exchange[Scp03Channel]:
    """Authenticate to the selected security domain and return the open channel.

    Args:
        keys: the card's static key set; its key version goes into P1.
        level: security level of the whole channel.
        aid: the security domain's AID; given, a pseudo-random card challenge is recomputed and compared, too.

    Raises:
        StatusWordError: the card refused: 6A88 unknown key version, 6983 blocked, 6300 wrong host cryptogram.
        PeerProtocolError: the answer is malformed, or names another key version or too few abilities.
        AuthenticationError: the card cryptogram or challenge is wrong: these are not the card's keys.
    """
    host_challenge = random(CHALLENGE_LENGTH)
    request = InitializeUpdate(keys.key_version, host_challenge)
    reply = yield from send(request.encode(), "INITIALIZE UPDATE")
    card = _decode_answer(reply.data)
    _check_abilities(card, keys, level)
    session = derive_session_keys(keys, host_challenge, card.card_challenge)
    _verify_card(card, keys, session, host_challenge, aid)
    channel = Scp03Channel(session, level)
    proof = ExternalAuthenticate(level, derive_host_cryptogram(session, host_challenge, card.card_challenge))
    # Amendment D 6.2.7: the answer to EXTERNAL AUTHENTICATE carries no R-MAC.
    yield from send(channel.protect_authentication(proof.encode()), "EXTERNAL AUTHENTICATE")
    return channel


def _decode_answer(data: bytes) -> InitializeUpdateResponse:
    try:
        return decode_initialize_update_response(data)
    except DecodeError as error:
        raise PeerProtocolError(f"INITIALIZE UPDATE: {error}") from error


def _check_abilities(card: InitializeUpdateResponse, keys: CardKeys, level: SecurityLevel) -> None:
    if keys.key_version and card.key_version != keys.key_version:
        raise PeerProtocolError(f"asked for key version {keys.key_version:02X}, the card used {card.key_version:02X}")
    if not level.is_within(card.i):
        raise PeerProtocolError(f"the card (i={card.i:02X}) cannot do security level {level:02X}")


def _verify_card(
    card: InitializeUpdateResponse, keys: CardKeys, session: SessionKeys, host_challenge: bytes, aid: bytes | None
) -> None:
    if aid is not None and card.sequence is not None:
        try:
            verify_mac(derive_card_challenge(keys, card.sequence, aid), card.card_challenge)
        except AuthenticationError:
            raise AuthenticationError("the card challenge does not follow from the sequence counter") from None
    try:
        verify_mac(derive_card_cryptogram(session, host_challenge, card.card_challenge), card.card_cryptogram)
    except AuthenticationError:
        raise AuthenticationError("the card cryptogram is wrong: the card has other keys") from None
