"""The card's side of Restricted Identification: MSE:Set AT, then GENERAL AUTHENTICATE."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto.group import Group, GroupKey
from eid.errors import CommandRefused, DecodeError
from eid.protocols.chip_authentication import messages as chip_messages
from eid.protocols.restricted_identification import core, messages
from eid.protocols.restricted_identification.core import PROTOCOLS, TerminalSector
from eid.protocols.restricted_identification.messages import Pair
from eid.protocols.restricted_identification.sector_key import decode_sector_key


@dataclass(frozen=True, slots=True)
class RestrictedKey:
    """A private key of the chip for this protocol alone.

    Args:
        authorized_only: whether the terminal needs the right of Restricted Identification (TR-03110-3 A.1.1.4).
    """

    group: Group
    key: GroupKey = field(repr=False)
    hash_name: str
    authorized_only: bool

    @property
    def protocol(self) -> str:
        """The one protocol that the key is used with, dotted."""
        return core.protocol_of(self.group, self.hash_name)


class RestrictedIdentificationCard:
    """Answers the two commands for a terminal that has proven its sectors.

    Args:
        keys: by keyId. sector: of the terminal's certificate. hash_name: of the certificate's signature.
        authorized: whether the terminal has the right of Restricted Identification.
    """

    def __init__(
        self, keys: Mapping[int, RestrictedKey], sector: TerminalSector, hash_name: str, *, authorized: bool
    ) -> None:
        self._keys = dict(keys)
        self._sector = sector
        self._hash_name = hash_name
        self._authorized = authorized
        self._chosen: RestrictedKey | None = None

    @property
    def awaits_key(self) -> bool:
        """Whether MSE:Set AT was carried out and GENERAL AUTHENTICATE is due."""
        return self._chosen is not None

    def set_at(self, command: CommandAPDU) -> ResponseAPDU:
        """Choose protocol and key (TR-03110-3 B.14.1).

        Raises:
            CommandRefused: 6A80 malformed or another protocol, 6A88 no such key, 6982 the terminal lacks the right.
        """
        self._chosen = None
        try:
            template = chip_messages.decode_set_at(command.data)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        key = self._find_key(template.key_id)
        if template.protocol != key.protocol:
            raise CommandRefused(SW.WRONG_DATA, "not the protocol of this key")
        if key.authorized_only and not self._authorized:
            raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "the terminal may not use this key")
        self._chosen = key
        return ResponseAPDU()

    def general_authenticate(self, command: CommandAPDU) -> ResponseAPDU:
        """The identifier in each sector that is named; chaining is not for this protocol (B.4).

        Raises:
            CommandRefused: 6985 without MSE:Set AT, 6A86, 6883, 6A80 malformed, another group, or a key that the
                terminal's certificate does not name (C.3.2).
        """
        chosen, self._chosen = self._chosen, None
        if chosen is None:
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set AT comes first")
        if command.p1 or command.p2:
            raise CommandRefused(SW.WRONG_P1P2)
        if command.is_chained:
            raise CommandRefused(SW.LAST_COMMAND_OF_CHAIN_EXPECTED, "no chaining here")
        try:
            keys = messages.decode_general_authenticate(command.data)
            first = self._identify(chosen, keys.first, self._sector.first)
            second = self._identify(chosen, keys.second, self._sector.second)
        except DecodeError as fault:
            raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
        return ResponseAPDU(messages.encode_answer(Pair(first, second)))

    def _identify(self, chosen: RestrictedKey, content: bytes | None, expected: bytes | None) -> bytes | None:
        if content is None:
            return None
        # The hash comes first: nothing is computed with a key that no authority has vouched for.
        given = core.hash_sector_key(self._hash_name, content)
        if expected is None or not hmac.compare_digest(expected, given):
            raise CommandRefused(SW.WRONG_DATA, "the terminal's certificate does not name this sector")
        sector_key = decode_sector_key(content)
        if sector_key.protocol != chosen.protocol or sector_key.group.name != chosen.group.name:
            raise CommandRefused(SW.WRONG_DATA, "the sector's key is of another group")
        return core.compute_identifier(PROTOCOLS[chosen.protocol][1], chosen.key, sector_key.public)

    def _find_key(self, key_id: int | None) -> RestrictedKey:
        """The key that is meant; without a reference, the only one."""
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        key = None if key_id is None else self._keys.get(key_id)
        if key is None:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such key")
        return key
