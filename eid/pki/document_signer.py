"""Document signers: their certificates, and the EF.SOD that they sign (Doc 9303-12 4.1.2, 7.1.1; Doc 9303-10 4.6.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from eid.codec import cms, oid
from eid.codec import extension_builders as build
from eid.codec.algorithm import digest_identifier
from eid.codec.extensions import KeyUsage
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.hashes import digest
from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.lds.sod import encode_ef_sod
from eid.pki.certificate_profile import (
    IssuingState,
    Validity,
    build_signature_identifier,
    derive_key_identifier,
    is_key_of,
    sign_certificate,
)


def build_document_signer_certificate(
    csca_signer: Signer,
    csca_certificate: bytes,
    public_key_info: bytes,
    state: IssuingState,
    common_name: str,
    validity: Validity,
    private_key_usage: Validity,
    *,
    document_types: tuple[str, ...],
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """A document signer's certificate, DER.

    Args:
        csca_signer: the CSCA's key. csca_certificate: DER. public_key_info: of the document signer's key.
        validity: as long as any document lives that it signed. private_key_usage: while it signs, about three months.
        document_types: as the MRZ writes them, ("ID",) or ("P", "PD") (Doc 9303-12 7.1.1).

    Raises:
        LifecycleError: the CSCA's key is not that of its certificate, a period is not inside the one above it, or no
            document type is named.
        KeyStoreError: the key cannot be used. DecodeError: a certificate or key is malformed.
    """
    csca = decode_certificate(csca_certificate)
    if not is_key_of(csca_signer, csca.spki_raw):
        raise LifecycleError("the key is not that of the CSCA certificate")
    if not Validity(csca.not_before, csca.not_after).contains(validity) or not validity.contains(private_key_usage):
        raise LifecycleError("a validity or usage period reaches beyond the one above it")
    if not document_types:
        raise LifecycleError("a document signer names the document types that it signs (Doc 9303-12 7.1.1)")
    key = state.encode_key(public_key_info)
    extensions = (
        build.authority_key_identifier(csca.extensions.subject_key_identifier or derive_key_identifier(csca.spki_raw)),
        build.subject_key_identifier(derive_key_identifier(key)),
        build.key_usage(KeyUsage.DIGITAL_SIGNATURE),
        build.private_key_usage_period(private_key_usage.not_before, private_key_usage.not_after),
        build.subject_alternative_name(state.alternative_names),
        build.issuer_alternative_name(state.alternative_names),
        build.crl_distribution_points(state.crl_uris),
        build.document_type_list(document_types),
    )
    return sign_certificate(
        csca_signer,
        issuer=csca.subject_raw,
        subject=state.build_name(common_name),
        public_key_info=key,
        validity=validity,
        extensions=extensions,
        random=random,
    )


def sign_sod(
    lds_security_object: bytes,
    signer: Signer,
    ds_certificate: bytes,
    *,
    signing_time: datetime,
    by_key_identifier: bool = False,
) -> bytes:
    """EF.SOD: the LDS security object in a CMS SignedData, the document signer's certificate inside.

    Args:
        lds_security_object: DER, from `eid.lds.sod.build_lds_security_object`. ds_certificate: DER.
        signing_time: aware; it must lie in the private key's usage period.
        by_key_identifier: name the signer by its subject key identifier (SignerInfo v3), not by issuer and serial (v1).

    Raises:
        LifecycleError: the key is not the certificate's, the key may not sign at that time, or the certificate has no
            key identifier to name it by.
        KeyStoreError: the key cannot be used. DecodeError: the certificate is malformed.
    """
    return encode_ef_sod(
        sign_document_content(
            oid.LDS_SECURITY_OBJECT,
            lds_security_object,
            signer,
            ds_certificate,
            signing_time=signing_time,
            by_key_identifier=by_key_identifier,
        )
    )


def sign_document_content(
    content_type: str,
    content: bytes,
    signer: Signer,
    ds_certificate: bytes,
    *,
    signing_time: datetime,
    by_key_identifier: bool = False,
) -> bytes:
    """A document signer's CMS SignedData over any content of a chip, its certificate inside; ContentInfo, DER.

    Args:
        content_type: eContentType, dotted. content: octets of eContent. The others are those of `sign_sod`.

    Raises:
        LifecycleError, KeyStoreError, DecodeError: as `sign_sod`.
    """
    certificate = decode_certificate(ds_certificate)
    if not is_key_of(signer, certificate.spki_raw):
        raise LifecycleError("the key is not that of the document signer's certificate")
    _require_usable(certificate, signing_time)
    hash_name = signer.algorithm.hash_name
    attributes = cms.encode_signed_attributes(content_type, digest(hash_name, content), signing_time)
    signer_info = cms.encode_signer_info(
        signer=_name_signer(certificate, by_key_identifier),
        digest_algorithm=digest_identifier(hash_name),
        signed_attributes=attributes,
        signature_algorithm=build_signature_identifier(signer.algorithm),
        signature=signer.sign(attributes),
    )
    return cms.encode_signed_data(
        content_type=content_type,
        content=content,
        digest_algorithm=digest_identifier(hash_name),
        certificates=(ds_certificate,),
        signer_info=signer_info,
    )


def _name_signer(certificate: Certificate, by_key_identifier: bool) -> tuple[bytes, int] | bytes:
    if not by_key_identifier:
        return certificate.issuer_raw, certificate.serial
    identifier = certificate.extensions.subject_key_identifier
    if identifier is None:
        raise LifecycleError("the document signer's certificate has no subject key identifier")
    return identifier


def _require_usable(certificate: Certificate, time: datetime) -> None:
    """Doc 9303-12 4.1.4: a private key signs during its usage period only, which lies in the certificate's validity."""
    period = certificate.extensions.private_key_usage_period()
    start = (period and period.not_before) or certificate.not_before
    end = (period and period.not_after) or certificate.not_after
    if not start <= time <= end:
        raise LifecycleError(f"the document signer's key signs from {start:%Y-%m-%d} to {end:%Y-%m-%d} only")
