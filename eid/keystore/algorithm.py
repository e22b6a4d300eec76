"""Which signature algorithm goes with a key, where its owner does not say (Doc 9303-12 4.1.6, TR-03116-2 4)."""

from __future__ import annotations

from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.crypto.hashes import HASHES
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey, SignatureAlgorithm, curve_of_key
from eid.errors import DecodeError, KeyStoreError, VerificationError

_RSA_HASH: Final = "sha256"
_STRENGTHS: Final = ((224, "sha224"), (256, "sha256"), (384, "sha384"))


def ecdsa_algorithm(order_bits: int) -> SignatureAlgorithm:
    """ECDSA with the shortest hash of the SHA-2 family that is not shorter than the curve's order; SHA-512 at most."""
    name = next((name for bits, name in _STRENGTHS if order_bits <= bits), "sha512")
    return SignatureAlgorithm("ecdsa", name)


def rsa_algorithm(kind: str = "rsa-pss", hash_name: str = _RSA_HASH) -> SignatureAlgorithm:
    """RSA with this hash; the salt of PSS is as long as the hash (Doc 9303-12 4.1.6.2).

    Raises:
        KeyStoreError: neither "rsa-pss" nor "rsa-pkcs1", or an unknown hash.
    """
    if hash_name not in HASHES:
        raise KeyStoreError(f"hash function {hash_name!r} is unknown")
    if kind == "rsa-pss":
        return SignatureAlgorithm("rsa-pss", hash_name, HASHES[hash_name].digest_length, hash_name)
    if kind == "rsa-pkcs1":
        return SignatureAlgorithm("rsa-pkcs1", hash_name)
    raise KeyStoreError(f"{kind!r} is no RSA signature scheme")


def choose_algorithm(public_key_info: bytes, wanted: SignatureAlgorithm | None) -> SignatureAlgorithm:
    """The algorithm that is wanted, if it goes with the key; without a wish ECDSA or RSA-PSS by the key's type.

    Raises:
        KeyStoreError: it does not go with the key, or the key is of an unknown type.
    """
    try:
        return _choose(load_public_key(public_key_info), wanted)
    except (DecodeError, VerificationError) as error:
        raise KeyStoreError(f"the key is of an unknown type: {error}") from None


def _choose(key: PublicKey, wanted: SignatureAlgorithm | None) -> SignatureAlgorithm:
    if isinstance(key, RSAPublicKey):
        kinds: tuple[str, ...] = ("rsa-pss", "rsa-pkcs1")
        default = rsa_algorithm()
    else:
        kinds = ("ecdsa",)
        default = ecdsa_algorithm(curve_of_key(key).n.bit_length())
    if wanted is None:
        return default
    if (
        wanted.kind not in kinds
        or wanted.hash_name not in HASHES
        or (wanted.kind == "rsa-pss") != (wanted.salt_length is not None)
    ):
        raise KeyStoreError(f"{wanted.kind} with {wanted.hash_name} does not go with this key")
    return wanted


def refuse_pickle(name: str) -> NoReturn:
    """Keys do not travel: not to another process, not into a file, not into a log.

    Raises:
        TypeError: always.
    """
    raise TypeError(f"{name} is not to be pickled or copied")
