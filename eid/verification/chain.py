"""The certificates that stand behind a document, in words."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.codec.x509 import Certificate, decode_certificate, format_serial
from eid.crypto.hashes import digest
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import curve_of_key
from eid.errors import DecodeError, VerificationError
from eid.evidence import Evidence
from eid.lds.sod import decode_ef_sod
from eid.locale import clean_text
from eid.pki.cms_signature import is_named_by
from eid.pki.path import find_path
from eid.pki.trust_store import TrustStore


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One certificate. valid_from, valid_to: dates, ISO 8601. fingerprint: SHA-256, hexadecimal."""

    role: str
    subject: str
    serial: str
    valid_from: str
    valid_to: str
    key: str
    fingerprint: str


def describe_chain(evidence: Evidence, trust: TrustStore) -> tuple[ChainLink, ...]:
    """The document signer and, where a path to a trusted CSCA exists, the authorities above it; the signer first.

    Empty where EF.SOD holds no certificate that can be decoded.
    """
    signer = _find_signer(evidence)
    if signer is None:
        return ()
    try:
        authorities = find_path(signer, trust, []).authorities
    except (VerificationError, DecodeError):
        authorities = ()
    roles = ("CSCA" if item.is_anchor else "link" for item in authorities)
    above = (_describe(item.certificate, role) for item, role in zip(authorities, roles, strict=True))
    return (_describe(signer, "document signer"), *above)


def _find_signer(evidence: Evidence) -> Certificate | None:
    raw = evidence.content("EF.SOD")
    if raw is None:
        return None
    try:
        sod = decode_ef_sod(raw, [])
        certificates = [decode_certificate(item, []) for item in sod.certificates]
    except DecodeError:
        return None
    named = (item for item in certificates if is_named_by(item, sod.signed_data.signer_info))
    return next(named, None)


def _describe(certificate: Certificate, role: str) -> ChainLink:
    return ChainLink(
        role=role,
        subject=_subject(certificate),
        serial=format_serial(certificate.serial),
        valid_from=certificate.not_before.date().isoformat(),
        valid_to=certificate.not_after.date().isoformat(),
        key=_key(certificate),
        fingerprint=digest("sha256", certificate.raw).hex(),
    )


def _subject(certificate: Certificate) -> str:
    try:
        return clean_text(str(certificate.subject([])))
    except DecodeError:
        return "malformed name"


def _key(certificate: Certificate) -> str:
    try:
        key = load_public_key(certificate.spki_raw)
        return f"RSA-{key.key_size}" if isinstance(key, RSAPublicKey) else curve_of_key(key).name
    except (DecodeError, VerificationError):
        return "unknown"
