"""One certificate or CRL of the world, examined: what it is, whether it can be used, and what is wrong with it.

Nothing is refused here. What no library loads is kept with its reason, so that a list is never dropped for one entry.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from eid.codec import oid
from eid.codec.crl import CertificateList, decode_crl
from eid.codec.defect import Defect
from eid.codec.extensions import KeyUsage
from eid.codec.name import decode_name
from eid.codec.x509 import Certificate
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey
from eid.errors import DecodeError, VerificationError
from eid.pki.distrust import identify_key
from eid.pki.lint import Finding, Grade, Kind, grade_defects, lint_certificate
from eid.pki.reading import read_certificate
from eid.pki.trust_store import is_self_signed

UNREADABLE: Final = "UNREADABLE"
UNUSABLE: Final = "UNUSABLE"
NOT_SELF_SIGNED: Final = "NOT_SELF_SIGNED"


@dataclass(frozen=True, slots=True)
class ExaminedCertificate:
    """What a certificate turned out to be.

    Args:
        raw: as it was found. certificate: None where it cannot be read. key: None where it cannot be loaded.
        subject, issuer: names as text. country: upper case, "" where there is none.
        subject_id, issuer_id: SHA-256 of the normalised names. key_id: see `identify_key`.
        why: why it cannot be used, "" where it can. findings: graded.
    """

    raw: bytes = field(repr=False)
    kind: Kind
    certificate: Certificate | None
    key: PublicKey | None = field(repr=False)
    country: str
    subject: str
    issuer: str
    subject_id: bytes
    issuer_id: bytes
    key_id: bytes
    why: str
    findings: tuple[Finding, ...]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the octets as they were found."""
        return hashlib.sha256(self.raw).digest()

    @property
    def is_usable(self) -> bool:
        """Whether it can be read and its key used."""
        return not self.why


def examine_certificate(raw: bytes) -> ExaminedCertificate:
    """Examine a certificate, whatever the octets are."""
    defects: list[Defect] = []
    try:
        certificate = read_certificate(raw, defects)
    except DecodeError as error:
        return _unreadable(raw, error)
    key, why = _load_key(certificate)
    subject, subject_id, subject_failure = _read_name(certificate.subject_raw, defects)
    issuer, issuer_id, issuer_failure = _read_name(certificate.issuer_raw, defects)
    kind, doubt = _find_kind(certificate, key)
    certificate.extensions.check(defects)
    why = why or subject_failure or issuer_failure
    findings = [*grade_defects(defects), *lint_certificate(certificate, kind, key)]
    if doubt:
        findings.append(Finding(NOT_SELF_SIGNED, Grade.ERROR, doubt, "Doc 9303-12 7.1, table 6"))
    if why:
        findings.append(Finding(UNUSABLE, Grade.ERROR, why, "Doc 9303-12 7.1"))
    return ExaminedCertificate(
        raw,
        kind,
        certificate,
        key,
        certificate.country or certificate.issuer_country or "",
        subject,
        issuer,
        subject_id,
        issuer_id,
        identify_key(certificate.spki_raw),
        why,
        tuple(findings),
    )


def _unreadable(raw: bytes, error: DecodeError) -> ExaminedCertificate:
    finding = Finding(UNREADABLE, Grade.ERROR, f"no certificate: {error}", error.clause or "RFC 5280 4.1")
    nothing = bytes(32)
    return ExaminedCertificate(
        raw, Kind.OTHER, None, None, "", "", "", nothing, nothing, nothing, finding.what, (finding,)
    )


def _load_key(certificate: Certificate) -> tuple[PublicKey | None, str]:
    try:
        return load_public_key(certificate.spki_raw), ""
    except (DecodeError, VerificationError) as error:
        return None, str(error)


def _read_name(raw: bytes, defects: list[Defect]) -> tuple[str, bytes, str]:
    """The name as text, its identifier, and why it cannot be read."""
    text, name_id, failure, found = _describe_name(raw)
    defects.extend(found)
    return text, name_id, failure


@lru_cache(maxsize=256)  # thousands of signers' certificates name the same few issuers
def _describe_name(raw: bytes) -> tuple[str, bytes, str, tuple[Defect, ...]]:
    defects: list[Defect] = []
    try:
        name = decode_name(raw, defects=defects)
    except DecodeError as error:
        return "", hashlib.sha256(raw).digest(), str(error), ()
    relative_names = [sorted(pairs) for pairs in name.normalised]
    return str(name), hashlib.sha256(repr(relative_names).encode()).digest(), "", tuple(defects)


def identify_name(raw: bytes) -> bytes:
    """SHA-256 over what writings of one name have in common (RFC 5280 7.1); of one that cannot be read, its octets."""
    return _describe_name(raw)[1]


def _find_kind(certificate: Certificate, key: PublicKey | None) -> tuple[Kind, str]:
    """What the certificate is by what it says, and a doubt about one that looks like a root and is none.

    Nothing is trusted for its kind: an anchor is what its own key signed, wherever a path ends.
    """
    extensions = certificate.extensions
    purposes = extensions.extended_key_usage or ()
    constraints, usage = extensions.basic_constraints, extensions.key_usage
    if constraints is None:
        is_root = _is_same_name(certificate) and (usage is None or bool(usage & KeyUsage.KEY_CERT_SIGN))
        if not is_root or purposes:
            return _find_signer_kind(purposes, usage), ""
    elif not constraints.ca:
        return _find_signer_kind(purposes, usage), ""
    if not _is_same_name(certificate):
        return Kind.LINK, ""
    try:
        if key is not None and is_self_signed(certificate, key, []):
            return Kind.CSCA, ""
    except (DecodeError, VerificationError) as error:
        return Kind.CSCA, str(error)
    named, own = extensions.authority_key_identifier, extensions.subject_key_identifier
    names_itself = named is None or named.key_identifier is None or named.key_identifier == own
    if key is None:
        return (Kind.CSCA if names_itself else Kind.LINK), ""
    return Kind.LINK, "it names no other key than its own, which did not sign it" if names_itself else ""


def _is_same_name(certificate: Certificate) -> bool:
    return identify_name(certificate.issuer_raw) == identify_name(certificate.subject_raw)


def _find_signer_kind(purposes: tuple[str, ...], usage: int | None) -> Kind:
    if oid.CSCA_MASTER_LIST_SIGNING_KEY in purposes:
        return Kind.ML_SIGNER
    if oid.DEVIATION_LIST_SIGNING_KEY in purposes:
        return Kind.DVL_SIGNER
    signs = usage is None or bool(usage & KeyUsage.DIGITAL_SIGNATURE)
    return Kind.DS if signs and (not purposes or oid.ANY_EXTENDED_KEY_USAGE in purposes) else Kind.OTHER


@dataclass(frozen=True, slots=True)
class ExaminedCrl:
    """What a CRL turned out to be; who signed it is the trust store's question.

    Args:
        crl: None where it cannot be read. number: None where it has none. issuer_id: as of certificates.
    """

    raw: bytes = field(repr=False)
    crl: CertificateList | None
    country: str
    issuer: str
    issuer_id: bytes
    number: int | None
    why: str
    findings: tuple[Finding, ...]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the octets as they were found."""
        return hashlib.sha256(self.raw).digest()


_CRL_CLAUSE: Final = "Doc 9303-12 7.1.4, tables 9 and 10"


def examine_crl(raw: bytes) -> ExaminedCrl:
    """Examine a CRL, whatever the octets are."""
    defects: list[Defect] = []
    try:
        crl = decode_crl(raw, defects)
    except DecodeError as error:
        finding = Finding(UNREADABLE, Grade.ERROR, f"no CRL: {error}", error.clause or "RFC 5280 5.1")
        return ExaminedCrl(raw, None, "", "", bytes(32), None, finding.what, (finding,))
    issuer, issuer_id, why = _read_name(crl.issuer_raw, defects)
    try:
        number = crl.extensions.crl_number(defects)
    except DecodeError as error:
        number, why = None, why or str(error)
    # A partitioned, indirect or delta CRL says less than it seems to (RFC 5280 5.2.4, 5.2.5).
    if crl.extensions.unknown_critical or crl.revoked.unknown_critical:
        why = why or "a critical extension is unknown (RFC 5280 5.2)"
    findings = [*grade_defects(defects), *_lint_crl(crl, number)]
    if why:
        findings.append(Finding(UNUSABLE, Grade.ERROR, why, _CRL_CLAUSE))
    return ExaminedCrl(raw, crl, crl.issuer_country or "", issuer, issuer_id, number, why, tuple(findings))


def _lint_crl(crl: CertificateList, number: int | None) -> list[Finding]:
    findings = []
    if crl.version != 2:
        findings.append(Finding("VERSION", Grade.WARNING, f"version {crl.version}, not 2", _CRL_CLAUSE))
    if number is None:
        findings.append(Finding("CRL_NUMBER_MISSING", Grade.WARNING, "no cRLNumber", _CRL_CLAUSE))
    if crl.next_update is None:
        findings.append(Finding("NEXT_UPDATE_MISSING", Grade.ERROR, "no nextUpdate", _CRL_CLAUSE))
    elif crl.next_update <= crl.this_update:
        findings.append(Finding("VALIDITY", Grade.ERROR, "nextUpdate is not after thisUpdate", _CRL_CLAUSE))
    if crl.extensions.authority_key_identifier is None:
        findings.append(Finding("EXTENSION_MISSING", Grade.NOTICE, "no authorityKeyIdentifier", _CRL_CLAUSE))
    return findings
