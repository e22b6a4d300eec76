"""The EF.CardSecurity that a document signer signs (Doc 9303-11 9.2.11, TR-03110-3 A.1.2.5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from eid.keystore.ports import Signer
from eid.lds.card_security import ID_SECURITY_OBJECT
from eid.lds.security_infos import SecurityInfo, encode_security_infos
from eid.pki.content_signer import prepare_signer


def sign_card_security(
    security_infos: Iterable[SecurityInfo],
    signer: Signer,
    ds_certificate: bytes,
    *,
    signing_time: datetime,
    by_key_identifier: bool = False,
) -> bytes:
    """EF.CardSecurity: SecurityInfos in a CMS SignedData, the document signer's certificate inside.

    Args:
        security_infos: those of EF.CardAccess, and what only a signature may vouch for: the chip's public keys.
        ds_certificate: DER. signing_time: aware; it must lie in the private key's usage period.
        by_key_identifier: name the signer by its subject key identifier (SignerInfo v3), not by issuer and serial (v1).

    Raises:
        LifecycleError: the key is not the certificate's, the key may not sign at that time, or the certificate has no
            key identifier to name it by.
        KeyStoreError: the key cannot be used. DecodeError: the certificate is malformed.
    """
    prepared = prepare_signer(ID_SECURITY_OBJECT, signer, ds_certificate, by_key_identifier=by_key_identifier)
    return prepared.sign(encode_security_infos(security_infos), signing_time)
