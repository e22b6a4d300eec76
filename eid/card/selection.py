"""SELECT (ISO/IEC 7816-4 11.2.2): MF, DF, EF by identifier, name or path."""

from __future__ import annotations

from typing import Final

from eid.card.access import is_closed, require_read
from eid.card.fcp import TAG_FCI, TAG_FCP, encode_file_control
from eid.card.memory import MF_FID, Directory, LifeCycle, TransparentFile
from eid.card.session import Card, Selection
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.errors import CommandRefused
from eid.protocols.globalplatform.card import build_security_domain_fci

MIN_PARTIAL_AID: Final = 5
_TEMPLATES: Final = {0x00: TAG_FCI, 0x04: TAG_FCP, 0x0C: None}


def select(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """Move the selection; a failure leaves it where it was.

    Raises:
        CommandRefused: 6A82, 6A86, 6A87, 6982, 6985.
    """
    if command.p2 not in _TEMPLATES:
        raise CommandRefused(SW.WRONG_P1P2, "SELECT: unknown P2")
    selection = _find(card, command.p1, command.data)
    template = _TEMPLATES[command.p2]
    answer = b"" if template is None else _describe(card, selection, template)
    if selection.file is None and selection.directory is not card.session.selection.directory:
        card.session.bac = card.session.chip_authentication = None  # both belong to the application that was left
    card.session.selection = selection
    return ResponseAPDU(answer)


def _find(card: Card, p1: int, data: bytes) -> Selection:
    match p1:
        case 0x00:
            return _by_identifier(card, data)
        case 0x01:
            return Selection(_child_directory(card, _fid(data)))
        case 0x02:
            return _elementary_file(card, _current(card), _fid(data))
        case 0x03:
            if data:
                raise CommandRefused(SW.NC_INCONSISTENT_WITH_P1P2, "SELECT parent takes no data")
            return Selection(card.memory.master)
        case 0x04:
            return _by_name(card, data)
        case 0x08:
            return _by_path(card, card.memory.master, data)
        case 0x09:
            return _by_path(card, _current(card), data)
    raise CommandRefused(SW.WRONG_P1P2, "SELECT: unknown P1")


def _by_identifier(card: Card, data: bytes) -> Selection:
    if not data or _fid(data) == MF_FID:
        return Selection(card.memory.master)
    fid, current = _fid(data), _current(card)
    if current.fid == fid:
        return Selection(current)
    if fid in current.files or is_closed(card, current):
        return _elementary_file(card, current, fid)
    return Selection(_child_directory(card, fid))


def _by_name(card: Card, aid: bytes) -> Selection:
    """An application by AID, or by its first octets where they are no whole AID (ISO/IEC 7816-4 7.3.1.4)."""
    if len(aid) > 16:
        raise CommandRefused(SW.NC_INCONSISTENT_WITH_P1P2, "an AID has at most 16 octets")
    memory = card.memory
    if aid in (b"", memory.domain.aid):  # GPC 11.9.2.3: without a name the issuer security domain is meant
        return Selection(None)
    directory = memory.applications.get(aid)
    if directory is None and len(aid) >= MIN_PARTIAL_AID:
        if memory.domain.aid.startswith(aid):
            return Selection(None)
        names = sorted(name for name in memory.applications if name.startswith(aid))
        directory = memory.applications[names[0]] if names else None
    if directory is None:
        raise CommandRefused(SW.FILE_NOT_FOUND, "no such application")
    return Selection(_usable(card, directory))


def _by_path(card: Card, start: Directory, path: bytes) -> Selection:
    if not path or len(path) % 2:
        raise CommandRefused(SW.NC_INCONSISTENT_WITH_P1P2, "a path is file identifiers of two octets")
    directory = start
    fids = [int.from_bytes(path[place : place + 2], "big") for place in range(0, len(path), 2)]
    if len(fids) > 1 and fids[0] == MF_FID and start is card.memory.master:
        fids = fids[1:]
    for fid in fids[:-1]:
        directory = _directory_below(card, directory, fid)
    if fids[-1] in directory.files or is_closed(card, directory):
        return _elementary_file(card, directory, fids[-1])
    return Selection(_directory_below(card, directory, fids[-1]))


def _directory_below(card: Card, directory: Directory, fid: int) -> Directory:
    if directory is not card.memory.master:
        raise CommandRefused(SW.FILE_NOT_FOUND, "applications have no directories below")
    for entry in card.memory.applications.values():
        if entry.fid == fid:
            return _usable(card, entry)
    raise CommandRefused(SW.FILE_NOT_FOUND, "no such directory")


def _child_directory(card: Card, fid: int) -> Directory:
    return _directory_below(card, _current(card), fid)


def _elementary_file(card: Card, directory: Directory, fid: int) -> Selection:
    file = directory.files.get(fid)
    if is_closed(card, directory):
        if file is not None:
            require_read(card, file)
        else:  # Doc 9303-11 4.2: a closed application does not tell which files it has
            raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "the application is closed")
    if file is None:
        raise CommandRefused(SW.FILE_NOT_FOUND, "no such file")
    require_read(card, file)
    return Selection(directory, file)


def _usable(card: Card, directory: Directory) -> Directory:
    """An application serves once the card is operational; before that it is the issuer's, inside SCP03."""
    life_cycle = card.memory.life_cycle
    if life_cycle is LifeCycle.LOCKED:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the card is locked")
    if life_cycle.is_writable and card.session.scp03 is None:
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "only inside SCP03 before the lock")
    return directory


def _current(card: Card) -> Directory:
    directory = card.session.selection.directory
    if directory is None:
        raise CommandRefused(SW.FILE_NOT_FOUND, "the security domain has no files")
    return directory


def _fid(data: bytes) -> int:
    if len(data) != 2:
        raise CommandRefused(SW.NC_INCONSISTENT_WITH_P1P2, "a file identifier has two octets")
    return int.from_bytes(data, "big")


def _describe(card: Card, selection: Selection, template: int) -> bytes:
    if selection.directory is None:
        return build_security_domain_fci(card.memory.domain.aid, card.memory.chip.max_command_data)
    entry: Directory | TransparentFile = selection.file or selection.directory
    return encode_file_control(template, entry, activated=selection.directory.activated)
