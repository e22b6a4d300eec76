"""consistency.mrz: the MRZ of DG1 is sound, and what else the chip says of the holder agrees with it."""

from __future__ import annotations

from typing import Final

from eid.errors import Reason, VerificationError
from eid.lds.dg11 import decode_full_date_of_birth
from eid.mrz import Mrz
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Decode the MRZ with every check digit; compare the birth date of DG11."""
    mrz = case.require_mrz()
    raw = case.content("DG11")
    if raw is not None:
        _compare_birth(mrz, decode_full_date_of_birth(raw))
    return ""


def _compare_birth(mrz: Mrz, born: str | None) -> None:
    if not born or born[2:] == mrz.date_of_birth:  # some states write the element and leave it empty
        return
    for in_mrz, in_dg11 in zip(mrz.date_of_birth, born[2:], strict=True):
        # A part of the date that is unknown is a filler in the MRZ and zero in DG11.
        if in_mrz not in (in_dg11, "<"):
            raise VerificationError(Reason.MRZ_MISMATCH, "DG1 and DG11 give different birth dates")


MRZ_CONSISTENCY: Final = Check("consistency.mrz", "Doc 9303-3 4", run)
