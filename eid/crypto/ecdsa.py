"""ECDSA signature values, and verification by integers for curves that the library lacks (TR-03111 4.2.1, 5.2).

Verification handles public values only, so plain integer arithmetic gives nothing away.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from eid.codec.der import check_end, encode_integer, encode_sequence, read_integer, read_sequence
from eid.crypto.curves import Curve
from eid.crypto.points import Point, encode_point, is_on_curve, multiply_add
from eid.errors import DecodeError, LocalProtocolError, PeerProtocolError

_NAME = "ECDSA-Sig-Value"
_MAX_SIGNATURE = 256  # octets; the largest curve needs 139


@dataclass(frozen=True, slots=True)
class OwnEcPublicKey:
    """A public key on a curve that the library lacks.

    Raises:
        DecodeError: the point is not on the curve.
    """

    curve: Curve
    point: Point

    def __post_init__(self) -> None:
        if not is_on_curve(self.curve, self.point):
            raise DecodeError(f"the public key is not on {self.curve.name}", clause="TR-03111 3.2.2.1")


def build_ec_public_key(curve: Curve, point: Point) -> ec.EllipticCurvePublicKey | OwnEcPublicKey:
    """The public key of a point: the library's where it has the curve, else our own.

    Raises:
        DecodeError: the point is not on the curve.
    """
    own = OwnEcPublicKey(curve, point)
    if curve.library is None:
        return own
    return ec.EllipticCurvePublicKey.from_encoded_point(curve.library, encode_point(curve, point))


def verify_integers(key: OwnEcPublicKey, message_digest: bytes, r: int, s: int) -> bool:
    """Whether (r, s) signs the digest, TR-03111 4.2.1.2; the digest is cut to the order's bits."""
    n = key.curve.n
    if not (0 < r < n and 0 < s < n):
        return False
    surplus = max(0, 8 * len(message_digest) - n.bit_length())
    e = int.from_bytes(message_digest, "big") >> surplus
    inverse = pow(s, -1, n)
    try:
        x, _ = multiply_add(key.curve, e * inverse % n, r * inverse % n, key.point)
    except PeerProtocolError:  # infinity: step 4 of the clause refuses it
        return False
    return x % n == r


def encode_ecdsa_der(r: int, s: int) -> bytes:
    """ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } in DER (RFC 3279 2.2.3, TR-03111 5.2.2).

    Raises:
        LocalProtocolError: r or s is not positive.
    """
    if r <= 0 or s <= 0:
        raise LocalProtocolError("r and s of a signature are positive")
    return encode_sequence(encode_integer(r), encode_integer(s))


def decode_ecdsa_der(raw: bytes, n: int) -> tuple[int, int]:
    """(r, s) of an ECDSA-Sig-Value in strict DER: shortest lengths and integers, nothing behind.

    Args:
        raw: the signature value.
        n: the curve's order; r and s must be in 1..n-1.

    Raises:
        DecodeError: any deviation.
    """
    offset, end = read_sequence(raw, _NAME, _MAX_SIGNATURE)
    r, offset = read_integer(raw, offset, end, _NAME)
    s, offset = read_integer(raw, offset, end, _NAME)
    check_end(offset, end, _NAME)
    _require_range(r, s, n)
    return r, s


def encode_ecdsa_plain(r: int, s: int, n: int) -> bytes:
    """r | s, each as long as the order (TR-03111 5.2.1).

    Raises:
        LocalProtocolError: r or s is not in 1..n-1.
    """
    if not (0 < r < n and 0 < s < n):
        raise LocalProtocolError("r and s of a signature are in 1..n-1")
    size = (n.bit_length() + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def decode_ecdsa_plain(raw: bytes, n: int) -> tuple[int, int]:
    """(r, s) of r | s, each as long as the order (TR-03111 5.2.1).

    Raises:
        DecodeError: another length, or r or s is not in 1..n-1.
    """
    size = (n.bit_length() + 7) // 8
    if len(raw) != 2 * size:
        raise DecodeError(f"a plain ECDSA signature has {2 * size} octets, not {len(raw)}", clause="TR-03111 5.2.1")
    r, s = int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big")
    _require_range(r, s, n)
    return r, s


def _require_range(r: int, s: int, n: int) -> None:
    if not (0 < r < n and 0 < s < n):
        raise DecodeError("r or s of an ECDSA signature is not in 1..n-1", clause="TR-03111 4.2.1.2")
