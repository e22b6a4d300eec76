"""AES and two-key triple DES in CBC and ECB mode, without padding (FIPS 197, SP 800-67, SP 800-38A)."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from eid.crypto.cipher_suite import CipherSuite
from eid.errors import DecodeError, LocalProtocolError


def encrypt_cbc(suite: CipherSuite, key: bytes, iv: bytes, data: bytes) -> bytes:
    """`data`, whole blocks, encrypted under `key` from the initialisation vector `iv`.

    Raises:
        LocalProtocolError: key, IV or data have a length that the suite forbids.
    """
    if len(data) % suite.block_size:
        raise LocalProtocolError(f"{suite.label}-CBC needs whole blocks, not {len(data)} octets")
    encryptor = Cipher(_algorithm(suite, key), _cbc(suite, iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def decrypt_cbc(suite: CipherSuite, key: bytes, iv: bytes, data: bytes) -> bytes:
    """`data`, whole blocks from the other end, decrypted.

    Raises:
        DecodeError: `data` is not whole blocks.
        LocalProtocolError: key or IV have a length that the suite forbids.
    """
    if len(data) % suite.block_size:
        raise DecodeError(f"{suite.label}-CBC ciphertext of {len(data)} octets is not whole blocks")
    decryptor = Cipher(_algorithm(suite, key), _cbc(suite, iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def encrypt_ecb(suite: CipherSuite, key: bytes, block: bytes) -> bytes:
    """One single block encrypted: for the IVs of secure messaging and SCP03, never for data.

    Raises:
        LocalProtocolError: the key's length is wrong, or it is not exactly one block.
    """
    if len(block) != suite.block_size:
        raise LocalProtocolError(f"{suite.label} encrypts one block here, not {len(block)} octets")
    encryptor = Cipher(_algorithm(suite, key), ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


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
