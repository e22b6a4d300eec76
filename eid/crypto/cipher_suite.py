"""The cipher suites of access control and secure messaging (Doc 9303-11 9.8; TR-03110-3 A.2.3)."""

from __future__ import annotations

from enum import Enum, unique

MAC_LENGTH = 8
"""Octets of every secure-messaging MAC, Doc 9303-11 9.8.6.2 and 9.8.7.2."""


@unique
class CipherSuite(Enum):
    """A block cipher with its MAC and the hash of its key derivation.

    The value is (name, key length, block size, KDF hash); lengths are in octets.
    """

    # Doc 9303-11 9.7.1.1 and 9.7.1.2: SHA-1 up to 128 bit of key, SHA-256 above.
    TDES_112 = ("3DES", 16, 8, "sha1")
    AES_128 = ("AES-128", 16, 16, "sha1")
    AES_192 = ("AES-192", 24, 16, "sha256")
    AES_256 = ("AES-256", 32, 16, "sha256")

    # Plain attributes, not properties: every protected APDU reads them.
    label: str
    key_length: int
    block_size: int
    hash_name: str
    mac_length: int

    def __init__(self, label: str, key_length: int, block_size: int, hash_name: str) -> None:
        self.label = label
        self.key_length = key_length
        self.block_size = block_size
        self.hash_name = hash_name
        self.mac_length = MAC_LENGTH
