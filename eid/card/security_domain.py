"""GlobalPlatform commands of the issuer security domain, with the conditions under which the card takes them."""

from __future__ import annotations

from eid.card.access import require_scp03, require_scp03_before_lock
from eid.card.memory import LifeCycle
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.protocols.globalplatform import card as globalplatform
from eid.protocols.globalplatform.messages import TAG_CPLC, CardState


def get_data(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GET DATA: open to anybody while the security domain is selected, and inside SCP03.

    Raises:
        CommandRefused: 6985, 6A88.
    """
    tag = command.p1 << 8 | command.p2
    terminated = card.memory.life_cycle is LifeCycle.TERMINATED
    selected = card.session.selection.directory is None or card.session.scp03 is not None
    if terminated and tag == TAG_CPLC:
        return globalplatform.get_data(card.memory.domain, tag)
    if terminated or not selected:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the security domain is not selected")
    return globalplatform.get_data(card.memory.domain, tag)


def get_status(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GET STATUS.

    Raises:
        CommandRefused: 6982, 6A86, 6A88.
    """
    require_scp03(card)
    return globalplatform.get_status(CardState(card.memory.life_cycle), command, card.memory.domain)


def initialize_update(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """INITIALIZE UPDATE. The sequence counter moves, so the card's state changes.

    Raises:
        CommandRefused: 6985, 6A88, 6983, 6700, 6A86.
    """
    _require_security_domain(card)
    card.changed()
    return card.session.handshake.initialize_update(command)


def external_authenticate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """EXTERNAL AUTHENTICATE: opens the SCP03 channel. A failure is counted before it is known to be one.

    Raises:
        CommandRefused: 6985, 6300, 6982, 6A86.
    """
    _require_security_domain(card)
    card.changed()
    response, channel, keys = card.session.handshake.external_authenticate(command)
    card.session.scp03, card.session.scp03_keys = channel, keys
    return response


def put_key(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """PUT KEY.

    Raises:
        CommandRefused: 6982, 6985, 6A80, 6A86, 6A88.
    """
    require_scp03_before_lock(card)
    if card.session.scp03_keys is None:
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "only inside SCP03")
    response = globalplatform.put_key(card.memory.domain, card.session.scp03_keys, command)
    card.changed()
    return response


def set_status(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """SET STATUS: the card's life cycle; the lock needs every application to be activated.

    Raises:
        CommandRefused: 6982, 6985, 6A86, 6A88.
    """
    require_scp03(card)
    memory = card.memory
    state = LifeCycle(globalplatform.next_state(CardState(memory.life_cycle), command, memory.domain))
    if state is LifeCycle.OPERATIONAL and not all(entry.activated for entry in memory.applications.values()):
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "an application is not activated")
    if state is LifeCycle.OPERATIONAL:
        memory.master.activated = True
    memory.life_cycle = state
    card.changed()
    return ResponseAPDU()


def _require_security_domain(card: Card) -> None:
    if card.session.selection.directory is not None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the security domain is not selected")
