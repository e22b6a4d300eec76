"""Private keys under a passphrase: EncryptedPrivateKeyInfo of PKCS#8 with PBES2, scrypt and AES-256-CBC, in PEM.

Written here because the library's "best available" encryption is PBKDF2 with 2048 rounds, which a stolen file does not
withstand. OpenSSL and the library read what is written (RFC 5958 3, RFC 8018 6.2 and App. A.4, RFC 7914 7).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eid.codec import der
from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc
from eid.crypto.cipher_suite import CipherSuite
from eid.errors import DecodeError, KeyStoreError

PBES2: Final = "1.2.840.113549.1.5.13"
SCRYPT: Final = "1.3.6.1.4.1.11591.4.11"
AES_256_CBC: Final = "2.16.840.1.101.3.4.1.42"
KEY_LENGTH: Final = 32
BLOCK: Final = 16
SALT_LENGTH: Final = 16
MAX_FILE: Final = 1 << 16  # octets
MAX_MEMORY: Final = 1 << 28  # octets that a file may make scrypt use
BEGIN: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
END: Final = b"-----END ENCRYPTED PRIVATE KEY-----\n"


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """Cost of a guess: N iterations (a power of two), block size r, parallelism p; memory is 128 N r octets."""

    n: int = 1 << 15
    r: int = 8
    p: int = 1


def encrypt_private_key_info(
    private_key_info: bytes,
    passphrase: bytes,
    cost: ScryptCost = ScryptCost(),
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Encrypt a PrivateKeyInfo, DER; the result is PEM.

    Raises:
        KeyStoreError: the passphrase is empty.
    """
    if not passphrase:
        raise KeyStoreError("a private key is not stored under an empty passphrase")
    salt, iv = random(SALT_LENGTH), random(BLOCK)
    padding = BLOCK - len(private_key_info) % BLOCK  # RFC 8018 6.1.1 step 4
    key = _derive_key(passphrase, salt, cost)
    encrypted = encrypt_cbc(CipherSuite.AES_256, key, iv, private_key_info + bytes((padding,)) * padding)
    scrypt = der.encode_sequence(
        der.encode_octet_string(salt),
        *(der.encode_integer(number) for number in (cost.n, cost.r, cost.p, KEY_LENGTH)),
    )
    parameters = der.encode_sequence(
        der.encode_sequence(der.encode_oid(SCRYPT), scrypt),
        der.encode_sequence(der.encode_oid(AES_256_CBC), der.encode_octet_string(iv)),
    )
    algorithm = der.encode_sequence(der.encode_oid(PBES2), parameters)
    return _encode_pem(der.encode_sequence(algorithm, der.encode_octet_string(encrypted)))


def decrypt_private_key_info(pem: bytes, passphrase: bytes) -> bytes:
    """Decrypt what `encrypt_private_key_info` wrote: the PrivateKeyInfo, DER.

    Raises:
        KeyStoreError: malformed, another scheme, scrypt parameters beyond bounds, or the wrong passphrase.
    """
    try:
        salt, cost, iv, encrypted = _decode(_decode_pem(pem))
    except (DecodeError, binascii.Error) as error:
        raise KeyStoreError(f"not an encrypted private key of this store: {error}") from None
    if cost.n < 2 or cost.n & (cost.n - 1) or cost.r < 1 or not 1 <= cost.p <= 16 or 128 * cost.n * cost.r > MAX_MEMORY:
        raise KeyStoreError("scrypt parameters of a private key are out of bounds")
    wrong = KeyStoreError("the passphrase of the key store is wrong, or the file is damaged")
    if not encrypted or len(encrypted) % BLOCK:
        raise wrong
    plain = decrypt_cbc(CipherSuite.AES_256, _derive_key(passphrase, salt, cost), iv, encrypted)
    padding = plain[-1]
    if not 1 <= padding <= BLOCK or plain[-padding:] != bytes((padding,)) * padding:
        raise wrong
    try:
        der.read_sequence(plain[:-padding], "PrivateKeyInfo")
    except DecodeError:
        raise wrong from None
    return plain[:-padding]


def _derive_key(passphrase: bytes, salt: bytes, cost: ScryptCost) -> bytes:
    memory = 128 * cost.r * (cost.n + cost.p) + (1 << 20)  # what OpenSSL insists on being allowed
    return hashlib.scrypt(passphrase, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=KEY_LENGTH)


def _encode_pem(raw: bytes) -> bytes:
    text = base64.b64encode(raw)
    return BEGIN + b"".join(text[start : start + 64] + b"\n" for start in range(0, len(text), 64)) + END


def _decode_pem(pem: bytes) -> bytes:
    if len(pem) > MAX_FILE or not (pem.startswith(BEGIN) and pem.endswith(END)):
        raise DecodeError("no PEM block of an encrypted private key", clause="RFC 7468 11")
    return base64.b64decode(pem[len(BEGIN) : -len(END)].replace(b"\n", b""), validate=True)


def _decode(raw: bytes) -> tuple[bytes, ScryptCost, bytes, bytes]:
    """Salt, cost, initialisation vector, ciphertext."""
    offset, end = der.read_sequence(raw, "EncryptedPrivateKeyInfo")
    inner, stop = der.enter(raw, offset, end, der.SEQUENCE, "encryptionAlgorithm")
    inner = _read_expected_oid(raw, inner, stop, PBES2)
    inner, parameters = der.enter(raw, inner, stop, der.SEQUENCE, "PBES2-params")
    der.check_end(parameters, stop, "encryptionAlgorithm")
    salt, cost, inner = _read_scrypt(raw, inner, parameters)
    iv, inner = _read_cipher(raw, inner, parameters)
    der.check_end(inner, parameters, "PBES2-params")
    encrypted, offset = der.read_octet_string(raw, stop, end, "encryptedData")
    der.check_end(offset, end, "EncryptedPrivateKeyInfo")
    return salt, cost, iv, encrypted


def _read_scrypt(raw: bytes, offset: int, end: int) -> tuple[bytes, ScryptCost, int]:
    offset, behind = der.enter(raw, offset, end, der.SEQUENCE, "keyDerivationFunc")
    offset = _read_expected_oid(raw, offset, behind, SCRYPT)
    offset, stop = der.enter(raw, offset, behind, der.SEQUENCE, "scrypt-params")
    der.check_end(stop, behind, "keyDerivationFunc")
    salt, offset = der.read_octet_string(raw, offset, stop, "salt")
    n, offset = der.read_unsigned(raw, offset, stop, "costParameter")
    r, offset = der.read_unsigned(raw, offset, stop, "blockSize")
    p, offset = der.read_unsigned(raw, offset, stop, "parallelizationParameter")
    if offset < stop:
        length, offset = der.read_unsigned(raw, offset, stop, "keyLength")
        if length != KEY_LENGTH:
            raise DecodeError("scrypt for another key length", offset=offset, clause="RFC 7914 7.1")
    der.check_end(offset, stop, "scrypt-params")
    return salt, ScryptCost(n, r, p), behind


def _read_cipher(raw: bytes, offset: int, end: int) -> tuple[bytes, int]:
    offset, stop = der.enter(raw, offset, end, der.SEQUENCE, "encryptionScheme")
    offset = _read_expected_oid(raw, offset, stop, AES_256_CBC)
    iv, offset = der.read_octet_string(raw, offset, stop, "initialisation vector")
    der.check_end(offset, stop, "encryptionScheme")
    if len(iv) != BLOCK:
        raise DecodeError("initialisation vector of another length", offset=offset, clause="RFC 8018 B.2.5")
    return iv, stop


def _read_expected_oid(raw: bytes, offset: int, end: int, expected: str) -> int:
    found, behind = der.read_oid(raw, offset, end, "algorithm")
    if found != expected:
        raise DecodeError(f"algorithm {found} where {expected} is due", offset=offset, clause="RFC 8018 A.4")
    return behind
