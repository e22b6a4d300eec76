"""A static SCP03 key set in memory: what a card holds, and the simplest implementation of the port `CardKeys`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc, encrypt_ecb
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.mac import cmac
from eid.errors import DecodeError, LocalProtocolError
from eid.keystore.ports import StaticKey
from eid.protocols.scp03.core import KEY_CHECK_VALUE_LENGTH

BLOCK: Final = 16
ZERO_ICV: Final = bytes(BLOCK)
DEFAULT_KEY: Final = bytes(range(0x40, 0x50))
"""The key that every GlobalPlatform card leaves its factory with."""


@dataclass(frozen=True, slots=True)
class StaticKeySet:
    """Key-ENC, Key-MAC and Key-DEK of one key version, 16, 24 or 32 octets each (Amendment D 4.1.3).

    Raises:
        LocalProtocolError: the keys are not of one AES key length.
    """

    key_version: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.enc) not in (16, 24, 32) or len({len(self.enc), len(self.mac), len(self.dek)}) != 1:
            raise LocalProtocolError("an SCP03 key set has three AES keys of one length")

    @property
    def key_length(self) -> int:
        """16, 24 or 32 octets."""
        return len(self.enc)

    def key(self, identifier: StaticKey) -> bytes:
        """The key with this GlobalPlatform key identifier."""
        return {StaticKey.ENC: self.enc, StaticKey.MAC: self.mac, StaticKey.DEK: self.dek}[identifier]

    def cmac(self, key: StaticKey, message: bytes) -> bytes:
        """AES-CMAC under Key-ENC or Key-MAC, 16 octets."""
        if key is StaticKey.DEK:
            raise LocalProtocolError("Key-DEK encrypts; it is no key for derivation")
        return cmac(self.key(key), message)

    def encrypt_for_card(self, plaintext: bytes) -> bytes:
        """AES-CBC under Key-DEK with zero ICV, whole blocks (Amendment D 6.2.8)."""
        return encrypt_cbc(aes_suite(self.key_length), self.dek, ZERO_ICV, plaintext)

    def decrypt_from_host(self, ciphertext: bytes) -> bytes:
        """The card's side of `encrypt_for_card`.

        Raises:
            DecodeError: not whole blocks.
        """
        return decrypt_cbc(aes_suite(self.key_length), self.dek, ZERO_ICV, ciphertext)


def default_key_set(key_length: int = 16, key_version: int = 0xFF) -> StaticKeySet:
    """The public factory keys 40..4F, repeated to the key length; no card may leave its issuer with them."""
    key = (DEFAULT_KEY * 2)[:key_length]
    return StaticKeySet(key_version, key, key, key)


def derive_key_check_value(key: bytes) -> bytes:
    """First three octets of sixteen octets 01 encrypted under an AES key (Amendment D 7.2, GPC 2.3 B.6)."""
    return encrypt_ecb(aes_suite(len(key)), key, b"\x01" * BLOCK)[:KEY_CHECK_VALUE_LENGTH]


def aes_suite(key_length: int) -> CipherSuite:
    """The AES of this key length in octets.

    Raises:
        DecodeError: no AES key has that length.
    """
    try:
        return {16: CipherSuite.AES_128, 24: CipherSuite.AES_192, 32: CipherSuite.AES_256}[key_length]
    except KeyError:
        raise DecodeError(f"no AES key has {key_length} octets") from None
