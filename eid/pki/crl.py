"""Certificate revocation lists of a CSCA (Doc 9303-12 7.1.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, unique

from eid.codec import extension_builders as build
from eid.codec.crl import RevokedCertificate, encode_crl, encode_tbs_crl
from eid.codec.x509 import decode_certificate
from eid.errors import LifecycleError
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import build_signature_identifier, derive_key_identifier, is_key_of, sign_checked


@unique
class RevocationReason(IntEnum):
    """CRLReason (RFC 5280 5.3.1); "unspecified" is said by saying nothing."""

    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


@dataclass(frozen=True, slots=True)
class Revocation:
    """One certificate to be listed: its serial, when it was revoked (aware), why (None if not said)."""

    serial: int
    revoked_at: datetime
    reason: RevocationReason | None = None


def build_crl(
    signer: Signer,
    csca_certificate: bytes,
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
    revocations: Iterable[Revocation] = (),
) -> bytes:
    """A CRL, DER, in the form of its authority's name, entries by serial.

    Args:
        csca_certificate: of the authority whose key signs. number: higher than that of every earlier list.
        next_update: by when the next list appears, at most 90 days later (Doc 9303-12 4.2).

    Raises:
        LifecycleError: the key is not that of the certificate, the times are out of order, or the number is negative.
        ValueError: a serial is listed twice. KeyStoreError: the key cannot be used.
    """
    csca = decode_certificate(csca_certificate)
    if not is_key_of(signer, csca.spki_raw):
        raise LifecycleError("the key is not that of the CSCA certificate")
    if this_update >= next_update or number < 0:
        raise LifecycleError("a CRL has a number, and its next update is after this one")
    entries = sorted(revocations, key=lambda item: item.serial)
    if len({item.serial for item in entries}) != len(entries):
        raise ValueError("a serial number is listed twice")
    identifier = build_signature_identifier(signer.algorithm)
    key_identifier = csca.extensions.subject_key_identifier or derive_key_identifier(csca.spki_raw)
    tbs = encode_tbs_crl(
        signature_algorithm=identifier,
        issuer=csca.subject_raw,
        this_update=this_update,
        next_update=next_update,
        revoked=[RevokedCertificate(item.serial, item.revoked_at, item.reason) for item in entries],
        extensions=(build.authority_key_identifier(key_identifier), build.crl_number(number)),
    )
    return encode_crl(tbs, identifier, sign_checked(signer, tbs))
