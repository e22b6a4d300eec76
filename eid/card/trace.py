"""A command in words, for traces: files, protocols and data objects by name and length; values only where public."""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import CommandAPDU
from eid.codec.oid import decode_oid_content
from eid.codec.tlv import Tlv, decode_tlvs
from eid.errors import DecodeError
from eid.lds.files import FILES, LDS1_AID
from eid.profile.card_image import PasswordId

_FILES: Final = {(file.in_master_file, file.fid): file.name for file in FILES}
_MASTER_FILE: Final = 0x3F00
_OBJECTS: Final = {
    0x22: {0x80: "protocol", 0x83: "password", 0x84: "parameters", 0x91: "ephemeral public key", 0x7F4C: "CHAT"},
    0x86: {
        0x80: "nonce, encrypted",
        0x81: "mapping data",
        0x82: "mapping data",
        0x83: "ephemeral public key",
        0x84: "ephemeral public key",
        0x85: "token",
        0x86: "token",
        0x8A: "chip authentication data, encrypted",
    },
}
_DYNAMIC_AUTHENTICATION: Final = 0x7C
MAX_NAMED: Final = 8  # objects that one line names


def describe_objects(
    command: CommandAPDU, response_data: bytes = b"", *, current_fid: int | None, in_master_file: bool
) -> str:
    """What a plain command is about, or "" where its header says it all; never a secret.

    Args:
        current_fid: file identifier of the current EF once the command was carried out. in_master_file: whether the
            MF is the current directory then.
    """
    if command.ins == 0xA4:
        return _describe_select(command, in_master_file)
    if command.ins in (0xB0, 0xD6):
        offset = command.p2 if command.p1 & 0x80 else command.p1 << 8 | command.p2
        return f"{_file(current_fid, in_master_file)} from {offset}"
    if command.ins in (0xB1, 0xD7):
        return _file(current_fid, in_master_file)
    if command.ins == 0x22:
        return ", ".join(_describe(item, 0x22) for item in _objects(command.data))
    if command.ins == 0x86:
        sent = ", ".join(_describe(item, 0x86) for item in _dynamic(command.data))
        answered = ", ".join(_describe(item, 0x86) for item in _dynamic(response_data))
        return f"{sent or 'begin'} -> {answered or 'nothing'}"
    return ""


def _describe_select(command: CommandAPDU, in_master_file: bool) -> str:
    if command.p1 == 0x04:
        return "eMRTD application" if command.data == LDS1_AID else f"application {command.data.hex().upper()}"
    if not command.data:
        return "MF"
    fid = int.from_bytes(command.data[-2:], "big")
    return "MF" if fid == _MASTER_FILE else _file(fid, in_master_file)


def _file(fid: int | None, in_master_file: bool) -> str:
    return "no file" if fid is None else _FILES.get((in_master_file, fid), f"file {fid:04X}")


def _objects(raw: bytes) -> tuple[Tlv, ...]:
    try:
        return decode_tlvs(raw)[:MAX_NAMED]
    except DecodeError:
        return ()


def _dynamic(raw: bytes) -> tuple[Tlv, ...]:
    outer = _objects(raw)
    return _objects(outer[0].value) if len(outer) == 1 and outer[0].tag == _DYNAMIC_AUTHENTICATION else ()


def _describe(item: Tlv, ins: int) -> str:
    name = _OBJECTS[ins].get(item.tag, f"object {item.tag:X}")
    if ins == 0x22 and item.tag == 0x80:
        try:
            return f"{name} {decode_oid_content(item.value)}"
        except DecodeError:
            return f"{name} of {len(item.value)} octets"
    if ins == 0x22 and item.tag == 0x83 and len(item.value) == 1 and item.value[0] in set(PasswordId):
        return f"{name} {PasswordId(item.value[0]).name}"
    return f"{name} of {len(item.value)} octets"
