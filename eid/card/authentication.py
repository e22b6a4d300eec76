"""BAC, PACE, Chip Authentication and Active Authentication, wired to the card's memory and session."""

from __future__ import annotations

from eid.card import pin, restricted_identification, terminal_authentication
from eid.card.access import require_open_session, require_operational
from eid.card.keys import decode_private_key, private_scalar, static_key
from eid.card.memory import Directory, StoredKey, StoredPassword
from eid.card.session import Card, Opening
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.cv import Chat
from eid.codec.oid import ID_IS
from eid.codec.status_word import SW
from eid.crypto.group import compress_public_key
from eid.errors import CommandRefused
from eid.evidence import ProtocolName
from eid.profile.card_image import KeyPurpose, PasswordId
from eid.protocols.active_authentication.card import ActiveAuthenticationCard
from eid.protocols.bac.card import BacCard
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.pace import core
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import PaceResult
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.security_status import SecurityStatus
from eid.protocols.terminal_authentication.core import identify_by_document_number


def get_challenge(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GET CHALLENGE, for Terminal Authentication where that is under way, else for BAC.

    Raises:
        CommandRefused: 6985, 6700, 6A86.
    """
    protocol = card.session.terminal_authentication
    if protocol is not None and protocol.awaits_challenge:
        return protocol.get_challenge(command)
    return _bac(card).get_challenge(command)


def external_authenticate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """EXTERNAL AUTHENTICATE of Terminal Authentication where that is under way, else of BAC (Doc 9303-11 4.3).

    Raises:
        CommandRefused: 6985, 6300, 6700, 6A86.
    """
    protocol = card.session.terminal_authentication
    if protocol is not None and protocol.awaits_signature:
        return terminal_authentication.external_authenticate(card, protocol, command)
    response, session = _bac(card).external_authenticate(command)
    _open(card, session, SecurityStatus(ProtocolName.BAC, PasswordId.MRZ))
    mrz_information = card.memory.passwords[PasswordId.MRZ].value
    card.session.opening = Opening(identify_by_document_number(mrz_information))
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

    41 A4 also begins Restricted Identification, by its protocol; 81 B6 and 81 A4 belong to Terminal Authentication
    (TR-03110-3 B.14).

    Raises:
        CommandRefused: 6A86 and what the protocols refuse.
    """
    require_operational(card)
    match command.p1, command.p2:
        case 0xC1, 0xA4:
            return _begin_pace(card, command)
        case 0x41, 0xA4 if restricted_identification.is_meant(command):
            card.session.pace = card.session.chip_authentication = None
            return restricted_identification.set_at(card, command)
        case 0x41, 0xA4:
            card.session.pace = card.session.restricted_identification = None
            return _chip_authentication(card).set_at(command)
        case 0x41, 0xA6:
            card.session.pace = None
            response, session, compressed = _chip_authentication(card).set_kat(command)
            _rekey(card, session, compressed)
            return response
        case 0x81, 0xB6:
            return terminal_authentication.set_dst(card, command)
        case 0x81, 0xA4:
            return terminal_authentication.set_at(card, command)
    raise CommandRefused(SW.WRONG_P1P2, "MSE:SET of something else")


def awaits_one_step(card: Card) -> bool:
    """Whether the next GENERAL AUTHENTICATE is Chip Authentication's, which has one step: a long key may be chained."""
    protocol = card.session.chip_authentication
    return protocol is not None and protocol.awaits_key


def general_authenticate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GENERAL AUTHENTICATE: the next step of whichever protocol was set last.

    Raises:
        CommandRefused: 6985 none was, and what the protocols refuse.
    """
    require_operational(card)
    session = card.session
    if session.chip_authentication is not None and session.chip_authentication.awaits_key:
        require_open_session(card)
        response, opened, compressed = session.chip_authentication.general_authenticate(command)
        _rekey(card, opened, compressed)
        return response
    if session.restricted_identification is not None and session.restricted_identification.awaits_key:
        return session.restricted_identification.general_authenticate(command)
    if session.pace is None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "MSE:Set AT comes first")
    return _pace_step(card, session.pace, command)


def _begin_pace(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """MSE:Set AT of PACE tells the state of the password; one that may not be used now begins no run."""
    pace = _pace(card)
    response = pace.set_at(command)
    if pace.password is None:
        return response
    if not pin.is_usable(card, pace.password, card.memory.passwords[pace.password]):
        card.session.pace = None
    return pin.describe_status(card, pace.password)


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
        card.session.opening = Opening(_identify(result), result.chat)
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
    if card.session.chip_authentication is not None:
        card.session.chip_authentication.reset()
    card.session.restricted_identification = None

    def password_for(identifier: PasswordId) -> bytes | None:
        password = card.memory.passwords.get(identifier)
        return None if password is None else password.value

    card.session.pace = PaceCard(
        card.memory.pace,
        password_for,
        card.random,
        static_key=lambda group: _static_scalar(card, group),
        references=lambda chat: _references(card, chat),
    )
    return card.session.pace


def _references(card: Card, chat: Chat | None) -> tuple[bytes, ...]:
    """Names of the trust points for the terminal that the CHAT announces, else for inspection systems (B.1.4)."""
    points = card.memory.trust.of_type(ID_IS if chat is None else chat.oid)
    return tuple(point.certificate.holder_reference.encode("latin-1") for point in points)


def _static_scalar(card: Card, group: str) -> int | None:
    """The scalar of a Chip Authentication key on this curve, for chip-authentication mapping."""
    for directory in card.memory.applications.values():
        for stored in directory.key_for(KeyPurpose.CHIP_AUTHENTICATION):
            if stored.algorithm.parameter == group:
                return private_scalar(stored)
    return None


def _chip_authentication(card: Card) -> ChipAuthenticationCard:
    require_open_session(card)
    session = card.session
    if session.chip_authentication is not None:
        return session.chip_authentication
    bound = None if session.status.chip_authenticated else session.terminal_key
    keys = _application_keys(card, KeyPurpose.CHIP_AUTHENTICATION)[1] if bound is None else _all_chip_keys(card)
    session.chip_authentication = ChipAuthenticationCard(
        {key.reference: static_key(key) for key in keys}, terminal_key=bound, random=card.random
    )
    return session.chip_authentication


def _all_chip_keys(card: Card) -> tuple[StoredKey, ...]:
    """Version 2 runs in the master file, before an application is chosen (TR-03110-2 2.4)."""
    keys = [directory.key_for(KeyPurpose.CHIP_AUTHENTICATION) for directory in card.memory.directories]
    return tuple(key for group in keys for key in group)


def _rekey(card: Card, session: SecureMessaging, compressed_key: bytes) -> None:
    """After Chip Authentication: new keys in the session as it was opened."""
    _open(card, session, card.session.status.with_chip_authentication(), card.session.opening)
    card.session.terminal_key = compressed_key


def _identify(result: PaceResult) -> bytes:
    """ID_PICC after PACE: Comp of the chip's ephemeral key (TR-03110-1 3.5, TR-03110-2 3.3)."""
    return compress_public_key(core.require_parameters(result.info, foreign_curves=True).group, result.chip_public)


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


def _open(card: Card, session: SecureMessaging, status: SecurityStatus, opening: Opening | None = None) -> None:
    """The session begins after this response, which still goes out as the command came."""
    card.session.next_secure_messaging = session
    card.session.status = status
    card.session.bac = card.session.pace = card.session.chip_authentication = None
    card.session.terminal_authentication = card.session.terminal_key = None
    card.session.restricted_identification = None
    card.session.opening = opening
    if status.terminal is None:
        card.session.terminal = None
