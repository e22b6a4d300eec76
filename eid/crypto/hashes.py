"""Hash functions by name and by OID (FIPS 180-4; OIDs: RFC 3279 2.1, RFC 4055 2.1).

All of SHA-1 to SHA-512 are here, because documents in the field use them; which of them may still be *trusted* is the
policy's decision, elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

from eid.errors import Reason, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class HashAlgorithm:
    """A hash function: its name here, dotted OID, digest length in octets, and the library's object for it."""

    name: str
    oid: str
    digest_length: int
    library: hashes.HashAlgorithm = field(compare=False, repr=False)


HASH_ALGORITHMS: tuple[HashAlgorithm, ...] = (
    HashAlgorithm("sha1", "1.3.14.3.2.26", 20, hashes.SHA1()),
    HashAlgorithm("sha224", "2.16.840.1.101.3.4.2.4", 28, hashes.SHA224()),
    HashAlgorithm("sha256", "2.16.840.1.101.3.4.2.1", 32, hashes.SHA256()),
    HashAlgorithm("sha384", "2.16.840.1.101.3.4.2.2", 48, hashes.SHA384()),
    HashAlgorithm("sha512", "2.16.840.1.101.3.4.2.3", 64, hashes.SHA512()),
)
HASHES: dict[str, HashAlgorithm] = {algorithm.name: algorithm for algorithm in HASH_ALGORITHMS}

# One-shot constructors: a third of the cost of the library's three-call interface on short input.
_CONSTRUCTORS: dict[str, Callable[[bytes], hashlib._Hash]] = {
    "sha1": hashlib.sha1,
    "sha224": hashlib.sha224,
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}


def hash_algorithm(name: str) -> HashAlgorithm:
    """The hash function of that name ("sha1" to "sha512").

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED.
    """
    algorithm = HASHES.get(name)
    if algorithm is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"hash function {name!r}")
    return algorithm


def digest(name: str, data: bytes) -> bytes:
    """The digest of `data` under the hash function of that name.

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED.
    """
    constructor = _CONSTRUCTORS.get(name)
    if constructor is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"hash function {name!r}")
    return constructor(data).digest()
