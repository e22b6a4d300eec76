"""ds.revocation: the CSCA's CRL does not list the document signer (Doc 9303-12 7.3). No answer is not a good answer.

A revoked signer fails whatever the document's own date says: whoever stole the key can back-date.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final

from eid.codec.crl import CertificateList
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import Authority
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.strength import require_strong_list


def run(case: Case, check_id: str) -> str:
    """Look the signer up in the freshest CRL of its issuer."""

    def require(issuer: Authority, crl: CertificateList) -> None:
        require_strong_list(crl, case.trust.signer_of(crl, issuer), case.policy.algorithms)

    crl = verify_not_revoked(case.require_path(), case.trust, case.time, case.policy.crl_grace, require)
    case.require_time()  # a revocation holds whatever the time is, freshness only under a right clock
    return _name(crl.this_update) + _tell_stale(crl, case.time)


@lru_cache(maxsize=256)  # to write a date takes longer than to look a signer up
def _name(this_update: datetime) -> str:
    return f"CRL of {this_update.date().isoformat()}"


def _tell_stale(crl: CertificateList, time: datetime) -> str:
    is_stale = crl.next_update is not None and crl.next_update < time
    return f", tolerated: stale since {crl.next_update:%Y-%m-%d}" if is_stale else ""


REVOCATION: Final = Check("ds.revocation", "Doc 9303-12 7.3", run)
