"""The card's side of Chip Authentication. The response goes out under the old session, the new one begins after it."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Mapping

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.group import EcGroup, compress_public_key
from eid.errors import CommandRefused, DecodeError, PeerProtocolError
from eid.lds.security_infos import ID_CA_DH, ID_CA_ECDH
from eid.protocols.chip_authentication import core, messages
from eid.protocols.chip_authentication.core import StaticKey
from eid.protocols.chip_authentication.messages import AuthenticationTemplate
from eid.protocols.cipher_suites import find_suite
from eid.protocols.secure_messaging import SecureMessaging


class ChipAuthenticationCard:
    """Answers MSE:Set KAT (3DES), and MSE:Set AT with GENERAL AUTHENTICATE.

    Args:
        keys: the chip's static keys by keyId; None for a key without one. protocols: the protocols it runs, dotted.
        terminal_key: for version 2, Comp(PK_PCD) that Terminal Authentication has bound; None runs version 1.
    """

    def __init__(
        self,
        keys: Mapping[int | None, StaticKey],
        protocols: Iterable[str] = core.PROTOCOLS,
        *,
        terminal_key: bytes | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys = dict(keys)
        self._protocols = frozenset(protocols)
        self._terminal_key = terminal_key
        self._random = random
        self._chosen: tuple[AuthenticationTemplate, CipherSuite, StaticKey] | None = None

    @property
    def awaits_key(self) -> bool:
        """Whether MSE:Set AT was carried out and GENERAL AUTHENTICATE is due."""
        return self._chosen is not None

    def reset(self) -> None:
        """Forget what MSE:Set AT has chosen."""
        self._chosen = None

    def set_kat(self, command: CommandAPDU) -> tuple[ResponseAPDU, SecureMessaging, bytes]:
        """Agree on 3DES keys in one command (Doc 9303-11 6.2.4.1); response, session, Comp(PK_PCD).

        Raises:
            CommandRefused: 6A81 no 3DES, or version 2, 6A80 malformed or no element, 6A88 no such key.
        """
        self._chosen = None
        if self._terminal_key is not None:
            raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "version 2 has no MSE:Set KAT")
        try:
            template = messages.decode_set_kat(command.data)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        key = self._find_key(template.key_id)
        if _mechanism(key) + ".1" not in self._protocols:
            raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "no 3DES")
        session, _ = _agree(CipherSuite.TDES_112, key, template.ephemeral_key)
        return ResponseAPDU(), session, compress_public_key(key.group, template.ephemeral_key)

    def set_at(self, command: CommandAPDU) -> ResponseAPDU:
        """Choose protocol and key (Doc 9303-11 6.2.4.2).

        Raises:
            CommandRefused: 6A80 malformed or unknown protocol, 6A88 no such key.
        """
        self._chosen = None
        try:
            template = messages.decode_set_at(command.data)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        if template.protocol not in self._protocols:
            raise CommandRefused(SW.WRONG_DATA, "protocol is not spoken")
        key = self._find_key(template.key_id)
        suite = find_suite(template.protocol, _mechanism(key))
        if suite is None:
            raise CommandRefused(SW.WRONG_DATA, "protocol is not for this key")
        self._chosen = template, suite, key
        return ResponseAPDU()

    def general_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, SecureMessaging, bytes]:
        """Agree on keys with what MSE:Set AT has chosen; response, session, Comp(PK_PCD).

        Raises:
            CommandRefused: 6985 without MSE:Set AT, 6A86, 6A80 malformed or no element of the group,
                6300 not the key that Terminal Authentication has bound (TR-03110-2 3.4 step 3).
        """
        chosen, self._chosen = self._chosen, None
        if chosen is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set AT comes first")
        if command.p1 or command.p2:
            raise CommandRefused(SW.WRONG_P1P2)
        template, suite, key = chosen
        try:
            ephemeral_key = messages.decode_general_authenticate(command.data)
            compressed = compress_public_key(key.group, ephemeral_key)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        if self._terminal_key is None:
            session, _ = _agree(suite, key, ephemeral_key)
            return ResponseAPDU(messages.EMPTY_ANSWER), session, compressed
        if not hmac.compare_digest(self._terminal_key, compressed):
            raise CommandRefused(SW.WARNING_AUTHENTICATION_FAILED, "not the key of Terminal Authentication")
        nonce = self._random(messages.NONCE_LENGTH)
        session, k_mac = _agree(suite, key, ephemeral_key, nonce)
        token = core.compute_token(template.protocol, suite, key.group, k_mac, ephemeral_key)
        return ResponseAPDU(messages.encode_answer(messages.ChipAnswer(nonce, token))), session, compressed

    def _find_key(self, key_id: int | None) -> StaticKey:
        """The key that is meant; without a reference, the only one."""
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        key = self._keys.get(key_id)
        if key is None:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such key")
        return key


def _mechanism(key: StaticKey) -> str:
    return ID_CA_ECDH if isinstance(key.group, EcGroup) else ID_CA_DH


def _agree(
    suite: CipherSuite, key: StaticKey, ephemeral_key: bytes, nonce: bytes = b""
) -> tuple[SecureMessaging, bytes]:
    try:
        return core.derive_session(suite, key.group, key.key, ephemeral_key, nonce)
    except (DecodeError, PeerProtocolError) as fault:
        raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
