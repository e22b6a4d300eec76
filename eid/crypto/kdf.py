"""Key derivation: Doc 9303-11 9.7.1 for chip protocols, NIST SP 800-108 for SCP03."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.hashes import digest
from eid.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTER_ENC = 1
COUNTER_MAC = 2
COUNTER_PI = 3

_ODD_PARITY = bytes(octet & 0xFE | (octet >> 1).bit_count() & 1 ^ 1 for octet in range(256))


def derive_key(suite: CipherSuite, secret: bytes, counter: int, nonce: bytes = b"") -> bytes:
    """KDF(K, r, c) = H(K | r | c) cut to the suite's key length, Doc 9303-11 9.7.1 and TR-03110-3 A.2.3.

    Args:
        secret: the shared secret K, any length but zero.
        counter: c, 32 bits big-endian.
        nonce: r, where a protocol has one.

    Raises:
        LocalProtocolError: the secret is empty or the counter has more than 32 bits.
    """
    if not secret or not 0 <= counter <= 0xFFFFFFFF:
        raise LocalProtocolError("the KDF needs a secret and a 32-bit counter")
    keydata = digest(suite.hash_name, secret + nonce + counter.to_bytes(4, "big"))[: suite.key_length]
    return adjust_parity(keydata) if suite is CipherSuite.TDES_112 else keydata


def derive_k_enc(suite: CipherSuite, secret: bytes, nonce: bytes = b"") -> bytes:
    """The encryption key, counter 1 (Doc 9303-11 9.7.1)."""
    return derive_key(suite, secret, COUNTER_ENC, nonce)


def derive_k_mac(suite: CipherSuite, secret: bytes, nonce: bytes = b"") -> bytes:
    """The MAC key, counter 2 (Doc 9303-11 9.7.1)."""
    return derive_key(suite, secret, COUNTER_MAC, nonce)


def derive_k_pi(suite: CipherSuite, password: bytes) -> bytes:
    """The key that encrypts PACE's nonce, counter 3; `password` is f(pi) (Doc 9303-11 9.7.3)."""
    return derive_key(suite, password, COUNTER_PI)


def adjust_parity(key: bytes) -> bytes:
    """A DES key with odd parity in each octet's lowest bit (Doc 9303-11 9.7.1.1)."""
    return key.translate(_ODD_PARITY)


def sp800_108(prf: Callable[[bytes], bytes], constant: int, context: bytes, bits: int) -> bytes:
    """Key data of `bits` bits in counter mode as GPC Card Specification Amendment D 4.1.5 shapes it.

    Args:
        prf: the keyed pseudo-random function, AES-CMAC under the key that is derived from; returns 16 octets.
        constant: derivation constant, the last octet of the 12-octet label.
        context: what both ends contributed.
        bits: output length L; a multiple of 8 up to 256.

    Raises:
        LocalProtocolError: an argument is out of range.
    """
    if not 0 <= constant <= 0xFF or not 0 < bits <= 256 or bits % 8:
        raise LocalProtocolError("SP 800-108: the constant has one octet, the output 8 to 256 bits in whole octets")
    label = bytes(11) + bytes((constant,))
    length = bits.to_bytes(2, "big")
    blocks = (prf(label + b"\x00" + length + bytes((i,)) + context) for i in range(1, (bits + 127) // 128 + 1))
    return b"".join(blocks)[: bits // 8]
