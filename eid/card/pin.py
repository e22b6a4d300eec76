"""The card's passwords while it serves its holder: retry counter, suspension, change, unblocking (TR-03110-2 2.4)."""

from __future__ import annotations

from eid.card.access import require_open_session
from eid.card.memory import StoredPassword
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.oid import ID_AT
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.evidence import ProtocolName
from eid.profile.card_image import PasswordId
from eid.protocols.pin.core import is_sound_pin
from eid.protocols.pin.messages import ACTIVATE, COUNTER_ONLY, NEW_VALUE, PASSWORD
from eid.protocols.security_status import PIN_MANAGEMENT


def is_usable(card: Card, identifier: PasswordId, password: StoredPassword) -> bool:
    """Whether PACE may be run with the password: activated, not blocked, not suspended unless the CAN was shown."""
    if not password.active or password.left == 0:
        return False
    return not _is_suspended(card, identifier, password) or _opened_by(card, PasswordId.CAN)


def describe_status(card: Card, identifier: PasswordId) -> ResponseAPDU:
    """What MSE:Set AT answers: 63Cx where tries have failed, 63C0 where none is left, 6283 where it is switched off.

    TR-03110-3 B.14.1.
    """
    password = card.memory.passwords[identifier]
    if not password.active:
        return ResponseAPDU(b"", SW.FILE_DEACTIVATED)
    if password.left is not None and password.left != password.tries:
        return ResponseAPDU(b"", SW.TRIES_LEFT | password.left)
    return ResponseAPDU()


def _is_suspended(card: Card, identifier: PasswordId, password: StoredPassword) -> bool:
    """The last try of a PIN, where the card has a CAN that can resume it."""
    is_last = password.left == 1 and password.tries != 1
    return identifier is PasswordId.PIN and is_last and PasswordId.CAN in card.memory.passwords


def _opened_by(card: Card, identifier: PasswordId) -> bool:
    status = card.session.status
    return status.access is ProtocolName.PACE and status.password is identifier


def _may_manage(card: Card) -> bool:
    """An authentication terminal with the right to manage PINs (TR-03110-2 B.1)."""
    return card.session.status.has_right(ID_AT, PIN_MANAGEMENT)


def reset_retry_counter(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """RESET RETRY COUNTER: a new PIN, or only all of its tries (TR-03110-3 B.7.1).

    Raises:
        CommandRefused: 6985 not operational, 6982 not in this session, 6A86, 6A88 no such password, 6A80 no PIN, 6700.
    """
    require_open_session(card)
    password = _find(card, command.p2)
    if command.p1 == NEW_VALUE:
        _require(card, PasswordId.PIN)
        if not is_sound_pin(command.data):
            raise CommandRefused(SW.WRONG_DATA, "a PIN has 4 to 16 digits")
        password.value = command.data
    elif command.p1 == COUNTER_ONLY:
        _require(card, PasswordId.PUK)
        if command.data:
            raise CommandRefused(SW.WRONG_LENGTH)
    else:
        raise CommandRefused(SW.WRONG_P1P2)
    password.left = password.tries
    card.changed()
    return ResponseAPDU()


def switch(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """ACTIVATE and DEACTIVATE of the PIN (TR-03110-3 B.7.2).

    Raises:
        CommandRefused: 6985 not operational, 6982 not for this terminal, 6A86, 6A88, 6700.
    """
    require_open_session(card)
    if command.p1 != PASSWORD:
        raise CommandRefused(SW.WRONG_P1P2)
    password = _find(card, command.p2)
    if not _may_manage(card):
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "only for an authority that manages PINs")
    if command.data:
        raise CommandRefused(SW.WRONG_LENGTH)
    password.active = command.ins == ACTIVATE
    card.changed()
    return ResponseAPDU()


def _find(card: Card, number: int) -> StoredPassword:
    password = card.memory.passwords.get(PasswordId.PIN) if number == PasswordId.PIN else None
    if password is None:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such password")
    return password


def _require(card: Card, identifier: PasswordId) -> None:
    if not _opened_by(card, identifier) and not _may_manage(card):
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, f"the session was not opened by the {identifier.name}")
