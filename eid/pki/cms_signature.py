"""The signature of a CMS SignedData (RFC 5652 5.4 to 5.6), with the two leniencies that published lists need.

Every leniency is recorded where the caller brings a list of defects, and refused where it brings none.
"""

from __future__ import annotations

import hmac

from eid.codec import oid
from eid.codec.cms import SignedData, SignerInfo
from eid.codec.defect import Defect, DefectCode, Defects
from eid.codec.x509 import Certificate
from eid.crypto.hashes import digest
from eid.crypto.public_key import decode_signature_algorithm
from eid.crypto.signatures import PublicKey, SignatureAlgorithm, verify_signature
from eid.errors import Reason, VerificationError


def verify_cms_signature(signed_data: SignedData, key: PublicKey, defects: Defects = None) -> None:
    """Verify the message digest, and the signature over the signed attributes: in DER order, then as they stand.

    Args:
        key: the signer's. defects: where SIGNED_AS_STORED and DIGEST_INFO_PARAMETERS are recorded when they were
            needed; without it they are refused.

    Raises:
        VerificationError: SIG_CRYPTO_FAILURE; ALGORITHM_UNSUPPORTED. DecodeError: malformed algorithm parameters.
    """
    info = signed_data.signer_info
    name = oid.HASH_NAMES.get(info.digest_algorithm.oid)
    if name is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"digest algorithm {info.digest_algorithm.oid}")
    algorithm = decode_signature_algorithm(info.signature_algorithm, name)
    attributes = info.signed_attributes
    if attributes is None:  # RFC 5652 5.4: the signature is over the content
        _verify(key, algorithm, signed_data.content, info.signature, defects)
        return
    if not hmac.compare_digest(digest(name, signed_data.content), attributes.message_digest):
        raise VerificationError(
            Reason.SIG_CRYPTO_FAILURE, "messageDigest is not the hash of the content", clause="RFC 5652 5.4"
        )
    try:
        _verify(key, algorithm, attributes.canonical, info.signature, defects)
    except VerificationError as failure:
        is_other = attributes.stored != attributes.canonical
        if defects is None or not is_other or failure.reason is not Reason.SIG_CRYPTO_FAILURE:
            raise
        _verify(key, algorithm, attributes.stored, info.signature, defects)
        what = "the signature is over the signed attributes as they stand, not in DER"
        defects.append(Defect(DefectCode.SIGNED_AS_STORED, what, 0, "RFC 5652 5.4"))


def _verify(key: PublicKey, algorithm: SignatureAlgorithm, message: bytes, signature: bytes, defects: Defects) -> None:
    """Verify; where it fails and departures are recorded, once more with a DigestInfo without NULL (RFC 8017 B.1)."""
    try:
        verify_signature(key, algorithm, message, signature)
    except VerificationError as failure:
        if defects is None or algorithm.kind != "rsa-pkcs1" or failure.reason is not Reason.SIG_CRYPTO_FAILURE:
            raise
        verify_signature(key, algorithm, message, signature, accept_digest_info_without_null=True)
        what = "the DigestInfo of the signature has no parameters instead of NULL"
        defects.append(Defect(DefectCode.DIGEST_INFO_PARAMETERS, what, 0, "RFC 8017 A.2.4, B.1"))


def is_named_by(certificate: Certificate, info: SignerInfo) -> bool:
    """Whether SignerInfo names this certificate, by key identifier or by issuer and serial (RFC 5652 5.3)."""
    if info.subject_key_identifier is not None:
        return info.subject_key_identifier == certificate.extensions.subject_key_identifier
    return info.issuer_raw == certificate.issuer_raw and info.serial == certificate.serial
