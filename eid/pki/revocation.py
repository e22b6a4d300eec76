"""Revocation by CRL (Doc 9303-12 7.3, RFC 5280 6.3). A stale list that names the certificate still revokes it; a stale
list that does not, and no list at all, say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from eid.codec.crl import CertificateList
from eid.errors import Reason, VerificationError
from eid.pki.path import CertificatePath
from eid.pki.trust_store import Authority, TrustStore

NO_GRACE: Final = timedelta(0)
RequireList: TypeAlias = Callable[[Authority, CertificateList], None]


def accept_any(issuer: Authority, crl: CertificateList) -> None:
    """A relying party without a floor for lists."""


def verify_not_revoked(
    path: CertificatePath,
    trust: TrustStore,
    time: datetime,
    grace: timedelta = NO_GRACE,
    require: RequireList = accept_any,
) -> CertificateList:
    """The fresh CRL that shows every certificate below the anchor to be unrevoked; the signer's, where there are more.

    Args:
        time: time of judging, UTC. A CRL younger than that is as good: it lists what was revoked before.
        grace: for how long after its nextUpdate a CRL is still taken.
        require: raises where a CRL of this issuer is too weak to clear anybody; what it names is revoked all the same.

    Raises:
        VerificationError: REVOKED; TRY_LATER, no CRL of the issuer is at hand, or the newest is stale at that time;
            what `require` raises.
    """
    lists = []
    certificate = path.signer
    for issuer in path.authorities:
        crls = trust.crls_covering(issuer, time)
        lists.append(_require_unrevoked(certificate.serial, issuer, crls, time, grace, require))
        certificate = issuer.certificate
    return lists[0]


def _require_unrevoked(
    serial: int,
    issuer: Authority,
    crls_by_key: tuple[tuple[CertificateList, ...], ...],
    time: datetime,
    grace: timedelta,
    require: RequireList,
) -> CertificateList:
    """A fresh CRL, which is the newest of its key and strong enough, where none of all names the certificate."""
    for crls in crls_by_key:
        for crl in crls:
            entry = crl.revoked.find(serial)
            if entry is not None:
                raise VerificationError(Reason.REVOKED, f"revoked on {entry.revoked_at:%Y-%m-%d}")
    weakness: VerificationError | None = None
    for newest, *_ in crls_by_key:
        if newest.next_update is not None and time - newest.next_update <= grace:
            try:
                require(issuer, newest)
            except VerificationError as failure:
                weakness = failure
                continue
            return newest
    if weakness is not None:
        raise weakness
    if not crls_by_key:
        raise VerificationError(Reason.TRY_LATER, "no CRL of the issuer is at hand")
    raise VerificationError(
        Reason.TRY_LATER, f"the newest CRL is of {crls_by_key[0][0].this_update:%Y-%m-%d} and stale"
    )
