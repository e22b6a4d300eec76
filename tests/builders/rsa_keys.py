"""RSA keys for tests: to make one takes a tenth of a second and more, so a few of each length are shared."""

from __future__ import annotations

from collections import Counter
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

KINDS = 3  # of each length: a CSCA's, a signer's, and another
_turns: Counter[int] = Counter()


def rsa_private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One of three keys of this length, exponent 65537, in turn: three calls in a row give three keys."""
    _turns[bits] += 1
    return _make(bits, _turns[bits] % KINDS)


@cache
def _make(bits: int, _: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)
