"""Floors of a policy, applied to a key or a certificate wherever one is relied upon."""

from __future__ import annotations

from eid.codec.crl import CertificateList
from eid.codec.x509 import Certificate
from eid.crypto.public_key import decode_signature_algorithm
from eid.crypto.signatures import PublicKey, curve_of_key, is_rsa
from eid.errors import Reason, VerificationError
from eid.pki.trust_store import Authority
from eid.verification.policy import Algorithms


def require_strong_certificate(certificate: Certificate, floors: Algorithms, what: str) -> None:
    """Refuse a certificate whose signature is over a hash below the policy's floor: collisions forge certificates.

    Raises:
        VerificationError: CRYPTO_CONSTRAINTS_FAILURE, ALGORITHM_UNSUPPORTED. DecodeError: malformed parameters.
    """
    name = decode_signature_algorithm(certificate.signature_algorithm).hash_name
    if name not in floors.hashes:
        raise VerificationError(Reason.CRYPTO_CONSTRAINTS_FAILURE, f"{what} is signed with {name}")


def require_strong_list(crl: CertificateList, signer: Authority, floors: Algorithms) -> None:
    """Refuse a CRL whose signature is below the policy's floors: a forged one would clear whoever was revoked.

    Raises:
        VerificationError: CRYPTO_CONSTRAINTS_FAILURE, ALGORITHM_UNSUPPORTED. DecodeError: malformed parameters.
    """
    name = decode_signature_algorithm(crl.signature_algorithm).hash_name
    if name not in floors.hashes:
        raise VerificationError(Reason.CRYPTO_CONSTRAINTS_FAILURE, f"the CRL is signed with {name}")
    require_strong_key(signer.public_key, floors, "the key of the CRL's signer")


def require_strong_key(key: PublicKey, floors: Algorithms, what: str) -> None:
    """Refuse a key below the policy's floor.

    Raises:
        VerificationError: CRYPTO_CONSTRAINTS_FAILURE.
    """
    if is_rsa(key):
        bits, floor = key.key_size, floors.rsa_bits
    else:
        bits, floor = curve_of_key(key).n.bit_length(), floors.ec_bits
    if bits < floor:
        raise VerificationError(Reason.CRYPTO_CONSTRAINTS_FAILURE, f"{what} has {bits} bits, the policy wants {floor}")
