"""document.deviations: what the issuing state publishes of departures in this document (Doc 9303-3 7, Doc 9303-12 10).

A deviation excuses nothing: what failed has failed. It is told, and a key of Active Authentication of which the issuer
says that others may know it proves nothing any more.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from eid.errors import DecodeError, Reason, VerificationError
from eid.lds.dg12 import decode_dg12
from eid.mrz import Mrz
from eid.pki.deviation_list import Deviation, DeviationKind
from eid.verification.case import Case
from eid.verification.checks.check import Check

ID: Final = "document.deviations"


def expand(case: Case) -> tuple[str, ...]:
    """The check, where there is a deviation list to ask; without one nothing is said, good or bad."""
    return (ID,) if case.trust.deviation_lists else ()


def run(case: Case, check_id: str) -> str:
    """Name the deviations that cover this document, by its signer, type, number and date of issue."""
    case.require_path()
    found = find_deviations(case)
    if is_key_compromised(found):
        raise VerificationError(Reason.KEY_COMPROMISED, "the issuer published AA_KEY_COMPROMISED for this document")
    return f"published: {', '.join(sorted({item.kind.value for item in found}))}" if found else ""


def find_deviations(case: Case) -> tuple[Deviation, ...]:
    """Published deviations of the document; what it does not tell of itself counts as covered."""
    if not case.trust.deviation_lists or case.signer is None:
        return ()
    mrz = _find_mrz(case)
    return case.trust.deviations_of(
        case.signer,
        document_type=None if mrz is None else mrz.document_code,
        document_number=None if mrz is None else mrz.document_number,
        issued_on=_find_issue_date(case),
    )


def is_key_compromised(deviations: tuple[Deviation, ...]) -> bool:
    """Whether the issuer says that others may know the chip's key."""
    return any(item.kind is DeviationKind.AA_KEY_COMPROMISED for item in deviations)


def _find_mrz(case: Case) -> Mrz | None:
    """The MRZ where the issuer signed it: another one could point past the deviation."""
    try:
        return case.require_mrz() if case.is_bound(1) else None
    except (VerificationError, DecodeError):
        return None


def _find_issue_date(case: Case) -> date | None:
    try:
        return date.fromisoformat(decode_dg12(case.require_bound(12)).date_of_issue or "")
    except (VerificationError, ValueError):  # DecodeError is a ValueError
        return None


DEVIATIONS: Final = Check(ID, "Doc 9303-12 10", run, expand)
