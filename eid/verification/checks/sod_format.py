"""sod.format: EF.SOD is what Doc 9303-10 4.6.2 says, in DER, with nothing around it."""

from __future__ import annotations

from typing import Final

from eid.codec.defect import Defect
from eid.codec.x509 import decode_certificate
from eid.errors import Reason, VerificationError
from eid.lds.sod import decode_ef_sod
from eid.verification.case import Case
from eid.verification.checks.check import Check


def run(case: Case, check_id: str) -> str:
    """Decode EF.SOD and the certificate in it; a departure that the policy does not tolerate is a failure."""
    raw = case.evidence.content("EF.SOD")
    if raw is None:
        raise VerificationError(Reason.DATA_MISSING, "EF.SOD was not read")
    defects: list[Defect] | None = [] if case.policy.tolerated else None
    sod = decode_ef_sod(raw, defects)
    signer = None
    if sod.certificates:
        signer = decode_certificate(sod.certificates[0], defects)
    refused = [item for item in defects or () if item.code not in case.policy.tolerated]
    if refused:
        raise VerificationError(Reason.FORMAT_FAILURE, refused[0].what, clause=refused[0].clause)
    case.sod, case.signer = sod, signer
    return f"tolerated: {', '.join(sorted({item.code for item in defects}))}" if defects else ""


SOD_FORMAT: Final = Check("sod.format", "Doc 9303-10 4.6.2", run)
