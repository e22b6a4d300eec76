"""ds.usage_period: EF.SOD was signed while the signer's private key was in use (Doc 9303-12 5, 7.1.1).

A document signer's certificate stays valid for as long as its documents, ten years and more, but its key signs for
months only. A signature from outside of them was made by a key that should have been destroyed, or by a wrong clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from eid.codec import oid
from eid.codec.defect import DefectCode
from eid.codec.extensions import PrivateKeyUsagePeriod
from eid.errors import Reason, VerificationError
from eid.verification.case import Case
from eid.verification.checks.check import Check
from eid.verification.signers import describe_tolerated, read_usage_period


def run(case: Case, check_id: str) -> str:
    """Compare the signing time with the private key usage period, where the certificate states one."""
    stated = case.require_signer().extensions.find(oid.PRIVATE_KEY_USAGE_PERIOD)
    if stated is None:
        return "the signer's certificate states no period"
    period, tolerated = read_usage_period(stated.value, case.policy.tolerated)
    if period is None:
        return tolerated
    attributes = case.require_sod().signed_data.signer_info.signed_attributes
    if attributes is None or attributes.signing_time is None:
        raise VerificationError(Reason.OUT_OF_BOUNDS_NO_POE, "EF.SOD does not say when it was signed")
    if _contains(period, attributes.signing_time):
        return tolerated
    if DefectCode.USAGE_PERIOD in case.policy.tolerated:
        return describe_tolerated((DefectCode.USAGE_PERIOD,))
    raise VerificationError(
        Reason.OUT_OF_USAGE_PERIOD,
        f"signed on {attributes.signing_time:%Y-%m-%d}, when the signer's key was not in use",
    )


def _contains(period: PrivateKeyUsagePeriod, time: datetime) -> bool:
    begun = period.not_before is None or period.not_before <= time
    return begun and (period.not_after is None or time <= period.not_after)


USAGE_PERIOD: Final = Check("ds.usage_period", "Doc 9303-12 7.1.1", run)
