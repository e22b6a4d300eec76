"""sod.dg_hashes.dgN: each data group that was read is the one the issuer hashed, and none was slipped in."""

from __future__ import annotations

import hmac
from typing import Final

from eid.crypto.hashes import digest
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check

PREFIX: Final = "sod.dg_hashes.dg"
_DATA_GROUPS: Final = {f"{PREFIX}{number}": (number, f"DG{number}") for number in range(1, 17)}  # by check


def expand(case: Case) -> tuple[str, ...]:
    """One check for each data group that is listed, was read, or is wanted by the policy; in ascending order."""
    listed = {} if case.sod is None else case.sod.data_group_hashes
    read, wanted = case.contents, case.policy.data_groups
    return tuple(
        [
            check_id
            for check_id, (number, name) in _DATA_GROUPS.items()
            if number in listed or name in read or name in wanted
        ]
    )


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
