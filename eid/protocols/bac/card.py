"""The card's side of Basic Access Control."""

from __future__ import annotations

import os
from collections.abc import Callable

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto.mac import verify_mac
from eid.errors import AuthenticationError, CommandRefused
from eid.protocols.bac import core, messages
from eid.protocols.secure_messaging import SecureMessaging


class BacCard:
    """Answers GET CHALLENGE and EXTERNAL AUTHENTICATE. A challenge serves once, whatever comes of it.

    Args:
        mrz_information: as printed on the card (Doc 9303-11 4.3.2).

    Raises:
        LocalProtocolError: the MRZ information is empty or not ASCII.
    """

    def __init__(self, mrz_information: str, random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = core.derive_document_keys(mrz_information)
        self._random = random
        self._rnd_ic: bytes | None = None

    def reset(self) -> None:
        """Forget a challenge that was given out."""
        self._rnd_ic = None

    def get_challenge(self, command: CommandAPDU) -> ResponseAPDU:
        """Give out RND.IC.

        Raises:
            CommandRefused: the command is malformed.
        """
        self._rnd_ic = None
        messages.check_get_challenge(command)
        self._rnd_ic = self._random(core.NONCE_LENGTH)
        return ResponseAPDU(self._rnd_ic)

    def external_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, SecureMessaging]:
        """Check the terminal's token, answer the chip's, open the session (Doc 9303-11 4.3.1 step 3).

        The response itself goes out plain; the session begins with the next command.

        Raises:
            CommandRefused: 6985 without a challenge, 6300 where the token is wrong, 6700 or 6A86 where it is malformed.
        """
        rnd_ic, self._rnd_ic = self._rnd_ic, None
        raw = messages.decode_external_authenticate(command)
        if rnd_ic is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "no challenge was given out")
        token = self._open(raw, rnd_ic)
        k_ic = self._random(core.KEY_LENGTH)
        answer = core.encode_token(self._keys, core.Token(rnd_ic, token.own_nonce, k_ic))
        session = core.derive_session(token.keying_material, k_ic, token.own_nonce, rnd_ic)
        return ResponseAPDU(answer), session

    def _open(self, raw: bytes, rnd_ic: bytes) -> core.Token:
        try:
            token = core.decode_token(self._keys, raw)
            verify_mac(rnd_ic, token.peer_nonce)
        except AuthenticationError as fault:
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, "wrong MRZ or challenge") from fault
        return token
