"""Signers of master lists and deviation lists: their certificates, and what they sign (Doc 9303-12 7.1.1, 8, 9)."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from enum import Enum, unique

from eid.codec import extension_builders as build
from eid.codec import oid
from eid.codec.x509 import decode_certificate
from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.content_signer import prepare_signer
from eid.pki.document_signer import certify_signer


@unique
class ListKind(Enum):
    """What is listed: the content type of the list, and the purpose in its signer's certificate."""

    MASTER = (oid.CSCA_MASTER_LIST, oid.CSCA_MASTER_LIST_SIGNING_KEY)
    DEVIATION = (oid.DEVIATION_LIST, oid.DEVIATION_LIST_SIGNING_KEY)
    STATUS = ("", oid.STATUS_LIST_SIGNING_KEY)  # not in CMS: eid.pki.status_token

    @property
    def content_type(self) -> str:
        """eContentType, dotted; "" for lists that are not signed in CMS."""
        return self.value[0]

    @property
    def purpose(self) -> str:
        """Extended key usage of the signer, dotted."""
        return self.value[1]


def build_list_signer_certificate(
    kind: ListKind,
    csca_signer: Signer,
    csca_certificate: bytes,
    public_key_info: bytes,
    state: IssuingState,
    common_name: str,
    validity: Validity,
    private_key_usage: Validity,
    *,
    random: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """A list signer's certificate, DER; its extended key usage is critical.

    Args and Raises: those of `build_document_signer_certificate`.
    """
    return certify_signer(
        csca_signer,
        csca_certificate,
        public_key_info,
        state,
        common_name,
        validity,
        private_key_usage,
        purpose=build.extended_key_usage((kind.purpose,), critical=True),
        random=random,
    )


def sign_list(
    kind: ListKind,
    content: bytes,
    signer: Signer,
    certificate: bytes,
    csca_certificate: bytes,
    *,
    signing_time: datetime,
) -> bytes:
    """A signed list, ContentInfo, DER: the signer's and the CSCA's certificates inside (Doc 9303-12 8.1.2, table 8).

    Args:
        content: CscaMasterList or DeviationList, DER. certificate, csca_certificate: DER.

    Raises:
        LifecycleError: the certificate is for another purpose, the key is not its, or may not sign at that time.
        KeyStoreError: the key cannot be used. DecodeError: a certificate is malformed.
    """
    purposes = decode_certificate(certificate).extensions.extended_key_usage
    if purposes != (kind.purpose,):
        raise LifecycleError(f"the certificate is not one of a {kind.name.lower()} list signer")
    prepared = prepare_signer(
        kind.content_type, signer, certificate, by_key_identifier=True, others=(csca_certificate,)
    )
    return prepared.sign(content, signing_time)
