"""csca.trust: the CSCA at the end of the path is trusted, valid at the reference time, and strong enough."""

from __future__ import annotations

from typing import Final

from eid.pki.path import verify_validity
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.strength import require_strong_certificate, require_strong_key


def run(case: Case, check_id: str) -> str:
    """Judge the anchor itself, the links to it, and whether the operator distrusts a key of the path.

    Nothing rests on the anchor's own signature.
    """
    path = case.require_path()
    # At the time of judging: a time that the document states is no protection from a key that leaked.
    case.trust.verify_not_distrusted(path.certificates, case.time)
    time = case.require_reference_time()
    for authority in path.authorities:
        what = "the CSCA" if authority.is_anchor else "the CSCA link"
        require_strong_key(authority.public_key, case.policy.algorithms, f"the key of {what}")
        verify_validity(authority.certificate, time, f"{what} certificate")
    for link in path.authorities[:-1]:
        require_strong_certificate(link.certificate, case.policy.algorithms, "the CSCA link certificate")
    return ""


CSCA_TRUST: Final = Check("csca.trust", "Doc 9303-12 7.1", run)
