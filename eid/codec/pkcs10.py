"""Requests for certificates, PKCS #10 (RFC 2986): what is asked for, by whom, and the octets that the asker signed."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from eid.codec import der
from eid.codec.algorithm import AlgorithmIdentifier, read_algorithm
from eid.errors import DecodeError

MAX_REQUEST: Final = 1 << 16  # octets
_CLAUSE: Final = "RFC 2986 4"
_ATTRIBUTES: Final = der.constructed(0)
_PEM: Final = re.compile(  # RFC 7468 7; the label with NEW is that of older programs
    rb"-----BEGIN ((?:NEW )?CERTIFICATE REQUEST)-----([A-Za-z0-9+/=\s]++)-----END \1-----"
)


@dataclass(frozen=True, slots=True)
class CertificationRequest:
    """A request as it stands; nothing is verified.

    Args:
        info_raw: CertificationRequestInfo, the octets that are signed. subject_raw, spki_raw: DER. The attributes are
            not kept: what a certificate says is its issuer's decision.
    """

    info_raw: bytes = field(repr=False)
    subject_raw: bytes
    spki_raw: bytes = field(repr=False)
    signature_algorithm: AlgorithmIdentifier
    signature: bytes = field(repr=False)


def decode_certification_request(raw: bytes) -> CertificationRequest:
    """Decode a request that fills the input (RFC 2986 4.2).

    Args:
        raw: DER, or PEM with one request in it; at most 65,536 octets.

    Raises:
        DecodeError: malformed.
    """
    raw = _unwrap(raw)
    offset, stop = der.read_sequence(raw, "CertificationRequest", MAX_REQUEST)
    info_offset = offset
    offset, info_stop = der.enter(raw, offset, stop, der.SEQUENCE, "CertificationRequestInfo")
    version, offset = der.read_unsigned(raw, offset, info_stop, "version")
    if version != 0:
        raise DecodeError("version of the request is not v1", offset=info_offset, clause="RFC 2986 4.1")
    subject_offset = offset
    _, offset = der.enter(raw, offset, info_stop, der.SEQUENCE, "subject")
    spki_offset = offset
    _, offset = der.enter(raw, offset, info_stop, der.SEQUENCE, "SubjectPublicKeyInfo")
    spki_stop = offset
    start, offset = der.enter(raw, offset, info_stop, _ATTRIBUTES, "attributes")
    for _ in der.split(raw, start, offset, "attributes"):
        pass
    der.check_end(offset, info_stop, "CertificationRequestInfo")
    algorithm, offset = read_algorithm(raw, offset, stop, "signatureAlgorithm")
    signature, offset = der.read_bit_string(raw, offset, stop, "signature")
    der.check_end(offset, stop, "CertificationRequest")
    return CertificationRequest(
        raw[info_offset:info_stop], raw[subject_offset:spki_offset], raw[spki_offset:spki_stop], algorithm, signature
    )


def _unwrap(raw: bytes) -> bytes:
    """The octets of the only PEM block, or the input where it is none."""
    if len(raw) > 2 * MAX_REQUEST or raw[:1] == b"\x30":
        return raw
    blocks = _PEM.findall(raw)
    if len(blocks) != 1:
        raise DecodeError("neither a request in DER nor one in PEM", clause="RFC 7468 7")
    try:
        return base64.b64decode(b"".join(blocks[0][1].split()), validate=True)
    except binascii.Error as error:
        raise DecodeError("the request's PEM is not base64", clause="RFC 7468 7") from error


def encode_request_info(subject: bytes, public_key_info: bytes) -> bytes:
    """CertificationRequestInfo, DER, without attributes: the octets to sign.

    Args:
        subject: Name, DER. public_key_info: SubjectPublicKeyInfo, DER.
    """
    return der.encode_sequence(der.encode_integer(0), subject, public_key_info, der.encode(_ATTRIBUTES, b""))


def encode_certification_request(info: bytes, algorithm: AlgorithmIdentifier, signature: bytes) -> bytes:
    """A request, DER, out of its signed octets and the signature over them."""
    return der.encode_sequence(info, algorithm.encode(), der.encode_bit_string(signature))


def wrap_request(raw: bytes) -> bytes:
    """A request in PEM (RFC 7468 7)."""
    text = base64.b64encode(raw)
    lines = b"\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + lines + b"\n-----END CERTIFICATE REQUEST-----\n"
