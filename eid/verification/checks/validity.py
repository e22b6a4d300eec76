"""ds.validity: the document signer's certificate is valid at the reference time (Doc 9303-12 5, 7.1)."""

from __future__ import annotations

from typing import Final

from eid.pki.path import verify_validity
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Compare notBefore and notAfter with the reference time; after notAfter nobody can tell."""
    verify_validity(case.require_signer(), case.require_reference_time(), "the document signer's certificate")
    return ""


VALIDITY: Final = Check("ds.validity", "Doc 9303-12 7.1", run)
