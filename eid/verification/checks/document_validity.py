"""document.validity: the document has not expired at the reference time; its last day counts (Doc 9303-3 4.8)."""

from __future__ import annotations

from typing import Final

from eid.errors import Reason, VerificationError
from eid.mrz import resolve_date_of_expiry
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Compare the expiry date of DG1 with the reference time, in UTC."""
    today = case.require_time().date()
    if resolve_date_of_expiry(case.require_mrz().date_of_expiry, today) < today:
        raise VerificationError(Reason.DOCUMENT_EXPIRED, "the document has expired")
    return ""


DOCUMENT_VALIDITY: Final = Check("document.validity", "Doc 9303-3 4.8", run)
