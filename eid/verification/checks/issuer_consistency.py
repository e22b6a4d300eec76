"""consistency.issuer: the state that the MRZ names is the state whose signer signed (Doc 9303-12 7.1)."""

from __future__ import annotations

from typing import Final

from eid.errors import Reason, VerificationError
from eid.pki.country import is_issuing_code, is_same_state, issuing_codes
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Compare the issuing state of DG1 with the country of the document signer and of its CSCA.

    What names no country, or one of which no table here knows anything, is not another state's: it cannot be told.
    """
    state = case.require_mrz().issuing_state
    path = case.require_path()
    for certificate, what in ((case.require_signer(), "document signer"), (path.anchor.certificate, "CSCA")):
        country = certificate.country
        if country is None:
            raise VerificationError(Reason.DATA_MISSING, f"the certificate of the {what} names no country")
        if is_same_state(country, state):
            continue
        if not issuing_codes(country) and not is_issuing_code(state):
            raise VerificationError(Reason.DATA_MISSING, f"neither the {what}'s country nor the state is known here")
        raise VerificationError(Reason.ISSUER_MISMATCH, f"the {what} is of another state than the MRZ names")
    return ""


ISSUER_CONSISTENCY: Final = Check("consistency.issuer", "Doc 9303-12 7.1", run)
