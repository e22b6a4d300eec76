"""READ BINARY and UPDATE BINARY, even and odd (ISO/IEC 7816-4 11.3.3, 11.3.5)."""

from __future__ import annotations

from typing import Final

from eid.card.access import is_closed, require_read, require_update
from eid.card.memory import Directory, TransparentFile
from eid.card.session import Card
from eid.codec.apdu import MAX_EXTENDED_LE, MAX_SHORT_LE, CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.codec.tlv import decode_tlvs, encode_tlv
from eid.errors import CommandRefused

TAG_OFFSET: Final = 0x54
TAG_DATA: Final = 0x53
_TLV_OVERHEAD: Final = 4


def read_binary(card: Card, command: CommandAPDU, limit: int) -> ResponseAPDU:
    """B0: SFI or current EF, offset in P1P2.

    Args:
        limit: octets that the response can carry.

    Raises:
        CommandRefused: 6986, 6A82, 6982, 6985, 6B00.
    """
    directory, file, offset = _locate_even(card, command)
    require_read(card, file)
    content = file.content
    available = len(content) - offset
    if available <= 0:
        raise CommandRefused(SW.WRONG_OFFSET, "READ BINARY past the end of the file")
    _remember(card, command, directory, file)
    le = command.le or MAX_SHORT_LE
    data = bytes(content[offset : offset + min(le, limit)])
    return ResponseAPDU(data, SW.END_OF_FILE if _asked_for_more(command, len(data), available) else SW.OK)


def read_binary_odd(card: Card, command: CommandAPDU, limit: int) -> ResponseAPDU:
    """B1: EF by P1P2, offset in data object 54, answer in data object 53.

    Raises:
        CommandRefused: as `read_binary`, and 6A80.
    """
    directory, file = _locate_odd(card, command)
    require_read(card, file)
    objects = decode_tlvs(command.data)
    if len(objects) != 1:
        raise CommandRefused(SW.WRONG_DATA, "one offset data object is wanted")
    offset = _decode_offset(objects[0].tag, objects[0].value)
    if offset >= len(file.content):
        raise CommandRefused(SW.WRONG_OFFSET, "READ BINARY past the end of the file")
    card.session.selection.directory, card.session.selection.file = directory, file
    # Le counts data object 53 whole (11.3.3): as much content as lets it fit.
    room = min(command.le or MAX_SHORT_LE, limit)
    content = bytes(file.content[offset : offset + max(room - 2, 0)])
    while content and len(encode_tlv(TAG_DATA, content)) > room:
        content = content[: room - _TLV_OVERHEAD if room > _TLV_OVERHEAD + 0xFF else len(content) - 1]
    data = encode_tlv(TAG_DATA, content)
    exhausted = offset + len(content) == len(file.content)
    short = exhausted and _asked_for_more(command, len(data), len(data))
    return ResponseAPDU(data, SW.END_OF_FILE if short else SW.OK)


def update_binary(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """D6: SFI or current EF, offset in P1P2.

    Raises:
        CommandRefused: 6986, 6A82, 6982, 6985, 6B00, 6A84, 6700.
    """
    directory, file, offset = _locate_even(card, command)
    if not command.data:
        raise CommandRefused(SW.WRONG_LENGTH, "UPDATE BINARY without data")
    _write(card, directory, file, offset, command.data)
    _remember(card, command, directory, file)
    return ResponseAPDU()


def update_binary_odd(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """D7: EF by P1P2, data objects 54 (offset) and 53 (data).

    Raises:
        CommandRefused: as `update_binary`, and 6A80.
    """
    directory, file = _locate_odd(card, command)
    objects = decode_tlvs(command.data)
    if len(objects) != 2 or objects[1].tag != TAG_DATA:
        raise CommandRefused(SW.WRONG_DATA, "data objects 54 and 53 are wanted")
    _write(card, directory, file, _decode_offset(objects[0].tag, objects[0].value), objects[1].value)
    card.session.selection.directory, card.session.selection.file = directory, file
    return ResponseAPDU()


def _write(card: Card, directory: Directory, file: TransparentFile, offset: int, data: bytes) -> None:
    require_update(card, directory, file)
    if offset > len(file.content):
        raise CommandRefused(SW.WRONG_OFFSET, "UPDATE BINARY past the end of the file")
    if offset + len(data) > len(file.content):
        raise CommandRefused(SW.NOT_ENOUGH_MEMORY, "the data do not fit the file")
    file.content[offset : offset + len(data)] = data
    card.changed()


def _locate_even(card: Card, command: CommandAPDU) -> tuple[Directory, TransparentFile, int]:
    selection = card.session.selection
    directory, p1 = selection.directory, command.p1
    if p1 & 0x80:
        if p1 & 0x60:
            raise CommandRefused(SW.WRONG_P1P2, "bits 7 and 6 of P1 are zero beside an SFI")
        return *_by_sfi(card, p1 & 0x1F), command.p2
    if directory is None or selection.file is None:
        raise CommandRefused(SW.COMMAND_NOT_ALLOWED, "no current EF")
    return directory, selection.file, p1 << 8 | command.p2


def _locate_odd(card: Card, command: CommandAPDU) -> tuple[Directory, TransparentFile]:
    """11.3.2: P1P2 0000 is the current EF, one to thirty an SFI, anything else a file identifier."""
    selection = card.session.selection
    reference = command.p1 << 8 | command.p2
    if reference == 0:
        if selection.directory is None or selection.file is None:
            raise CommandRefused(SW.COMMAND_NOT_ALLOWED, "no current EF")
        return selection.directory, selection.file
    if reference <= 0x1E:
        return _by_sfi(card, reference)
    file = None if selection.directory is None else selection.directory.files.get(reference)
    return _require_file(card, file)


def _by_sfi(card: Card, sfi: int) -> tuple[Directory, TransparentFile]:
    directory = card.session.selection.directory
    return _require_file(card, None if directory is None else directory.by_sfi(sfi))


def _require_file(card: Card, file: TransparentFile | None) -> tuple[Directory, TransparentFile]:
    """A file of the current DF; a closed application does not tell which ones it lacks (Doc 9303-11 4.2)."""
    directory = card.session.selection.directory
    if directory is not None and file is None and is_closed(card, directory):
        raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "the application is closed")
    if directory is None or file is None:
        raise CommandRefused(SW.FILE_NOT_FOUND, "no such file")
    return directory, file


def _remember(card: Card, command: CommandAPDU, directory: Directory, file: TransparentFile) -> None:
    """A file named by its SFI becomes current (11.3.2)."""
    if command.p1 & 0x80:
        card.session.selection.directory, card.session.selection.file = directory, file


def _decode_offset(tag: int, value: bytes) -> int:
    if tag != TAG_OFFSET or len(value) > 4:
        raise CommandRefused(SW.WRONG_DATA, "no offset data object of up to four octets")
    return int.from_bytes(value, "big")


def _asked_for_more(command: CommandAPDU, given: int, available: int) -> bool:
    """Whether an explicit Le was not met because the file ends; 00 and 0000 ask for what there is (5.2)."""
    le = command.le
    if le is None or le == MAX_EXTENDED_LE or (le == MAX_SHORT_LE and not command.extended):
        return False
    return given < le and given == available
