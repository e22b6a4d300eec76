"""Where a chip's quirks come in: before a command is carried out, and after (`eid.profile.quirks`)."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from eid.card.memory import MF_FID, LifeCycle, TransparentFile
from eid.card.session import Card
from eid.codec.apdu import MAX_EXTENDED_LE, MAX_SHORT_LE, CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.codec.tlv import decode_tlvs
from eid.errors import DecodeError
from eid.lds.files import EF_SOD, FILES
from eid.profile.card_image import KeyPurpose
from eid.profile.quirks import NO_QUIRKS, Quirks

_SELECT: Final = 0xA4
_READ_BINARY: Final = 0xB0
_READ: Final = frozenset((_READ_BINARY, 0xB1))
_MANAGE_SECURITY_ENVIRONMENT: Final = 0x22
_GENERAL_AUTHENTICATE: Final = 0x86
_INTERNAL_AUTHENTICATE: Final = 0x88
_DO_LE: Final = 0x97
_DO_PARAMETERS: Final = 0x84
_SET_AT_FOR_PACE: Final = (0xC1, 0xA4)
_MASTER_FILE: Final = MF_FID.to_bytes(2, "big")
_REFUSALS_OF_FILES: Final = frozenset((SW.SECURITY_STATUS_NOT_SATISFIED, SW.FILE_NOT_FOUND))
_NAMES: Final = {(file.in_master_file, file.fid): file.name for file in FILES}


def refuse_unprotected(quirks: Quirks, command: CommandAPDU) -> int | None:
    """The status word of a protected READ BINARY that the chip refuses before it looks at the protection."""
    if not quirks.unprotected_refusals or command.ins not in _READ:
        return None
    try:
        le = next((int.from_bytes(item.value, "big") for item in decode_tlvs(command.data) if item.tag == _DO_LE), None)
    except DecodeError:
        return None
    return _refuse_length(quirks, MAX_SHORT_LE if le == 0 else le)


def answer_by_quirk(card: Card, command: CommandAPDU) -> ResponseAPDU | None:
    """The answer to a plain command, where a quirk forestalls it; the command is then not carried out."""
    quirks = card.memory.chip.quirks
    if _behaves(card, quirks) or command.cla & ~0x10:
        return None
    sw = _refuse(card, quirks, command)
    return None if sw is None else ResponseAPDU(b"", sw)


def alter_by_quirk(card: Card, command: CommandAPDU, response: ResponseAPDU) -> ResponseAPDU:
    """The answer as the chip gives it."""
    quirks = card.memory.chip.quirks
    if _behaves(card, quirks):
        return response
    if command.ins in _READ and quirks.too_long == "6282" and len(response.data) > (quirks.largest_read or 1 << 16):
        return ResponseAPDU(response.data[: quirks.largest_read], SW.END_OF_FILE)
    if command.ins in _READ and quirks.excess_octets and response.data and _reaches_end(card, command, response):
        return ResponseAPDU(response.data + quirks.excess_octets, response.sw)
    if command.ins == _GENERAL_AUTHENTICATE and quirks.wrong_password_sw is not None and response.sw >> 8 == 0x63:
        return ResponseAPDU(b"", quirks.wrong_password_sw)
    if command.ins == _INTERNAL_AUTHENTICATE and quirks.ecdsa_in_der and response.sw == SW.OK and _signs_by_ecdsa(card):
        half = len(response.data) // 2
        r, s = (int.from_bytes(part, "big") for part in (response.data[:half], response.data[half:]))
        return ResponseAPDU(encode_dss_signature(r, s))
    return response


def spoil_by_quirk(card: Card, command: CommandAPDU, response: ResponseAPDU, protected: ResponseAPDU) -> ResponseAPDU:
    """The protected answer as the chip gives it: the MAC is the last that is in it."""
    quirks = card.memory.chip.quirks
    if not quirks.sod_end_mac_wrong or _behaves(card, quirks) or command.ins != _READ_BINARY:
        return protected
    file = card.session.selection.file
    if file is None or file.fid != EF_SOD.fid or command.le != len(response.data):
        return protected
    if not _reaches_end(card, command, response):
        return protected
    return ResponseAPDU(protected.data[:-1] + bytes((protected.data[-1] ^ 1,)), protected.sw)


def ends_session(quirks: Quirks, command: CommandAPDU, response: ResponseAPDU) -> bool:
    """Whether the chip drops secure messaging over this refusal."""
    reads = command.ins in _READ or (command.ins == _SELECT and command.p1 == 0x02)
    return quirks.refusal_ends_session and reads and response.sw in _REFUSALS_OF_FILES


def _behaves(card: Card, quirks: Quirks) -> bool:
    """Without quirks; while it is being written a chip is its factory's, and none has any."""
    return quirks is NO_QUIRKS or quirks == NO_QUIRKS or card.memory.life_cycle is not LifeCycle.OPERATIONAL


def _refuse(card: Card, quirks: Quirks, command: CommandAPDU) -> int | None:
    if quirks.forbids_le and command.le is not None and command.ins in (_SELECT, _MANAGE_SECURITY_ENVIRONMENT):
        return SW.WRONG_LENGTH
    if command.ins == _SELECT:
        return _refuse_select(card, quirks, command)
    if command.ins in _READ:
        return _refuse_read(card, quirks, command)
    if command.ins == _MANAGE_SECURITY_ENVIRONMENT and (command.p1, command.p2) == _SET_AT_FOR_PACE:
        return _refuse_parameters(quirks, command)
    if command.ins == _INTERNAL_AUTHENTICATE:
        return quirks.active_authentication_sw
    return None


def _refuse_select(card: Card, quirks: Quirks, command: CommandAPDU) -> int | None:
    if command.p1 == 0x00 and command.data in (b"", _MASTER_FILE):
        form = "3F00" if command.data else "no-data"
        return None if quirks.select_master_file in ("any", form) else quirks.select_master_file_sw
    if command.p1 == 0x02 and len(command.data) == 2:
        return _refuse_file(card, quirks, int.from_bytes(command.data, "big"))
    return None


def _refuse_read(card: Card, quirks: Quirks, command: CommandAPDU) -> int | None:
    directory = card.session.selection.directory
    by_sfi = command.ins == 0xB0 and bool(command.p1 & 0x80)
    in_master_file = directory is card.memory.master
    if by_sfi and (
        quirks.short_identifiers == "nowhere" or (quirks.short_identifiers == "not-in-master-file" and in_master_file)
    ):
        return SW.FILE_NOT_FOUND
    file: TransparentFile | None = card.session.selection.file
    if by_sfi:
        file = None if directory is None else directory.by_sfi(command.p1 & 0x1F)
    refused = None if file is None else _refuse_file(card, quirks, file.fid)
    return _refuse_length(quirks, command.le) if refused is None else refused


def _refuse_file(card: Card, quirks: Quirks, fid: int) -> int | None:
    name = _NAMES.get((card.session.selection.directory is card.memory.master, fid))
    return None if name is None else quirks.refused_files.get(name)


def _refuse_length(quirks: Quirks, le: int | None) -> int | None:
    """Le over what the chip gives; 00 and 0000 ask for what there is, and are too much all the same."""
    if quirks.largest_read is None or le is None or min(le, MAX_EXTENDED_LE) <= quirks.largest_read:
        return None
    if quirks.too_long == "6CXX":
        return SW.WRONG_LE | min(quirks.largest_read, 0xFF)
    return None if quirks.too_long == "6282" else int(quirks.too_long, 16)


def _refuse_parameters(quirks: Quirks, command: CommandAPDU) -> int | None:
    try:
        named = any(item.tag == _DO_PARAMETERS for item in decode_tlvs(command.data))
    except DecodeError:
        return None
    if quirks.parameter_reference == "required" and not named:
        return SW.REFERENCED_DATA_NOT_FOUND
    return SW.NC_INCONSISTENT_WITH_P1P2 if quirks.parameter_reference == "refused" and named else None


def _reaches_end(card: Card, command: CommandAPDU, response: ResponseAPDU) -> bool:
    """Whether a READ BINARY with even instruction has given the last octet of the file."""
    file = card.session.selection.file
    if file is None or command.ins != _READ_BINARY:
        return False
    offset = command.p2 if command.p1 & 0x80 else command.p1 << 8 | command.p2
    return offset + len(response.data) >= len(file.content)


def _signs_by_ecdsa(card: Card) -> bool:
    directory = card.session.selection.directory
    keys = () if directory is None else directory.key_for(KeyPurpose.ACTIVE_AUTHENTICATION)
    return bool(keys) and keys[0].algorithm.kind == "ec"
