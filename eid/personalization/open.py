"""Open a card for writing: who it is, its factory keys replaced by its own, an SCP03 channel under those.

The same exchange opens a card that an earlier attempt left half written: it asks the card which keys and which state it
has, and goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eid.errors import LifecycleError
from eid.keystore.ports import CardKeys, KeySetSource
from eid.profile.card_image import SecurityDomainImage
from eid.protocols.exchange import Checkpoint, Exchange, SecureChannel, through
from eid.protocols.globalplatform.messages import CardState, KeyBlock
from eid.protocols.globalplatform.terminal import (
    get_cplc,
    get_key_diversification_data,
    get_key_information,
    get_status,
    put_key_set,
    select_security_domain,
    set_status,
)
from eid.protocols.scp03.core import SecurityLevel
from eid.protocols.scp03.terminal import open_scp03

FACTORY_KEY_VERSION: Final = 0xFF
IDENTIFY: Final = "identify the card"
REPLACE_KEYS: Final = "replace factory keys"


@dataclass(frozen=True, slots=True)
class OpenedCard:
    """A card that can be written.

    Args:
        channel: the open SCP03 channel. kdd: key diversification data, 10 octets. serial: the chip's serial number from
            its CPLC. key_version: version of the key set in use. is_locked: the card is whole and takes nothing more.
    """

    channel: SecureChannel = field(repr=False)
    kdd: bytes
    serial: bytes
    key_version: int
    is_locked: bool = False


def open_card(
    domain: SecurityDomainImage,
    keys: KeySetSource,
    factory_keys: CardKeys,
    *,
    key_version: int,
    level: SecurityLevel,
    accept_locked: bool = False,
    random: Callable[[int], bytes] = os.urandom,
) -> Exchange[OpenedCard]:
    """Open a blank or half-written card.

    Before anything is written a checkpoint tells which card it is; whoever records it may refuse the card by raising.

    Args:
        domain: the issuer security domain that the profile names.
        keys: gives this card its own keys. factory_keys: what a blank card comes with.
        key_version: version that the card's own key set gets. level: security level of the channel.
        accept_locked: an earlier attempt may have locked the card and not learnt of it; open it to look.

    Raises:
        LifecycleError: the card is personalised already, or locked, or has keys of an unknown version.
        AuthenticationError: the card does not have the keys it should have.
        StatusWordError: the card refused a command.
    """
    yield from select_security_domain(domain.aid)
    kdd = yield from get_key_diversification_data()
    serial = (yield from get_cplc()).ic_serial
    yield Checkpoint(IDENTIFY, "result", {"card_serial": kdd.hex(), "chip": serial.hex()})
    present = {info.version for info in (yield from get_key_information())}
    own = keys.card_keys(kdd, key_version)
    if present == {FACTORY_KEY_VERSION}:
        yield from _replace_keys(domain, keys, factory_keys, own, kdd, level, random)
    elif present != {key_version}:
        raise LifecycleError(
            f"the card has keys of version {_versions(present)}, neither factory keys nor {key_version}"
        )
    channel = yield from open_scp03(own, level, random=random, aid=domain.aid)
    is_locked = yield from through(channel, _begin(accept_locked))
    return OpenedCard(channel, kdd, serial, key_version, is_locked)


def _versions(present: set[int]) -> str:
    return ", ".join(str(version) for version in sorted(present)) or "none"


def _replace_keys(
    domain: SecurityDomainImage,
    keys: KeySetSource,
    factory_keys: CardKeys,
    own: CardKeys,
    kdd: bytes,
    level: SecurityLevel,
    random: Callable[[int], bytes],
) -> Exchange[None]:
    channel = yield from open_scp03(factory_keys, level, random=random, aid=domain.aid)
    blocks = tuple(
        KeyBlock(own.key_length, encrypted, check_value)
        for encrypted, check_value in keys.put_key_blocks(kdd, own.key_version, factory_keys)
    )
    detail = {"key_version": str(own.key_version), "key_length": str(own.key_length)}
    yield Checkpoint(REPLACE_KEYS, "intent", detail)
    yield from through(channel, put_key_set(own.key_version, blocks, replaced_version=FACTORY_KEY_VERSION))
    yield Checkpoint(REPLACE_KEYS, "result", detail)
    yield from select_security_domain(domain.aid)  # outside the channel: ends it


def _begin(accept_locked: bool) -> Exchange[bool]:
    """Put the card into personalisation; refuse one that is past it. Whether it is locked."""
    state = (yield from get_status()).state
    if state == CardState.SECURED and accept_locked:
        return True
    if state == CardState.OP_READY:
        yield from set_status(CardState.INITIALIZED)
    elif state != CardState.INITIALIZED:
        raise LifecycleError(f"the card's life cycle state is {CardState(state).name}: it takes no personalisation")
    return False
