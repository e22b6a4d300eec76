"""A signer of CMS content made ready: EF.SOD, EF.CardSecurity, master lists (Doc 9303-10 4.6.2, Doc 9303-12 9).

What can be checked and encoded before the content is known is done once: the key compared with the certificate, the
certificate decoded, names and algorithms written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from eid.codec.algorithm import digest_identifier
from eid.codec.cms_template import SignedDataTemplate
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.hashes import digest
from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import Validity, build_signature_identifier, is_key_of


@dataclass(frozen=True, slots=True)
class ContentSigner:
    """A key and its certificate, ready to sign contents of one type. Make one with `prepare_signer`.

    Args:
        usage: when the private key signs.
    """

    signer: Signer
    usage: Validity
    template: SignedDataTemplate = field(repr=False)

    def sign(self, content: bytes, signing_time: datetime) -> bytes:
        """CMS SignedData over a content, the signer's certificate inside; ContentInfo, DER.

        Args:
            content: octets of eContent. signing_time: aware; it must lie in the private key's usage period.

        Raises:
            LifecycleError: the key may not sign at that time. KeyStoreError: the key cannot be used.
        """
        return self.finish(content, self.encode_attributes(content, signing_time))

    def encode_attributes(self, content: bytes, signing_time: datetime) -> bytes:
        """The signed attributes over a content, DER: the octets that the key will sign.

        Raises:
            LifecycleError: the key may not sign at that time.
        """
        usage = self.usage
        if not usage.not_before <= signing_time <= usage.not_after:  # Doc 9303-12 4.1.4
            raise LifecycleError(
                f"the document signer's key signs from {usage.not_before:%Y-%m-%d} to {usage.not_after:%Y-%m-%d} only"
            )
        return self.template.encode_attributes(digest(self.signer.algorithm.hash_name, content), signing_time)

    def finish(self, content: bytes, attributes: bytes) -> bytes:
        """ContentInfo from a content and the attributes that `encode_attributes` made of it.

        Raises:
            KeyStoreError: the key cannot be used.
        """
        return self.template.encode(content, attributes, self.signer.sign(attributes))


def prepare_signer(
    content_type: str,
    signer: Signer,
    certificate_raw: bytes,
    *,
    by_key_identifier: bool = False,
    others: tuple[bytes, ...] = (),
) -> ContentSigner:
    """Make a signer ready for contents of one type.

    Args:
        content_type: eContentType, dotted. certificate_raw: the signer's, DER. others: further certificates inside.
        by_key_identifier: name the signer by its subject key identifier (SignerInfo v3), not by issuer and serial (v1).

    Raises:
        LifecycleError: the key is not the certificate's, or the certificate has no key identifier to name it by.
        KeyStoreError: CMS does not know the key's algorithm. DecodeError: the certificate is malformed.
    """
    certificate = decode_certificate(certificate_raw)
    if not is_key_of(signer, certificate.spki_raw):
        raise LifecycleError("the key is not that of the document signer's certificate")
    template = SignedDataTemplate.build(
        content_type=content_type,
        signer=_name_signer(certificate, by_key_identifier),
        digest_algorithm=digest_identifier(signer.algorithm.hash_name),
        signature_algorithm=build_signature_identifier(signer.algorithm),
        certificates=(certificate_raw, *others),
    )
    return ContentSigner(signer, usage_of(certificate), template)


def usage_of(certificate: Certificate) -> Validity:
    """When a certificate's private key signs: its usage period, else its validity (Doc 9303-12 4.1.4)."""
    period = certificate.extensions.private_key_usage_period()
    start = (period and period.not_before) or certificate.not_before
    return Validity(start, (period and period.not_after) or certificate.not_after)


def _name_signer(certificate: Certificate, by_key_identifier: bool) -> tuple[bytes, int] | bytes:
    if not by_key_identifier:
        return certificate.issuer_raw, certificate.serial
    identifier = certificate.extensions.subject_key_identifier
    if identifier is None:
        raise LifecycleError("the document signer's certificate has no subject key identifier")
    return identifier
