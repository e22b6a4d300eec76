"""sod.signature: the document signer signed the LDS security object (Doc 9303-11 5.1, RFC 5652 5.4 to 5.6)."""

from __future__ import annotations

import hmac
from typing import Final

from eid.codec import oid
from eid.codec.cms import SignerInfo
from eid.codec.defect import DefectCode
from eid.codec.x509 import Certificate
from eid.crypto.hashes import digest
from eid.crypto.public_key import decode_signature_algorithm
from eid.crypto.signatures import verify_signature
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.checks.sod_format import is_named_by


def run(case: Case, check_id: str) -> str:
    """Find the signer's certificate, compare the message digest, verify the signature over the signed attributes."""
    signed_data = case.require_sod().signed_data
    info = signed_data.signer_info
    signer = case.require_signer()
    tolerated = _require_named(case, signer, info)
    name = oid.HASH_NAMES.get(info.digest_algorithm.oid)
    attributes = info.signed_attributes
    if name is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"digest algorithm {info.digest_algorithm.oid}")
    if attributes is not None and not hmac.compare_digest(digest(name, signed_data.content), attributes.message_digest):
        raise VerificationError(Reason.SIG_CRYPTO_FAILURE, "messageDigest is not the hash of the LDS security object")
    message = signed_data.content if attributes is None else attributes.canonical
    algorithm = decode_signature_algorithm(info.signature_algorithm, name)
    verify_signature(case.require_signer_key(), algorithm, message, info.signature)
    return tolerated


def _require_named(case: Case, signer: Certificate, info: SignerInfo) -> str:
    """Raise unless SignerInfo names the certificate; a policy may tolerate that it names the only one wrongly.

    Nothing rests on the name: the signature and the path decide. Some issuers write it in another string type.
    """
    if is_named_by(signer, info):
        return ""
    if DefectCode.SIGNER_IDENTIFIER in case.policy.tolerated and len(case.require_sod().certificates) == 1:
        return f"tolerated: {DefectCode.SIGNER_IDENTIFIER}"
    raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND, "the certificate is not the one SignerInfo names")


SOD_SIGNATURE: Final = Check("sod.signature", "Doc 9303-11 5.1", run)
