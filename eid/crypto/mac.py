"""Message authentication codes of the chip protocols, and the one place where they are compared.

AES-CMAC: SP 800-38B, RFC 4493. Retail MAC: ISO/IEC 9797-1 algorithm 3 with DES, zero IV and padding method 2.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

from eid.crypto.cipher_suite import MAC_LENGTH, CipherSuite
from eid.crypto.padding import pad
from eid.errors import AuthenticationError, LocalProtocolError

_DES_BLOCK = 8


class MacKey:
    """A MAC key made ready for many messages, as `CipherKey` is.

    Raises:
        LocalProtocolError: the key's length is wrong.
    """

    __slots__ = ("_cmac", "_key")

    def __init__(self, suite: CipherSuite, key: bytes) -> None:
        if len(key) != suite.key_length:
            raise LocalProtocolError(f"a {suite.label} MAC key has {suite.key_length} octets, not {len(key)}")
        self._key = key
        self._cmac = None if suite is CipherSuite.TDES_112 else CMAC(AES(key))

    def compute(self, data: bytes) -> bytes:
        """As `compute_mac`."""
        if self._cmac is None:
            return _retail_mac(self._key, pad(data, _DES_BLOCK))
        context = self._cmac.copy()
        context.update(data)
        return context.finalize()[:MAC_LENGTH]


def compute_mac(suite: CipherSuite, key: bytes, data: bytes) -> bytes:
    """The 8-octet MAC of `data` in this suite; `data` is any number of octets, padding is done here.

    Retail MAC for 3DES (Doc 9303-11 9.8.6.2), the first 8 octets of AES-CMAC for AES (9.8.7.2).
    A protocol that pads by itself before an AES-CMAC passes the padded data.

    Raises:
        LocalProtocolError: the key's length is wrong.
    """
    return MacKey(suite, key).compute(data)


def cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, all 16 octets; the key's 16, 24 or 32 octets choose the cipher.

    Raises:
        LocalProtocolError: the key's length is wrong.
    """
    if len(key) not in (16, 24, 32):
        raise LocalProtocolError(f"an AES key has 16, 24 or 32 octets, not {len(key)}")
    context = CMAC(AES(key))
    context.update(data)
    return context.finalize()


def verify_mac(expected: bytes, given: bytes) -> None:
    """Accept `given` only if it equals the `expected` MAC, token or cryptogram, in constant time.

    Raises:
        AuthenticationError: they differ, or nothing was expected.
    """
    if not expected or not hmac.compare_digest(expected, given):
        raise AuthenticationError("the MAC does not match")


def _retail_mac(key: bytes, padded: bytes) -> bytes:
    """CBC under single DES with K1, then the last block through D(K2) and E(K1)."""
    k1, k2 = key[:8], key[8:]
    chaining = bytes(_DES_BLOCK)
    if len(padded) > _DES_BLOCK:
        # DES is triple DES with three equal keys.
        head = Cipher(TripleDES(k1 + k1 + k1), CBC(chaining)).encryptor()
        chaining = (head.update(padded[:-_DES_BLOCK]) + head.finalize())[-_DES_BLOCK:]
    # E(K1, D(K2, E(K1, last ^ chaining))) is one block of two-key triple DES in CBC mode.
    last = Cipher(TripleDES(k1 + k2 + k1), CBC(chaining)).encryptor()
    return last.update(padded[-_DES_BLOCK:]) + last.finalize()
