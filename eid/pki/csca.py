"""Country signing certification authorities: self-signed and link certificates (Doc 9303-12 4.1, 7.1.1)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from eid.codec import extension_builders as build
from eid.codec.extensions import Extension, KeyUsage
from eid.codec.x509 import decode_certificate
from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import IssuingState, Validity, derive_key_identifier, is_key_of, sign_certificate

PATH_LENGTH: Final = 0  # Doc 9303-12 table 6: no authority below a CSCA


def build_csca_certificate(
    signer: Signer,
    state: IssuingState,
    common_name: str,
    validity: Validity,
    private_key_usage: Validity,
    *,
    serial_number: str | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """A self-signed CSCA certificate, DER.

    Args:
        signer: the CSCA's key. common_name: e.g. "SPECIMEN CSCA". serial_number: of the name, e.g. "001" at roll-over.
        validity: as long as any document lives that is signed below it. private_key_usage: while the key signs.

    Raises:
        LifecycleError: the key is to be used outside the certificate's validity.
        KeyStoreError: the key cannot be used.
    """
    name = state.build_name(common_name, serial_number=serial_number)
    key = state.encode_key(signer.public_key_info)
    extensions = _authority_extensions(state, key, derive_key_identifier(key), validity, private_key_usage)
    return sign_certificate(
        signer,
        issuer=name,
        subject=name,
        public_key_info=key,
        validity=validity,
        extensions=extensions,
        random=random,
    )


def build_link_certificate(
    old_signer: Signer,
    old_certificate: bytes,
    new_certificate: bytes,
    state: IssuingState,
    validity: Validity,
    *,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """A link certificate, DER: the old CSCA key vouches for the new key, under the new name where it changed.

    Args:
        old_signer: the old CSCA's key. old_certificate, new_certificate: self-signed, DER.

    Raises:
        LifecycleError: the key is not that of the old certificate, or the new key's usage is outside the validity.
        KeyStoreError: the key cannot be used. DecodeError: a certificate is malformed.
    """
    old, new = decode_certificate(old_certificate), decode_certificate(new_certificate)
    if not is_key_of(old_signer, old.spki_raw):
        raise LifecycleError("the key is not that of the old CSCA certificate")
    period = new.extensions.private_key_usage_period()
    usage = validity
    if period is not None and period.not_before is not None and period.not_after is not None:
        usage = Validity(period.not_before, period.not_after)
    issuer_identifier = old.extensions.subject_key_identifier or derive_key_identifier(old.spki_raw)
    extensions = _authority_extensions(state, new.spki_raw, issuer_identifier, validity, usage)
    if old.subject_raw != new.subject_raw:
        extensions = (*extensions, build.name_change())
    return sign_certificate(
        old_signer,
        issuer=old.subject_raw,
        subject=new.subject_raw,
        public_key_info=new.spki_raw,
        validity=validity,
        extensions=extensions,
        random=random,
    )


def _authority_extensions(
    state: IssuingState, key: bytes, issuer_identifier: bytes, validity: Validity, usage: Validity
) -> tuple[Extension, ...]:
    """Doc 9303-12 table 6, columns "CSCA self-signed" and "CSCA link"."""
    if not validity.contains(usage):
        raise LifecycleError("a private key is used within its certificate's validity only")
    return (
        build.authority_key_identifier(issuer_identifier),
        build.subject_key_identifier(derive_key_identifier(key)),
        build.key_usage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN),
        build.private_key_usage_period(usage.not_before, usage.not_after),
        build.subject_alternative_name(state.alternative_names),
        build.issuer_alternative_name(state.alternative_names),
        build.basic_constraints(True, PATH_LENGTH),
        build.crl_distribution_points(state.crl_uris),
    )
