"""ds.revocation: the CSCA's CRL does not list the document signer (Doc 9303-12 7.3). No answer is not a good answer.

A revoked signer fails whatever the document's own date says: whoever stole the key can back-date.
"""

from __future__ import annotations

from typing import Final

from eid.pki.revocation import verify_not_revoked
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Look the signer up in the freshest CRL of its issuer."""
    crl = verify_not_revoked(case.require_path(), case.trust, case.time)
    return f"CRL of {crl.this_update.date().isoformat()}"


REVOCATION: Final = Check("ds.revocation", "Doc 9303-12 7.3", run)
