"""sod.dg_hashes.dgN: each data group that was read is the one the issuer hashed, and none was slipped in."""

from __future__ import annotations

import hmac
from typing import Final

from eid.crypto.hashes import digest
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check

PREFIX: Final = "sod.dg_hashes.dg"
_NUMBERS: Final = {f"DG{number}": number for number in range(1, 17)}
_IDS: Final = {number: f"{PREFIX}{number}" for number in range(1, 17)}
_DATA_GROUPS: Final = {check_id: (number, f"DG{number}") for number, check_id in _IDS.items()}


def expand(case: Case) -> tuple[str, ...]:
    """One check for each data group that is listed, was read, or is wanted by the policy; in ascending order."""
    numbers = {_NUMBERS[name] for name in case.contents.keys() & _NUMBERS.keys()}
    numbers.update([_NUMBERS[name] for name in case.policy.data_groups])
    if case.sod is not None:
        numbers.update(case.sod.data_group_hashes)
    return tuple([_IDS[number] for number in sorted(numbers)])


def run(case: Case, check_id: str) -> str:
    """Hash the raw bytes of one data group and compare."""
    number, name = _DATA_GROUPS[check_id]
    signed = case.require_sod().lds_security_object
    raw = case.contents.get(name)
    expected = signed.data_group_hashes.get(number)
    if raw is None:
        raise VerificationError(Reason.DATA_MISSING, f"{name} was not read")
    if expected is None:
        raise VerificationError(Reason.DG_NOT_IN_SOD, f"EF.SOD does not list {name}")
    if not hmac.compare_digest(digest(signed.hash_algorithm, raw), expected):
        raise VerificationError(Reason.HASH_FAILURE, f"{name} is not the one that was signed")
    return ""


DATA_GROUP_HASHES: Final = Check("sod.dg_hashes", "Doc 9303-11 5.1", run, expand)
