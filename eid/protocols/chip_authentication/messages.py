"""Commands and data objects of Chip Authentication (Doc 9303-11 6.2.4; version 2: TR-03110-3 B.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_tlv, find_tlv, require_tlv
from eid.errors import DecodeError

MANAGE_SECURITY_ENVIRONMENT: Final = 0x22
GENERAL_AUTHENTICATE: Final = 0x86
SET_KAT: Final = (0x41, 0xA6)  # P1 P2: key agreement template for computation
SET_AT: Final = (0x41, 0xA4)  # P1 P2: authentication template for internal authentication

DO_PROTOCOL: Final = 0x80
DO_EPHEMERAL_KEY: Final = 0x80  # inside 7C
DO_KAT_EPHEMERAL_KEY: Final = 0x91
DO_KEY_REFERENCE: Final = 0x84
DO_NONCE: Final = 0x81  # version 2
DO_TOKEN: Final = 0x82
DO_DYNAMIC_AUTHENTICATION: Final = 0x7C
MAX_KEY_REFERENCE: Final = 8  # octets
NONCE_LENGTH: Final = 8  # r_PICC, TR-03110-3 A.4

EMPTY_ANSWER: Final = b"\x7c\x00"


@dataclass(frozen=True, slots=True)
class KeyAgreementTemplate:
    """What MSE:Set KAT says: the terminal's ephemeral key, and which chip key where there are several."""

    ephemeral_key: bytes = field(repr=False)
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class AuthenticationTemplate:
    """What MSE:Set AT says: the protocol, and which chip key where there are several."""

    protocol: str
    key_id: int | None = None


def encode_set_kat(template: KeyAgreementTemplate) -> CommandAPDU:
    """MSE:Set KAT (Doc 9303-11 6.2.4.1)."""
    data = encode_tlv(DO_KAT_EPHEMERAL_KEY, template.ephemeral_key) + _encode_key_reference(template.key_id)
    return CommandAPDU(0x00, MANAGE_SECURITY_ENVIRONMENT, *SET_KAT, data)


def decode_set_kat(data: bytes) -> KeyAgreementTemplate:
    """The data field of MSE:Set KAT.

    Raises:
        DecodeError: an object is missing, unknown or repeated.
    """
    objects = _decode_objects(data, DO_KAT_EPHEMERAL_KEY)
    return KeyAgreementTemplate(require_tlv(objects, DO_KAT_EPHEMERAL_KEY).value, _decode_key_reference(objects))


def encode_set_at(template: AuthenticationTemplate) -> CommandAPDU:
    """MSE:Set AT (Doc 9303-11 6.2.4.2)."""
    data = encode_tlv(DO_PROTOCOL, encode_oid_content(template.protocol)) + _encode_key_reference(template.key_id)
    return CommandAPDU(0x00, MANAGE_SECURITY_ENVIRONMENT, *SET_AT, data)


def decode_set_at(data: bytes) -> AuthenticationTemplate:
    """The data field of MSE:Set AT.

    Raises:
        DecodeError: an object is missing, unknown or repeated.
    """
    objects = _decode_objects(data, DO_PROTOCOL)
    protocol = decode_oid_content(require_tlv(objects, DO_PROTOCOL).value)
    return AuthenticationTemplate(protocol, _decode_key_reference(objects))


def encode_general_authenticate(ephemeral_key: bytes) -> CommandAPDU:
    """GENERAL AUTHENTICATE with the terminal's ephemeral key (Doc 9303-11 6.2.4.2)."""
    data = encode_tlv(DO_DYNAMIC_AUTHENTICATION, encode_tlv(DO_EPHEMERAL_KEY, ephemeral_key))
    return CommandAPDU(0x00, GENERAL_AUTHENTICATE, 0x00, 0x00, data, le=MAX_SHORT_LE)


def decode_general_authenticate(data: bytes) -> bytes:
    """The terminal's ephemeral key.

    Raises:
        DecodeError: not 7C with exactly that key.
    """
    return decode_tlv(decode_tlv(data, DO_DYNAMIC_AUTHENTICATION).value, DO_EPHEMERAL_KEY).value


@dataclass(frozen=True, slots=True)
class ChipAnswer:
    """What the chip answers in version 2: its nonce r_PICC and its token T_PICC."""

    nonce: bytes
    token: bytes


def encode_answer(answer: ChipAnswer) -> bytes:
    """The response data of version 2."""
    return encode_tlv(
        DO_DYNAMIC_AUTHENTICATION, encode_tlv(DO_NONCE, answer.nonce) + encode_tlv(DO_TOKEN, answer.token)
    )


def decode_answer(data: bytes) -> ChipAnswer:
    """The response data of version 2.

    Raises:
        DecodeError: not 7C with a nonce of 8 octets and a token.
    """
    objects = decode_tlv(data, DO_DYNAMIC_AUTHENTICATION).children()
    answer = ChipAnswer(require_tlv(objects, DO_NONCE).value, require_tlv(objects, DO_TOKEN).value)
    if len(answer.nonce) != NONCE_LENGTH or len(objects) != 2:
        raise DecodeError("Chip Authentication answers a nonce of 8 octets and a token", clause="TR-03110-3 B.2")
    return answer


def _encode_key_reference(key_id: int | None) -> bytes:
    if key_id is None:
        return b""
    return encode_tlv(DO_KEY_REFERENCE, key_id.to_bytes(max(1, (key_id.bit_length() + 7) // 8), "big"))


def _decode_objects(data: bytes, first: int) -> tuple[Tlv, ...]:
    objects = decode_tlvs(data)
    if unknown := {item.tag for item in objects} - {first, DO_KEY_REFERENCE}:
        raise DecodeError(f"data object {min(unknown):X} in MSE:Set", clause="Doc 9303-11 6.2.4")
    return objects


def _decode_key_reference(objects: tuple[Tlv, ...]) -> int | None:
    reference = find_tlv(objects, DO_KEY_REFERENCE)
    if reference is None:
        return None
    if not 1 <= len(reference.value) <= MAX_KEY_REFERENCE:
        raise DecodeError("key reference is empty or too long", clause="Doc 9303-11 6.2.4")
    return int.from_bytes(reference.value, "big")
