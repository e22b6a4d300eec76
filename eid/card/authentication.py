"""BAC, PACE, Chip Authentication and Active Authentication, wired to the card's memory and session."""

from __future__ import annotations

from eid.card.access import require_open_session, require_operational
from eid.card.keys import decode_private_key, private_scalar, static_key
from eid.card.memory import Directory, StoredKey, StoredPassword
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.evidence import ProtocolName
from eid.profile.card_image import KeyPurpose, PasswordId
from eid.protocols.active_authentication.card import ActiveAuthenticationCard
from eid.protocols.bac.card import BacCard
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.pace.card import PaceCard
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.security_status import SecurityStatus


def get_challenge(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GET CHALLENGE, for BAC.

    Raises:
        CommandRefused: 6985, 6700, 6A86.
    """
    return _bac(card).get_challenge(command)


def external_authenticate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """EXTERNAL AUTHENTICATE of BAC (Doc 9303-11 4.3).

    Raises:
        CommandRefused: 6985, 6300, 6700, 6A86.
    """
    response, session = _bac(card).external_authenticate(command)
    _open(card, session, SecurityStatus(ProtocolName.BAC, PasswordId.MRZ))
    return response


def _bac(card: Card) -> BacCard:
    require_operational(card)
    directory = card.session.selection.directory
    password = card.memory.passwords.get(PasswordId.MRZ)
    if directory is None or not directory.basic_access_control or password is None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "BAC is not here")
    if card.session.status.access is not None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the session is open already")
    if card.session.bac is None:
        card.session.bac = BacCard(password.value.decode("ascii"), card.random)
    return card.session.bac


def manage_security_environment(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """MSE:SET: C1 A4 begins PACE, 41 A4 and 41 A6 Chip Authentication (Doc 9303-11 4.4.4.1, 6.2.4).

    Raises:
        CommandRefused: 6A86 and what the protocols refuse.
    """
    require_operational(card)
    match command.p1, command.p2:
        case 0xC1, 0xA4:
            return _pace(card).set_at(command)
        case 0x41, 0xA4:
            card.session.pace = None
            return _chip_authentication(card).set_at(command)
        case 0x41, 0xA6:
            card.session.pace = None
            response, session, _ = _chip_authentication(card).set_kat(command)
            _open(card, session, card.session.status.with_chip_authentication())
            return response
    raise CommandRefused(SW.WRONG_P1P2, "MSE:SET of something else")


def general_authenticate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GENERAL AUTHENTICATE: the next step of whichever protocol was set last.

    Raises:
        CommandRefused: 6985 none was, and what the protocols refuse.
    """
    require_operational(card)
    session = card.session
    if isinstance(session.chip_authentication, ChipAuthenticationCard) and session.chip_authentication.awaits_key:
        require_open_session(card)
        response, opened, _ = session.chip_authentication.general_authenticate(command)
        _open(card, opened, session.status.with_chip_authentication())
        return response
    if session.pace is None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set AT comes first")
    return _pace_step(card, session.pace, command)


def _pace_step(card: Card, pace: PaceCard, command: CommandAPDU) -> ResponseAPDU:
    password = card.memory.passwords.get(pace.password) if pace.awaits_token and pace.password else None
    _take_try(card, password)
    try:
        response, result = pace.general_authenticate(command)
    except CommandRefused as refusal:
        if password is not None and password.left is not None and refusal.sw == SW.WARNING_AUTHENTICATION_FAILED:
            raise CommandRefused(SW.TRIES_LEFT | password.left, refusal.why) from refusal
        raise
    if result is not None:
        _give_back(card, password)
        _open(card, result.secure_messaging, SecurityStatus(ProtocolName.PACE, result.password))
    return response


def _take_try(card: Card, password: StoredPassword | None) -> None:
    """Before the token is compared, so that cutting the power in between gains nothing (Doc 9303-11 4.4.2)."""
    if password is None or password.left is None:
        return
    if password.left == 0:
        raise CommandRefused(SW.AUTHENTICATION_METHOD_BLOCKED, "the password is blocked")
    password.left -= 1
    card.changed()


def _give_back(card: Card, password: StoredPassword | None) -> None:
    if password is not None and password.tries is not None:
        password.left = password.tries
        card.changed()


def _pace(card: Card) -> PaceCard:
    if not card.memory.pace:
        raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "the chip does not run PACE")
    if isinstance(card.session.chip_authentication, ChipAuthenticationCard):
        card.session.chip_authentication.reset()

    def password_for(identifier: PasswordId) -> bytes | None:
        password = card.memory.passwords.get(identifier)
        if password is not None and password.left == 0:
            raise CommandRefused(SW.AUTHENTICATION_METHOD_BLOCKED, "the password is blocked")
        return None if password is None else password.value

    card.session.pace = PaceCard(
        card.memory.pace, password_for, card.random, static_key=lambda group: _static_scalar(card, group)
    )
    return card.session.pace


def _static_scalar(card: Card, group: str) -> int | None:
    """The scalar of a Chip Authentication key on this curve, for chip-authentication mapping."""
    for directory in card.memory.applications.values():
        for stored in directory.key_for(KeyPurpose.CHIP_AUTHENTICATION):
            if stored.algorithm.parameter == group:
                return private_scalar(stored)
    return None


def _chip_authentication(card: Card) -> ChipAuthenticationCard:
    require_open_session(card)
    present = card.session.chip_authentication
    if isinstance(present, ChipAuthenticationCard):
        return present
    _, keys = _application_keys(card, KeyPurpose.CHIP_AUTHENTICATION)
    created = ChipAuthenticationCard({key.reference: static_key(key) for key in keys})
    card.session.chip_authentication = created
    return created


def internal_authenticate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """INTERNAL AUTHENTICATE: Active Authentication (Doc 9303-11 6.1).

    Raises:
        CommandRefused: 6982, 6985, 6A88 no key, 6700, 6A86.
    """
    require_open_session(card)
    _, keys = _application_keys(card, KeyPurpose.ACTIVE_AUTHENTICATION)
    key = decode_private_key(keys[0].private_key)
    return ActiveAuthenticationCard(key, keys[0].algorithm.hash_name, card.random).internal_authenticate(command)


def _application_keys(card: Card, purpose: KeyPurpose) -> tuple[Directory, tuple[StoredKey, ...]]:
    directory = card.session.selection.directory
    keys = () if directory is None else directory.key_for(purpose)
    if directory is None or not keys:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no key of this purpose in the current application")
    return directory, keys


def _open(card: Card, session: SecureMessaging, status: SecurityStatus) -> None:
    """The session begins after this response, which still goes out as the command came."""
    card.session.next_secure_messaging = session
    card.session.status = status
    card.session.bac = card.session.pace = card.session.chip_authentication = None
