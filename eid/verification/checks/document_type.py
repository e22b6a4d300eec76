"""ds.document_type: the signer may sign documents of the kind that the MRZ names (Doc 9303-12 7.1.1)."""

from __future__ import annotations

from typing import Final

from eid.codec import oid
from eid.codec.defect import DefectCode
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import describe_tolerated, read_document_types


def run(case: Case, check_id: str) -> str:
    """Look the document code of DG1 up in the signer's document type list, where the certificate has one."""
    stated = case.require_signer().extensions.find(oid.DOCUMENT_TYPE_LIST)
    if stated is None:
        return "the signer's certificate lists no document types"
    allowed, tolerated = read_document_types(stated.value, case.policy.tolerated)
    if allowed is None:
        return tolerated
    code = case.require_mrz().document_code.rstrip("<")
    if _is_allowed(code, allowed):
        return tolerated
    if DefectCode.DOCUMENT_TYPE in case.policy.tolerated:
        return describe_tolerated((DefectCode.DOCUMENT_TYPE,))
    raise VerificationError(
        Reason.DOCUMENT_TYPE_MISMATCH, f"the signer is for documents {', '.join(allowed)}, the MRZ says {code}"
    )


def _is_allowed(code: str, allowed: tuple[str, ...]) -> bool:
    """Equal codes, fillers aside; a list's single letter is for every second one: "P" for "P<", "PD" and "PS"."""
    kinds = {kind.rstrip("<") for kind in allowed}
    return code in kinds or code[:1] in kinds


DOCUMENT_TYPE: Final = Check("ds.document_type", "Doc 9303-12 7.1.1", run)
