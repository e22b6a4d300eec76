"""ds.path: the document signer's certificate was issued by a CSCA of the trust store (Doc 9303-12 6, 7)."""

from __future__ import annotations

from typing import Final

from eid.codec.defect import DefectCode
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import describe_tolerated, find_signer_path

_LENIENCIES: Final = frozenset({DefectCode.BASIC_CONSTRAINTS, DefectCode.KEY_USAGE})


def run(case: Case, check_id: str) -> str:
    """Build the path and verify every signature on it; validity is a check of its own."""
    tolerated = case.policy.tolerated
    path, defects = find_signer_path(case.require_signer(), case.trust, not tolerated.isdisjoint(_LENIENCIES))
    for item in defects:
        if item.code not in tolerated:
            raise VerificationError(Reason.CHAIN_CONSTRAINTS_FAILURE, item.what, clause=item.clause)
    case.path = path
    return describe_tolerated(item.code for item in defects) if defects else ""


CERTIFICATE_PATH: Final = Check("ds.path", "Doc 9303-12 6", run)
