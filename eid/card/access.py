"""Who may do what, in one place: life cycle, secure channel and access rules together decide."""

from __future__ import annotations

from typing import Final

from eid.card.memory import Directory, LifeCycle, TransparentFile
from eid.card.session import Card
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.profile.card_image import AccessCondition

_DATA_GROUPS: Final = 0x01  # high octet of a data group's identifier


def require_personalisation(card: Card) -> None:
    """A writing command: personalisation state, inside SCP03; after the lock refused for ever.

    Raises:
        CommandRefused: 6985 the life cycle forbids it, 6982 not inside SCP03.
    """
    require_scp03_before_lock(card)
    if card.memory.life_cycle is not LifeCycle.PERSONALISATION:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the card is not in personalisation")


def require_scp03_before_lock(card: Card) -> None:
    """Blank or in personalisation, inside SCP03.

    Raises:
        CommandRefused: 6985 the card is locked for writing, 6982 not inside SCP03.
    """
    if not card.memory.life_cycle.is_writable:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the card is closed for writing")
    require_scp03(card)


def require_scp03(card: Card) -> None:
    """Inside SCP03, whatever the life cycle.

    Raises:
        CommandRefused: 6982.
    """
    if card.session.scp03 is None:
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "only inside SCP03")


def require_operational(card: Card) -> None:
    """The card serves its holder.

    Raises:
        CommandRefused: 6985.
    """
    if card.memory.life_cycle is not LifeCycle.OPERATIONAL:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the card is not operational")


def require_open_session(card: Card) -> None:
    """BAC or PACE was run, where the chip has either (Doc 9303-11 4.1).

    Raises:
        CommandRefused: 6985 not operational, 6982 access control was not passed.
    """
    require_operational(card)
    if card.memory.has_access_control and card.session.status.access is None:
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "access control comes first")


def require_read(card: Card, file: TransparentFile) -> None:
    """Reading, or selecting, an EF (Doc 9303-11 4.2).

    Raises:
        CommandRefused: 6982 the access rule is not met, 6985 the card is locked.
    """
    life_cycle = card.memory.life_cycle
    if life_cycle is LifeCycle.OPERATIONAL:
        if not card.session.status.satisfies(file.read, _group(file)):
            raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "the file may not be read now")
    elif life_cycle.is_writable:
        require_scp03(card)
    else:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the card is locked")


def require_update(card: Card, directory: Directory, file: TransparentFile) -> None:
    """Writing an EF.

    Raises:
        CommandRefused: 6982 or 6985.
    """
    if card.memory.life_cycle is LifeCycle.OPERATIONAL:
        if file.update is AccessCondition.NEVER and not is_closed(card, directory):
            raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the file is never written again")
        if not card.session.status.satisfies(file.update, _group(file)):
            raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "the file may not be written now")
        return
    require_personalisation(card)
    require_not_activated(directory)


def _group(file: TransparentFile) -> int:
    """The data group's number, which is the low octet of its identifier (Doc 9303-10 3, TR-03110-4 2.2.3)."""
    return file.fid & 0xFF if file.fid >> 8 == _DATA_GROUPS else 0


def require_not_activated(directory: Directory) -> None:
    """The directory still takes files and keys.

    Raises:
        CommandRefused: 6985.
    """
    if directory.activated:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the directory is activated")


def is_closed(card: Card, directory: Directory) -> bool:
    """Whether an operational application does not even tell which files it has (Doc 9303-11 4.2)."""
    return (
        card.memory.life_cycle is LifeCycle.OPERATIONAL
        and bool(directory.aid)
        and card.memory.has_access_control
        and card.session.status.access is None
    )
