"""consistency.issuer: the state that the MRZ names is the state whose signer signed (Doc 9303-12 7.1)."""

from __future__ import annotations

from typing import Final

from eid.errors import Reason, VerificationError
from eid.pki.country import is_same_state
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Compare the issuing state of DG1 with the country of the document signer and of its CSCA."""
    state = case.require_mrz().issuing_state
    path = case.require_path()
    for certificate, what in ((case.require_signer(), "document signer"), (path.anchor.certificate, "CSCA")):
        country = certificate.country
        if country is None or not is_same_state(country, state):
            raise VerificationError(Reason.ISSUER_MISMATCH, f"the {what} is of another state than the MRZ names")
    return ""


ISSUER_CONSISTENCY: Final = Check("consistency.issuer", "Doc 9303-12 7.1", run)
