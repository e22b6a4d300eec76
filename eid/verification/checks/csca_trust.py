"""csca.trust: the CSCA at the end of the path is trusted, valid at the reference time, and strong enough."""

from __future__ import annotations

from typing import Final

from eid.pki.path import verify_validity
from eid.verification.case import Case
from eid.verification.checks.algorithms import require_strong_key
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Judge the anchor itself."""
    anchor = case.require_path().anchor
    require_strong_key(anchor.public_key, case.policy.algorithms, "the CSCA's key")
    verify_validity(anchor.certificate, case.time, "the CSCA certificate")
    return ""


CSCA_TRUST: Final = Check("csca.trust", "Doc 9303-12 7.1", run)
