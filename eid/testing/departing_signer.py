"""A document signer that departs from Doc 9303-10 4.6.2.2 as quirks say. SPECIMEN: no issuer signs so."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from eid.codec import der, oid
from eid.keystore.ports import Signer
from eid.lds.sod import encode_ef_sod
from eid.personalization.departures import order_otherwise
from eid.pki.content_signer import prepare_signer
from eid.profile.quirks import Quirks

_SIGNING_TIME: Final = der.encode_oid(oid.SIGNING_TIME)


def sign_departing_sod(
    lds_security_object: bytes, signer: Signer, ds_certificate: bytes, quirks: Quirks, signing_time: datetime
) -> bytes:
    """EF.SOD with those departures that its signature covers.

    Raises:
        LifecycleError, KeyStoreError, DecodeError: as `prepare_signer` and `ContentSigner.sign`.
    """
    prepared = prepare_signer(quirks.sod_content_type, signer, ds_certificate)
    attributes = prepared.encode_attributes(lds_security_object, signing_time)
    if not quirks.sod_signing_time:
        attributes = _without_signing_time(attributes)
    if quirks.sod_attributes == "signed-as-stored":
        attributes = order_otherwise(attributes)
    return encode_ef_sod(prepared.finish(lds_security_object, attributes))


def _without_signing_time(attributes: bytes) -> bytes:
    start, stop = der.enter(attributes, 0, len(attributes), der.SET, "signedAttrs")
    kept = []
    for at, _, inner, behind in der.split(attributes, start, stop, "signedAttrs"):
        if not attributes.startswith(_SIGNING_TIME, inner):
            kept.append(attributes[at:behind])
    return der.encode_set_of(kept)
