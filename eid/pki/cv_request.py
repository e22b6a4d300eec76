"""Requests for card-verifiable certificates, plain and authenticated, and what is issued on them (TR-03110-3 C.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from eid.codec.cv import (
    Chat,
    CvAuthenticatedRequest,
    CvCertificate,
    CvEcPublicKey,
    CvExtension,
    CvPublicKey,
    CvRequest,
    Role,
    decode_cv_authenticated_request,
    decode_cv_request,
)
from eid.codec.cv_encoding import (
    encode_cv_authenticated_request,
    encode_cv_authenticated_request_body,
    encode_cv_certificate,
    encode_cv_request_body,
)
from eid.codec.cv_tags import AUTHENTICATION
from eid.crypto.curves import Curve
from eid.crypto.signatures import verify_signature
from eid.errors import LifecycleError, Reason, VerificationError
from eid.keystore.ports import Signer
from eid.pki.cv_chain import CvKey, Verified, intersect_rights, load_cv_key
from eid.pki.cv_issuing import build_cv_certificate, build_cv_public_key, sign_plain


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request whose sender has the private key.

    Args:
        key: the public key, ready for use. outer: the second signature, where there is one; it is not verified yet.
    """

    request: CvRequest
    key: CvKey
    outer: CvAuthenticatedRequest | None = None


def build_cv_request(signer: Signer, holder_reference: str, authority_reference: str | None = None) -> bytes:
    """A request signed by its own key, domain parameters stated (7F21; C.2.1, D.3.3).

    Args:
        holder_reference: that the new key is to have. authority_reference: whose certificate is hoped for.

    Raises:
        KeyStoreError: the key cannot be used. ValueError: a malformed reference; the caller's mistake.
    """
    body = encode_cv_request_body(
        authority_reference=authority_reference,
        public_key=build_cv_public_key(signer, explicit=True),
        holder_reference=holder_reference,
    )
    return encode_cv_certificate(body, sign_plain(signer, body))


def authenticate_cv_request(request: bytes, signer: Signer, authority_reference: str) -> bytes:
    """A request signed once more, by a key that its receiver trusts already (67; C.2.2).

    Args:
        request: as `build_cv_request` made it. signer: the sender's key so far, or that of its national CVCA.
        authority_reference: holder reference of that key's certificate.

    Raises:
        KeyStoreError: the key cannot be used. ValueError: a malformed reference; the caller's mistake.
    """
    body = encode_cv_authenticated_request_body(request, authority_reference)
    return encode_cv_authenticated_request(body, sign_plain(signer, body))


def verify_cv_request(raw: bytes, inherited: Curve | None = None) -> VerifiedRequest:
    """Decode a request of either kind, and verify that its sender has the private key.

    Args:
        inherited: the receiver's curve, for requests that do not state their domain parameters.

    Raises:
        DecodeError: malformed. VerificationError: SIG_CRYPTO_FAILURE, the inner signature; as `load_cv_key`, the key.
    """
    outer = decode_cv_authenticated_request(raw) if raw[:1] == bytes((AUTHENTICATION,)) else None
    request = decode_cv_request(raw) if outer is None else outer.request
    key = load_cv_key(request.public_key, inherited)
    verify_signature(key.public_key, key.algorithm, request.body_raw, request.signature)
    return VerifiedRequest(request, key, outer)


def verify_outer_signature(request: VerifiedRequest, sender: Verified) -> None:
    """Verify the second signature of a request.

    Args:
        sender: a certificate that was verified: the sender's own so far, or its national CVCA's.

    Raises:
        VerificationError: NO_SIGNING_CERTIFICATE_FOUND, there is none or another key is named; SIG_CRYPTO_FAILURE.
    """
    outer = request.outer
    if outer is None or outer.authority_reference != sender.certificate.holder_reference:
        raise VerificationError(
            Reason.NO_SIGNING_CERTIFICATE_FOUND,
            "the request is not countersigned by that key",
            clause="TR-03110-3 C.2.2",
        )
    verify_signature(sender.key.public_key, sender.key.algorithm, outer.signed_raw, outer.signature)


def certify_cv_request(
    issuer: Signer,
    issuer_certificate: Verified,
    request: VerifiedRequest,
    chat: Chat,
    effective_date: date,
    expiration_date: date,
    extensions: tuple[CvExtension, ...] = (),
) -> bytes:
    """The certificate that a request asks for, 7F21; EC keys without domain parameters (D.3.3).

    Args:
        issuer: the key of `issuer_certificate`. chat: role and rights of the new holder.

    Raises:
        LifecycleError: the request names another authority, its key is on another curve, or role, terminal type, rights
            or dates reach beyond the issuer's. KeyStoreError: the key cannot be used.
    """
    above = issuer_certificate.certificate
    named = request.request.authority_reference
    if named is not None and named != above.holder_reference:
        raise LifecycleError(f"the request is meant for {named}")
    _require_below(above, issuer_certificate.rights, chat)
    if not above.effective_date <= effective_date <= expiration_date <= above.expiration_date:
        raise LifecycleError("the dates reach beyond the issuer's")
    return build_cv_certificate(
        issuer,
        authority_reference=above.holder_reference,
        holder_reference=request.request.holder_reference,
        public_key=_inherit(request, issuer_certificate),
        chat=chat,
        effective_date=effective_date,
        expiration_date=expiration_date,
        extensions=extensions,
    )


def _require_below(above: CvCertificate, rights: bytes, chat: Chat) -> None:
    if (above.chat.role is Role.CVCA) != (chat.role in (Role.DOMESTIC_DV, Role.FOREIGN_DV)):
        raise LifecycleError(f"{above.chat.role.name} signs no certificate of {chat.role.name} on request")
    if above.chat.role is Role.TERMINAL or chat.role is Role.CVCA:
        raise LifecycleError(f"{above.chat.role.name} signs no certificate of {chat.role.name} on request")
    wanted = bytes((chat.authorization[0] & 0x3F,)) + chat.authorization[1:]
    if chat.oid != above.chat.oid or intersect_rights(wanted, rights) != wanted:
        raise LifecycleError("the terminal type or the rights are not within the issuer's")


def _inherit(request: VerifiedRequest, issuer: Verified) -> CvPublicKey:
    """The key as certificates below a CVCA carry it, on the issuer's curve."""
    key = without_parameters(request.request.public_key)
    if not isinstance(key, CvEcPublicKey):
        return key
    if issuer.key.curve is not None and request.key.curve != issuer.key.curve:
        raise LifecycleError("the request's key is on another curve than the issuer's, whose parameters it inherits")
    if issuer.key.curve is None:
        raise LifecycleError("below an RSA key no EC key can state its domain parameters (TR-03110-3 D.3.3)")
    return key


def without_parameters(key: CvPublicKey) -> CvPublicKey:
    """A public key as it stands below a CVCA."""
    return replace(key, parameters=None) if isinstance(key, CvEcPublicKey) else key
