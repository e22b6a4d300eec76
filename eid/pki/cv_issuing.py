"""Issuing card-verifiable certificates: CVCA, link, document verifier, terminal (TR-03110-3 C)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cryptography.hazmat.primitives.asymmetric import rsa

from eid.codec.cv import Chat, CvEcPublicKey, CvExtension, CvPublicKey, CvRsaPublicKey
from eid.codec.cv_encoding import encode_cv_body, encode_cv_certificate
from eid.crypto.points import encode_point
from eid.crypto.public_key import explicit_parameters, load_public_key
from eid.crypto.signatures import (
    OwnEcPublicKey,
    SignatureAlgorithm,
    curve_of_key,
    decode_ecdsa_der,
    encode_ecdsa_plain,
)
from eid.errors import LocalProtocolError
from eid.keystore.ports import Signer
from eid.pki.cv_chain import SIGNATURE_ALGORITHMS


def find_algorithm_oid(algorithm: SignatureAlgorithm) -> str:
    """The object identifier of id-TA that means this algorithm (TR-03110-3 A.7).

    Raises:
        LocalProtocolError: there is none.
    """
    kind = "ecdsa-plain" if algorithm.kind == "ecdsa" else algorithm.kind
    for oid, known in SIGNATURE_ALGORITHMS.items():
        wanted = kind, algorithm.hash_name, algorithm.salt_length
        if (known.kind, known.hash_name, known.salt_length) == wanted:
            return oid
    raise LocalProtocolError(f"terminal authentication knows no {algorithm.kind} with {algorithm.hash_name}")


def build_cv_public_key(signer: Signer, *, explicit: bool = False) -> CvPublicKey:
    """A signer's public key as a certificate carries it.

    Args:
        explicit: with domain parameters, as CVCA certificates alone have them (D.3.3).
    """
    key, oid = load_public_key(signer.public_key_info), find_algorithm_oid(signer.algorithm)
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        return CvRsaPublicKey(oid, rsa_numbers.n, rsa_numbers.e)
    curve = curve_of_key(key)
    if isinstance(key, OwnEcPublicKey):
        point = key.point
    else:
        numbers = key.public_numbers()
        point = numbers.x, numbers.y
    return CvEcPublicKey(oid, encode_point(curve, point), explicit_parameters(curve) if explicit else None)


def sign_plain(signer: Signer, message: bytes) -> bytes:
    """A signature as cards take it: RSA as it is, ECDSA as r | s (TR-03111 5.2.1).

    Raises:
        KeyStoreError: the key cannot be used.
    """
    signature = signer.sign(message)
    if signer.algorithm.kind != "ecdsa":
        return signature
    key = load_public_key(signer.public_key_info)
    if isinstance(key, rsa.RSAPublicKey):
        raise LocalProtocolError("an ECDSA signer with an RSA key")
    n = curve_of_key(key).n
    return encode_ecdsa_plain(*decode_ecdsa_der(signature, n), n)


def build_cv_certificate(
    issuer: Signer,
    *,
    authority_reference: str,
    holder_reference: str,
    public_key: CvPublicKey,
    chat: Chat,
    effective_date: date,
    expiration_date: date,
    extensions: Sequence[CvExtension] = (),
) -> bytes:
    """A certificate signed by its issuer, 7F21.

    Raises:
        KeyStoreError: the issuer's key cannot be used. ValueError: a malformed reference or date; the caller's mistake.
    """
    body = encode_cv_body(
        authority_reference=authority_reference,
        public_key=public_key,
        holder_reference=holder_reference,
        chat=chat,
        effective_date=effective_date,
        expiration_date=expiration_date,
        extensions=extensions,
    )
    return encode_cv_certificate(body, sign_plain(issuer, body))
