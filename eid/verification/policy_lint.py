"""What a policy leaves open: found by reading the policy, told with every verdict that rests on it.

A policy may be written for good reasons and still accept what a forger could show. It is never refused for that (only
one that proves nothing is), but it is called by its name, in the report, on the command line and on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

from eid.codec.defect import DefectCode

if TYPE_CHECKING:
    from eid.verification.policy import Policy


@unique
class Hazard(StrEnum):
    """Stable names of what a policy leaves open."""

    # UNSAFE: somebody without a genuine document, or with a stolen signer's key, can be accepted.
    REVOCATION_OPTIONAL = "REVOCATION_OPTIONAL"
    STALE_CRL_ACCEPTED = "STALE_CRL_ACCEPTED"
    ALGORITHMS_UNCHECKED = "ALGORITHMS_UNCHECKED"
    WEAK_KEYS_ACCEPTED = "WEAK_KEYS_ACCEPTED"
    VALIDITY_OPTIONAL = "VALIDITY_OPTIONAL"
    UNSIGNED_FIELDS_ACCEPTED = "UNSIGNED_FIELDS_ACCEPTED"
    # LIMITED: what the verdict does not say.
    COLLIDING_HASH_ACCEPTED = "COLLIDING_HASH_ACCEPTED"
    OTHER_CONTENT_ACCEPTED = "OTHER_CONTENT_ACCEPTED"
    SIGNING_TIME_BELIEVED = "SIGNING_TIME_BELIEVED"
    COPY_ACCEPTED = "COPY_ACCEPTED"
    RECORDING_ACCEPTED = "RECORDING_ACCEPTED"
    DOWNGRADE_ACCEPTED = "DOWNGRADE_ACCEPTED"
    FOREIGN_CURVES_ACCEPTED = "FOREIGN_CURVES_ACCEPTED"
    FOREIGN_SIGNER_ACCEPTED = "FOREIGN_SIGNER_ACCEPTED"
    EXPIRED_ACCEPTED = "EXPIRED_ACCEPTED"
    PORTRAIT_UNBOUND = "PORTRAIT_UNBOUND"


UNSAFE: Final = frozenset(
    {
        Hazard.REVOCATION_OPTIONAL,
        Hazard.STALE_CRL_ACCEPTED,
        Hazard.ALGORITHMS_UNCHECKED,
        Hazard.WEAK_KEYS_ACCEPTED,
        Hazard.VALIDITY_OPTIONAL,
        Hazard.UNSIGNED_FIELDS_ACCEPTED,
    }
)
MAX_GRACE: Final = timedelta(days=30)
# Below 1,024 bits RSA moduli have been factored, and below 160 curves need 2^80 steps or fewer.
MIN_RSA_BITS: Final = 1024
MIN_EC_BITS: Final = 160
_UNSIGNED: Final = frozenset(
    {DefectCode.DUPLICATE_EXTENSION, DefectCode.UNSIGNED_ATTRIBUTES, DefectCode.SIGNATURE_ALGORITHM_MISMATCH}
)
_CHIP: Final = frozenset({"chip.aa", "chip.ca", "chip.pace_cam"})


def _lets_fail(policy: Policy, check_id: str) -> bool:
    return check_id not in policy.required


def _accepts_copies(policy: Policy) -> bool:
    one_of = any(_CHIP.issuperset(group) for group in policy.required_one_of)
    return policy.required.isdisjoint(_CHIP) and not one_of


def _accepts_recordings(policy: Policy) -> bool:
    """Whether all the proof of the chip that it requires can be a signature over a challenge that nobody issued."""
    if policy.issued_challenge or _accepts_copies(policy):
        return False
    groups = [group for group in policy.required_one_of if _CHIP.issuperset(group)]
    return policy.required.isdisjoint(_CHIP - {"chip.aa"}) and all("chip.aa" in group for group in groups)


_RULES: Final[dict[Hazard, Callable[[Policy], bool]]] = {
    Hazard.REVOCATION_OPTIONAL: lambda policy: _lets_fail(policy, "ds.revocation"),
    Hazard.STALE_CRL_ACCEPTED: lambda policy: policy.crl_grace > MAX_GRACE,
    Hazard.ALGORITHMS_UNCHECKED: lambda policy: _lets_fail(policy, "sod.algorithms"),
    Hazard.WEAK_KEYS_ACCEPTED: lambda policy: (
        policy.algorithms.rsa_bits < MIN_RSA_BITS or policy.algorithms.ec_bits < MIN_EC_BITS
    ),
    Hazard.VALIDITY_OPTIONAL: lambda policy: _lets_fail(policy, "ds.validity"),
    Hazard.UNSIGNED_FIELDS_ACCEPTED: lambda policy: not policy.tolerated.isdisjoint(_UNSIGNED),
    Hazard.COLLIDING_HASH_ACCEPTED: lambda policy: "sha1" in policy.algorithms.hashes,
    Hazard.OTHER_CONTENT_ACCEPTED: lambda policy: DefectCode.CONTENT_TYPE in policy.tolerated,
    Hazard.SIGNING_TIME_BELIEVED: lambda policy: policy.reference_time != "now",
    Hazard.COPY_ACCEPTED: _accepts_copies,
    Hazard.RECORDING_ACCEPTED: _accepts_recordings,
    Hazard.DOWNGRADE_ACCEPTED: lambda policy: "bac" in policy.access and not policy.refuse_downgrade,
    Hazard.FOREIGN_CURVES_ACCEPTED: lambda policy: policy.foreign_curves,
    Hazard.FOREIGN_SIGNER_ACCEPTED: lambda policy: _lets_fail(policy, "consistency.issuer"),
    Hazard.EXPIRED_ACCEPTED: lambda policy: _lets_fail(policy, "document.validity"),
    Hazard.PORTRAIT_UNBOUND: lambda policy: "DG2" not in policy.data_groups,
}


def find_hazards(policy: Policy) -> tuple[Hazard, ...]:
    """What a policy leaves open, unsafe things first; empty where the lint finds nothing."""
    return tuple(hazard for hazard, applies in _RULES.items() if applies(policy))
