"""GlobalPlatform, the terminal's side: exchanges with the issuer security domain (GPC Card Specification 2.3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.errors import DecodeError, PeerProtocolError
from eid.keystore.ports import CardKeys
from eid.protocols.exchange import Exchange, send
from eid.protocols.globalplatform.messages import (
    CLA_GP,
    INS_GET_DATA,
    TAG_CARD_DATA,
    TAG_CPLC,
    TAG_KDD,
    TAG_KEY_INFORMATION,
    CardState,
    Cplc,
    KeyBlock,
    KeyInformation,
    PutKey,
    RegistryEntry,
    decode_card_data,
    decode_cplc,
    decode_kdd,
    decode_key_information,
    decode_registry_entry,
    encode_get_status,
    encode_set_status,
)
from eid.protocols.scp03.key_set import BLOCK, StaticKeySet, derive_key_check_value

T = TypeVar("T")


def select_security_domain(aid: bytes) -> Exchange[ResponseAPDU]:
    """SELECT the issuer security domain; the answer holds its FCI.

    Raises:
        StatusWordError: the card has no such application.
    """
    return (yield from send(CommandAPDU(0x00, 0xA4, 0x04, 0x00, aid, 256), "SELECT issuer security domain"))


def get_cplc() -> Exchange[Cplc]:
    """The card production life cycle data: which piece of silicon this is."""
    return (yield from _get_data(TAG_CPLC, "GET DATA CPLC", decode_cplc))


def get_key_information() -> Exchange[tuple[KeyInformation, ...]]:
    """The keys of the security domain: identifiers, versions, types, lengths."""
    return (yield from _get_data(TAG_KEY_INFORMATION, "GET DATA key information", decode_key_information))


def get_secure_channel_protocols() -> Exchange[tuple[tuple[int, int], ...]]:
    """The secure channel protocols of the card, as (protocol, "i")."""
    return (yield from _get_data(TAG_CARD_DATA, "GET DATA card data", decode_card_data))


def get_key_diversification_data() -> Exchange[bytes]:
    """The 10 octets from which the issuer derives this card's keys."""
    return (yield from _get_data(TAG_KDD, "GET DATA key diversification data", decode_kdd))


def _get_data(tag: int, name: str, decode: Callable[[bytes], T]) -> Exchange[T]:
    command = CommandAPDU(CLA_GP, INS_GET_DATA, tag >> 8, tag & 0xFF, le=256)
    response = yield from send(command, name)
    try:
        return decode(response.data)
    except DecodeError as error:
        raise PeerProtocolError(f"{name}: {error}") from error


def build_key_blocks(keys: StaticKeySet, under: CardKeys) -> tuple[KeyBlock, ...]:
    """The blocks of PUT KEY for keys that are in memory, encrypted under Key-DEK of the card's present key set.

    A key of 24 octets is filled with zeros to whole blocks (Amendment D 7.2). Keys in a token come from
    `KeySetSource.put_key_blocks`.
    """
    return tuple(
        KeyBlock(len(key), under.encrypt_for_card(key + bytes(-len(key) % BLOCK)), derive_key_check_value(key))
        for key in (keys.enc, keys.mac, keys.dek)
    )


def put_key_set(new_version: int, blocks: tuple[KeyBlock, ...], *, replaced_version: int = 0) -> Exchange[None]:
    """Put a whole SCP03 key set, replacing `replaced_version` (0: as a new one); send it through an open channel.

    Raises:
        StatusWordError: the card refused it.
        PeerProtocolError: the card confirms another version or other check values.
    """
    request = PutKey(replaced_version, new_version, blocks)
    response = yield from send(request.encode(), "PUT KEY")
    if response.data != request.expected_answer:
        raise PeerProtocolError("PUT KEY: the card confirms other keys than those it was sent")


def set_status(state: CardState) -> Exchange[None]:
    """Move the card's life cycle; send it through an open channel.

    Raises:
        StatusWordError: the transition is not allowed.
    """
    yield from send(encode_set_status(state), f"SET STATUS {state.name}")


def get_status() -> Exchange[RegistryEntry]:
    """The security domain's registry entry: its AID and the card's life cycle state."""
    response = yield from send(encode_get_status(), "GET STATUS")
    try:
        return decode_registry_entry(response.data)
    except DecodeError as error:
        raise PeerProtocolError(f"GET STATUS: {error}") from error
