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
        """For PUT KEY: (key encrypted under the Key-DEK of `under`, 3-octet key check value) for ENC, MAC, DEK."""


class KeyStore(Protocol):
    """A place where long-term keys are made and kept. Labels: 1 to 64 letters, digits, ".", "_", "-"."""

    def labels(self) -> tuple[str, ...]:
        """Labels of the signature keys, sorted."""

    def generate_ec(self, label: str, curve: str, algorithm: SignatureAlgorithm | None = None) -> Signer:
        """Make an EC key pair on a curve of `eid.crypto.curves`.

        Raises:
            KeyStoreError: the label is taken or malformed, or the store lacks the curve.
        """

    def generate_rsa(self, label: str, bits: int, algorithm: SignatureAlgorithm | None = None) -> Signer:
        """Make an RSA key pair with public exponent 65537.

        Raises:
            KeyStoreError: the label is taken or malformed, or the size is out of bounds.
        """

    def load(self, label: str, algorithm: SignatureAlgorithm | None = None) -> Signer:
        """The signature key with this label; without `algorithm` ECDSA or RSA-PSS as fits the key.

        Raises:
            KeyStoreError: there is none, it cannot be opened, or the algorithm does not go with it.
        """

    def generate_master_key(self, label: str, length: int = 32) -> KeySetSource:
        """Make an AES master key of 16, 24 or 32 octets.

        Raises:
            KeyStoreError: the label is taken or malformed.
        """

    def store_master_key(self, label: str, value: bytes) -> KeySetSource:
        """Keep an AES master key that came from elsewhere.

        Raises:
            KeyStoreError: the label is taken or malformed, or it is no AES key.
        """

    def load_master_key(self, label: str) -> KeySetSource:
        """The master key with this label.

        Raises:
            KeyStoreError: there is none, or it cannot be opened.
        """
