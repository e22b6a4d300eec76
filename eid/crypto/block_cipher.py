"""AES and two-key triple DES in CBC and ECB mode, without padding (FIPS 197, SP 800-67, SP 800-38A)."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from eid.crypto.cipher_suite import CipherSuite
from eid.errors import DecodeError, LocalProtocolError


class CipherKey:
    """A key made ready for many messages; made anew for each, it would cost more than a short message does.

    Raises:
        LocalProtocolError: the key has a length that the suite forbids.
    """

    __slots__ = ("_algorithm", "_block_decryptor", "_block_encryptor", "_suite")

    def __init__(self, suite: CipherSuite, key: bytes) -> None:
        self._suite = suite
        self._algorithm = _algorithm(suite, key)
        self._block_encryptor: CipherContext | None = None
        self._block_decryptor: CipherContext | None = None

    def encrypt_cbc(self, iv: bytes, data: bytes) -> bytes:
        """`data`, whole blocks, encrypted from the initialisation vector `iv`.

        Raises:
            LocalProtocolError: IV or data have a length that the suite forbids.
        """
        if len(data) % self._suite.block_size:
            raise LocalProtocolError(f"{self._suite.label}-CBC needs whole blocks, not {len(data)} octets")
        encryptor = Cipher(self._algorithm, _cbc(self._suite, iv)).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    def decrypt_cbc(self, iv: bytes, data: bytes) -> bytes:
        """`data`, whole blocks from the other end, decrypted.

        Raises:
            DecodeError: `data` is not whole blocks.
            LocalProtocolError: the IV has a length that the suite forbids.
        """
        size = self._suite.block_size
        if len(data) % size:
            raise DecodeError(f"{self._suite.label}-CBC ciphertext of {len(data)} octets is not whole blocks")
        if len(iv) != size:
            raise LocalProtocolError(f"the IV of {self._suite.label}-CBC has {size} octets, not {len(iv)}")
        if self._block_decryptor is None:
            self._block_decryptor = Cipher(self._algorithm, ECB()).decryptor()
        # P_j = D(C_j) ^ C_(j-1) (SP 800-38A 6.2): no block waits for another, so one context serves every message
        blocks = int.from_bytes(self._block_decryptor.update(data), "big")
        chained = int.from_bytes((iv + data)[: len(data)], "big")
        return (blocks ^ chained).to_bytes(len(data), "big")

    def encrypt_ecb(self, block: bytes) -> bytes:
        """One single block encrypted: for the IVs of secure messaging and SCP03, never for data.

        Raises:
            LocalProtocolError: it is not exactly one block.
        """
        if len(block) != self._suite.block_size:
            raise LocalProtocolError(f"{self._suite.label} encrypts one block here, not {len(block)} octets")
        if self._block_encryptor is None:  # in this mode no block depends on those before
            self._block_encryptor = Cipher(self._algorithm, ECB()).encryptor()
        return self._block_encryptor.update(block)


def encrypt_cbc(suite: CipherSuite, key: bytes, iv: bytes, data: bytes) -> bytes:
    """As `CipherKey.encrypt_cbc`, with a key that serves once."""
    return CipherKey(suite, key).encrypt_cbc(iv, data)


def decrypt_cbc(suite: CipherSuite, key: bytes, iv: bytes, data: bytes) -> bytes:
    """As `CipherKey.decrypt_cbc`, with a key that serves once."""
    return CipherKey(suite, key).decrypt_cbc(iv, data)


def encrypt_ecb(suite: CipherSuite, key: bytes, block: bytes) -> bytes:
    """As `CipherKey.encrypt_ecb`, with a key that serves once."""
    return CipherKey(suite, key).encrypt_ecb(block)


def _algorithm(suite: CipherSuite, key: bytes) -> AES | TripleDES:
    if len(key) != suite.key_length:
        raise LocalProtocolError(f"a {suite.label} key has {suite.key_length} octets, not {len(key)}")
    if suite is CipherSuite.TDES_112:
        return TripleDES(key + key[:8])  # keying option 2: K1 | K2 | K1
    return AES(key)


def _cbc(suite: CipherSuite, iv: bytes) -> CBC:
    if len(iv) != suite.block_size:
        raise LocalProtocolError(f"the IV of {suite.label}-CBC has {suite.block_size} octets, not {len(iv)}")
    return CBC(iv)
