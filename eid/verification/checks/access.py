"""access: the chip was opened by a protocol that the policy accepts, and by the best one that the issuer signed for."""

from __future__ import annotations

from typing import Final

from eid.errors import Reason, VerificationError
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.lds.dg14 import decode_dg14
from eid.lds.security_infos import PACEInfo
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall

_PROTOCOLS: Final = (ProtocolName.PACE, ProtocolName.BAC)
_NOT_TOLD: Final = Shortfall(Reason.NOT_ATTEMPTED, "nothing is said of how the chip was opened")


def run(case: Case, check_id: str) -> str | Shortfall:
    """Name the protocol that opened the chip; refuse BAC where the signed DG14 announces PACE."""
    for used in _PROTOCOLS:
        if _succeeded(case, used):
            break
    else:
        return _NOT_TOLD
    if used.value not in case.policy.access:
        raise VerificationError(Reason.DOWNGRADED, f"the policy does not accept {used.value.upper()}")
    if used is ProtocolName.BAC and case.policy.refuse_downgrade:
        _refuse_downgrade(case)
    return f"{used.value.upper()}"


def _refuse_downgrade(case: Case) -> None:
    """Fail where the signed DG14 announces PACE, and where DG14 is withheld although the issuer lists it."""
    clause = "Doc 9303-11 4.2"
    if _announces_pace(case):
        raise VerificationError(Reason.DOWNGRADED, "the chip runs PACE, and BAC was used", clause=clause)
    listed = case.sod is not None and 14 in case.sod.data_group_hashes
    if listed and case.content("DG14") is None:
        raise VerificationError(
            Reason.DOWNGRADED, "BAC was used, and DG14, which would tell of PACE, was not read", clause=clause
        )


def _succeeded(case: Case, name: ProtocolName) -> bool:
    transcript = case.evidence.transcript(name)
    return transcript is not None and transcript.outcome is ProtocolOutcome.SUCCEEDED


def _announces_pace(case: Case) -> bool:
    raw = case.content("DG14")
    if raw is None or not case.is_bound(14):
        return False
    return any(isinstance(info, PACEInfo) for info in decode_dg14(raw).security_infos)


ACCESS: Final = Check("access", "Doc 9303-11 4.2", run)
