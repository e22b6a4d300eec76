"""COSE_Sign1 with ES256 (RFC 9052 4.2, RFC 9053 2.1): syntax only, nothing is signed or verified here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.codec.cbor import CborKey, CborValue, Tagged, decode_cbor, encode_cbor
from eid.errors import DecodeError

TAG_COSE_SIGN1: Final = 18
HEADER_ALGORITHM: Final = 1
HEADER_CONTENT_TYPE: Final = 3
HEADER_KEY_ID: Final = 4
ES256: Final = -7
SIGNATURE_LENGTH: Final = 64  # r || s, 32 octets each
CONTEXT: Final = "Signature1"


@dataclass(frozen=True, slots=True)
class CoseSign1:
    """A COSE_Sign1 structure; headers decoded, `protected` also as it was signed."""

    protected: bytes
    protected_header: dict[CborKey, CborValue]
    unprotected_header: dict[CborKey, CborValue]
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def to_be_signed(self) -> bytes:
        """Sig_structure, the octets that are signed (RFC 9052 4.4), without external data."""
        return encode_sig_structure(self.protected, self.payload)

    def encode(self) -> bytes:
        """The structure's bytes, tagged."""
        parts: list[CborValue] = [self.protected, self.unprotected_header, self.payload, self.signature]
        return encode_cbor(Tagged(TAG_COSE_SIGN1, parts))


def encode_sig_structure(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of a COSE_Sign1 (RFC 9052 4.4)."""
    return encode_cbor([CONTEXT, protected, b"", payload])


def decode_cose_sign1(raw: bytes, *, max_octets: int) -> CoseSign1:
    """Decode a tagged COSE_Sign1 in deterministic encoding, its payload inside.

    Raises:
        DecodeError: another structure, or a header label in both headers (RFC 9052 3).
    """
    match decode_cbor(raw, max_octets=max_octets):
        case Tagged(tag=18, value=[bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]):
            header = decode_cbor(protected, max_octets=len(protected))
        case _:
            raise DecodeError("not a COSE_Sign1 structure", offset=0, clause="RFC 9052 4.2")
    if not isinstance(header, dict) or header.keys() & unprotected.keys():
        raise DecodeError("COSE headers are malformed", clause="RFC 9052 3")
    return CoseSign1(protected, header, unprotected, payload, signature)
