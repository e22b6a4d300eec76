"""Terminal Authentication, wired to the card's trust points and session."""

from __future__ import annotations

from eid.card.access import require_open_session
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.oid import ID_IS
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.evidence import ProtocolName
from eid.lds.cvca import encode_ef_cvca
from eid.lds.files import EF_CVCA
from eid.protocols.terminal_authentication.card import TerminalAuthenticationCard
from eid.protocols.terminal_authentication.core import VERSION_2


def set_dst(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """MSE:Set DST.

    Raises:
        CommandRefused: as `TerminalAuthenticationCard.set_dst`, 6982 no session, 6A81 the chip trusts nobody.
    """
    return _protocol(card).set_dst(command)


def set_at(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """MSE:Set AT for external authentication.

    Raises:
        CommandRefused: as `TerminalAuthenticationCard.set_at`, 6982, 6A81.
    """
    return _protocol(card).set_at(command)


def verify_certificate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """PSO:Verify Certificate; what the card trusts, and its date, move on with it.

    Raises:
        CommandRefused: as `TerminalAuthenticationCard.verify_certificate`, 6982, 6A81, 6A86.
    """
    if (command.p1, command.p2) != (0x00, 0xBE):
        raise CommandRefused(SW.WRONG_P1P2, "PSO of something else")
    protocol = _protocol(card)
    response = protocol.verify_certificate(command)
    if protocol.trust != card.memory.trust:
        card.memory.trust = protocol.trust
        _update_ef_cvca(card)
        card.changed()
    return response


def _update_ef_cvca(card: Card) -> None:
    """EF.CVCA names the trust points that there are now; the chip alone writes it (TR-03110-1, EF.CVCA)."""
    names = encode_ef_cvca([point.certificate.holder_reference for point in card.memory.trust.of_type(ID_IS)])
    for directory in card.memory.applications.values():
        file = directory.files.get(EF_CVCA.fid)
        if file is not None and len(file.content) == len(names):
            file.content[:] = names


def external_authenticate(card: Card, protocol: TerminalAuthenticationCard, command: CommandAPDU) -> ResponseAPDU:
    """EXTERNAL AUTHENTICATE: the terminal's signature.

    Raises:
        CommandRefused: as `TerminalAuthenticationCard.external_authenticate`.
    """
    response, terminal = protocol.external_authenticate(command)
    card.session.status = card.session.status.with_terminal(terminal.chat, terminal.version)
    card.session.terminal = terminal
    if terminal.version == VERSION_2:
        card.session.terminal_key = terminal.compressed_key
        card.session.chip_authentication = None  # from now on version 2, with this key
    return response


def _protocol(card: Card) -> TerminalAuthenticationCard:
    """The protocol under way; version 1 follows Chip Authentication, version 2 comes before it."""
    require_open_session(card)
    session = card.session
    if not card.memory.trust.points:
        raise CommandRefused(SW.FUNCTION_NOT_SUPPORTED, "the chip trusts nobody")
    if session.terminal_authentication is None and session.status.terminal is not None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "a terminal authenticates itself once")
    if session.opening is None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "neither PACE nor BAC has opened the session")
    if session.terminal_authentication is None:
        is_pace = session.status.access is ProtocolName.PACE
        session.terminal_authentication = TerminalAuthenticationCard(
            card.memory.trust,
            session.opening.id_picc,
            terminal_key=session.terminal_key if session.status.chip_authenticated else None,
            chat=session.opening.chat if is_pace else None,
            random=card.random,
        )
    return session.terminal_authentication
