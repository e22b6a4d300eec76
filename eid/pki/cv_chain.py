"""Chains of card-verifiable certificates: CVCA, link, document verifier, terminal (TR-03110-3 2.2, 2.5, C.4).

A certificate is verified under one that was verified before, down from a trust point. What a card trusts, and the date
it believes in, is `CardTrust`; both move on with the certificates that it accepts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from eid.codec.cv import Chat, CvCertificate, CvPublicKey, CvRsaPublicKey, Role, decode_cv_certificate
from eid.crypto.curves import Curve
from eid.crypto.points import decode_point
from eid.crypto.public_key import match_curve
from eid.crypto.signatures import (
    PublicKey,
    SignatureAlgorithm,
    build_ec_public_key,
    build_rsa_public_key,
    verify_signature,
)
from eid.errors import Reason, VerificationError

ID_TA_RSA: Final = "0.4.0.127.0.7.2.2.2.1"
ID_TA_ECDSA: Final = "0.4.0.127.0.7.2.2.2.2"
MAX_TRUST_POINTS: Final = 2  # for each type of terminal, TR-03110-3 2.5.2

SIGNATURE_ALGORITHMS: Final = {
    ID_TA_RSA + ".1": SignatureAlgorithm("rsa-pkcs1", "sha1"),
    ID_TA_RSA + ".2": SignatureAlgorithm("rsa-pkcs1", "sha256"),
    ID_TA_RSA + ".3": SignatureAlgorithm("rsa-pss", "sha1", 20),
    ID_TA_RSA + ".4": SignatureAlgorithm("rsa-pss", "sha256", 32),
    ID_TA_RSA + ".5": SignatureAlgorithm("rsa-pkcs1", "sha512"),
    ID_TA_RSA + ".6": SignatureAlgorithm("rsa-pss", "sha512", 64),
    ID_TA_ECDSA + ".1": SignatureAlgorithm("ecdsa-plain", "sha1"),
    ID_TA_ECDSA + ".2": SignatureAlgorithm("ecdsa-plain", "sha224"),
    ID_TA_ECDSA + ".3": SignatureAlgorithm("ecdsa-plain", "sha256"),
    ID_TA_ECDSA + ".4": SignatureAlgorithm("ecdsa-plain", "sha384"),
    ID_TA_ECDSA + ".5": SignatureAlgorithm("ecdsa-plain", "sha512"),
}
"""TR-03110-3 A.7.3.1: the salt of PSS is as long as the hash."""

_ISSUES: Final = {
    Role.CVCA: frozenset((Role.CVCA, Role.DOMESTIC_DV, Role.FOREIGN_DV)),
    Role.DOMESTIC_DV: frozenset((Role.TERMINAL,)),
    Role.FOREIGN_DV: frozenset((Role.TERMINAL,)),
    Role.TERMINAL: frozenset[Role](),
}
"""Whose certificates each role may sign (C.4)."""


@dataclass(frozen=True, slots=True)
class CvKey:
    """A public key ready for use. curve: None for RSA."""

    algorithm: SignatureAlgorithm
    public_key: PublicKey
    curve: Curve | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A certificate that was verified, or is a trust point.

    Args:
        rights: effective authorization: its own relative authorization and that of all above it, role bits cleared.
        is_accurate: whether its effective date may move a card's date (TR-03110-3 2.2.4.1).
        signature_hash: of the signature on it, where that was verified; its extensions are made with it (C.3.2).
    """

    certificate: CvCertificate
    key: CvKey
    rights: bytes
    is_accurate: bool = True
    signature_hash: str = field(default="", compare=False)

    @property
    def chat(self) -> Chat:
        """Terminal type, and the effective authorization without the role."""
        return Chat(self.certificate.chat.oid, self.rights)


def load_cv_key(key: CvPublicKey, inherited: Curve | None = None) -> CvKey:
    """The key of a CV certificate; domain parameters that it does not state are the issuer's (D.3.3).

    Raises:
        DecodeError: the point is not on the curve.
        VerificationError: ALGORITHM_UNSUPPORTED for an unknown algorithm, curve, or RSA key that cannot be one;
            CHAIN_CONSTRAINTS_FAILURE where domain parameters are nowhere, or the algorithm does not fit the key.
    """
    algorithm = SIGNATURE_ALGORITHMS.get(key.oid)
    if algorithm is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"terminal authentication with {key.oid}")
    if algorithm.kind.startswith("rsa") != isinstance(key, CvRsaPublicKey):
        raise _constraint("the key is not of the kind that its algorithm needs")
    if isinstance(key, CvRsaPublicKey):
        return CvKey(algorithm, build_rsa_public_key(key.modulus, key.public_exponent))
    curve = inherited if key.parameters is None else match_curve(key.parameters)
    if curve is None:
        raise _constraint("no certificate of the chain states the domain parameters")
    return CvKey(algorithm, build_ec_public_key(curve, decode_point(curve, key.public_point)), curve)


def load_trust_point(raw: bytes, inherited: Curve | None = None) -> Verified:
    """A CVCA certificate that is trusted as it is; where it is self-signed, it must at least be sound.

    Args:
        inherited: the curve, where a link certificate without domain parameters is the trust point.

    Raises:
        DecodeError: malformed.
        VerificationError: it is no CVCA's, or its own signature is wrong.
    """
    certificate = decode_cv_certificate(raw)
    if certificate.chat.role is not Role.CVCA:
        raise _constraint("a trust point is a CVCA")
    key = load_cv_key(certificate.public_key, inherited)
    if certificate.is_self_signed:
        verify_signature(key.public_key, key.algorithm, certificate.body_raw, certificate.signature)
    return Verified(certificate, key, _clear_role(certificate.chat.authorization))


def verify_cv_certificate(certificate: CvCertificate, issuer: Verified, today: date) -> Verified:
    """Verify one certificate under its issuer's (TR-03110-3 2.5.1).

    Args:
        today: the date that the verifier believes in. Expired document verifier and terminal certificates are refused,
            link certificates never are, so that a card that slept can catch up (2.5.1).

    Raises:
        VerificationError: NO_SIGNING_CERTIFICATE_FOUND another issuer, CHAIN_CONSTRAINTS_FAILURE role, terminal type or
            dates, SIG_CRYPTO_FAILURE signature, OUT_OF_BOUNDS_NO_POE expired, ALGORITHM_UNSUPPORTED its key.
        DecodeError: its public point is not on the curve.
    """
    above, chat = issuer.certificate, certificate.chat
    if certificate.authority_reference != above.holder_reference:
        raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND, "the certificate names another issuer")
    if chat.role not in _ISSUES[above.chat.role]:
        raise _constraint(f"{above.chat.role.name} signs no certificate of {chat.role.name}")
    if chat.oid != above.chat.oid or len(chat.authorization) != len(above.chat.authorization):
        raise _constraint("the terminal type is not the issuer's")
    verify_signature(issuer.key.public_key, issuer.key.algorithm, certificate.body_raw, certificate.signature)
    if certificate.expiration_date < certificate.effective_date:
        raise _constraint("the certificate expires before it begins")
    if certificate.expiration_date < today and chat.role is not Role.CVCA:
        raise VerificationError(Reason.OUT_OF_BOUNDS_NO_POE, "the certificate is expired", clause="TR-03110-3 2.5.1")
    return Verified(
        certificate,
        load_cv_key(certificate.public_key, issuer.key.curve),
        _effective_rights(certificate, issuer),
        chat.role is not Role.TERMINAL or above.chat.role is Role.DOMESTIC_DV,
        issuer.key.algorithm.hash_name,
    )


def _effective_rights(certificate: CvCertificate, issuer: Verified) -> bytes:
    """The intersection along the chain (2.7); a link certificate says anew what its CVCA may give."""
    own = _clear_role(certificate.chat.authorization)
    if certificate.chat.role is Role.CVCA:
        return own
    return intersect_rights(own, issuer.rights)


def intersect_rights(left: bytes, right: bytes) -> bytes:
    """The rights that are in both; nothing where they are not of one length."""
    if len(left) != len(right):
        return bytes(len(left))
    return bytes(a & b for a, b in zip(left, right, strict=True))


def _clear_role(authorization: bytes) -> bytes:
    return bytes((authorization[0] & 0x3F,)) + authorization[1:]


def verify_cv_chain(certificates: Iterable[CvCertificate], trust_point: Verified, today: date) -> Verified:
    """Verify a chain from below a trust point to its last certificate, as somebody with a clock does.

    Raises:
        VerificationError: as `verify_cv_certificate`; NOT_YET_VALID for a certificate that begins after `today`.
        DecodeError: as `verify_cv_certificate`.
    """
    verified = trust_point
    for certificate in certificates:
        if certificate.effective_date > today:
            raise VerificationError(Reason.NOT_YET_VALID, "the certificate is not valid yet")
        verified = verify_cv_certificate(certificate, verified, today)
    return verified


@dataclass(frozen=True, slots=True)
class CardTrust:
    """What a card trusts: newest first, two points at most for each type of terminal; and the date it believes in."""

    points: tuple[Verified, ...] = field(default=())
    today: date = date(2000, 1, 1)

    def find(self, holder_reference: str) -> Verified | None:
        """The trust point of this name."""
        return next((point for point in self.points if point.certificate.holder_reference == holder_reference), None)

    def of_type(self, terminal_type: str) -> tuple[Verified, ...]:
        """The trust points for this type of terminal (dotted), newest first."""
        return tuple(point for point in self.points if point.chat.oid == terminal_type)

    def accept(self, verified: Verified) -> CardTrust:
        """What the card trusts after a certificate was verified (TR-03110-3 2.5.2).

        An accurate certificate moves the date, forwards only. A link certificate makes its CVCA the newest trust point;
        of the others of its type the newest stays, as long as it is not expired.
        """
        begun = verified.certificate.effective_date
        trust = replace(self, today=max(self.today, begun)) if verified.is_accurate else self
        if verified.certificate.chat.role is not Role.CVCA or trust.find(verified.certificate.holder_reference):
            return trust
        same = trust.of_type(verified.chat.oid)
        others = tuple(point for point in trust.points if point not in same)
        older = [point for point in same if point.certificate.expiration_date >= trust.today]
        return replace(trust, points=(verified, *older[: MAX_TRUST_POINTS - 1], *others))


def _constraint(detail: str) -> VerificationError:
    return VerificationError(Reason.CHAIN_CONSTRAINTS_FAILURE, detail, clause="TR-03110-3 C.4")
