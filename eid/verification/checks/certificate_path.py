"""ds.path: the document signer's certificate was issued by a CSCA of the trust store (Doc 9303-12 6, 7)."""

from __future__ import annotations

from typing import Final

from eid.codec.defect import DefectCode
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import describe_tolerated, find_signer_path


def run(case: Case, check_id: str) -> str:
    """Build the path and verify every signature on it; validity is a check of its own."""
    tolerant = DefectCode.BASIC_CONSTRAINTS in case.policy.tolerated
    case.path, defects = find_signer_path(case.require_signer(), case.trust, tolerant)
    return describe_tolerated(item.code for item in defects) if defects else ""


CERTIFICATE_PATH: Final = Check("ds.path", "Doc 9303-12 6", run)
