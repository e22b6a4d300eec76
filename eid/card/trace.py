"""A command in words, for traces: files, protocols and data objects by name and length; values only where public."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eid.codec.apdu import CommandAPDU
from eid.codec.oid import decode_oid_content
from eid.codec.tlv import Tlv, decode_tlvs
from eid.errors import DecodeError
from eid.lds.files import FILES, LDS1_AID
from eid.lds.security_infos import (
    ID_CA_DH,
    ID_CA_ECDH,
    ID_PACE_DH_GM,
    ID_PACE_DH_IM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    ID_RI_DH,
    ID_RI_ECDH,
    ID_TA,
)
from eid.profile.card_image import PasswordId
from eid.protocols.cipher_suites import find_suite

_FILES: Final = {(file.in_master_file, file.fid): file.name for file in FILES}
_MASTER_FILE: Final = 0x3F00
MIN_REFERENCE: Final = 8  # octets of a certificate holder's name: country, mnemonic, sequence number (TR-03110-3 D.2)
MAX_REFERENCE: Final = 16
_PROTOCOLS: Final = {
    ID_PACE_ECDH_GM: "PACE ECDH-GM",
    ID_PACE_ECDH_IM: "PACE ECDH-IM",
    ID_PACE_ECDH_CAM: "PACE ECDH-CAM",
    ID_PACE_DH_GM: "PACE DH-GM",
    ID_PACE_DH_IM: "PACE DH-IM",
    ID_CA_ECDH: "Chip Authentication ECDH",
    ID_CA_DH: "Chip Authentication DH",
    ID_RI_ECDH: "Restricted Identification ECDH",
    ID_RI_DH: "Restricted Identification DH",
    f"{ID_TA}.1": "Terminal Authentication RSA",
    f"{ID_TA}.2": "Terminal Authentication ECDSA",
}
# MSE by P1 and P2 (ISO/IEC 7816-4 11.5.11; TR-03110-3 B.14): PACE, Chip and Terminal Authentication, verification.
_SET: Final = {
    (0xC1, 0xA4): {0x80: "protocol", 0x83: "password", 0x84: "parameters", 0x7F4C: "CHAT"},
    (0x41, 0xA4): {0x80: "protocol", 0x84: "private key"},
    (0x41, 0xA6): {0x84: "private key", 0x91: "ephemeral public key"},
    (0x81, 0xA4): {0x67: "auxiliary data", 0x80: "protocol", 0x83: "public key", 0x91: "ephemeral public key"},
    (0x81, 0xB6): {0x83: "public key"},
}
_CERTIFICATE: Final = {0x7F4E: "certificate body", 0x5F37: "signature"}
# Dynamic authentication data: of PACE (Doc 9303-11 4.4.5), and where the terminal begins with its own key, of Chip
# Authentication (Doc 9303-11 6.2.4.2, version 2: TR-03110-3 B.2) and Restricted Identification.
_OF_PACE: Final = {
    0x80: "nonce, encrypted",
    0x81: "mapping data",
    0x82: "mapping data",
    0x83: "ephemeral public key",
    0x84: "ephemeral public key",
    0x85: "token",
    0x86: "token",
    0x8A: "chip authentication data, encrypted",
}
_KEY_SENT: Final = {0x80: "ephemeral public key"}
_KEY_ANSWERED: Final = {0x81: "nonce", 0x82: "token"}
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
    if command.ins == 0xB0 and command.p1 & 0x80 and current_fid is None:
        return f"short identifier {command.p1 & 0x1F:02X} from {command.p2}"
    if command.ins in (0xB0, 0xD6):
        offset = command.p2 if command.p1 & 0x80 else command.p1 << 8 | command.p2
        return f"{_file(current_fid, in_master_file)} from {offset}"
    if command.ins in (0xB1, 0xD7):
        return _file(current_fid, in_master_file)
    if command.ins == 0x22:
        names = _SET.get((command.p1, command.p2), {})
        return ", ".join(_describe_setting(item, names) for item in _objects(command.data))
    if command.ins == 0x2A:
        return ", ".join(_describe(item, _CERTIFICATE) for item in _objects(command.data))
    if command.ins in (0x20, 0x24, 0x2C) and command.p2 in set(PasswordId):
        return PasswordId(command.p2).name
    if command.ins == 0x86:
        return _describe_authentication(_dynamic(command.data), _dynamic(response_data))
    return ""


def _describe_authentication(sent: tuple[Tlv, ...], answered: tuple[Tlv, ...]) -> str:
    """GENERAL AUTHENTICATE: PACE never has a terminal send tag 80."""
    with_key = any(item.tag in _KEY_SENT for item in sent)
    out, back = (_KEY_SENT, _KEY_ANSWERED) if with_key else (_OF_PACE, _OF_PACE)
    told = ", ".join(_describe(item, out) for item in sent) or "begin"
    heard = ", ".join(_describe(item, back) for item in answered) or "nothing"
    return f"{told} -> {heard}"


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


def _describe(item: Tlv, names: Mapping[int, str]) -> str:
    return f"{names.get(item.tag, f'object {item.tag:X}')} of {_octets(item.value)}"


def _octets(raw: bytes) -> str:
    return "1 octet" if len(raw) == 1 else f"{len(raw)} octets"


def _describe_setting(item: Tlv, names: Mapping[int, str]) -> str:
    """A data object of MSE; public keys of terminals and certification authorities are named, they are no secret."""
    name = names.get(item.tag, f"object {item.tag:X}")
    if name == "protocol":
        return _describe_protocol(item.value)
    if name == "password" and len(item.value) == 1 and item.value[0] in set(PasswordId):
        return f"password {PasswordId(item.value[0]).name}"
    if name == "public key" and item.value.isalnum() and MIN_REFERENCE <= len(item.value) <= MAX_REFERENCE:
        return f"public key {item.value.decode('ascii')}"
    if name == "private key" and len(item.value) == 1:  # its reference (TR-03110-3 B.14.1)
        return f"private key {item.value[0]}"
    return f"{name} of {_octets(item.value)}"


def _describe_protocol(raw: bytes) -> str:
    try:
        oid = decode_oid_content(raw)
    except DecodeError:
        return f"protocol of {_octets(raw)}"
    parent = oid.rpartition(".")[0]
    name = _PROTOCOLS.get(parent)
    if name is None:
        return f"protocol {oid}"
    suite = None if parent.startswith((ID_TA, ID_RI_DH, ID_RI_ECDH)) else find_suite(oid, parent)
    return f"protocol {name} {suite.label}" if suite else f"protocol {name} ({oid})"
