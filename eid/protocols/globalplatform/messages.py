"""Data fields of the GlobalPlatform commands, encoded and decoded (GPC 2.3.1, chapter 11 and annex H)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from eid.codec.apdu import CommandAPDU
from eid.codec.tlv import Tlv, decode_tlv, encode_tlv, encode_tlvs, find_tlv, require_tlv
from eid.errors import DecodeError
from eid.keystore.ports import StaticKey

CLA_GP: Final = 0x80
INS_GET_DATA: Final = 0xCA
INS_PUT_KEY: Final = 0xD8
INS_SET_STATUS: Final = 0xF0
INS_GET_STATUS: Final = 0xF2

TAG_CPLC: Final = 0x9F7F
TAG_KEY_INFORMATION: Final = 0xE0
TAG_CARD_DATA: Final = 0x66
TAG_KDD: Final = 0xCF

KEY_TYPE_AES: Final = 0x88
PUT_SEVERAL_KEYS: Final = 0x81  # first key identifier 1, b8: more than one key
KCV_LENGTH: Final = 3
KDD_LENGTH: Final = 10
ISSUER_SECURITY_DOMAIN: Final = 0x80

# Annex H.2: object identifiers below 1.2.840.114283
_GLOBAL_PLATFORM: Final = bytes.fromhex("2A864886FC6B")
_CARD_RECOGNITION: Final = _GLOBAL_PLATFORM + b"\x01"
_VERSION_2_3_1: Final = _GLOBAL_PLATFORM + b"\x02\x02\x03\x01"
_CARD_IDENTIFICATION: Final = _GLOBAL_PLATFORM + b"\x03"
_SECURE_CHANNEL: Final = _GLOBAL_PLATFORM + b"\x04"


@unique
class CardState(IntEnum):
    """Card life cycle states (GPC 11.1.1, table 11-6)."""

    OP_READY = 0x01
    INITIALIZED = 0x07
    SECURED = 0x0F
    CARD_LOCKED = 0x7F
    TERMINATED = 0xFF


# --- identification


@dataclass(frozen=True, slots=True)
class Cplc:
    """Card production life cycle data, tag 9F7F, 42 octets; every field is opaque here but what names the chip.

    Args:
        ic_fabricator, ic_type, ic_batch: 2 octets. ic_serial: 4 octets.
    """

    ic_fabricator: bytes
    ic_type: bytes
    ic_serial: bytes
    ic_batch: bytes

    def encode(self) -> bytes:
        """The data object with its tag; fields without meaning here are zero."""
        value = self.ic_fabricator + self.ic_type + bytes(8) + self.ic_serial + self.ic_batch + bytes(24)
        return encode_tlv(TAG_CPLC, value)


def decode_cplc(raw: bytes) -> Cplc:
    """Read the data object 9F7F.

    Raises:
        DecodeError: not 42 octets under tag 9F7F.
    """
    value = decode_tlv(raw, TAG_CPLC).value
    if len(value) != 42:
        raise DecodeError(f"CPLC of {len(value)} octets where 42 are due", clause="GPC 2.3.1 H.6")
    return Cplc(value[0:2], value[2:4], value[12:16], value[16:18])


@dataclass(frozen=True, slots=True)
class KeyInformation:
    """One key the card has: identifier, version, type (88: AES), length in octets (GPC 11.3.3.1, table 11-28)."""

    identifier: int
    version: int
    type: int
    length: int


def encode_key_information(keys: tuple[KeyInformation, ...]) -> bytes:
    """The key information template, E0 { C0 ... }."""
    items = (encode_tlv(0xC0, bytes((key.identifier, key.version, key.type, key.length))) for key in keys)
    return encode_tlv(TAG_KEY_INFORMATION, b"".join(items))


def decode_key_information(raw: bytes) -> tuple[KeyInformation, ...]:
    """Read the key information template; of keys with several components the first one counts.

    Raises:
        DecodeError: malformed.
    """
    keys = []
    for item in decode_tlv(raw, TAG_KEY_INFORMATION).children():
        if item.tag != 0xC0 or len(item.value) < 4 or len(item.value) % 2:
            raise DecodeError("malformed key information", clause="GPC 2.3.1 11.3.3.1")
        keys.append(KeyInformation(*item.value[:4]))
    return tuple(keys)


def encode_card_data(i: int) -> bytes:
    """Card data with the card recognition data of a GlobalPlatform 2.3.1 card that speaks SCP03 with this "i"."""
    recognition = (
        encode_tlv(0x06, _CARD_RECOGNITION)
        + encode_tlv(0x60, encode_tlv(0x06, _VERSION_2_3_1))
        + encode_tlv(0x63, encode_tlv(0x06, _CARD_IDENTIFICATION))
        + encode_tlv(0x64, encode_tlv(0x06, _SECURE_CHANNEL + bytes((0x03, i))))
    )
    return encode_tlv(TAG_CARD_DATA, encode_tlv(0x73, recognition))


def decode_card_data(raw: bytes) -> tuple[tuple[int, int], ...]:
    """The secure channel protocols that card recognition data announces, as (protocol, "i").

    Raises:
        DecodeError: malformed, or not of GlobalPlatform.
    """
    recognition = decode_tlv(decode_tlv(raw, TAG_CARD_DATA).value, 0x73).children()
    if require_tlv(recognition, 0x06).value != _CARD_RECOGNITION:
        raise DecodeError("card recognition data of another scheme", clause="GPC 2.3.1 H.2")
    protocols = []
    for item in (item for item in recognition if item.tag == 0x64):
        oid = decode_tlv(item.value, 0x06).value
        if len(oid) < len(_SECURE_CHANNEL) + 2 or not oid.startswith(_SECURE_CHANNEL):
            raise DecodeError("no secure channel protocol under tag 64", clause="GPC 2.3.1 H.2")
        protocols.append((oid[-2], oid[-1]) if oid[-2] < 0x80 else (oid[-3], (oid[-2] & 0x7F) << 7 | oid[-1]))
    return tuple(protocols)


def encode_kdd(kdd: bytes) -> bytes:
    """Key diversification data, CF 0A."""
    return encode_tlv(TAG_KDD, kdd)


def decode_kdd(raw: bytes) -> bytes:
    """Read key diversification data, 10 octets.

    Raises:
        DecodeError: malformed or of another length.
    """
    kdd = decode_tlv(raw, TAG_KDD).value
    if len(kdd) != KDD_LENGTH:
        raise DecodeError(f"key diversification data of {len(kdd)} octets where 10 are due", clause="GPC 2.3.1 H.4")
    return kdd


# --- PUT KEY


@dataclass(frozen=True, slots=True)
class KeyBlock:
    """One AES key of PUT KEY: its length, the key under Key-DEK in whole blocks, its check value (Amendment D 7.2)."""

    key_length: int
    encrypted: bytes = field(repr=False)
    check_value: bytes

    def encode(self) -> bytes:
        """88 | length | key length | encrypted key | 03 | check value."""
        content = bytes((self.key_length,)) + self.encrypted
        return bytes((KEY_TYPE_AES, len(content))) + content + bytes((KCV_LENGTH,)) + self.check_value


@dataclass(frozen=True, slots=True)
class PutKey:
    """PUT KEY for a whole key set: version it replaces (0: none), new version, the blocks of ENC, MAC, DEK."""

    replaced_version: int
    new_version: int
    blocks: tuple[KeyBlock, ...]

    def encode(self) -> CommandAPDU:
        """The command."""
        data = bytes((self.new_version,)) + b"".join(block.encode() for block in self.blocks)
        return CommandAPDU(CLA_GP, INS_PUT_KEY, self.replaced_version, PUT_SEVERAL_KEYS, data, 256)

    @property
    def expected_answer(self) -> bytes:
        """New version and check values, as the card must repeat them (GPC 11.8.3.1)."""
        return bytes((self.new_version,)) + b"".join(block.check_value for block in self.blocks)


def decode_put_key(command: CommandAPDU) -> PutKey:
    """Read PUT KEY.

    Raises:
        DecodeError: not three AES keys with check values.
    """
    data, blocks, offset = command.data, [], 1
    for _ in StaticKey:
        length = int.from_bytes(data[offset + 1 : offset + 2], "big")
        end = offset + 2 + length
        if data[offset : offset + 1] != bytes((KEY_TYPE_AES,)) or not length or data[end : end + 1] != b"\x03":
            raise DecodeError("no AES key with a check value", offset=offset, clause="GPC Amendment D 7.2")
        blocks.append(KeyBlock(data[offset + 2], data[offset + 3 : end], data[end + 1 : end + 1 + KCV_LENGTH]))
        offset = end + 1 + KCV_LENGTH
    if offset != len(data):
        raise DecodeError("PUT KEY data is cut or too long", offset=offset, clause="GPC Amendment D 7.2")
    return PutKey(command.p1, data[0], tuple(blocks))


# --- status


def encode_set_status(state: CardState) -> CommandAPDU:
    """SET STATUS of the card itself (GPC 11.10)."""
    return CommandAPDU(CLA_GP, INS_SET_STATUS, ISSUER_SECURITY_DOMAIN, state)


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """What GET STATUS says of the issuer security domain (GPC 11.4.3.1, table 11-36)."""

    aid: bytes
    state: CardState
    privileges: bytes

    def encode(self) -> bytes:
        """E3 { 4F, 9F70, C5 }."""
        items = (Tlv(0x4F, self.aid), Tlv(0x9F70, bytes((self.state,))), Tlv(0xC5, self.privileges))
        return encode_tlv(0xE3, encode_tlvs(items))


def encode_get_status() -> CommandAPDU:
    """GET STATUS of the issuer security domain, answer as data objects."""
    return CommandAPDU(CLA_GP, INS_GET_STATUS, ISSUER_SECURITY_DOMAIN, 0x02, b"\x4f\x00", 256)


def decode_registry_entry(raw: bytes) -> RegistryEntry:
    """Read the answer to GET STATUS.

    Raises:
        DecodeError: malformed, or an unknown life cycle state.
    """
    items = decode_tlv(raw, 0xE3).children()
    state = require_tlv(items, 0x9F70).value
    privileges = find_tlv(items, 0xC5)
    try:
        known = CardState(int.from_bytes(state, "big"))
    except ValueError:
        raise DecodeError("unknown card life cycle state", clause="GPC 2.3.1 11.1.1") from None
    return RegistryEntry(require_tlv(items, 0x4F).value, known, privileges.value if privileges else b"")
