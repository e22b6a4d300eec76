"""access: the chip was opened by a protocol that the policy accepts, and by the best one that the issuer signed for.

EF.CardAccess is not signed when the terminal chooses by it. Afterwards the signed DG14 tells whether it was altered:
what DG14 announces of PACE has to stand in EF.CardAccess, and what was run in DG14 (Doc 9303-11 9.2.11).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eid.errors import Reason, VerificationError
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.lds.card_access import decode_card_access
from eid.lds.dg14 import find_in_dg14
from eid.lds.files import EF_CARD_ACCESS
from eid.lds.security_infos import (
    ID_PACE_DH_GM,
    ID_PACE_DH_IM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    SUITE_ARCS,
    PACEInfo,
    SecurityInfo,
)
from eid.verification.case import Case
from eid.verification.checks.check import Check, Shortfall

_PROTOCOLS: Final = (ProtocolName.PACE, ProtocolName.BAC)
_PACE: Final = frozenset(
    f"{mechanism}.{arc}"
    for mechanism in (ID_PACE_ECDH_GM, ID_PACE_ECDH_IM, ID_PACE_ECDH_CAM, ID_PACE_DH_GM, ID_PACE_DH_IM)
    for arc in SUITE_ARCS
)
_CLAUSE: Final = "Doc 9303-11 4.2"
_USED: Final = ("oid", "parameter_id")
_NOT_TOLD: Final = Shortfall(Reason.NOT_ATTEMPTED, "nothing is said of how the chip was opened")


def run(case: Case, check_id: str) -> str | Shortfall:
    """Name the protocol that opened the chip; refuse BAC, or other PACE, than the signed DG14 announces."""
    for used in _PROTOCOLS:
        if _succeeded(case, used):
            break
    else:
        return _NOT_TOLD
    if used.value not in case.policy.access:
        raise VerificationError(Reason.DOWNGRADED, f"the policy does not accept {used.value.upper()}")
    if case.policy.refuse_downgrade:
        _refuse_bac(case) if used is ProtocolName.BAC else _refuse_other_pace(case)
    return f"{used.value.upper()}"


def _refuse_bac(case: Case) -> None:
    """Fail where the signed DG14 announces PACE, and where DG14 is withheld although the issuer lists it."""
    if _signed_pace(case):
        raise VerificationError(Reason.DOWNGRADED, "the chip runs PACE, and BAC was used", clause=_CLAUSE)
    listed = case.sod is not None and 14 in case.sod.data_group_hashes
    if listed and case.content("DG14") is None:
        raise VerificationError(
            Reason.DOWNGRADED, "BAC was used, and DG14, which would tell of PACE, was not read", clause=_CLAUSE
        )


def _refuse_other_pace(case: Case) -> None:
    """Fail where EF.CardAccess hid PACE that the signed DG14 announces, or offered PACE that it does not."""
    signed = _signed_pace(case)
    if not signed:
        return
    raw = case.content(EF_CARD_ACCESS.name)
    if raw is not None and not signed <= _pace_of(decode_card_access(raw).security_infos):
        raise VerificationError(
            Reason.DOWNGRADED, "EF.CardAccess leaves out PACE that the signed DG14 announces", clause=_CLAUSE
        )
    transcript = case.evidence.transcript(ProtocolName.PACE)
    used = ("", "") if transcript is None else tuple(transcript.parameters.get(key, "") for key in _USED)
    if all(used) and used not in signed:
        raise VerificationError(
            Reason.DOWNGRADED, "PACE was run in a way that the signed DG14 does not announce", clause=_CLAUSE
        )


def _succeeded(case: Case, name: ProtocolName) -> bool:
    transcript = case.evidence.transcript(name)
    return transcript is not None and transcript.outcome is ProtocolOutcome.SUCCEEDED


def _signed_pace(case: Case) -> frozenset[tuple[str, str]]:
    """What the signed DG14 announces of PACE."""
    raw = case.content("DG14")
    return frozenset() if raw is None or not case.is_bound(14) else _pace_of(find_in_dg14(raw, _PACE))


def _pace_of(infos: Iterable[SecurityInfo]) -> frozenset[tuple[str, str]]:
    """Protocols and parameter identifiers, as a transcript has them."""
    return frozenset((info.protocol, str(info.parameter_id)) for info in infos if isinstance(info, PACEInfo))


ACCESS: Final = Check("access", "Doc 9303-11 4.2", run)
