"""Writing commands of personalisation: files, passwords, keys, configuration."""

from __future__ import annotations

from typing import Final

from eid.card.access import require_not_activated, require_personalisation
from eid.card.fcp import DirectoryParameters, FileParameters, decode_fcp
from eid.card.keys import (
    decode_key_order,
    decode_reference,
    encode_public_key,
    generate_key,
    import_key,
)
from eid.card.memory import MAX_MEMORY, Directory, StoredPassword, TransparentFile
from eid.card.session import Card, Selection
from eid.card.trust import decode_trust
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.der import SEQUENCE
from eid.codec.status_word import SW
from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, iterate_tlvs, require_tlv
from eid.errors import CommandRefused, DecodeError
from eid.lds.security_infos import PACEDomainParameterInfo, PACEInfo, decode_security_infos, find_pace_infos
from eid.profile.card_image import PasswordId

TAG_KEY_ORDER: Final = 0xAC
TAG_PRIVATE_KEY: Final = 0xD0
MAX_PASSWORD: Final = 127
MAX_TRIES: Final = 15
MAX_FILES: Final = 256
MAX_APPLICATIONS: Final = 16
MAX_PACE_INFOS: Final = 32


def create_file(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """CREATE FILE (ISO/IEC 7816-9 9.3.2): an EF under the current DF, or a DF under the MF; it becomes current.

    Raises:
        CommandRefused: 6982, 6985, 6A80, 6A84, 6A86, 6A89, 6A8A.
    """
    require_personalisation(card)
    if command.p1 or command.p2:
        raise CommandRefused(SW.WRONG_P1P2, "CREATE FILE takes its parameters from the FCP template")
    parameters = decode_fcp(command.data)
    if isinstance(parameters, DirectoryParameters):
        card.session.selection = _create_directory(card, parameters)
    else:
        card.session.selection = _create_elementary_file(card, parameters)
    card.changed()
    return ResponseAPDU()


def _create_directory(card: Card, parameters: DirectoryParameters) -> Selection:
    memory = card.memory
    if parameters.aid in memory.applications or parameters.aid == memory.domain.aid:
        raise CommandRefused(SW.NAME_EXISTS, "an application of this AID exists")
    taken = {entry.fid for entry in memory.applications.values()} | set(memory.master.files)
    if parameters.fid is not None and parameters.fid in taken:
        raise CommandRefused(SW.FILE_EXISTS, "the file identifier is taken")
    if len(memory.applications) >= MAX_APPLICATIONS:
        raise CommandRefused(SW.NOT_ENOUGH_MEMORY, "no room for another application")
    directory = Directory(parameters.aid, parameters.fid, basic_access_control=parameters.basic_access_control)
    memory.applications[parameters.aid] = directory
    return Selection(directory)


def _create_elementary_file(card: Card, parameters: FileParameters) -> Selection:
    directory = _own_directory(card)
    taken = set(directory.files)
    if directory is card.memory.master:
        taken |= {entry.fid for entry in card.memory.applications.values() if entry.fid is not None}
    if parameters.fid in taken or (parameters.sfi is not None and directory.by_sfi(parameters.sfi) is not None):
        raise CommandRefused(SW.FILE_EXISTS, "the file identifier or short identifier is taken")
    if card.memory.used + parameters.size > MAX_MEMORY or len(directory.files) >= MAX_FILES:
        raise CommandRefused(SW.NOT_ENOUGH_MEMORY, "no room for the file")
    file = TransparentFile(
        parameters.fid, parameters.sfi, bytearray(parameters.size), parameters.read, parameters.update
    )
    directory.files[parameters.fid] = file
    return Selection(directory, file)


def activate_file(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """ACTIVATE FILE (ISO/IEC 7816-9 9.3.4): the files and keys of a DF, or of the MF itself, are final.

    Raises:
        CommandRefused: 6982, 6985, 6A82, 6A86.
    """
    require_personalisation(card)
    if command.p2 or command.p1 not in (0x00, 0x04) or bool(command.data) != (command.p1 == 0x04):
        raise CommandRefused(SW.WRONG_P1P2, "ACTIVATE FILE takes the current DF, or an AID")
    directory = card.session.selection.directory
    if command.p1 == 0x04:
        directory = card.memory.applications.get(command.data)
    if directory is None:
        raise CommandRefused(SW.FILE_NOT_FOUND, "no such application")
    require_not_activated(directory)
    directory.activated = True
    card.changed()
    return ResponseAPDU()


def change_reference_data(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """CHANGE REFERENCE DATA (ISO/IEC 7816-4 11.5.7): set a password's value; its retry limit, if any, stays.

    Raises:
        CommandRefused: 6982, 6985, 6700, 6A86, 6A88.
    """
    require_personalisation(card)
    if command.p1 != 0x01:
        raise CommandRefused(SW.WRONG_P1P2, "only a new value, without the old one")
    try:
        identifier = PasswordId(command.p2)
    except ValueError:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such password") from None
    if not 1 <= len(command.data) <= MAX_PASSWORD or not command.data.isascii():
        raise CommandRefused(SW.WRONG_LENGTH, "a password has 1 to 127 ASCII octets")
    present = card.memory.passwords.get(identifier)
    tries = None if present is None else present.tries
    card.memory.passwords[identifier] = StoredPassword(command.data, tries, tries)
    card.changed()
    return ResponseAPDU()


def generate_asymmetric_key_pair(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """GENERATE ASYMMETRIC KEY PAIR (ISO/IEC 7816-8 5.4), or, with P1 81, read the public key of one that is there.

    Raises:
        CommandRefused: 6982, 6985, 6A80, 6A81, 6A86, 6A88.
    """
    require_personalisation(card)
    if command.p1 not in (0x80, 0x81) or command.p2:
        raise CommandRefused(SW.WRONG_P1P2, "GENERATE ASYMMETRIC KEY PAIR: 8000 or 8100")
    objects = decode_tlv(command.data, TAG_KEY_ORDER).children()
    if command.p1 == 0x81:
        directory = _application(card)
        stored = directory.keys.get(decode_reference(objects))
        if stored is None:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such key")
        return ResponseAPDU(encode_public_key(stored))
    directory = _application(card)
    require_not_activated(directory)
    stored = generate_key(decode_key_order(objects), card.random)
    directory.keys[stored.reference] = stored
    card.changed()
    return ResponseAPDU(encode_public_key(stored))


def put_data(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """PUT DATA (ISO/IEC 7816-4 11.4.3, odd INS): one configuration data object.

    Raises:
        CommandRefused: 6982, 6985, 6A80, 6A86, 6A88.
    """
    require_personalisation(card)
    if (command.p1, command.p2) != (0x3F, 0xFF):
        raise CommandRefused(SW.WRONG_P1P2, "PUT DATA: 3FFF")
    item = decode_tlv(command.data)
    match item.tag:
        case 0x7F48:
            _import_key(card, item)
        case 0xFF21:
            card.memory.pace = decode_pace_infos(item.value)
        case 0xFF22:
            _limit_password(card, item)
        case 0xFF23:
            card.memory.trust = decode_trust(item.value)
        case _:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such data object")
    card.changed()
    return ResponseAPDU()


def _import_key(card: Card, item: Tlv) -> None:
    directory = _application(card)
    require_not_activated(directory)
    objects = item.children()
    stored = import_key(decode_key_order(objects), require_tlv(objects, TAG_PRIVATE_KEY).value)
    directory.keys[stored.reference] = stored


def _limit_password(card: Card, item: Tlv) -> None:
    objects = item.children()
    identifier, tries = (require_tlv(objects, tag).value for tag in (0x83, 0x80))
    password = next((value for key, value in card.memory.passwords.items() if bytes((key,)) == identifier), None)
    if password is None:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "the password is not set")
    if len(tries) != 1 or tries[0] > MAX_TRIES:
        raise CommandRefused(SW.WRONG_DATA, "tries are 0 to 15")
    password.tries = password.left = tries[0] or None


def decode_pace_infos(raw: bytes) -> tuple[PACEInfo, ...]:
    """PACEInfo values, DER, one after the other, in the order in which the chip announces them.

    A PACEDomainParameterInfo among them gives the domain parameters to the PACEInfo that it belongs to.

    Raises:
        DecodeError: malformed, another SecurityInfo, or too many.
    """
    infos: list[PACEInfo | PACEDomainParameterInfo] = []
    for item in iterate_tlvs(raw):
        decoded = decode_security_infos(encode_tlv(0x31, encode_tlv(item.tag, item.value)))
        info = decoded[0] if item.tag == SEQUENCE and decoded else None
        if not isinstance(info, (PACEInfo, PACEDomainParameterInfo)) or len(infos) == MAX_PACE_INFOS:
            raise DecodeError("not a PACEInfo, or too many of them", clause="Doc 9303-11 9.2.1")
        infos.append(info)
    return find_pace_infos(infos)


def _own_directory(card: Card) -> Directory:
    """The current DF, still open for files."""
    directory = card.session.selection.directory
    if directory is None:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the security domain holds no files")
    require_not_activated(directory)
    return directory


def _application(card: Card) -> Directory:
    """The current DF, which is an application: the MF holds no keys."""
    directory = card.session.selection.directory
    if directory is None or not directory.aid:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "keys belong to an application")
    return directory
