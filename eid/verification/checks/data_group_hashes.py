"""sod.dg_hashes.dgN: each data group that was read is the one the issuer hashed, and none was slipped in."""

from __future__ import annotations

import hmac
from typing import Final

from eid.crypto.hashes import digest
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check

PREFIX: Final = "sod.dg_hashes.dg"
_NAMES: Final = {f"DG{number}": f"{PREFIX}{number}" for number in range(1, 17)}
_NUMBERS: Final = {f"{PREFIX}{number}": number for number in range(1, 17)}


def expand(case: Case) -> tuple[str, ...]:
    """One check for each data group that is listed, was read, or is wanted by the policy; in ascending order."""
    ids = {_NAMES[item.name] for item in case.evidence.files if item.name in _NAMES}
    ids.update(_NAMES[name] for name in case.policy.data_groups)
    if case.sod is not None:
        ids.update(f"{PREFIX}{number}" for number in case.sod.data_group_hashes)
    return tuple(sorted(ids, key=_NUMBERS.__getitem__))


def run(case: Case, check_id: str) -> str:
    """Hash the raw bytes of one data group and compare."""
    number = _NUMBERS[check_id]
    sod = case.require_sod()
    raw = case.evidence.content(f"DG{number}")
    expected = sod.data_group_hashes.get(number)
    if raw is None:
        raise VerificationError(Reason.DATA_MISSING, f"DG{number} was not read")
    if expected is None:
        raise VerificationError(Reason.DG_NOT_IN_SOD, f"EF.SOD does not list DG{number}")
    if not hmac.compare_digest(digest(sod.hash_algorithm, raw), expected):
        raise VerificationError(Reason.HASH_FAILURE, f"DG{number} is not the one that was signed")
    return ""


DATA_GROUP_HASHES: Final = Check("sod.dg_hashes", "Doc 9303-11 5.1", run, expand)
