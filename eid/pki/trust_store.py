"""The trust store: CSCA certificates that an operator accepted, their link certificates, and CRLs, indexed by name.

With them come what the operator distrusts, and what issuing states say of their own documents.

It is a value: made once from bytes, never changed, judged by its digest. What cannot be used is kept with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, TypeVar

from eid.codec.crl import CertificateList, decode_crl
from eid.codec.defect import Defect
from eid.codec.extensions import KeyUsage
from eid.codec.name import NormalisedName, decode_name
from eid.codec.x509 import Certificate
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import PublicKey, is_rsa, verify_signature
from eid.errors import DecodeError, Reason, VerificationError
from eid.pki.deviation_list import Deviation, DeviationList, encode_deviation_list
from eid.pki.distrust import Distrust, DistrustList
from eid.pki.reading import read_certificate
from eid.pki.signer_source import NO_SIGNERS, SignerSource, digest_fingerprints

K = TypeVar("K", bound=Hashable)
NO_DISTRUST: Final = DistrustList()


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA certificate of the store with its key loaded.

    Args:
        subject: its name as text. is_anchor: self-signed and accepted by the operator; a link certificate is none.
        defects: departures from Doc 9303-12 that were met in it.
    """

    certificate: Certificate
    public_key: PublicKey = field(repr=False)
    subject: str
    is_anchor: bool
    defects: tuple[Defect, ...] = ()

    @property
    def raw(self) -> bytes:
        """The certificate, DER."""
        return self.certificate.raw


@dataclass(frozen=True, slots=True)
class Unusable:
    """A certificate or CRL of the store that cannot be used, and why."""

    fingerprint: str
    why: str


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Accepted CA certificates and CRLs. Make one with `build_trust_store`.

    Args:
        digest: SHA-256 over the fingerprints of all that it was made from.
        signers: certificates of document signers, untrusted. distrusts: what the operator distrusts.
        deviation_lists: verified ones.
        newest_list: thisUpdate of the youngest CRL that counts, UTC: no clock that is right shows less.
    """

    authorities: tuple[Authority, ...]
    crls: tuple[CertificateList, ...]
    unusable: tuple[Unusable, ...]
    digest: bytes
    _by_subject: Mapping[bytes, tuple[Authority, ...]] = field(repr=False)
    _by_name: Mapping[NormalisedName, tuple[Authority, ...]] = field(repr=False)
    _crls_by_authority: Mapping[bytes, tuple[CertificateList, ...]] = field(repr=False)
    _later_keys: Mapping[bytes, tuple[Authority, ...]] = field(repr=False)
    newest_list: datetime | None = None
    signers: SignerSource = field(default=NO_SIGNERS, repr=False)
    distrusts: DistrustList = field(default=NO_DISTRUST, repr=False)
    deviation_lists: tuple[DeviationList, ...] = ()

    @property
    def anchors(self) -> tuple[Authority, ...]:
        """The self-signed certificates at which a path may end."""
        return tuple(item for item in self.authorities if item.is_anchor)

    def candidates(self, certificate: Certificate) -> tuple[Authority, ...]:
        """Authorities whose subject is the certificate's issuer: by octets, else by normalised name."""
        found = self._by_subject.get(certificate.issuer_raw)
        if found is None:
            found = self._by_name.get(_normalised(certificate.issuer_raw), ())
        return found

    def crls_of(self, authority: Authority) -> tuple[CertificateList, ...]:
        """The CRLs that this authority's key signed, newest first; their signatures are verified already."""
        return self._crls_by_authority.get(authority.raw, ())

    def crls_covering(self, authority: Authority, time: datetime) -> tuple[tuple[CertificateList, ...], ...]:
        """The CRLs that list what this authority issued, by key, newest first: its own, and those of later keys.

        A CRL speaks for its issuer's name, not for one key (RFC 5280 5, 6.3.3): after a roll-over most states sign one
        list, with the new key, for all that they issued. An earlier key, which may be a weaker one, does not speak for
        a later one; nor does a key that is distrusted, or whose certificate is over, at the time of judging (UTC).
        """
        later = self._later_keys.get(authority.raw, ())
        keys = (authority, *(item for item in later if self._may_speak(item, time))) if later else (authority,)
        return tuple([lists for item in keys if (lists := self.crls_of(item))])

    def signer_of(self, crl: CertificateList, authority: Authority) -> Authority:
        """The authority whose key signed a CRL out of `crls_covering`: this one, or a later key of its name."""
        later = self._later_keys.get(authority.raw)
        if later is None:  # as of most states
            return authority
        keys = (authority, *later)
        return next((item for item in keys if any(crl is known for known in self.crls_of(item))), authority)

    def _may_speak(self, authority: Authority, time: datetime) -> bool:
        distrust = self.distrusts.find(authority.certificate)
        return time <= authority.certificate.not_after and (distrust is None or distrust.since > time)

    def find_signers(self, issuer_raw: bytes, serial: int) -> tuple[bytes, ...]:
        """Document signers' certificates, DER, by issuer (DER) and serial number: untrusted until a path is found."""
        return self.signers.find(issuer_raw, serial)

    def find_signers_by_key(self, subject_key_identifier: bytes) -> tuple[bytes, ...]:
        """Document signers' certificates, DER, by subject key identifier: untrusted until a path is found."""
        return self.signers.find_by_key(subject_key_identifier)

    def verify_not_distrusted(self, certificates: Iterable[Certificate], time: datetime) -> None:
        """Accept the certificates of a path at the time of judging (UTC).

        Raises:
            VerificationError: CSCA_DISTRUSTED, the operator distrusts one of their keys since then or earlier.
        """
        self.distrusts.verify(certificates, time)

    def deviations_of(
        self,
        signer: Certificate,
        *,
        document_type: str | None = None,
        document_number: str | None = None,
        issued_on: date | None = None,
    ) -> tuple[Deviation, ...]:
        """What the issuing state says is wrong with the documents of this signer, type, number and date of issue."""
        return tuple(
            deviation
            for item in self.deviation_lists
            for deviation in item.find(
                signer, document_type=document_type, document_number=document_number, issued_on=issued_on
            )
        )


def build_trust_store(
    certificates: Iterable[bytes],
    crls: Iterable[bytes] = (),
    *,
    signers: SignerSource = NO_SIGNERS,
    distrusts: Iterable[Distrust] = (),
    deviation_lists: Iterable[DeviationList] = (),
    self_signed: Container[bytes] = frozenset(),
) -> TrustStore:
    """Make a trust store of certificates and CRLs, DER each, that the operator accepted.

    Nothing is refused as a whole: what cannot be used is listed in `unusable`. A CRL counts only where its signature
    verifies under an authority of its issuer's name.

    Args:
        signers: document signers' certificates that are at hand. distrusts: what the operator distrusts.
        deviation_lists: whose signatures were verified.
        self_signed: SHA-256 of certificates whose own signature was verified before, so that it need not be again.
    """
    raw_certificates, raw_crls = sorted(set(certificates)), sorted(set(crls))
    unusable: list[Unusable] = []
    authorities = [
        item for raw in raw_certificates if (item := _load_authority(raw, unusable, self_signed)) is not None
    ]
    by_name = _index(authorities, lambda item: _normalised(item.certificate.subject_raw))
    # By the octets of a name all who bear it, however they write it: a state may change the string type at a roll-over.
    by_subject = {item.certificate.subject_raw: group for group in by_name.values() for item in group}
    lists = [crl for raw in raw_crls if (crl := _load_crl(raw, unusable)) is not None]
    crls_by_authority = _assign_crls(lists, by_name, unusable)
    distrusted, deviations = DistrustList(distrusts), tuple(deviation_lists)
    return TrustStore(
        tuple(authorities),
        tuple(lists),
        tuple(unusable),
        _digest((*raw_certificates, *raw_crls), signers, distrusted, deviations),
        MappingProxyType(by_subject),
        MappingProxyType(by_name),
        MappingProxyType(crls_by_authority),
        MappingProxyType(_find_later_keys(by_name.values(), crls_by_authority)),
        max((crl.this_update for signed in crls_by_authority.values() for crl in signed), default=None),
        signers,
        distrusted,
        deviations,
    )


def _digest(
    material: Iterable[bytes], signers: SignerSource, distrusts: DistrustList, deviation_lists: Iterable[DeviationList]
) -> bytes:
    """One value for all that a verdict may rest on."""
    entries = (
        item.fingerprint + item.key_id + f"{item.since.isoformat()} {item.reason}".encode()
        for item in distrusts.entries
    )
    lists = (item.country.encode() + encode_deviation_list(item) for item in deviation_lists)
    parts = [digest_fingerprints(hashlib.sha256(raw).digest() for raw in group) for group in (material, entries, lists)]
    return hashlib.sha256(b"".join((*parts, signers.digest))).digest()


def _index(authorities: Iterable[Authority], key: Callable[[Authority], K]) -> dict[K, tuple[Authority, ...]]:
    index: dict[K, tuple[Authority, ...]] = {}
    for item in authorities:
        index[key(item)] = (*index.get(key(item), ()), item)
    return index


def _normalised(raw: bytes) -> NormalisedName:
    defects: list[Defect] = []
    return decode_name(raw, defects=defects).normalised


def _load_authority(raw: bytes, unusable: list[Unusable], self_signed: Container[bytes]) -> Authority | None:
    defects: list[Defect] = []
    try:
        certificate = read_certificate(raw, defects)
        key = load_public_key(certificate.spki_raw)
        subject = str(certificate.subject(defects))
        is_anchor = hashlib.sha256(raw).digest() in self_signed or is_self_signed(certificate, key, defects)
    except (DecodeError, VerificationError) as error:
        unusable.append(Unusable(hashlib.sha256(raw).hexdigest(), str(error)))
        return None
    return Authority(certificate, key, subject, is_anchor, tuple(defects))


def is_self_signed(certificate: Certificate, key: PublicKey, defects: list[Defect]) -> bool:
    """Whether the certificate's issuer is its subject, and its own key signed it.

    Raises:
        VerificationError, DecodeError: as `is_signed_by`, and for a name that cannot be read.
    """
    if not certificate.is_self_issued:
        subject = certificate.subject(defects).normalised
        if certificate.issuer(defects).normalised != subject:
            return False
    return is_signed_by(certificate, key)


def is_signed_by(certificate: Certificate | CertificateList, key: PublicKey) -> bool:
    """Whether the key signed the certificate or CRL.

    Raises:
        VerificationError: ALGORITHM_UNSUPPORTED. DecodeError: malformed algorithm parameters.
    """
    algorithm = decode_signature_algorithm(certificate.signature_algorithm)
    if is_rsa(key) != algorithm.kind.startswith("rsa"):
        return False  # a key of another kind did not sign it: states roll over from RSA to EC under one name
    try:
        verify_signature(key, algorithm, certificate.tbs_raw, certificate.signature)
    except VerificationError as error:
        if error.reason is Reason.SIG_CRYPTO_FAILURE:
            return False
        raise
    return True


def _load_crl(raw: bytes, unusable: list[Unusable]) -> CertificateList | None:
    defects: list[Defect] = []
    try:
        crl = decode_crl(raw, defects)
        crl.issuer(defects)
        crl.extensions.crl_number(defects)
    except DecodeError as error:
        unusable.append(Unusable(hashlib.sha256(raw).hexdigest(), str(error)))
        return None
    # A partitioned, indirect or delta CRL says less than it seems to (RFC 5280 5.2.4, 5.2.5).
    if crl.extensions.unknown_critical or crl.revoked.unknown_critical:
        unusable.append(Unusable(hashlib.sha256(raw).hexdigest(), "a critical extension is unknown (RFC 5280 5.2)"))
        return None
    return crl


def _assign_crls(
    crls: list[CertificateList],
    by_name: Mapping[NormalisedName, tuple[Authority, ...]],
    unusable: list[Unusable],
) -> dict[bytes, tuple[CertificateList, ...]]:
    assigned: dict[bytes, tuple[CertificateList, ...]] = {}
    for crl in crls:
        signed = [item for item in by_name.get(_normalised(crl.issuer_raw), ()) if _signed(crl, item)]
        signers = [item for item in signed if _may_sign_crls(item)]
        if not signers:
            why = (
                "its issuer's key usage does not allow it" if signed else "no authority of its issuer's name signed it"
            )
            unusable.append(Unusable(hashlib.sha256(crl.raw).hexdigest(), f"{why} (RFC 5280 6.3.3)"))
        for signer in signers:
            together = (*assigned.get(signer.raw, ()), crl)
            assigned[signer.raw] = tuple(sorted(together, key=_freshness, reverse=True))
    return assigned


def _find_later_keys(
    namesakes: Iterable[tuple[Authority, ...]], crls: Container[bytes]
) -> dict[bytes, tuple[Authority, ...]]:
    """For each authority the anchors of its name, of another key and not older, that signed CRLs."""
    found: dict[bytes, tuple[Authority, ...]] = {}
    for group in namesakes:
        signers = [item for item in group if item.is_anchor and item.raw in crls]
        for authority in group:
            mine = authority.certificate
            later = tuple(
                item
                for item in signers
                if item.certificate.spki_raw != mine.spki_raw and item.certificate.not_before >= mine.not_before
            )
            if later:
                found[authority.raw] = later
    return found


def _may_sign_crls(authority: Authority) -> bool:
    """RFC 5280 6.3.3 (f): the key usage, where there is one, has cRLSign."""
    usage = authority.certificate.extensions.key_usage
    return usage is None or bool(usage & KeyUsage.CRL_SIGN)


def _signed(crl: CertificateList, authority: Authority) -> bool:
    try:
        return is_signed_by(crl, authority.public_key)
    except (DecodeError, VerificationError):
        return False


def _freshness(crl: CertificateList) -> tuple[int, float]:
    """CRL number first, date second (RFC 5280 5.2.3)."""
    return crl.extensions.crl_number([]) or 0, crl.this_update.timestamp()
