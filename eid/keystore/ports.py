"""The two ports through which everything else reaches long-term keys. A protocol never sees a key's bytes."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Protocol

from eid.crypto.signatures import SignatureAlgorithm


class Signer(Protocol):
    """A private signature key."""

    @property
    def label(self) -> str:
        """Name of the key in its store."""

    @property
    def public_key_info(self) -> bytes:
        """SubjectPublicKeyInfo, DER, EC parameters as a named curve."""

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """The algorithm it signs with."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message (hashed inside): DER ECDSA-Sig-Value, or the RSA signature octets.

        Raises:
            KeyStoreError: the key cannot be used.
        """


@unique
class StaticKey(IntEnum):
    """The three static keys of an SCP03 key set, by their GlobalPlatform key identifiers (GPC Amendment D 5.1)."""

    ENC = 1
    MAC = 2
    DEK = 3


class CardKeys(Protocol):
    """The static SCP03 key set of one card. Session keys come out of it, static keys never do."""

    @property
    def key_version(self) -> int:
        """Key version number, 0 (any) to 127, or 255 on a blank card."""

    @property
    def key_length(self) -> int:
        """16, 24 or 32 octets."""

    def cmac(self, key: StaticKey, message: bytes) -> bytes:
        """AES-CMAC under Key-ENC or Key-MAC, 16 octets (the PRF of the session key derivation)."""

    def encrypt_for_card(self, plaintext: bytes) -> bytes:
        """AES-CBC with zero ICV under Key-DEK; a whole number of blocks (PUT KEY, GPC Amendment D 6.1).

        A token may be asked to wrap key material that itself lives in the token; see `KeySetSource`.
        """


class KeySetSource(Protocol):
    """A master key that gives each card its own key set."""

    def card_keys(self, kdd: bytes, key_version: int) -> CardKeys:
        """The key set of the card with this key diversification data (10 octets).

        Raises:
            KeyStoreError: the master cannot be used, or a derived key equals the master.
        """

    def put_key_blocks(self, kdd: bytes, key_version: int, under: CardKeys) -> tuple[tuple[bytes, bytes], ...]:
        """For PUT KEY: (encrypted key, 3-octet key check value) for ENC, MAC, DEK, encrypted under `under`'s Key-DEK."""
