"""COSE_Sign1 with ES256 (RFC 9052 4.2, RFC 9053 2.1): syntax only, no key is held and nothing verified here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from eid.codec import der
from eid.codec.cbor import CborKey, CborValue, Tagged, decode_cbor, encode_cbor
from eid.errors import DecodeError

TAG_COSE_SIGN1: Final = 18
HEADER_ALGORITHM: Final = 1
HEADER_CONTENT_TYPE: Final = 3
HEADER_KEY_ID: Final = 4
ES256: Final = -7
SIGNATURE_LENGTH: Final = 64  # r || s, 32 octets each
KEY_ID_LENGTH: Final = 32  # SHA-256 of the signer's SubjectPublicKeyInfo
CONTEXT: Final = "Signature1"

_COORDINATE: Final = SIGNATURE_LENGTH // 2


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

    @property
    def key_id(self) -> bytes:
        """The key identifier of the protected header; b"" where there is none."""
        found = self.protected_header.get(HEADER_KEY_ID)
        return found if isinstance(found, bytes) else b""

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


def sign_cose(payload: bytes, content_type: str, signer: Callable[[bytes], bytes], key_id: bytes) -> bytes:
    """A COSE_Sign1 over a payload, ES256, with exactly three headers: algorithm, content type, key identifier.

    Args:
        signer: signs a message with a P-256 key and SHA-256, returns ECDSA-Sig-Value in DER, as `Signer.sign` does.
        key_id: SHA-256 of the key's SubjectPublicKeyInfo, 32 octets.

    Raises:
        ValueError: a malformed key identifier; the caller's mistake.
        DecodeError: the signer returned something else than a P-256 signature.
    """
    if len(key_id) != KEY_ID_LENGTH:
        raise ValueError(f"a key identifier has {KEY_ID_LENGTH} octets")
    header = _header(content_type, key_id)
    protected = encode_cbor(header)
    signature = _encode_plain_signature(signer(encode_sig_structure(protected, payload)))
    return CoseSign1(protected, header, {}, payload, signature).encode()


def decode_signed(raw: bytes, content_type: str, *, max_octets: int, clause: str) -> CoseSign1:
    """A COSE_Sign1 with exactly the headers that `sign_cose` gives it; its signature is not verified.

    Args:
        clause: of the format inside, for the error text.

    Raises:
        DecodeError: another structure, other headers, or a key identifier or signature of another length.
    """
    envelope = decode_cose_sign1(raw, max_octets=max_octets)
    if envelope.protected_header != _header(content_type, envelope.key_id) or envelope.unprotected_header:
        raise DecodeError(f"COSE headers are not those of {content_type}", clause=clause)
    if len(envelope.key_id) != KEY_ID_LENGTH or len(envelope.signature) != SIGNATURE_LENGTH:
        raise DecodeError("key identifier or signature of another length", clause=clause)
    return envelope


def _header(content_type: str, key_id: bytes) -> dict[CborKey, CborValue]:
    return {HEADER_ALGORITHM: ES256, HEADER_CONTENT_TYPE: content_type, HEADER_KEY_ID: key_id}


def _encode_plain_signature(signature: bytes) -> bytes:
    """R || s of an ECDSA-Sig-Value (RFC 9053 2.1)."""
    start, stop = der.read_sequence(signature, "ECDSA-Sig-Value")
    r, offset = der.read_unsigned(signature, start, stop, "r")
    s, offset = der.read_unsigned(signature, offset, stop, "s")
    der.check_end(offset, stop, "ECDSA-Sig-Value")
    if max(r, s).bit_length() > 8 * _COORDINATE:
        raise DecodeError("signature of another curve than P-256", clause="RFC 9053 2.1")
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
