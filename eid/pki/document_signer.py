"""Document signers: their certificates, and the EF.SOD that they sign (Doc 9303-12 4.1.2, 7.1.1; Doc 9303-10 4.6.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from eid.codec import extension_builders as build
from eid.codec import oid
from eid.codec.extensions import Extension, KeyUsage
from eid.codec.x509 import decode_certificate
from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.lds.sod import encode_ef_sod
from eid.pki.certificate_profile import (
    IssuingState,
    Validity,
    derive_key_identifier,
    is_key_of,
    sign_certificate,
)
from eid.pki.content_signer import ContentSigner, prepare_signer


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
    if not document_types:
        raise LifecycleError("a document signer names the document types that it signs (Doc 9303-12 7.1.1)")
    return certify_signer(
        csca_signer,
        csca_certificate,
        public_key_info,
        state,
        common_name,
        validity,
        private_key_usage,
        purpose=build.document_type_list(document_types),
        random=random,
    )


def certify_signer(
    csca_signer: Signer,
    csca_certificate: bytes,
    public_key_info: bytes,
    state: IssuingState,
    common_name: str,
    validity: Validity,
    private_key_usage: Validity,
    *,
    purpose: Extension,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """A certificate that a CSCA issues to a signer, DER; one extension says what it may sign (Doc 9303-12 table 6).

    Args:
        purpose: DocumentTypeList, or the extended key usage of a list signer. The others are those of
            `build_document_signer_certificate`.

    Raises:
        LifecycleError, KeyStoreError, DecodeError: as `build_document_signer_certificate`.
    """
    csca = decode_certificate(csca_certificate)
    if not is_key_of(csca_signer, csca.spki_raw):
        raise LifecycleError("the key is not that of the CSCA certificate")
    if not Validity(csca.not_before, csca.not_after).contains(validity) or not validity.contains(private_key_usage):
        raise LifecycleError("a validity or usage period reaches beyond the one above it")
    key = state.encode_key(public_key_info)
    extensions = (
        build.authority_key_identifier(csca.extensions.subject_key_identifier or derive_key_identifier(csca.spki_raw)),
        build.subject_key_identifier(derive_key_identifier(key)),
        build.key_usage(KeyUsage.DIGITAL_SIGNATURE),
        build.private_key_usage_period(private_key_usage.not_before, private_key_usage.not_after),
        build.subject_alternative_name(state.alternative_names),
        build.issuer_alternative_name(state.alternative_names),
        build.crl_distribution_points(state.crl_uris),
        purpose,
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


def prepare_sod_signer(signer: Signer, ds_certificate: bytes, *, by_key_identifier: bool = False) -> SodSigner:
    """A document signer made ready to sign many EF.SOD.

    Args:
        ds_certificate: DER.
        by_key_identifier: name the signer by its subject key identifier (SignerInfo v3), not by issuer and serial (v1).

    Raises:
        LifecycleError, KeyStoreError, DecodeError: as `prepare_signer`.
    """
    return SodSigner(
        prepare_signer(oid.LDS_SECURITY_OBJECT, signer, ds_certificate, by_key_identifier=by_key_identifier)
    )


@dataclass(frozen=True, slots=True)
class SodSigner:
    """A document signer that is ready. Make one with `prepare_sod_signer`."""

    content_signer: ContentSigner

    def sign(self, lds_security_object: bytes, signing_time: datetime) -> bytes:
        """EF.SOD: the LDS security object in a CMS SignedData, the document signer's certificate inside.

        Args:
            lds_security_object: DER, from `eid.lds.sod.build_lds_security_object`.
            signing_time: aware; it must lie in the private key's usage period.

        Raises:
            LifecycleError: the key may not sign at that time. KeyStoreError: the key cannot be used.
        """
        return encode_ef_sod(self.content_signer.sign(lds_security_object, signing_time))


def sign_sod(
    lds_security_object: bytes,
    signer: Signer,
    ds_certificate: bytes,
    *,
    signing_time: datetime,
    by_key_identifier: bool = False,
) -> bytes:
    """One EF.SOD; for many by one signer see `prepare_sod_signer`.

    Raises:
        LifecycleError, KeyStoreError, DecodeError: as `prepare_sod_signer` and `SodSigner.sign`.
    """
    return prepare_sod_signer(signer, ds_certificate, by_key_identifier=by_key_identifier).sign(
        lds_security_object, signing_time
    )
