"""The card's side of Chip Authentication. The response goes out under the old session, the new one begins after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto import points
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.key_agreement import EcKeyPair
from eid.errors import CommandRefused, DecodeError, PeerProtocolError
from eid.lds.security_infos import ID_CA_ECDH
from eid.protocols.chip_authentication import core, messages
from eid.protocols.cipher_suites import find_suite
from eid.protocols.secure_messaging import SecureMessaging


class ChipAuthenticationCard:
    """Answers MSE:Set KAT (3DES), and MSE:Set AT with GENERAL AUTHENTICATE (AES).

    Args:
        keys: the chip's static keys by keyId; None for a key without one. protocols: the protocols it runs, dotted.
    """

    def __init__(self, keys: Mapping[int | None, EcKeyPair], protocols: Iterable[str] = core.PROTOCOLS) -> None:
        self._keys = dict(keys)
        self._protocols = frozenset(protocols)
        self._chosen: tuple[CipherSuite, EcKeyPair] | None = None

    @property
    def awaits_key(self) -> bool:
        """Whether MSE:Set AT was carried out and GENERAL AUTHENTICATE is due."""
        return self._chosen is not None

    def reset(self) -> None:
        """Forget what MSE:Set AT has chosen."""
        self._chosen = None

    def set_kat(self, command: CommandAPDU) -> tuple[ResponseAPDU, SecureMessaging]:
        """Agree on 3DES keys in one command (Doc 9303-11 6.2.4.1).

        Raises:
            CommandRefused: 6A81 no 3DES, 6A80 malformed or no point of the curve, 6A88 no such key.
        """
        self._chosen = None
        if core.ID_CA_ECDH_3DES not in self._protocols:
            raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "no 3DES")
        try:
            template = messages.decode_set_kat(command.data)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        key = self._find_key(template.key_id)
        return ResponseAPDU(), _agree(CipherSuite.TDES_112, key, template.ephemeral_key)

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
        suite = find_suite(template.protocol, ID_CA_ECDH)
        if suite is None or template.protocol not in self._protocols:
            raise CommandRefused(SW.WRONG_DATA, "protocol is not spoken")
        self._chosen = suite, self._find_key(template.key_id)
        return ResponseAPDU()

    def general_authenticate(self, command: CommandAPDU) -> tuple[ResponseAPDU, SecureMessaging]:
        """Agree on keys with what MSE:Set AT has chosen.

        Raises:
            CommandRefused: 6985 without MSE:Set AT, 6A86, 6A80 malformed or no point of the curve.
        """
        chosen, self._chosen = self._chosen, None
        if chosen is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set AT comes first")
        if command.p1 or command.p2:
            raise CommandRefused(SW.WRONG_P1P2)
        try:
            ephemeral_key = messages.decode_general_authenticate(command.data)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        return ResponseAPDU(messages.EMPTY_ANSWER), _agree(*chosen, ephemeral_key)

    def _find_key(self, key_id: int | None) -> EcKeyPair:
        """The key that is meant; without a reference, the only one."""
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        key = self._keys.get(key_id)
        if key is None:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such key")
        return key


def _agree(suite: CipherSuite, key: EcKeyPair, ephemeral_key: bytes) -> SecureMessaging:
    try:
        return core.derive_session(suite, key, points.decode_point(key.curve, ephemeral_key))
    except (DecodeError, PeerProtocolError) as fault:
        raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
