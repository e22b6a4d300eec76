"""Ways to write EF.SOD that no issuer would: pieces of genuine ones put together anew, signed or not. SPECIMEN."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from eid.codec import cms, der, oid
from eid.codec.algorithm import digest_identifier
from eid.codec.x509 import decode_certificate
from eid.lds.sod import build_lds_security_object, encode_ef_sod
from tests.builders import issuer
from tests.builders.document import Document


def hashes_of(document: Document) -> dict[int, bytes]:
    """SHA-256 of the document's data groups by number."""
    groups = {name: raw for name, raw in document.files.items() if name.startswith("DG")}
    return {int(name[2:]): hashlib.sha256(raw).digest() for name, raw in groups.items()}


def with_sod(document: Document, sod: bytes) -> Document:
    """The document with another EF.SOD."""
    return document.with_files(EF_SOD=sod)


def signed_at(document: Document, time: datetime | None) -> Document:
    """The document, signed anew with this signing time, or none."""
    content = build_lds_security_object("sha256", hashes_of(document))
    signed = issuer.signed_data(document.signer, document.signer_certificate, content, signing_time=time)
    return with_sod(document, encode_ef_sod(signed))


def by_signer(document: Document, key: issuer.Key, certificate: bytes) -> Document:
    """The document, signed anew by another signer."""
    made = replace(document, signer=key, signer_certificate=certificate)
    return with_sod(made, issuer.ef_sod(key, certificate, hashes_of(document)))


def sod_with(
    document: Document,
    *,
    content: bytes | None = None,
    content_type: str = oid.LDS_SECURITY_OBJECT,
    attributes: Callable[[bytes], bytes] = lambda raw: raw,
    sign: Callable[[bytes], bytes] | None = None,
    certificates: tuple[bytes, ...] | None = None,
    signer: bytes | tuple[bytes, int] | None = None,
) -> bytes:
    """EF.SOD with pieces replaced.

    Args:
        attributes: changes the signed attributes (SET OF) before they are signed. sign: makes the signature.
        certificates: what is carried. signer: how SignerInfo names the signer.
    """
    key, raw = document.signer, document.signer_certificate
    made = build_lds_security_object("sha256", hashes_of(document)) if content is None else content
    named = decode_certificate(raw)
    digest = hashlib.new(key.hash_name, made).digest()
    signed = attributes(cms.encode_signed_attributes(content_type, digest, issuer.SIGNING_TIME))
    info = cms.encode_signer_info(
        signer=(named.issuer_raw, named.serial) if signer is None else signer,
        digest_algorithm=digest_identifier(key.hash_name),
        signed_attributes=signed,
        signature_algorithm=key.algorithm,
        signature=(sign or key.sign)(signed),
    )
    return encode_ef_sod(
        cms.encode_signed_data(
            content_type=content_type,
            content=made,
            digest_algorithm=digest_identifier(key.hash_name),
            certificates=(raw,) if certificates is None else certificates,
            signer_info=info,
        )
    )


def split(raw: bytes) -> list[bytes]:
    """The elements inside of one DER element."""
    _, _, start, stop = next(iter(der.split(raw, 0, len(raw), "element")))
    return [raw[at:behind] for at, _, _, behind in der.split(raw, start, stop, "content")]


def join(tag: int, parts: list[bytes]) -> bytes:
    """One DER element of elements."""
    return der.encode(tag, b"".join(parts))


def rebuild_signed_data(sod: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """EF.SOD with the fields of its SignedData changed; all lengths stay right."""
    content_info = split(sod)[0]
    name, explicit = split(content_info)
    signed_data = split(explicit)[0]
    changed = join(der.SEQUENCE, change(split(signed_data)))
    return join(0x77, [join(der.SEQUENCE, [name, join(0xA0, [changed])])])
