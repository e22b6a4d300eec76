"""Writing card-verifiable certificates and requests (TR-03110-3 C and D)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from eid.codec import cv_tags as tags
from eid.codec.bcd import encode_unpacked_bcd
from eid.codec.cv import Chat, CvExtension, CvPublicKey, CvRsaPublicKey, decode_reference
from eid.codec.oid import encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.errors import DecodeError


def encode_cv_body(
    *,
    authority_reference: str,
    public_key: CvPublicKey,
    holder_reference: str,
    chat: Chat,
    effective_date: date,
    expiration_date: date,
    extensions: Sequence[CvExtension] = (),
) -> bytes:
    """Certificate body (7F4E) with its header: what is to be signed.

    Raises:
        ValueError: a date outside 2000..2099 or a malformed reference; the caller's mistake.
    """
    return _encode_body(
        encode_tlv(tags.AUTHORITY_REFERENCE, _encode_reference(authority_reference)),
        encode_tlv(tags.PUBLIC_KEY, encode_cv_public_key(public_key)),
        encode_tlv(tags.HOLDER_REFERENCE, _encode_reference(holder_reference)),
        encode_chat(chat),
        encode_tlv(tags.EFFECTIVE_DATE, encode_cv_date(effective_date)),
        encode_tlv(tags.EXPIRATION_DATE, encode_cv_date(expiration_date)),
        _encode_extensions(extensions),
    )


def encode_cv_request_body(
    *,
    authority_reference: str | None,
    public_key: CvPublicKey,
    holder_reference: str,
    extensions: Sequence[CvExtension] = (),
) -> bytes:
    """Body (7F4E) of a request with its header: what its own key is to sign.

    Raises:
        ValueError: a malformed reference; the caller's mistake.
    """
    reference = b""
    if authority_reference is not None:
        reference = encode_tlv(tags.AUTHORITY_REFERENCE, _encode_reference(authority_reference))
    return _encode_body(
        reference,
        encode_tlv(tags.PUBLIC_KEY, encode_cv_public_key(public_key)),
        encode_tlv(tags.HOLDER_REFERENCE, _encode_reference(holder_reference)),
        _encode_extensions(extensions),
    )


def _encode_body(*objects: bytes) -> bytes:
    return encode_tlv(tags.BODY, encode_tlv(tags.PROFILE, b"\x00") + b"".join(objects))


def encode_cv_certificate(body: bytes, signature: bytes) -> bytes:
    """CV certificate or request (7F21) from its body and the signature over it."""
    return encode_tlv(tags.CV_CERTIFICATE, body + encode_tlv(tags.SIGNATURE, signature))


def encode_cv_authenticated_request_body(request: bytes, authority_reference: str) -> bytes:
    """What the outer signature of an authenticated request is over: the request and the CAR (TR-03110-3 C.2.2)."""
    return request + encode_tlv(tags.AUTHORITY_REFERENCE, _encode_reference(authority_reference))


def encode_cv_authenticated_request(body: bytes, signature: bytes) -> bytes:
    """Authenticated request (67) from its body and the outer signature."""
    return encode_tlv(tags.AUTHENTICATION, body + encode_tlv(tags.SIGNATURE, signature))


def encode_chat(chat: Chat) -> bytes:
    """CHAT with its tag 7F4C."""
    terminal_type = encode_tlv(tags.OID, encode_oid_content(chat.oid))
    content = terminal_type + encode_tlv(tags.DISCRETIONARY_DATA, chat.authorization)
    return encode_tlv(tags.CHAT, content)


def encode_cv_public_key(key: CvPublicKey) -> bytes:
    """Content of a public key data object (7F49)."""
    algorithm = encode_tlv(tags.OID, encode_oid_content(key.oid))
    if isinstance(key, CvRsaPublicKey):
        return algorithm + _encode_number(0x81, key.modulus) + _encode_number(0x82, key.public_exponent)
    point = encode_tlv(0x86, key.public_point)
    if key.parameters is None:
        return algorithm + point
    values = key.parameters
    cofactor = 1 if values.h is None else values.h
    objects = (
        _encode_number(0x81, values.p),
        _encode_number(0x82, values.a),
        _encode_number(0x83, values.b),
        encode_tlv(0x84, values.generator),
        _encode_number(0x85, values.n),
        point,
        _encode_number(0x87, cofactor),
    )
    return algorithm + b"".join(objects)


def _encode_number(tag: int, value: int) -> bytes:
    return encode_tlv(tag, value.to_bytes((value.bit_length() + 7) // 8 or 1, "big"))


def encode_cv_date(value: date) -> bytes:
    """Six unpacked BCD digits YYMMDD.

    Raises:
        ValueError: outside 2000..2099; the caller's mistake.
    """
    if not 2000 <= value.year < 2100:
        raise ValueError("a CV certificate's date is in 2000..2099")
    return encode_unpacked_bcd(f"{value:%y%m%d}")


def _encode_reference(reference: str) -> bytes:
    raw = reference.encode("latin-1")
    try:
        decode_reference(raw)
    except DecodeError as error:
        raise ValueError(error.what) from None
    return raw


def _encode_extensions(extensions: Sequence[CvExtension]) -> bytes:
    if not extensions:
        return b""
    templates = (
        encode_tlv(tags.DISCRETIONARY_TEMPLATE, encode_tlv(tags.OID, encode_oid_content(item.oid)) + item.content)
        for item in extensions
    )
    return encode_tlv(tags.EXTENSIONS, b"".join(templates))
