"""GlobalPlatform, the card's side: what a security domain answers (GPC Card Specification 2.3.1).

The card decides who may send a command; here is only what it does.
"""

from __future__ import annotations

import hmac
from typing import Final

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.codec.tlv import encode_tlv
from eid.errors import CommandRefused, DecodeError
from eid.keystore.ports import StaticKey
from eid.protocols.globalplatform import messages
from eid.protocols.globalplatform.messages import (
    ISSUER_SECURITY_DOMAIN,
    KEY_TYPE_AES,
    PUT_SEVERAL_KEYS,
    CardState,
    Cplc,
    KeyBlock,
    KeyInformation,
    RegistryEntry,
    decode_put_key,
    encode_card_data,
    encode_kdd,
    encode_key_information,
)
from eid.protocols.scp03.card import SecurityDomain
from eid.protocols.scp03.key_set import StaticKeySet, derive_key_check_value

PRIVILEGES: Final = bytes.fromhex("9E0000")  # security domain, card lock, terminate, reset, CVM (GPC 11.1.2)
FACTORY_KEY_VERSION: Final = 0xFF

TRANSITIONS: Final = {
    CardState.OP_READY: {CardState.INITIALIZED, CardState.TERMINATED},
    CardState.INITIALIZED: {CardState.SECURED, CardState.TERMINATED},
    CardState.SECURED: {CardState.CARD_LOCKED, CardState.TERMINATED},
    CardState.CARD_LOCKED: {CardState.SECURED, CardState.TERMINATED},
    CardState.TERMINATED: set(),
}
"""Card life cycle transitions (GPC 5.1.1, figure 5-1)."""


def build_security_domain_fci(aid: bytes, max_command_data: int) -> bytes:
    """The answer to SELECT (GPC 11.9.3.1): AID and the longest command data field."""
    proprietary = encode_tlv(0x9F65, max_command_data.to_bytes((max_command_data.bit_length() + 7) // 8, "big"))
    return encode_tlv(0x6F, encode_tlv(0x84, aid) + encode_tlv(0xA5, proprietary))


def get_data(domain: SecurityDomain, tag: int) -> ResponseAPDU:
    """GET DATA (GPC 11.3).

    Raises:
        CommandRefused: 6A88 for a tag that is not here.
    """
    match tag:
        case messages.TAG_CPLC:
            return ResponseAPDU(build_cplc(domain.kdd).encode())
        case messages.TAG_KEY_INFORMATION:
            return ResponseAPDU(_key_information(domain.keys))
        case messages.TAG_CARD_DATA:
            return ResponseAPDU(encode_card_data(domain.i))
        case messages.TAG_KDD:
            return ResponseAPDU(encode_kdd(domain.kdd))
        case _:
            raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no such data object")


def build_cplc(kdd: bytes) -> Cplc:
    """CPLC whose serial and batch are the last six octets of the chip's serial number (its KDD)."""
    return Cplc(b"\x00\x00", b"\x00\x00", kdd[6:10], kdd[4:6])


def _key_information(keys: StaticKeySet) -> bytes:
    return encode_key_information(
        tuple(KeyInformation(identifier, keys.key_version, KEY_TYPE_AES, keys.key_length) for identifier in StaticKey)
    )


def put_key(domain: SecurityDomain, channel_keys: StaticKeySet, command: CommandAPDU) -> ResponseAPDU:
    """PUT KEY (GPC 11.8, Amendment D 7.2): replace the one key set. All of it is checked before any of it is taken.

    Args:
        channel_keys: the key set that the channel was opened with; its Key-DEK decrypts.

    Raises:
        CommandRefused: 6A86 P2; 6A88 P1 names no key set; 6A80 malformed, or a length or check value is wrong.
    """
    if command.p2 != PUT_SEVERAL_KEYS:
        raise CommandRefused(SW.WRONG_P1P2, "PUT KEY takes a whole key set")
    current = domain.keys.key_version
    if command.p1 not in ({0, current} if current == FACTORY_KEY_VERSION else {current}):
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "no key set of this version")
    try:
        request = decode_put_key(command)
        enc, mac, dek = (_open_block(block, channel_keys) for block in request.blocks)
    except DecodeError as error:
        raise CommandRefused(SW.WRONG_DATA, str(error)) from error
    if not 1 <= request.new_version <= 0x7F:
        raise CommandRefused(SW.WRONG_DATA, "key version is not in 01..7F")
    domain.replace_keys(StaticKeySet(request.new_version, enc, mac, dek))
    return ResponseAPDU(request.expected_answer)


def _open_block(block: KeyBlock, channel_keys: StaticKeySet) -> bytes:
    """The key, if it has the chip's key length and its check value is right."""
    length = channel_keys.key_length
    if block.key_length != length or len(block.encrypted) != -(-length // 16) * 16:
        raise DecodeError("a key of another length than this chip's", clause="GPC Amendment D 7.2")
    key = channel_keys.decrypt_from_host(block.encrypted)[:length]
    if not hmac.compare_digest(derive_key_check_value(key), block.check_value):
        raise DecodeError("the key check value is wrong", clause="GPC Amendment D 7.2")
    return key


def next_state(current: CardState, command: CommandAPDU, domain: SecurityDomain) -> CardState:
    """SET STATUS of the card (GPC 11.10): the state asked for.

    Raises:
        CommandRefused: 6A86 P1, 6A88 another AID, 6A80 unknown state, 6985 the transition is not allowed, or the card
            still has its factory keys.
    """
    if command.p1 != ISSUER_SECURITY_DOMAIN:
        raise CommandRefused(SW.WRONG_P1P2, "only the card itself has a status")
    if command.data and command.data != domain.aid:
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "not the issuer security domain")
    try:
        state = CardState(command.p2)
    except ValueError:
        raise CommandRefused(SW.WRONG_P1P2, "no such life cycle state") from None
    if state not in TRANSITIONS[current]:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, f"no way from {current.name} to {state.name}")
    if state is not CardState.TERMINATED and domain.keys.key_version == FACTORY_KEY_VERSION:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the factory keys must be replaced first")
    return state


def get_status(state: CardState, command: CommandAPDU, domain: SecurityDomain) -> ResponseAPDU:
    """GET STATUS of the issuer security domain (GPC 11.4).

    Raises:
        CommandRefused: 6A86 another subset or form, 6A88 another AID.
    """
    if command.p1 != ISSUER_SECURITY_DOMAIN or command.p2 not in (0x00, 0x02):
        raise CommandRefused(SW.WRONG_P1P2, "only the issuer security domain is listed")
    if command.data[:1] not in (b"", b"\x4f") or command.data[2:] not in (b"", domain.aid):
        raise CommandRefused(SW.REFERENCED_DATA_NOT_FOUND, "not the issuer security domain")
    if command.p2 == 0x02:
        return ResponseAPDU(RegistryEntry(domain.aid, state, PRIVILEGES).encode())
    return ResponseAPDU(bytes((len(domain.aid),)) + domain.aid + bytes((state,)) + PRIVILEGES[:1])
