"""Certificate paths of Doc 9303-12: document signer, link certificates where keys rolled over, CSCA.

Signatures and constraints are checked here; validity in time is a question of its own, asked with an explicit time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eid.codec import oid
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.codec.extensions import BasicConstraints, KeyUsage
from eid.codec.x509 import Certificate
from eid.errors import Reason, VerificationError
from eid.pki.trust_store import Authority, TrustStore, is_signed_by

MAX_LENGTH: Final = 6  # document signer, four key roll-overs, CSCA
MAX_TRIES: Final = 256  # signatures verified for one path: keys of one name can vouch for each other in circles
_DIGITAL_SIGNATURE: Final = KeyUsage.DIGITAL_SIGNATURE.value  # as plain numbers, which are combined much quicker
_KEY_CERT_SIGN: Final = KeyUsage.KEY_CERT_SIGN.value


@dataclass(frozen=True, slots=True)
class CertificatePath:
    """A verified path: the signer's certificate and the authorities above it, the anchor last."""

    signer: Certificate
    authorities: tuple[Authority, ...]

    @property
    def issuer(self) -> Authority:
        """Who issued the signer's certificate."""
        return self.authorities[0]

    @property
    def anchor(self) -> Authority:
        """The trusted CSCA at the end."""
        return self.authorities[-1]

    @property
    def names(self) -> tuple[bytes, ...]:
        """Subjects of all certificates, DER, signer first."""
        return tuple([item.subject_raw for item in self.certificates])

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates, signer first."""
        return (self.signer, *[item.certificate for item in self.authorities])


def find_path(
    signer: Certificate, trust: TrustStore, defects: Defects = None, *, purpose: str | None = None
) -> CertificatePath:
    """Find a path from a signer's certificate to an anchor, every signature on it verified.

    Args:
        defects: where tolerable departures (BASIC_CONSTRAINTS, KEY_USAGE) are recorded; without it they are refused.
        purpose: extended key usage that the signer must have, dotted; None for signers of documents, which have none.

    Raises:
        VerificationError: NO_CERTIFICATE_CHAIN_FOUND, no authority of the issuer's name and key leads to an anchor;
            PATH_SIGNATURE_FAILURE, the very key that the certificate names did not sign it; CHAIN_CONSTRAINTS_FAILURE,
            an extension forbids it; ALGORITHM_UNSUPPORTED.
    """
    _require_signer(signer, purpose, defects)
    return CertificatePath(signer, _climb(signer, trust, MAX_LENGTH - 1, 0, defects, iter(range(MAX_TRIES))))


def _require_signer(signer: Certificate, purpose: str | None, defects: Defects) -> None:
    """Raise unless the certificate is one for signing documents, or for the purpose (Doc 9303-12 7.1.1, table 6)."""
    usage = signer.extensions.key_usage
    if usage is None:
        _tolerate_no_key_usage("the signer's certificate", defects)
    elif not usage & _DIGITAL_SIGNATURE:
        raise VerificationError(
            Reason.CHAIN_CONSTRAINTS_FAILURE,
            "the signer's key usage is no digital signature",
            clause="Doc 9303-12 7.1.1",
        )
    if signer.extensions.unknown_critical:
        raise VerificationError(
            Reason.CHAIN_CONSTRAINTS_FAILURE, "the signer has an unknown critical extension", clause="RFC 5280 4.2"
        )
    purposes = signer.extensions.extended_key_usage
    if purpose is not None:
        if purposes is None or purpose not in purposes:
            raise VerificationError(
                Reason.CHAIN_CONSTRAINTS_FAILURE,
                f"the signer's certificate lacks the extended key usage {purpose}",
                clause="Doc 9303-12 7.1.1.3",
            )
    elif purposes is not None and oid.ANY_EXTENDED_KEY_USAGE not in purposes:
        # Master list, deviation list and visible-seal signers have the same issuer, and each its own purpose.
        raise VerificationError(
            Reason.CHAIN_CONSTRAINTS_FAILURE,
            "the signer's certificate is for another purpose than documents",
            clause="RFC 5280 4.2.1.12",
        )


def _tolerate_no_key_usage(whose: str, defects: Defects) -> None:
    """Key usage is mandatory in every certificate (Doc 9303-12 table 6): without it a key says not what it is for."""
    what, clause = f"{whose} has no key usage", "Doc 9303-12 7.1.1, table 6"
    if defects is None:
        raise VerificationError(Reason.CHAIN_CONSTRAINTS_FAILURE, what, clause=clause)
    tolerate(defects, DefectCode.KEY_USAGE, what, 0, clause)


def _climb(
    certificate: Certificate, trust: TrustStore, room: int, below: int, defects: Defects, tries: Iterator[int]
) -> tuple[Authority, ...]:
    """The authorities above a certificate, of which `below` stand under the one that is looked for."""
    candidates = trust.candidates(certificate) if room else ()
    if not candidates:
        raise VerificationError(
            Reason.NO_CERTIFICATE_CHAIN_FOUND, "the trust store has no authority of the issuer's name"
        )
    failure: VerificationError | None = None
    if len(candidates) > 1:
        candidates = tuple(sorted(candidates, key=lambda item: _rank(item, certificate)))
    for candidate in candidates:
        if next(tries, None) is None:
            raise VerificationError(
                Reason.NO_CERTIFICATE_CHAIN_FOUND, f"no path was found with {MAX_TRIES} signatures verified"
            )
        try:
            _require_issued(certificate, candidate, below, defects)
            if candidate.is_anchor:
                return (candidate,)
            counted = below if _is_link(candidate.certificate) else below + 1
            return (candidate, *_climb(candidate.certificate, trust, room - 1, counted, defects, tries))
        except VerificationError as error:
            failure = failure if failure is not None and _weight(failure) >= _weight(error) else error
    raise failure or VerificationError(Reason.NO_CERTIFICATE_CHAIN_FOUND)


def _weight(failure: VerificationError) -> int:
    """Of several candidates' failures, tell the one that says most: none at all says least."""
    return (
        Reason.NO_CERTIFICATE_CHAIN_FOUND,
        Reason.PATH_SIGNATURE_FAILURE,
        Reason.ALGORITHM_UNSUPPORTED,
        Reason.CHAIN_CONSTRAINTS_FAILURE,
    ).index(failure.reason)


def _rank(candidate: Authority, certificate: Certificate) -> tuple[bool, bool]:
    """Anchors first, and among them the one whose key identifier the certificate names."""
    named = certificate.extensions.authority_key_identifier
    own = candidate.certificate.extensions.subject_key_identifier
    return not candidate.is_anchor, named is None or named.key_identifier != own


def _is_link(certificate: Certificate) -> bool:
    """Whether it links a CSCA's keys or names: RFC 5280 6.1.4 (l) does not count those, nor Doc 9303-12 3.2."""
    if certificate.is_self_issued or certificate.extensions.name_change:
        return True
    return certificate.issuer([]).normalised == certificate.subject([]).normalised


def _require_issued(certificate: Certificate, authority: Authority, below: int, defects: Defects) -> None:
    """Raise unless the authority may issue certificates and signed this one (Doc 9303-12 7.1.1)."""
    if not is_signed_by(certificate, authority.public_key):
        raise _not_signed(certificate, authority)
    extensions = authority.certificate.extensions
    constraints = extensions.basic_constraints
    if constraints is None and authority.is_anchor and defects is not None:
        # The operator accepted this very certificate as a CSCA; a certificate that says it is none stays none.
        what = "the CSCA certificate has no basic constraints"
        tolerate(defects, DefectCode.BASIC_CONSTRAINTS, what, 0, "Doc 9303-12 7.1.1")
        constraints = BasicConstraints(ca=True)
    if constraints is None or not constraints.ca:
        why = "the issuer is no certification authority"
    elif constraints.path_length is not None and below > constraints.path_length:
        why = "more authorities stand below the issuer than its path length allows"
    elif extensions.key_usage is not None and not extensions.key_usage & _KEY_CERT_SIGN:
        why = "the issuer's key usage does not allow it to sign certificates"
    elif extensions.unknown_critical:
        why = "the issuer has an unknown critical extension"
    else:
        if extensions.key_usage is None:
            _tolerate_no_key_usage("the issuer's certificate", defects)
        return
    raise VerificationError(Reason.CHAIN_CONSTRAINTS_FAILURE, why, clause="Doc 9303-12 7.1.1")


def _not_signed(certificate: Certificate, authority: Authority) -> VerificationError:
    """States keep their name when the key rolls over: only the key that is named can be told to have not signed."""
    named = certificate.extensions.authority_key_identifier
    own = authority.certificate.extensions.subject_key_identifier
    if named is not None and named.key_identifier is not None and named.key_identifier == own:
        return VerificationError(Reason.PATH_SIGNATURE_FAILURE, "the CSCA did not sign the certificate below it")
    return VerificationError(
        Reason.NO_CERTIFICATE_CHAIN_FOUND, "the trust store has an authority of the issuer's name, with another key"
    )


def verify_validity(certificate: Certificate, time: datetime, what: str) -> None:
    """Compare a certificate's validity with the reference time.

    Raises:
        VerificationError: NOT_YET_VALID; OUT_OF_BOUNDS_NO_POE after notAfter, since nothing proves that the signature
            was made before.
    """
    if time < certificate.not_before:
        raise VerificationError(Reason.NOT_YET_VALID, f"{what} is valid from {certificate.not_before:%Y-%m-%d}")
    if time > certificate.not_after:
        raise VerificationError(Reason.OUT_OF_BOUNDS_NO_POE, f"{what} expired on {certificate.not_after:%Y-%m-%d}")
