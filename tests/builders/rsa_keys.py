"""RSA keys for tests: to make one takes a tenth of a second and more, so three of each length are kept."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

KINDS = 3  # of each length: a CSCA's, a signer's, and another
_KEPT = Path(__file__).with_name("rsa_test_keys.pem")
_BLOCK = re.compile(r"^(\d+)\n(-----BEGIN PRIVATE KEY-----\n.*?-----END PRIVATE KEY-----)$", re.DOTALL | re.MULTILINE)
_turns: Counter[int] = Counter()


def rsa_private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One of three keys of this length, exponent 65537, in turn: three calls in a row give three keys."""
    _turns[bits] += 1
    return _load(bits, _turns[bits] % KINDS)


@cache
def _load(bits: int, number: int) -> rsa.RSAPrivateKey:
    kept = _kept().get(bits)
    if kept is None:
        return rsa.generate_private_key(65537, bits)
    key = load_pem_private_key(kept[number], None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def _kept() -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for bits, block in _BLOCK.findall(_KEPT.read_text("ascii")):
        found[int(bits)].append(block.encode())
    return dict(found)
