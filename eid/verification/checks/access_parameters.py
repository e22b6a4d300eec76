"""access.parameters: PACE ran over domain parameters that somebody vouches for (TR-03110-3 A.2.1.3).

EF.CardAccess is not signed when PACE is run, and a run over parameters of a forger's making gives the password away. So
a chip MUST support a standardised set, and a terminal MUST NOT use parameters that nobody has verified. A policy may
take a curve of the chip's own all the same; then it has to be sound, and the signed DG14 has to state it, too.
"""

from __future__ import annotations

from typing import Final

from eid.errors import Reason, VerificationError
from eid.evidence import ProtocolName, ProtocolOutcome, ProtocolTranscript
from eid.lds.card_access import decode_card_access
from eid.lds.dg14 import decode_dg14
from eid.lds.files import EF_CARD_ACCESS
from eid.lds.security_infos import MAX_STANDARDIZED_ID, PACEInfo, find_pace_infos
from eid.protocols.pace.core import GroupSource, find_parameters
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall

ID: Final = "access.parameters"
DATA_GROUP: Final = 14
_NOT_TOLD: Final = Shortfall(Reason.DATA_MISSING, "the evidence does not say over which domain parameters PACE ran")


def expand(case: Case) -> tuple[str, ...]:
    """The check, where PACE has opened the chip."""
    transcript = case.evidence.transcript(ProtocolName.PACE)
    return (ID,) if transcript is not None and transcript.outcome is ProtocolOutcome.SUCCEEDED else ()


def run(case: Case, check_id: str) -> str | Shortfall:
    """Name the group and who vouches for it; refuse what nobody does."""
    transcript = case.evidence.transcript(ProtocolName.PACE)
    info = None if transcript is None else _find_info(case, transcript)
    if info is None:
        return _NOT_TOLD
    known = find_parameters(info)
    if known is not None:
        if known.source is GroupSource.STANDARDISED:
            return f"{known.group.name}, by its standardised identifier"
        return f"{known.group.name}, known by the values that the chip writes out"
    if info.domain_parameter is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"PACE {info.protocol} with {info.parameter_id}")
    if not case.policy.foreign_curves:
        raise VerificationError(Reason.UNVERIFIED_PARAMETERS, "the chip was opened over a curve that no standard names")
    return _judge_own_curve(case, info)


def _find_info(case: Case, transcript: ProtocolTranscript) -> PACEInfo | None:
    """The PACEInfo that the transcript names, with the parameters that EF.CardAccess writes out for it."""
    protocol, number = transcript.parameters.get("oid", ""), transcript.parameters.get("parameter_id", "")
    parameter_id = int(number[:4]) if number.isascii() and number.isdecimal() else None
    if parameter_id is not None and parameter_id <= MAX_STANDARDIZED_ID:
        return PACEInfo(protocol, parameter_id=parameter_id)
    announced = case.content(EF_CARD_ACCESS.name)
    infos = () if announced is None else decode_card_access(announced).pace_infos
    named = (info for info in infos if (info.protocol, info.parameter_id) == (protocol, parameter_id))
    return next(named, None)


def _judge_own_curve(case: Case, info: PACEInfo) -> str:
    if find_parameters(info, foreign_curves=True) is None:
        raise VerificationError(Reason.UNVERIFIED_PARAMETERS, "the chip was opened over a curve that is not sound")
    signed = find_pace_infos(decode_dg14(case.require_bound(DATA_GROUP)).security_infos)
    if info not in signed:
        raise VerificationError(
            Reason.UNVERIFIED_PARAMETERS, "the chip was opened over a curve that the signed DG14 does not state"
        )
    return "a curve of the chip's own, sound, and stated in the signed DG14"


ACCESS_PARAMETERS: Final = Check(ID, "TR-03110-3 A.2.1.3", run, expand)
