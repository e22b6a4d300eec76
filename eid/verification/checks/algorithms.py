"""sod.algorithms: hashes and keys are no weaker than the policy's floors."""

from __future__ import annotations

from typing import Final

from eid.codec import oid
from eid.crypto.public_key import decode_signature_algorithm
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.strength import require_strong_certificate, require_strong_key


def run(case: Case, check_id: str) -> str:
    """Compare the hashes of data groups and signature, and the signer's key, with the floors."""
    sod = case.require_sod()
    info = sod.signed_data.signer_info
    digest = oid.HASH_NAMES.get(info.digest_algorithm.oid)
    algorithm = decode_signature_algorithm(info.signature_algorithm, digest)
    floors = case.policy.algorithms
    for name, what in (
        (sod.hash_algorithm, "the data groups are hashed"),
        (digest or "an unknown hash", "the security object is hashed"),
        (algorithm.hash_name, "the security object is signed"),
    ):
        if name not in floors.hashes:
            raise VerificationError(Reason.CRYPTO_CONSTRAINTS_FAILURE, f"{what} with {name}")
    require_strong_key(case.require_signer_key(), floors, "the document signer's key")
    require_strong_certificate(case.require_signer(), floors, "the document signer's certificate")
    return ""


ALGORITHMS: Final = Check("sod.algorithms", "Doc 9303-12 4.1.6", run)
