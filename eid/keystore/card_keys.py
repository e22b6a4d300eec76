"""SCP03 key sets of cards, and the master key that gives each card its own (GPC Amendment D, "KDF3" diversification).

KDF3 is what GlobalPlatform tools call the derivation by SP 800-108 in counter mode with AES-CMAC: the master key is the
key of the function, the label is the static key's identifier, the context is the card's key diversification data.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from eid.crypto.block_cipher import encrypt_cbc, encrypt_ecb
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.mac import cmac
from eid.errors import KeyStoreError
from eid.keystore.algorithm import refuse_pickle
from eid.keystore.ports import CardKeys, StaticKey

BLOCK: Final = 16
KDD_LENGTH: Final = 10
KCV_LENGTH: Final = 3
MAX_KEY_VERSION: Final = 0x7F
BLANK_KEY_VERSION: Final = 0xFF
DEFAULT_KEY: Final = bytes.fromhex("404142434445464748494A4B4C4D4E4F")
"""The public key that chips leave their factory with; a card must never be issued with it."""

_SUITES: Final = {16: CipherSuite.AES_128, 24: CipherSuite.AES_192, 32: CipherSuite.AES_256}
_CHECK: Final = b"derived key is not the master key"

CmacFunction = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class AesCardKeys:
    """A key set whose keys are in memory: key version, Key-ENC, Key-MAC, Key-DEK of 16, 24 or 32 octets each."""

    key_version: int
    _enc: bytes = field(repr=False)
    _mac: bytes = field(repr=False)
    _dek: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if {len(self._enc), len(self._mac), len(self._dek)} - {self.key_length} or self.key_length not in _SUITES:
            raise KeyStoreError("the three keys of a key set are AES keys of one length")

    @property
    def key_length(self) -> int:
        """16, 24 or 32 octets."""
        return len(self._enc)

    def cmac(self, key: StaticKey, message: bytes) -> bytes:
        """AES-CMAC under Key-ENC or Key-MAC, 16 octets.

        Raises:
            KeyStoreError: asked for Key-DEK, which only encrypts.
        """
        if key is StaticKey.DEK:
            raise KeyStoreError("Key-DEK derives nothing")
        return cmac(self._enc if key is StaticKey.ENC else self._mac, message)

    def encrypt_for_card(self, plaintext: bytes) -> bytes:
        """AES-CBC with zero ICV under Key-DEK; a whole number of blocks (GPC Amendment D 6.2.8).

        Raises:
            KeyStoreError: not a whole number of blocks.
        """
        if len(plaintext) % BLOCK:
            raise KeyStoreError("Key-DEK encrypts whole blocks")
        return encrypt_cbc(_SUITES[self.key_length], self._dek, bytes(BLOCK), plaintext)

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a key set")


def default_card_keys(key_length: int = 16, key_version: int = BLANK_KEY_VERSION) -> AesCardKeys:
    """The key set of a blank card: 40 to 4F, repeated to the key length, three times."""
    key = (DEFAULT_KEY * 2)[:key_length]
    return AesCardKeys(key_version, key, key, key)


def derive_kcv(key: bytes) -> bytes:
    """Key check value of an AES key: three octets of AES-ECB over sixteen octets 01 (GPC Amendment D 7.2)."""
    return encrypt_ecb(_SUITES[len(key)], key, b"\x01" * BLOCK)[:KCV_LENGTH]


def derive_card_key(prf: CmacFunction, key: StaticKey, kdd: bytes, length: int) -> bytes:
    """One static key of a card (KDF3): CMAC(master, i || 000000 || key identifier || 00 || KDD) for i = 1, 2.

    Args:
        prf: AES-CMAC under the master key. kdd: key diversification data, 10 octets. length: octets of the result.

    Raises:
        KeyStoreError: the diversification data are of another length.
    """
    if len(kdd) != KDD_LENGTH:
        raise KeyStoreError(f"key diversification data have {KDD_LENGTH} octets")
    blocks = (prf(bytes((count, 0, 0, 0, key, 0)) + kdd) for count in range(1, 3))
    return b"".join(blocks)[:length]


def derive_card_keys(prf: CmacFunction, kdd: bytes, key_version: int, length: int) -> dict[StaticKey, bytes]:
    """The three static keys of a card, all different from each other and from the master key.

    Raises:
        KeyStoreError: a derived key equals the master (the token ignored the derivation), two are equal, or the
            version is not one that a key set may have (1 to 127).
    """
    if not 1 <= key_version <= MAX_KEY_VERSION:
        raise KeyStoreError("a key version is a number from 1 to 127")
    keys = {key: derive_card_key(prf, key, kdd, length) for key in StaticKey}
    reference = prf(_CHECK)
    if len(set(keys.values())) != len(keys) or any(
        hmac.compare_digest(cmac(value, _CHECK), reference) for value in keys.values()
    ):
        raise KeyStoreError("a derived key equals the master key or another key")
    return keys


class MasterKey:
    """An AES master key behind its CMAC function, which may run in a token: the key set source of an issuer."""

    def __init__(self, label: str, length: int, prf: CmacFunction) -> None:
        if length not in _SUITES:
            raise KeyStoreError("a master key is an AES key")
        self._label = label
        self._length = length
        self._prf = prf

    @property
    def label(self) -> str:
        """Name of the key in its store."""
        return self._label

    @property
    def key_length(self) -> int:
        """Octets of the master key and of each derived key."""
        return self._length

    def card_keys(self, kdd: bytes, key_version: int) -> AesCardKeys:
        """The key set of the card with this key diversification data (10 octets).

        Raises:
            KeyStoreError: the master cannot be used, or a derived key equals the master.
        """
        keys = derive_card_keys(self._prf, kdd, key_version, self._length)
        return AesCardKeys(key_version, keys[StaticKey.ENC], keys[StaticKey.MAC], keys[StaticKey.DEK])

    def put_key_blocks(self, kdd: bytes, key_version: int, under: CardKeys) -> tuple[tuple[bytes, bytes], ...]:
        """For PUT KEY: (encrypted key, 3-octet key check value) for ENC, MAC, DEK, encrypted under `under`'s Key-DEK.

        A 24-octet key is padded with zero octets to whole blocks; its length stands beside it in the command.

        Raises:
            KeyStoreError: as `card_keys`.
        """
        keys = derive_card_keys(self._prf, kdd, key_version, self._length)
        return tuple(
            (under.encrypt_for_card(keys[key] + bytes(-self._length % BLOCK)), derive_kcv(keys[key]))
            for key in StaticKey
        )

    def __repr__(self) -> str:
        return f"MasterKey({self._label!r})"

    def __reduce__(self) -> NoReturn:
        refuse_pickle("a master key")
