"""Cipher suites by protocol identifier: the last arc names cipher and MAC (Doc 9303-11 9.2.1, 9.2.5)."""

from __future__ import annotations

from typing import Final

from eid.crypto.cipher_suite import CipherSuite

_SUITES: Final = {
    "1": CipherSuite.TDES_112,
    "2": CipherSuite.AES_128,
    "3": CipherSuite.AES_192,
    "4": CipherSuite.AES_256,
}


def find_suite(protocol: str, mechanism: str) -> CipherSuite | None:
    """The cipher suite of `protocol`, a dotted identifier one arc below `mechanism`; None where it is none of those."""
    parent, _, arc = protocol.rpartition(".")
    return _SUITES.get(arc) if parent == mechanism else None
