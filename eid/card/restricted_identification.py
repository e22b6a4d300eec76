"""Restricted Identification, wired to the card's keys and to what the terminal has proven."""

from __future__ import annotations

from typing import Final

from eid.card.access import require_open_session
from eid.card.keys import static_key
from eid.card.memory import StoredKey
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.oid import ID_AT
from eid.codec.status_word import SW
from eid.errors import CommandRefused, DecodeError
from eid.profile.card_image import KeyPurpose
from eid.protocols import security_status
from eid.protocols.chip_authentication.messages import decode_set_at
from eid.protocols.restricted_identification.card import RestrictedIdentificationCard, RestrictedKey
from eid.protocols.restricted_identification.core import PROTOCOLS, find_terminal_sector

PURPOSES: Final = {
    KeyPurpose.RESTRICTED_IDENTIFICATION: False,
    KeyPurpose.RESTRICTED_IDENTIFICATION_AUTHORIZED: True,
}
"""Purpose of a key to authorizedOnly."""


def is_meant(command: CommandAPDU) -> bool:
    """Whether an MSE:Set AT for internal authentication names this protocol."""
    try:
        return decode_set_at(command.data).protocol in PROTOCOLS
    except DecodeError:
        return False


def set_at(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """MSE:Set AT; for an authentication terminal inside the session of Chip Authentication (TR-03110-2 3.5).

    Raises:
        CommandRefused: as `RestrictedIdentificationCard.set_at`, 6985, 6982 no such terminal, 6A80 its certificate's
            extension is malformed.
    """
    require_open_session(card)
    session = card.session
    if session.terminal is None or not session.status.is_terminal(ID_AT):
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "only for an authentication terminal")
    try:
        sector = find_terminal_sector(session.terminal.extensions)
    except DecodeError as fault:
        raise CommandRefused(SW.WRONG_DATA, str(fault)) from fault
    session.restricted_identification = RestrictedIdentificationCard(
        {stored.reference: _restricted_key(stored) for stored in _keys(card)},
        sector,
        session.terminal.signature_hash,
        authorized=session.status.has_right(ID_AT, security_status.RESTRICTED_IDENTIFICATION),
    )
    return session.restricted_identification.set_at(command)


def _keys(card: Card) -> tuple[StoredKey, ...]:
    """In the eID application, and at the level of the master file too (TR-03110-4 2.2.7)."""
    return tuple(
        key for directory in card.memory.directories for purpose in PURPOSES for key in directory.key_for(purpose)
    )


def _restricted_key(stored: StoredKey) -> RestrictedKey:
    key = static_key(stored)
    return RestrictedKey(key.group, key.key, stored.algorithm.hash_name, PURPOSES[stored.purpose])
