"""Passive Authentication of EF.CardSecurity: what the issuer vouches for before any application is chosen.

Doc 9303-11 4.4.3.5.2 and 5.1, TR-03110-3 A.1.2.5. The same rules as for EF.SOD, in one go: no later check looks at it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from eid.codec import oid
from eid.codec.crl import CertificateList
from eid.codec.defect import Defect
from eid.codec.x509 import Certificate
from eid.crypto.public_key import decode_signature_algorithm
from eid.errors import Reason, VerificationError
from eid.lds.card_security import CardSecurity, decode_card_security
from eid.lds.files import EF_CARD_SECURITY
from eid.pki.cms_signature import is_named_by, verify_cms_signature
from eid.pki.path import CertificatePath, find_path, verify_validity
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import Authority, TrustStore
from eid.verification.case import Case
from eid.verification.policy import Policy
from eid.verification.signers import decode_signer, load_signer_key
from eid.verification.strength import require_strong_certificate, require_strong_key, require_strong_list

_NAME: Final = EF_CARD_SECURITY.name


def require_card_security(case: Case) -> CardSecurity:
    """EF.CardSecurity as read, proven to be of the issuer that signed EF.SOD.

    Raises:
        VerificationError: DATA_MISSING; ISSUER_MISMATCH; and as `verify_card_security`. DecodeError: malformed.
    """
    raw = case.content(_NAME)
    if raw is None:
        raise VerificationError(Reason.DATA_MISSING, f"{_NAME} was not read")
    times = case.require_reference_time, case.require_time
    file, path = _verify(raw, case.trust, case.policy, *times)
    _require_same_state(case, path)
    return file


def verify_card_security(raw: bytes, trust: TrustStore, policy: Policy, time: datetime) -> CardSecurity:
    """EF.CardSecurity, proven to be an issuer's whom the trust store knows.

    Args:
        time: reference time for certificates and revocation, UTC.

    Raises:
        VerificationError: FORMAT_FAILURE a departure that is not tolerated; and whatever signature, path, validity,
            revocation and algorithms of its signer may fail with.
        DecodeError: malformed.
    """
    return _verify(raw, trust, policy, lambda: time, lambda: time)[0]


def _verify(
    raw: bytes,
    trust: TrustStore,
    policy: Policy,
    reference_time: Callable[[], datetime],
    time: Callable[[], datetime],
) -> tuple[CardSecurity, CertificatePath]:
    """The file and its path; the times are asked for when everything that does not rest on them was found right."""
    defects: list[Defect] | None = [] if policy.tolerated else None
    file = decode_card_security(raw, defects)
    signer = _require_signer(file, defects)
    verify_cms_signature(file.signed_data, load_signer_key(signer.spki_raw), defects)
    path = find_path(signer, trust, defects)
    refused = next((item for item in defects or () if item.code not in policy.tolerated), None)
    if refused is not None:
        raise VerificationError(Reason.FORMAT_FAILURE, f"{_NAME}: {refused.what}", clause=refused.clause)
    _require_strong(policy, file, path)
    _require_valid(path, reference_time())

    def require(issuer: Authority, crl: CertificateList) -> None:
        require_strong_list(crl, trust.signer_of(crl, issuer), policy.algorithms)

    verify_not_revoked(path, trust, time(), policy.crl_grace, require)
    return file, path


def _require_signer(file: CardSecurity, defects: list[Defect] | None) -> Certificate:
    """The certificate that SignerInfo names, out of those that the file carries."""
    for raw in file.certificates:
        certificate, found = decode_signer(raw, defects is not None)
        if is_named_by(certificate, file.signed_data.signer_info):
            if defects is not None:
                defects.extend(found)
            return certificate
    raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND, f"the certificate of {_NAME}'s signer is not in it")


def _require_strong(policy: Policy, file: CardSecurity, path: CertificatePath) -> None:
    floors, info = policy.algorithms, file.signed_data.signer_info
    digest = oid.HASH_NAMES.get(info.digest_algorithm.oid, "an unknown hash")
    for name in (digest, decode_signature_algorithm(info.signature_algorithm, digest).hash_name):
        if name not in floors.hashes:
            raise VerificationError(Reason.CRYPTO_CONSTRAINTS_FAILURE, f"{_NAME} is signed with {name}")
    require_strong_key(load_signer_key(path.signer.spki_raw), floors, f"the key of {_NAME}'s signer")
    for certificate in (path.signer, *(item.certificate for item in path.authorities if not item.is_anchor)):
        require_strong_certificate(certificate, floors, f"a certificate of {_NAME}'s path")
    for authority in path.authorities:
        require_strong_key(authority.public_key, floors, f"a key of {_NAME}'s path")


def _require_valid(path: CertificatePath, time: datetime) -> None:
    verify_validity(path.signer, time, f"the certificate of {_NAME}'s signer")
    for authority in path.authorities:
        verify_validity(authority.certificate, time, f"a certificate of {_NAME}'s path")


def _require_same_state(case: Case, path: CertificatePath) -> None:
    """Whoever may sign for one state must not vouch for the chips of another."""
    own, other = path.anchor.certificate, case.require_path().anchor.certificate
    is_same = own.subject_raw == other.subject_raw if own.country is None else own.country == other.country
    if not is_same:
        raise VerificationError(Reason.ISSUER_MISMATCH, f"{_NAME} is signed for another state than EF.SOD")
