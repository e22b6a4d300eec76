"""ISO/IEC 9796-2 signature scheme 1 with partial recovery: Active Authentication with RSA (Doc 9303-11 6.1, App. F).

The signed representative is F = header | M1 | H(M1 | M2) | trailer, as long as the modulus. M1 is chosen by the card
and recovered from the signature; M2 is the terminal's challenge. The header is 6A, or 6B BB .. BA when M1 is shorter
than fits.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from eid.crypto.hashes import HASHES, digest, hash_algorithm
from eid.crypto.signatures import require_sound_rsa
from eid.errors import DecodeError, LocalProtocolError, Reason, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable

_TRAILER_IMPLICIT = b"\xbc"
# ISO/IEC 10118-3 identifiers, with CC behind them (Doc 9303-11 6.1.2.2 names the SHA-2 ones; 33CC occurs in the field).
_TRAILERS: dict[str, bytes] = {
    "sha1": b"\x33\xcc",
    "sha256": b"\x34\xcc",
    "sha512": b"\x35\xcc",
    "sha384": b"\x36\xcc",
    "sha224": b"\x38\xcc",
}
_HASH_BY_TRAILER = {trailer[0]: name for name, trailer in _TRAILERS.items()}

_MIN_BITS, _MAX_BITS = 1024, 4096
_CLAUSE = "ISO/IEC 9796-2 8"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a representative holds: the hash function that its trailer names, M1, and H(M1 | M2)."""

    hash_name: str
    m1: bytes
    message_digest: bytes


def build_representative(
    m1: bytes, m2: bytes, hash_name: str, length: int, *, implicit_trailer: bool | None = None
) -> bytes:
    """The representative F of M1 and M2.

    Args:
        m1: the recoverable part; `recoverable_length` octets is the most, and what Doc 9303 cards take.
        m2: the rest of the message, the terminal's challenge.
        hash_name: hash function.
        length: octets of the modulus.
        implicit_trailer: None is as Doc 9303-11 6.1.2.2 has it, BC for SHA-1 and .. CC otherwise; False writes 33CC for
            SHA-1 too, as some cards do.

    Raises:
        LocalProtocolError: M1 is empty or too long, or the trailer does not go with the hash function.
    """
    if not 0 < len(m1) <= recoverable_length(length, hash_name, implicit_trailer=implicit_trailer):
        raise LocalProtocolError(
            "M1 does not fit the modulus",
        )
    tail = m1 + digest(hash_name, m1 + m2) + _trailer(hash_name, implicit_trailer)
    surplus = length - len(tail)
    header = b"\x6a" if surplus == 1 else b"\x6b" + b"\xbb" * (surplus - 2) + b"\xba"
    return header + tail


def recoverable_length(length: int, hash_name: str, *, implicit_trailer: bool | None = None) -> int:
    """The greatest number of octets of M1 for a modulus of `length` octets."""
    return length - 1 - hash_algorithm(hash_name).digest_length - len(_trailer(hash_name, implicit_trailer))


def recover(representative: bytes) -> Recovered:
    """Take a representative apart; whether its hash value is right is not looked at.

    Raises:
        DecodeError: header, padding or trailer is none of this scheme, or it is too short for its hash value.
    """
    hash_name, trailer_length = _decode_trailer(representative)
    start = _decode_header(representative)
    end = len(representative) - trailer_length
    middle = end - HASHES[hash_name].digest_length
    if middle <= start:
        raise DecodeError("the representative has no room for M1 and a hash value", clause=_CLAUSE)
    return Recovered(hash_name, representative[start:middle], representative[middle:end])


def verify(public_key: rsa.RSAPublicKey, m2: bytes, signature: bytes, hash_name: str | None = None) -> Recovered:
    """Accept a signature over M2 and the M1 that it carries.

    Args:
        public_key: the card's Active Authentication key.
        m2: the challenge that the terminal sent.
        signature: as long as the modulus, leading zeros kept.
        hash_name: hash function that must have been used; None takes the one that the trailer names.

    Returns:
        what was recovered, so that the caller can judge the hash function.

    Raises:
        VerificationError: SIG_CRYPTO_FAILURE; ALGORITHM_UNSUPPORTED for a key of another size than 1024 to 4096 bits.
    """
    length = _require_key(public_key)
    numbers = public_key.public_numbers()
    value = int.from_bytes(signature, "big")
    if len(signature) != length or value >= numbers.n:
        raise _failure("the signature's length is not the modulus's")
    try:
        recovered = recover(_open(value, numbers.e, numbers.n).to_bytes(length, "big"))
    except DecodeError as error:
        raise _failure("the representative is malformed") from error
    if hash_name is not None and hash_name != recovered.hash_name:
        raise _failure("the trailer names another hash function")
    if not hmac.compare_digest(digest(recovered.hash_name, recovered.m1 + m2), recovered.message_digest):
        raise _failure("the hash value is not that of M1 and the challenge")
    return recovered


def sign(
    private_key: rsa.RSAPrivateKey,
    m2: bytes,
    hash_name: str,
    random: Callable[[int], bytes] = os.urandom,
    *,
    implicit_trailer: bool | None = None,
) -> bytes:
    """Sign a random M1 and the challenge M2, as a card does in INTERNAL AUTHENTICATE (Doc 9303-11 6.1.2.2).

    The library has no bare RSA operation, so this one is done with integers: base blinded, result verified before it is
    given away (a faulty CRT result would betray a prime). For the virtual card.

    Raises:
        LocalProtocolError: the hash function does not go with the trailer, or the result is faulty.
        VerificationError: ALGORITHM_UNSUPPORTED for a key of another size than 1024 to 4096 bits.
    """
    length = _require_key(private_key.public_key())
    m1 = random(recoverable_length(length, hash_name, implicit_trailer=implicit_trailer))
    representative = build_representative(m1, m2, hash_name, length, implicit_trailer=implicit_trailer)
    signature = _private_operation(private_key.private_numbers(), int.from_bytes(representative, "big"), random)
    return signature.to_bytes(length, "big")


def _private_operation(key: rsa.RSAPrivateNumbers, value: int, random: Callable[[int], bytes]) -> int:
    """value^d mod n by the Chinese remainder theorem, blinded (RFC 8017 5.1.2)."""
    n, e = key.public_numbers.n, key.public_numbers.e
    blind = 2 + int.from_bytes(random((n.bit_length() + 7) // 8 + 8), "big") % (n - 3)
    blinded = value * pow(blind, e, n) % n
    m_p = pow(blinded, key.dmp1, key.p)
    m_q = pow(blinded, key.dmq1, key.q)
    result = (m_q + key.q * (key.iqmp * (m_p - m_q) % key.p)) * pow(blind, -1, n) % n
    if pow(result, e, n) != value:
        raise LocalProtocolError("the RSA operation went wrong; its result is withheld")
    return result


def _open(value: int, e: int, n: int) -> int:
    """F = s^e mod n (ISO/IEC 9796-2 B.6), or n - F where the signer took the smaller of s and n - s (B.4).

    Doc 9303-11 6.1.2.2 tells inspection systems to take both; the last nibble of F is C, so n - F cannot pass for F.
    """
    opened = pow(value, e, n)
    return opened if opened % 16 == 0x0C else n - opened


def _require_key(public_key: rsa.RSAPublicKey) -> int:
    """Octets of the modulus of an acceptable key."""
    bits = require_sound_rsa(public_key).key_size
    if not _MIN_BITS <= bits <= _MAX_BITS or bits % 8:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"Active Authentication with RSA of {bits} bits")
    return bits // 8


def _trailer(hash_name: str, implicit: bool | None) -> bytes:
    if implicit is None:
        implicit = hash_name == "sha1"
    if not implicit:
        return _TRAILERS[hash_algorithm(hash_name).name]
    if hash_name != "sha1":
        raise LocalProtocolError("the trailer BC stands for SHA-1")
    return _TRAILER_IMPLICIT


def _decode_trailer(representative: bytes) -> tuple[str, int]:
    """The hash function and the trailer's length in octets."""
    if representative[-1:] == _TRAILER_IMPLICIT:
        return "sha1", 1
    if representative[-1:] == b"\xcc" and len(representative) > 1 and representative[-2] in _HASH_BY_TRAILER:
        return _HASH_BY_TRAILER[representative[-2]], 2
    raise DecodeError("the trailer of the representative is unknown", clause="Doc 9303-11 6.1.2.2")


def _decode_header(representative: bytes) -> int:
    """Offset of M1: behind 6A, or behind 6B BB .. BA. Total recovery (4.) is not for a challenge."""
    if representative[:1] == b"\x6a":
        return 1
    if representative[:1] != b"\x6b":
        raise DecodeError("the header of the representative is not 6A or 6B", offset=0, clause=_CLAUSE)
    stripped = representative[1:].lstrip(b"\xbb")
    if stripped[:1] != b"\xba":
        raise DecodeError("the padding of the representative is not BB .. BA", offset=1, clause=_CLAUSE)
    return len(representative) - len(stripped) + 1


def _failure(detail: str) -> VerificationError:
    return VerificationError(Reason.SIG_CRYPTO_FAILURE, detail, clause="Doc 9303-11 6.1")
